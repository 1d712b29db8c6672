//! Targets of `mpchat run --start` that die, hang, and are slow: what dies is a finding, what is slow is not, and nothing
//! that was found is lost.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test")]

mod target;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mpchat_model::{CaseResult, Results, Verdict};

/// Generously: what takes so long hangs.
const BOUND: Duration = Duration::from_secs(30);

/// Not a test: what `--start` starts.
#[test]
fn a_target() {
    target::serve_if_asked();
}

struct Ran {
    results: Results,
    code: i32,
    took: Duration,
}

impl Ran {
    fn case(&self, id: &str) -> &CaseResult {
        self.results.cases.iter().find(|case| case.id == id).unwrap()
    }

    fn verdicts(&self) -> Vec<(&str, Verdict, Option<&str>)> {
        self.results.cases.iter().map(|c| (c.id.as_str(), c.verdict, c.got.as_deref())).collect()
    }
}

fn run(misdeed: &str, arguments: &[&str]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    run_command(folder.path(), &target::command(misdeed, &folder.path().join("mark")), arguments)
}

fn run_command(folder: &Path, command: &str, arguments: &[&str]) -> Ran {
    let file = folder.join("results.json");
    let began = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_mpchat"))
        .args(["run", "--start", command, "--report", &format!("json={}", file.display())])
        .args(arguments)
        .output()
        .unwrap();
    let took = began.elapsed();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let text = std::fs::read_to_string(&file).unwrap_or_else(|_| panic!("no result: {stderr}"));
    Ran { results: serde_json::from_str(&text).unwrap(), code: output.status.code().unwrap(), took }
}

#[test]
fn who_dies_of_a_case_fails_it_and_is_judged_on_in_the_others() {
    let ran = run(
        "die on msg_req",
        &["=msg/author-order", "=login/four-steps", "=login/first-frame[close]", "--patience", "2"],
    );
    assert_eq!(ran.code, 1);
    let dies = ran.case("msg/author-order");
    assert_eq!((dies.verdict, dies.violates[0].as_str()), (Verdict::Fail, "MTP-18"));
    let got = dies.got.as_deref().unwrap();
    assert!(
        got.contains("exit status: 101") && got.contains("its standard error ends: bad luck with a frame"),
        "{got}"
    );
    assert!(dies.notes.iter().any(|note| note.contains("when it ran beside others: the target ended by itself")));
    assert!(dies.frames.iter().any(|frame| frame.contains("msg_req")), "{:?}", dies.frames);
    assert_eq!(
        (ran.case("login/four-steps").verdict, ran.case("login/first-frame[close]").verdict),
        (Verdict::Pass, Verdict::Pass),
        "{:?}",
        ran.verdicts()
    );
}

#[test]
fn a_death_that_no_case_repeats_is_not_passed_over() {
    let ran =
        run("die once on msg_req", &["=msg/author-order", "=msg/author-leaves", "--jobs", "1", "--patience", "2"]);
    assert_eq!(
        (ran.code, ran.results.summary.pass, ran.results.summary.inconclusive),
        (1, 1, 1),
        "{:?}",
        ran.verdicts()
    );
    let bad = ran.results.cases.iter().find(|case| case.verdict == Verdict::Inconclusive).unwrap();
    let got = bad.got.as_deref().unwrap();
    assert!(got.contains("once in a lifetime") && got.contains("not when the case ran alone"), "{got}");
}

#[test]
fn who_cannot_be_started_again_ends_the_run_and_its_results_are_kept() {
    let ran = run("stay dead after close_req", &["=msg/author-order", "--patience", "2"]);
    assert_eq!(ran.code, 3, "{:?}", ran.verdicts());
    let why = ran.results.aborted.as_deref().unwrap();
    assert!(why.contains("the end; it cannot be restarted") && why.contains("no second life"), "{why}");
    let last = ran.case("msg/author-order");
    assert_eq!(last.verdict, Verdict::Inconclusive);
    assert!(last.got.as_deref().unwrap().contains("its standard error ends: the end"));
}

#[test]
fn who_takes_most_of_the_patience_for_each_answer_passes() {
    let ran = run("slow", &["=login/four-steps", "--patience", "0.4"]);
    assert_eq!((ran.code, ran.results.summary.pass), (0, 1), "{:?}", ran.verdicts());
}

#[test]
fn who_is_silent_is_looked_at_rarely_and_what_was_found_first_stays() {
    let ran = run("silent", &["close/", "--jobs", "10", "--patience", "0.3"]);
    let verdicts = ran.verdicts();
    assert_eq!((ran.code, ran.results.summary.inconclusive), (1, verdicts.len()), "{verdicts:?}");
    let not_run = ran.results.cases.iter().filter(|c| c.got.as_deref().unwrap().starts_with("not run")).count();
    assert!(not_run > verdicts.len() / 2, "{not_run} of {}: {verdicts:?}", verdicts.len());
    let kept: Vec<_> =
        ran.results.cases.iter().filter(|c| c.notes.iter().any(|n| n.contains("run again alone: not run"))).collect();
    assert!(!kept.is_empty(), "{verdicts:?}");
    assert!(kept.iter().all(|c| c.got.as_deref().unwrap().contains("is not answered")), "{kept:?}");
}

#[test]
fn who_falls_silent_when_somebody_leaves_broke_no_rule_that_was_proved() {
    let ran = run("silent after init_res", &["=close/one-offline", "--patience", "0.5"]);
    let case = ran.case("close/one-offline");
    assert_eq!((ran.code, case.verdict), (1, Verdict::Inconclusive), "{case:?}");
    assert!(case.violates.is_empty());
}

#[test]
fn what_does_not_heed_sigterm_is_killed_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let command = format!("trap '' TERM; {}", target::command("none", &folder.path().join("mark")));
    let cases = ["=login/four-steps", "=msg/answer-timeout", "=init/invite-timeout"];
    let ran = run_command(folder.path(), &command, &cases);
    assert_eq!(ran.code, 0, "{:?}", ran.verdicts());
    // Three instances, of which each takes five seconds.
    assert!(ran.took < Duration::from_secs(15), "{:?}", ran.took);
}

#[test]
fn who_floods_its_standard_error_is_not_held_up() {
    let ran = run("shout", &["=login/four-steps"]);
    assert_eq!((ran.code, ran.results.summary.pass), (0, 1), "{:?}", ran.verdicts());
}

#[test]
fn an_interrupted_run_leaves_no_target_behind() {
    for signal in ["-INT", "-TERM"] {
        leaves_no_target_behind(signal);
    }
}

fn leaves_no_target_behind(signal: &str) {
    let folder = tempfile::tempdir().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    // The target is not the process that was started, but a child of it.
    let command = format!("{} & wait", target::command("silent", &folder.path().join("mark")));
    let mut run = Command::new(env!("CARGO_BIN_EXE_mpchat"))
        .args(["run", "=login/four-steps", "--patience", "600", "--start", &command])
        .env("TARGET_TELLS", listener.local_addr().unwrap().to_string())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let (mut target, _) = listener.accept().unwrap();
    target.set_read_timeout(Some(BOUND)).unwrap();
    let sent = Command::new("kill").args([signal, &run.id().to_string()]).status().unwrap();
    assert!(sent.success());
    // Nothing but the end of the target's process closes this.
    assert_eq!(std::io::Read::read(&mut target, &mut [0]).unwrap(), 0);
    assert_eq!(run.wait().unwrap().code(), Some(3));
}

/// `-- --nocapture` shows the number (ARCHITECTURE.md).
#[cfg(target_os = "linux")]
#[test]
fn who_floods_fills_no_memory() {
    let folder = tempfile::tempdir().unwrap();
    let command = target::command("flood", &folder.path().join("mark"));
    let mut run = Command::new(env!("CARGO_BIN_EXE_mpchat"))
        .args(["run", "close/", "--jobs", "16", "--patience", "0.5", "--start", &command])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", run.id());
    let mut peak = 0;
    while run.try_wait().unwrap().is_none() {
        // The peak only grows: the last look before the end is as good as any.
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak =
            line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()).unwrap_or(peak).max(peak);
        std::thread::yield_now();
    }
    println!("VmHWM {} MiB", peak / 1024);
    assert!((1..512 * 1024).contains(&peak), "{peak} kB");
    assert_eq!(run.wait().unwrap().code(), Some(1));
}
