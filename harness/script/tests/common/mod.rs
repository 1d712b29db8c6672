//! What the tests of this crate share: the suite's own scenarios, and errors as a terminal without colours shows them.

#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::path::{Path, PathBuf};

use miette::{GraphicalReportHandler, GraphicalTheme};
use mpchat_script::ScriptError;

/// Id, path and text of each scenario of the suite.
pub(crate) fn suite() -> Vec<(String, PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    let mut found = Vec::new();
    let mut folders = vec![folder.clone()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "mmd") {
                let id = path.strip_prefix(&folder).unwrap().with_extension("").to_string_lossy().into_owned();
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((id, path, text));
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "the suite has no scenarios at {}", folder.display());
    found
}

/// A file with one session of alice and bob, and this diagram.
pub(crate) fn with_diagram(diagram: &str) -> String {
    let front = "title: A title\ncovers: [MSG-03]\nwhy: A reason.\nsessions:\n  session: alice bob\n";
    format!("---\n{front}---\nsequenceDiagram\n{diagram}\n")
}

/// A file with this front matter and a diagram in which alice asks for the server's status.
pub(crate) fn with_front(front: &str) -> String {
    format!(
        "---\n{front}\n---\nsequenceDiagram\n    alice->>server: status_req\n    server->>alice: status_res Online\n"
    )
}

/// The error as text.
pub(crate) fn shown(error: &ScriptError) -> String {
    let mut text = String::new();
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_width(120);
    handler.render_report(&mut text, error).unwrap();
    text
}

/// The error that a file has.
pub(crate) fn error_of(source: &str) -> ScriptError {
    match mpchat_script::parse("area/name.mmd", "area/name", source) {
        Err(error) => error,
        Ok(_) => panic!("accepted:\n{source}"),
    }
}
