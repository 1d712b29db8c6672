//! Targets that misbehave: a clear verdict for every case, in bounded time, and nothing lost.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use mpchat_model::{Results, Verdict};

/// The longest that a run of these few cases may take, generously: it must end by itself.
const BOUND: Duration = Duration::from_secs(90);

/// Serves every connection by `serve`, as long as `more` says so for the nth.
fn target(more: impl Fn(usize) -> bool + Send + 'static, serve: fn(TcpStream)) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for (n, stream) in listener.incoming().flatten().enumerate() {
            if !more(n) {
                return;
            }
            std::thread::spawn(move || serve(stream));
        }
    });
    address
}

fn judge(address: &str) -> (Option<Results>, i32) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("results.json");
    let began = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_mpchat"))
        .args(["run", "close/", "status/", "--target", address, "--patience", "0.2"])
        .arg("--report")
        .arg(format!("json={}", file.display()))
        .output()
        .unwrap();
    assert!(began.elapsed() < BOUND);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!stderr.contains("panicked"), "{stderr}");
    let results = std::fs::read_to_string(&file).ok().and_then(|text| serde_json::from_str(&text).ok());
    (results, output.status.code().unwrap())
}

/// Nothing passes, everything is judged.
fn nothing_passes(address: &str) -> Vec<Verdict> {
    let (results, code) = judge(address);
    let results = results.unwrap();
    assert_eq!(code, 1);
    assert!(results.cases.len() > 20);
    assert_eq!(results.summary.pass, 0);
    results.cases.iter().map(|case| case.verdict).collect()
}

fn read_away(mut stream: &TcpStream) {
    let mut buffer = [0; 4096];
    while stream.read(&mut buffer).is_ok_and(|n| n > 0) {}
}

#[test]
fn who_refuses_connections_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let (results, code) = judge(&address);
    assert_eq!(code, 3);
    assert!(results.unwrap().aborted.is_some());
}

#[test]
fn who_never_answers_proves_nothing() {
    let verdicts = nothing_passes(&target(|_| true, |stream| read_away(&stream)));
    assert!(verdicts.iter().all(|v| *v == Verdict::Inconclusive), "{verdicts:?}");
}

#[test]
fn who_closes_at_once_breaks_the_login() {
    let verdicts = nothing_passes(&target(|_| true, drop));
    assert!(verdicts.iter().all(|v| *v >= Verdict::Inconclusive));
}

#[test]
fn who_answers_garbage_fails() {
    let verdicts = nothing_passes(&target(
        |_| true,
        |mut stream| {
            let _gone = stream.write_all(&[0xa5; 400]);
            read_away(&stream);
        },
    ));
    assert!(verdicts.contains(&Verdict::Fail));
}

#[test]
fn who_floods_is_not_read_for_ever() {
    nothing_passes(&target(
        |_| true,
        |mut stream| {
            // A header of the longest frame that never ends, and then the next.
            let frame = [&[1, 0, 4, 0x10, 0xff, 0xff, 0, 1][..], &[0; 60_000]].concat();
            while stream.write_all(&frame).is_ok() {}
        },
    ));
}

#[test]
fn who_dribbles_ends_in_bounded_time() {
    nothing_passes(&target(
        |_| true,
        |mut stream| {
            let header = [1, 0, 4, 0x10, 0xff, 0xff, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            for byte in header.into_iter().cycle() {
                // A rhythm, not a proof: slower than the suite's patience a frame.
                std::thread::sleep(Duration::from_millis(20));
                if stream.write_all(&[byte]).is_err() {
                    return;
                }
            }
        },
    ));
}

#[test]
fn who_dies_in_the_middle_loses_no_result() {
    nothing_passes(&target(|n| n < 12, |stream| read_away(&stream)));
}
