//! Transports: a target that takes a segment for a frame is caught, and called what it is.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use mpchat_model::{CaseResult, Results, Verdict};

/// The reference server, ended with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// A server on a free port, ready.
fn server() -> (Server, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_mpchat"))
        .args(["serve", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let stdout = child.stdout.take().unwrap();
    let server = Server(child);
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    let address = line.split_whitespace().find(|word| word.starts_with("127.0.0.1:"));
    let address = address.unwrap_or_else(|| panic!("the server says `{line}`")).to_owned();
    (server, address)
}

/// A way to `server` that ends the connection when a read brings less than a header.
fn behind(server: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for suite in listener.incoming().flatten() {
            let Ok(real) = TcpStream::connect(&server) else { return };
            let (back, from) = (suite.try_clone().unwrap(), real.try_clone().unwrap());
            std::thread::spawn(move || carry(from, back, |_| true));
            std::thread::spawn(move || {
                carry(suite, real, |segment| segment.len() >= 24);
            });
        }
    });
    address
}

/// Carries what `from` says to `to`, until it ends or `takes` says no.
fn carry(mut from: TcpStream, mut to: TcpStream, takes: impl Fn(&[u8]) -> bool) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(n) = from.read(&mut buffer) {
        let segment = &buffer[..n];
        if n == 0 || !takes(segment) || to.write_all(segment).is_err() {
            break;
        }
    }
    let _gone = to.shutdown(Shutdown::Write);
}

fn run(arguments: &[&str]) -> (Vec<CaseResult>, i32) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("results.json");
    let output = Command::new(env!("CARGO_BIN_EXE_mpchat"))
        .args(["run", "--report", &format!("json={}", file.display())])
        .args(arguments)
        .output()
        .unwrap();
    let text = std::fs::read_to_string(&file).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let results: Results = serde_json::from_str(&text).unwrap();
    (results.cases, output.status.code().unwrap())
}

fn rules(case: &CaseResult) -> Vec<&str> {
    case.violates.iter().map(|rule| rule.as_str()).collect()
}

/// Diagrams that do not say how bytes are cut.
const CASES: [&str; 2] = ["=seed/init", "=close/one-offline"];

#[test]
fn who_wants_whole_headers_passes_plain_and_fails_split() {
    let (_server, real) = server();
    let target = behind(real);
    let meant = |transport| [&CASES[..], &["--target", &target, "--transport", transport]].concat();
    let (plain, code) = run(&meant("plain"));
    assert!(!plain.is_empty());
    assert_eq!(code, 0, "{plain:?}");
    let (split, code) = run(&meant("split"));
    assert_eq!(code, 1);
    for case in split {
        assert_eq!((case.verdict, rules(&case)[0]), (Verdict::Fail, "MTP-16"), "{case:?}");
        assert!(case.notes.contains(&"only with transport split; plain: pass".to_owned()), "{case:?}");
        assert!(case.reproduce.ends_with(" --transport split"));
    }
}

#[test]
fn a_case_in_all_transports_has_one_result_and_the_same_transcript() {
    let (plain, _) = run(&["close/", "status/"]);
    let (all, code) = run(&["close/", "status/", "--transport", "all"]);
    let others: Vec<_> = all.iter().filter(|case| case.verdict != Verdict::Pass).collect();
    assert_eq!((code, others.len()), (0, 0), "{others:?}");
    let shown = |cases: Vec<CaseResult>| cases.into_iter().map(|c| (c.id, c.transcript)).collect::<Vec<_>>();
    assert_eq!(shown(plain), shown(all));
}

#[test]
fn a_configuration_file_has_the_key_too() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("mpchat.toml");
    std::fs::write(&config, "transport = \"zigzag\"\n").unwrap();
    let run = |config: &str| {
        Command::new(env!("CARGO_BIN_EXE_mpchat"))
            .args(["run", "=close/one-offline", "--config", config])
            .output()
            .unwrap()
    };
    assert_eq!(run(config.to_str().unwrap()).status.code(), Some(2));
    std::fs::write(&config, "transport = \"split\"\n").unwrap();
    assert_eq!(run(config.to_str().unwrap()).status.code(), Some(0));
}
