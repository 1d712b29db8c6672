//! Documents stay true: the paths that they name exist.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap()
}

/// Texts in backticks that begin with a folder of the top level.
fn paths(text: &str) -> Vec<&str> {
    let folders = ["reference", "harness", "vectors", "scenarios", "reports", ".ci"];
    let is_path = |code: &&str| folders.iter().any(|f| *code == *f || code.starts_with(&format!("{f}/")));
    let plain = |code: &&str| !code.contains(['*', '<', ' ']);
    text.split('`').skip(1).step_by(2).filter(is_path).filter(plain).collect()
}

#[test]
fn the_map_names_what_exists() {
    let text = read("ARCHITECTURE.md").replace("```", "");
    let named = paths(&text);
    assert!(named.len() > 30, "the map has become empty: {named:?}");
    let missing: Vec<&&str> = named.iter().filter(|path| !root().join(path).exists()).collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md names what does not exist: {missing:?}");
}

#[test]
fn every_crate_is_on_the_map() {
    let text = read("ARCHITECTURE.md");
    let cargo = read("Cargo.toml");
    let members: Vec<&str> = cargo.lines().filter_map(|l| l.trim().strip_prefix('"')?.strip_suffix("\",")).collect();
    assert!(members.len() > 5);
    let absent: Vec<&&str> = members.iter().filter(|member| !text.contains(**member)).collect();
    assert!(absent.is_empty(), "ARCHITECTURE.md lacks {absent:?}");
}

#[test]
fn links_lead_somewhere() {
    for name in ["README.md", "CONTRIBUTING.md", "scenarios/README.md", "vectors/README.md"] {
        let text = read(name);
        let folder = root().join(name).parent().unwrap().to_path_buf();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target) {
            if !target.starts_with("http") && !target.starts_with('#') {
                let file = target.split('#').next().unwrap();
                assert!(folder.join(file).exists(), "{name} links to {target}");
            }
        }
    }
}

#[test]
fn the_readme_tells_the_truth_about_its_numbers() {
    let text = read("README.md");
    let line = text.lines().find(|l| l.starts_with("embedded reference server:")).unwrap();
    let listed = std::process::Command::new(env!("CARGO_BIN_EXE_mpchat")).args(["run", "--list"]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let count = listed.lines().last().unwrap();
    assert!(line.contains(count), "README.md says `{line}`, and the suite has {count}");
}
