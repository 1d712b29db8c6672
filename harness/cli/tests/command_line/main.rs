//! The command line, option by option, through the binary: exit codes, what is said, what is written.
#![allow(clippy::unwrap_used, reason = "tests")]

mod clients;
mod known;
mod levels;
mod matrix;
mod rounds;
mod shards;
mod usage;

use std::path::{Path, PathBuf};
use std::process::Command;

use mpchat_model::{CaseResult, Results};
use tempfile::TempDir;

/// Two cases, `own/wrong[a]` and `own/wrong[b]`: the first expects what no server may send.
const WRONG: &str = "\
---
title: A server that answers otherwise
covers: [STAT-01]
why: In one of its cases the scenario itself is wrong, so that it fails.
cases:
  a: {answer: Offline}
  b: {answer: Online}
---
sequenceDiagram
    alice->>server: status_req
    server->>alice: status_res $answer [STAT-01]
";

/// A folder of a test's own.
pub(crate) struct Place(TempDir);

/// What a command did.
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Place {
    /// With the scenarios of [`WRONG`].
    pub(crate) fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir_all(place.path("scenarios/own")).unwrap();
        place.write("scenarios/own/wrong.mmd", WRONG);
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// Runs `mpchat` in the folder.
    pub(crate) fn mpchat(&self, arguments: &[&str]) -> Done {
        mpchat(self.0.path(), arguments)
    }

    /// `mpchat run` with the folder's scenarios; the result goes to `results.json`.
    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        let first = ["run", "--scenarios", "scenarios", "--report", "json=results.json", "--report", "terminal"];
        self.mpchat(&[&first[..], arguments].concat())
    }

    /// A result file, which keeps to its schema.
    pub(crate) fn results(&self, name: &str) -> Results {
        let value: serde_json::Value = serde_json::from_str(&self.read(name)).unwrap();
        let schema = serde_json::from_str(mpchat_report::RESULTS_SCHEMA).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert_eq!(errors, [""; 0]);
        serde_json::from_value(value).unwrap()
    }

    pub(crate) fn case(&self, id: &str) -> CaseResult {
        self.results("results.json").cases.into_iter().find(|case| case.id == id).unwrap()
    }
}

pub(crate) fn mpchat(folder: &Path, arguments: &[&str]) -> Done {
    let output = Command::new(env!("CARGO_BIN_EXE_mpchat")).args(arguments).current_dir(folder).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Done { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}
