//! What the binary carries: scenarios, vectors, schemas, accepted transcripts, the kit.

use std::path::Path;
use std::sync::Arc;

use include_dir::{Dir, include_dir};
use mpchat_peer::kit::{Kit, KitFiles};
use mpchat_proto::crypto::Provider;
use mpchat_script::ast::Scenario;

use crate::failure::Failure;

static SCENARIOS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../scenarios");
static VECTORS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../vectors");
static SNAPSHOTS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../reports/snapshots");
static KIT: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../kit");

/// Text files below a folder with one ending: path below the folder and text, sorted.
fn texts(dir: &'static Dir<'static>, ending: &str) -> Vec<(&'static str, &'static str)> {
    let mut found = Vec::new();
    let mut folders = vec![dir];
    while let Some(folder) = folders.pop() {
        folders.extend(folder.dirs());
        for file in folder.files() {
            if let (Some(path), Some(text)) = (file.path().to_str(), file.contents_utf8())
                && path.ends_with(ending)
            {
                found.push((path, text));
            }
        }
    }
    found.sort_unstable();
    found
}

/// The suite's scenario files: path below `scenarios/`, and text.
pub(crate) fn scenario_files() -> Vec<(&'static str, &'static str)> {
    texts(&SCENARIOS, ".mmd")
}

/// Cases that need not catch any fault, a line each: id, colon, why.
#[cfg(feature = "faults")]
pub(crate) fn spared() -> &'static str {
    include_str!("../../../scenarios/spared.txt")
}

/// The suite's vector files: path below `vectors/`, and text.
pub(crate) fn vector_files() -> Vec<(&'static str, &'static str)> {
    texts(&VECTORS, ".json")
}

/// The accepted transcripts against the embedded server.
pub(crate) fn snapshot_files() -> Vec<(&'static str, &'static str)> {
    texts(&SNAPSHOTS, ".snap")
}

/// The suite's kit.
pub(crate) fn kit_files() -> KitFiles {
    let files = [".pem", ".toml", "cast.txt", ".md"].into_iter().flat_map(|ending| texts(&KIT, ending));
    KitFiles::from_list(files)
}

/// The kit to use: a folder's, or the suite's own.
pub(crate) fn kit(folder: Option<&Path>, provider: &'static dyn Provider) -> Result<Arc<Kit>, Failure> {
    let files = match folder {
        Some(folder) => KitFiles::read(folder).map_err(Failure::usage)?,
        None => kit_files(),
    };
    Ok(Arc::new(Kit::load(files, provider).map_err(Failure::usage)?))
}

/// The suite's scenarios: those that are written as such, and those that malformed-frame vectors become.
pub(crate) fn scenarios() -> Result<Vec<Arc<Scenario>>, Failure> {
    let mut scenarios = Vec::new();
    for (path, text) in scenario_files() {
        let id = path.trim_end_matches(".mmd");
        let scenario = mpchat_script::parse(&format!("scenarios/{path}"), id, text).map_err(Failure::script)?;
        scenarios.push(Arc::new(scenario));
    }
    scenarios.extend(crate::vectors::as_scenarios(&vector_files())?);
    Ok(scenarios)
}
