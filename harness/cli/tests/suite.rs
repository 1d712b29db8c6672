//! The suite, as a user runs it: the binary, its exit codes, its files.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use mpchat_model::{Results, RuleVerdict, Verdict};

fn mpchat(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mpchat")).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn run(folder: &Path, arguments: &[&str]) -> (Results, Option<i32>) {
    let file = folder.join("results.json");
    let report = format!("json={}", file.display());
    let output = mpchat(&[&["run", "--report", &report], arguments].concat());
    let result = std::fs::read_to_string(&file).unwrap_or_else(|_| panic!("no result: {}", text(&output.stderr)));
    let value: serde_json::Value = serde_json::from_str(&result).unwrap();
    let schema = serde_json::from_str(mpchat_report::RESULTS_SCHEMA).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    assert!(validator.is_valid(&value), "the result breaks its schema");
    (serde_json::from_value(value).unwrap(), output.status.code())
}

fn snapshots() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../reports/snapshots")
}

#[test]
fn the_reference_server_conforms_and_its_transcripts_are_those_that_were_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let accepted = snapshots();
    let (results, code) = run(folder.path(), &["--snapshots", accepted.to_str().unwrap()]);
    let bad: Vec<_> = results.cases.iter().filter(|c| c.verdict > Verdict::Skipped).map(|c| (&c.id, &c.got)).collect();
    assert!(bad.is_empty(), "{bad:?}");
    assert_eq!((code, results.summary.skipped), (Some(0), 0));
    assert!(results.cases.windows(2).all(|pair| pair[0].id < pair[1].id), "case ids are unique");
    assert!(results.cases.len() > 1000);
    // Every rule that binds a server has a case, or stands on the reviewed list of those that nobody can observe.
    let untested: Vec<_> = results.rules.iter().filter(|rule| rule.verdict == RuleVerdict::Untested).collect();
    assert!(untested.is_empty(), "{untested:?}");
}

#[test]
fn one_job_and_many_give_the_same_transcripts() {
    let folder = tempfile::tempdir().unwrap();
    let transcripts = |jobs: &str| {
        let (results, _) = run(folder.path(), &["--jobs", jobs, "msg/", "close/", "init/", "status/", "pay/"]);
        results.cases.into_iter().map(|case| (case.id, case.transcript)).collect::<Vec<_>>()
    };
    let one = transcripts("1");
    assert!(one.len() > 150);
    assert_eq!(one, transcripts("16"));
}

#[test]
fn two_frames_of_a_connection_that_are_swapped_differ_from_the_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let name = "close__one-offline.snap";
    let accepted = std::fs::read_to_string(snapshots().join(name)).unwrap();
    let (first, second) =
        ("    server->>carol: status_res Offline in session\n", "    server->>carol: close_res error in session\n");
    assert!(accepted.contains(first) && accepted.contains(second));
    let swapped = accepted.replace(first, "@").replace(second, first).replace('@', second);
    std::fs::write(folder.path().join(name), swapped).unwrap();
    let (results, code) = run(folder.path(), &["=close/one-offline", "--snapshots", folder.path().to_str().unwrap()]);
    assert_eq!(code, Some(1));
    assert!(results.cases[0].got.as_ref().unwrap().contains("-    server->>carol: close_res error"));
}

#[test]
fn shards_merge_to_what_one_run_gives() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for shard in ["1/3", "2/3", "3/3"] {
        let part = folder.path().join(shard.replace('/', "of"));
        std::fs::create_dir(&part).unwrap();
        run(&part, &["status/", "--shard", shard]);
        files.push(part.join("results.json").display().to_string());
    }
    let merged = folder.path().join("merged.json").display().to_string();
    let arguments: Vec<&str> =
        ["report", "merge", "--out", &merged].into_iter().chain(files.iter().map(String::as_str)).collect();
    assert_eq!(mpchat(&arguments).status.code(), Some(0));
    let merged: Results = serde_json::from_str(&std::fs::read_to_string(merged).unwrap()).unwrap();
    let (whole, _) = run(folder.path(), &["status/"]);
    let verdicts = |results: &Results| results.cases.iter().map(|c| (c.id.clone(), c.verdict)).collect::<Vec<_>>();
    assert_eq!(verdicts(&merged), verdicts(&whole));
    assert_eq!(merged.rules, whole.rules);
}

#[test]
fn a_command_is_started_its_timers_are_shortened_and_it_is_restarted() {
    let folder = tempfile::tempdir().unwrap();
    let command = format!(
        "{} serve --listen 127.0.0.1:{{port}} --kit {{kit}} --invite-timeout {{invite_timeout}} --login-timeout {{login_timeout}}",
        env!("CARGO_BIN_EXE_mpchat")
    );
    let filters = ["init/late-accept", "login/timeout[", "close/", "restart/"];
    let (results, code) = run(folder.path(), &[&["--start", &command], &filters[..]].concat());
    let bad: Vec<_> = results.cases.iter().filter(|c| c.verdict > Verdict::Skipped).map(|c| (&c.id, &c.got)).collect();
    assert!(bad.is_empty(), "{bad:?}");
    assert_eq!(code, Some(0));
    let restart = results.cases.iter().find(|c| c.id.starts_with("restart/")).unwrap();
    assert_eq!(restart.verdict, Verdict::Skipped, "the command keeps no state");
}

#[test]
fn wrong_usage_is_told_and_has_exit_code_2() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("mpchat.toml");
    std::fs::write(&config, "jops = 3\n").unwrap();
    for (arguments, word) in [
        (vec!["run", "no-such-case"], "no case is meant"),
        (vec!["run", "--report", "yaml"], "yaml"),
        (vec!["run", "--shard", "4/3"], "4/3"),
        (vec!["run", "--start", "server"], "{port}"),
        (vec!["run", "--crypto", "rot13"], "rot13"),
        (vec!["run", "--config", config.to_str().unwrap()], "jops"),
        (vec!["run", "--kit", folder.path().to_str().unwrap()], "server.pub.pem"),
        (vec!["explain", "MSG-99"], "MSG-99"),
    ] {
        let output = mpchat(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains(word), "{arguments:?}: {}", text(&output.stderr));
    }
}

#[test]
fn a_rule_and_a_scenario_are_explained() {
    let rule = mpchat(&["explain", "CLOSE-06"]);
    assert!(text(&rule.stdout).contains("close/queued-answers"));
    let scenario = mpchat(&["explain", "close/queued-answers"]);
    assert!(text(&scenario.stdout).contains("server->>alice: msg_res error to \"one\" [CLOSE-06]"));
}

#[test]
fn known_answers_hold() {
    let output = mpchat(&["vectors", "check"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains(", 0 failed"));
}
