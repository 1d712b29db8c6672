//! `mpchat chat` without a terminal: scripts can hold a conversation.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Output, Stdio};

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
        Self { child, address: line.trim().rsplit(' ').next().unwrap().to_owned() }
    }

    fn chat(&self, user: &str) -> Child {
        Command::new(env!("CARGO_BIN_EXE_mpchat"))
            .args(["chat", "--server", &self.address, "--as", user])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// Gives all of its input, and waits for its end.
fn say(mut chat: Child, input: &str) -> Output {
    chat.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    chat.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn two_scripts_hold_a_conversation() {
    let server = Server::start();
    let mut bob = server.chat("bob");
    let mut to_bob = bob.stdin.take().unwrap();
    let mut of_bob = BufReader::new(bob.stdout.take().unwrap());
    // Nobody has invited him yet: the answer waits.
    to_bob.write_all(b"/accept\n").unwrap();
    let mut online = String::new();
    of_bob.read_line(&mut online).unwrap();
    assert_eq!(online, "* you are online as bob; /help lists the commands\n");
    let alice = say(server.chat("alice"), "/invite bob\nhello bob\n\n/status\n//slash\n/close\n/nonsense\n");
    assert_eq!(alice.status.code(), Some(0), "{}", text(&alice.stderr));
    assert_eq!(
        text(&alice.stdout),
        "* you are online as alice; /help lists the commands\n\
         * #1 is live: what you write now goes there\n\
         * #1 online: bob\n\
         * #1 delivered to all who are online; the others get it later\n\
         * #1 online: bob\n\
         * #1 delivered to all who are online; the others get it later\n\
         * #1 closed\n\
         ! /nonsense is no command; /help lists them\n"
    );
    let mut heard = String::new();
    while !heard.ends_with("ended by alice\n") {
        assert_ne!(of_bob.read_line(&mut heard).unwrap(), 0, "{heard}");
    }
    drop(to_bob);
    of_bob.read_to_string(&mut heard).unwrap();
    assert_eq!(
        heard,
        "* alice invites you to #1: /accept or /decline\n\
         * you talk in #1 now; it is live when all have answered\n\
         alice: hello bob\n\
         alice: /slash\n\
         * #1 ended by alice\n"
    );
    assert_eq!(bob.wait().unwrap().code(), Some(0));
}

#[test]
fn who_is_not_connected_says_so_and_fails() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = nobody.local_addr().unwrap().to_string();
    drop(nobody);
    let chat = Command::new(env!("CARGO_BIN_EXE_mpchat"))
        .args(["chat", "--server", &address, "--as", "alice"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let ended = say(chat, "/status\n");
    assert_eq!(ended.status.code(), Some(3), "{}", text(&ended.stdout));
    assert!(text(&ended.stdout).starts_with("! disconnected: "), "{}", text(&ended.stdout));
}
