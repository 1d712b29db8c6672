//! Tells the binary from which commit it was built, and to be built again when an embedded folder changes.

use std::process::Command;

fn main() {
    for folder in ["scenarios", "vectors", "reports/snapshots", "harness/kit", "reference/SPECIFICATION.md"] {
        println!("cargo::rerun-if-changed=../../{folder}");
    }
    println!("cargo::rerun-if-changed=../../.git/HEAD");
    let commit = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output().ok();
    let commit = commit.filter(|c| c.status.success()).map(|c| String::from_utf8_lossy(&c.stdout).trim().to_owned());
    if let Some(commit) = commit {
        println!("cargo::rustc-env=MPCHAT_COMMIT={commit}");
    }
}
