//! `mpchat serve --state`, as its user meets it: what it says, and with which exit code.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

fn serve(state: Option<&Path>) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mpchat"));
    command.args(["serve", "--listen", "127.0.0.1:0"]);
    if let Some(state) = state {
        command.arg("--state").arg(state);
    }
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until it listens, ends it, and gives its standard error.
fn ends(mut server: Child) -> String {
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("listening on 127.0.0.1:"), "{line}");
    server.kill().unwrap();
    server.wait().unwrap();
    let mut said = String::new();
    server.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    said
}

fn refused(state: &Path, words: &str) {
    let output = serve(Some(state)).wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains(words) && said.contains(&state.display().to_string()), "{said}");
}

#[test]
fn without_a_state_it_says_that_nothing_lasts() {
    assert!(ends(serve(None)).contains("end with this process"));
    let folder = tempfile::tempdir().unwrap();
    assert!(!ends(serve(Some(folder.path()))).contains("end with this process"));
}

#[test]
fn a_state_that_cannot_be_used_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "text").unwrap();
    refused(&file, "not a folder");

    let state = folder.path().join("state");
    let mut first = serve(Some(&state));
    let mut line = String::new();
    BufReader::new(first.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    refused(&state, "in use by another process");
    first.kill().unwrap();
    first.wait().unwrap();

    fs::write(state.join("store.redb"), "no database at all").unwrap();
    refused(&state, "damaged");
}
