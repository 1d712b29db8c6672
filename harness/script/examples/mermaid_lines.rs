//! Prints what Mermaid should see in the scenarios of folders, for the check in `mermaid/`:
//! `cargo run -p mpchat-script --example mermaid_lines -- scenarios | node harness/script/mermaid/check.mjs`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[allow(clippy::print_stdout, clippy::print_stderr, reason = "it is what the example is for")]
fn main() -> ExitCode {
    let mut good = true;
    for folder in std::env::args().skip(1) {
        let folder = PathBuf::from(folder);
        for file in files(&folder) {
            let id = file.strip_prefix(&folder).unwrap_or(&file).with_extension("");
            let source = std::fs::read_to_string(&file).unwrap_or_default();
            match mpchat_script::parse(&file.to_string_lossy(), &id.to_string_lossy(), &source) {
                Ok(scenario) => {
                    for line in mpchat_script::mermaid_lines(&scenario) {
                        match serde_json::to_string(&line) {
                            Ok(line) => println!("{line}"),
                            Err(error) => {
                                eprintln!("{error}");
                                good = false;
                            }
                        }
                    }
                }
                Err(error) => {
                    eprintln!("{error}");
                    good = false;
                }
            }
        }
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The scenario files below a folder, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "mmd") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
