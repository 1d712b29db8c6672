//! `--repeat`: a case has one result, whatever its rounds did.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use mpchat_model::{Rounds, Verdict};

use crate::Place;

#[test]
fn a_repeated_case_has_one_result() {
    let place = Place::new();
    let done = place.run(&["own/", "--repeat", "3"]);
    assert_eq!(done.code, Some(1));
    assert!(done.out.starts_with("embedded reference server: 2 cases, 3 rounds\n"), "{}", done.out);
    assert!(!done.out.contains("flaky"), "it always fails");
    let results = place.results("results.json");
    let ids: Vec<&str> = results.cases.iter().map(|case| case.id.as_str()).collect();
    assert_eq!(ids, ["own/wrong[a]", "own/wrong[b]"]);
    let [bad, good] = <[_; 2]>::try_from(results.cases).unwrap();
    assert_eq!((bad.verdict, good.verdict), (Verdict::Fail, Verdict::Pass));
    assert!(bad.notes.contains(&"failed in 3 of 3 rounds: 1, 2, 3".to_owned()), "{:?}", bad.notes);
    assert_eq!(good.rounds, Some(Rounds { run: 3, passed: 3, failed: Vec::new() }));
    place.run(&["own/"]);
    assert_eq!(place.case("own/wrong[a]").rounds, None);
}

#[test]
fn rounds_that_were_not_run_are_not_missed() {
    let place = Place::new();
    let done = place.run(&["=own/wrong[a]", "--repeat", "1000000000000", "--fail-fast", "--jobs", "1"]);
    assert_eq!((done.code, place.case("own/wrong[a]").rounds.unwrap().run), (Some(1), 1));
}

#[test]
fn a_case_that_fails_now_and_then_is_flaky() {
    let place = Place::new();
    let mut server = Server::start();
    // Connection 0 asks whether anybody is there; each round has two, of which the first speaks first.
    let address = server.behind_a_proxy(|n| n == 3);
    let done = place.run(&["=own/wrong[b]", "--repeat", "5", "--jobs", "1", "--target", &address]);
    server.end();
    assert_eq!(done.code, Some(1), "{}{}", done.out, done.err);
    let case = place.case("own/wrong[b]");
    let rounds = case.rounds.clone().unwrap();
    assert_eq!(
        (case.verdict, rounds.run, rounds.passed, rounds.failed.len()),
        (Verdict::Fail, 5, 4, 1),
        "{:?}",
        case.notes
    );
    let line = format!("flaky: own/wrong[b]: failed in 1 of 5 rounds: {}\n", rounds.failed[0]);
    assert!(done.out.contains(&line), "{}", done.out);
}

/// The reference server as a process.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mpchat"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        Self { child, address }
    }

    /// Where it can be reached, but for the connections that `garbles` names: those hear nonsense.
    fn behind_a_proxy(&self, garbles: fn(usize) -> bool) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = self.address.clone();
        std::thread::spawn(move || {
            for (n, mut client) in listener.incoming().flatten().enumerate() {
                if garbles(n) {
                    let _gone = client.write_all(&[0xa5; 400]);
                    std::thread::spawn(move || while client.read(&mut [0; 4096]).is_ok_and(|n| n > 0) {});
                } else if let Ok(server) = TcpStream::connect(&server) {
                    pipe(client.try_clone().unwrap(), server.try_clone().unwrap());
                    pipe(server, client);
                }
            }
        });
        address
    }

    fn end(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn pipe(mut from: TcpStream, mut to: TcpStream) {
    std::thread::spawn(move || {
        let _ended = std::io::copy(&mut from, &mut to);
        let _gone = to.shutdown(Shutdown::Write);
    });
}
