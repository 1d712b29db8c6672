//! `mpchat vectors check` and `mpchat vectors write`.

use std::path::Path;

use mpchat_vectors::known;

use super::print;
use crate::args::VectorsCommand;
use crate::embedded;
use crate::failure::Failure;

/// Carries out one of them.
pub(crate) fn vectors(what: &VectorsCommand) -> Result<u8, Failure> {
    match what {
        VectorsCommand::Check => check(),
        VectorsCommand::Write { dir } => write(dir),
    }
}

fn check() -> Result<u8, Failure> {
    let files = embedded::vector_files();
    let failures = known::check(files.iter().copied());
    for failure in &failures {
        print(&format!("{failure}\n"))?;
    }
    let cases = embedded_cases(&files);
    print(&format!("{cases} known-answer tests, {} failed\n", failures.len()))?;
    Ok(u8::from(!failures.is_empty()))
}

/// How many tests the known-answer files have.
fn embedded_cases(files: &[(&str, &str)]) -> usize {
    let known = files.iter().filter(|(path, _)| !path.contains('/'));
    known
        .filter_map(|(_, text)| serde_json::from_str::<serde_json::Value>(text).ok())
        .filter_map(|file| file.get("tests").and_then(|tests| tests.as_array()).map(Vec::len))
        .sum()
}

fn write(dir: &Path) -> Result<u8, Failure> {
    for (name, text) in known::write() {
        let path = dir.join(name);
        std::fs::write(&path, text).map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
    }
    Ok(0)
}
