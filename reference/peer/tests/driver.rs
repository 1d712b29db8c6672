//! Three driven clients and an embedded server: what a harness that plays the users sees.

#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::path::Path;
use std::sync::Arc;

use mpchat_peer::driver::{DriverOptions, Folders, drive};
use mpchat_proto::crypto::default_provider;
use support::*;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, duplex};
use tokio::task::JoinHandle;

/// A driven client and its user's end.
struct Driven {
    commands: DuplexStream,
    events: Lines<BufReader<DuplexStream>>,
    task: JoinHandle<std::io::Result<()>>,
}

impl Driven {
    fn start() -> Self {
        let (commands, input) = duplex(1 << 16);
        let (output, events) = duplex(1 << 16);
        let options = DriverOptions::new(Arc::new(Folders::new(default_provider())));
        let task = tokio::spawn(drive(BufReader::new(input), output, options));
        Self { commands, events: BufReader::new(events).lines(), task }
    }

    async fn does(&mut self, command: &str) {
        self.commands.write_all(format!("{command}\n").as_bytes()).await.unwrap();
    }

    async fn connects(&mut self, address: impl std::fmt::Display, uid: &str) {
        let kit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../harness/kit");
        let kit = kit.display();
        self.does(&format!(r#"{{"do":"connect","address":"{address}","uid":"{uid}","kit":"{kit}"}}"#)).await;
    }

    async fn event(&mut self) -> String {
        soon(self.events.next_line()).await.unwrap().unwrap()
    }

    async fn says(&mut self, event: &str) {
        assert_eq!(self.event().await, event);
    }

    /// Its input ends: what it still says, and that it ends.
    async fn ends(mut self) -> Vec<String> {
        drop(self.commands);
        let mut said = Vec::new();
        while let Some(event) = soon(self.events.next_line()).await.unwrap() {
            said.push(event);
        }
        soon(self.task).await.unwrap().unwrap();
        said
    }
}

const ONLINE: &str = r#"{"event":"online"}"#;

#[tokio::test]
async fn three_users_talk() {
    let server = start(options()).await;
    let (mut alice, mut bob, mut carol) = (Driven::start(), Driven::start(), Driven::start());
    let users = [(&mut alice, "00000000000a11ce"), (&mut bob, "00000000000b0b00"), (&mut carol, "0000000000ca401e")];
    for (user, uid) in users {
        user.connects(server.address(), uid).await;
        user.says(ONLINE).await;
    }
    alice.does(r#"{"do":"init","invite":["0000000000ca401e","00000000000b0b00"]}"#).await;
    let invited = bob.event().await;
    let sid = invited.split('"').nth(7).unwrap().to_owned();
    assert_eq!(invited, format!(r#"{{"event":"invited","sid":"{sid}","from":"00000000000a11ce"}}"#));
    assert_eq!(carol.event().await, invited);
    for user in [&mut bob, &mut carol] {
        user.does(&format!(r#"{{"do":"answer","sid":"{sid}","accept":true}}"#)).await;
    }
    alice.says(&format!(r#"{{"event":"init","sid":"{sid}","ok":true}}"#)).await;

    // The client learns the roster by itself, and says nothing of that.
    bob.does(&format!(r#"{{"do":"send","sid":"{sid}","text":"gr\u00fc\u00df"}}"#)).await;
    let message = format!(r#"{{"event":"message","sid":"{sid}","from":"00000000000b0b00","text":"grüß"}}"#);
    alice.says(&message).await;
    carol.says(&message).await;
    bob.says(&format!(r#"{{"event":"sent","sid":"{sid}","ok":true}}"#)).await;

    carol.does(r#"{"do":"leave"}"#).await;
    carol.says(r#"{"event":"disconnected"}"#).await;
    bob.does(&format!(r#"{{"do":"status","sid":"{sid}"}}"#)).await;
    bob.says(&format!(
        concat!(
            r#"{{"event":"status","sid":"{sid}","state":"Online","members":["#,
            r#"{{"uid":"00000000000a11ce","state":"Online"}},{{"uid":"0000000000ca401e","state":"Offline"}},"#,
            r#"{{"uid":"00000000000b0b00","state":"Online"}}]}}"#
        ),
        sid = sid
    ))
    .await;
    bob.does(r#"{"do":"status"}"#).await;
    bob.says(r#"{"event":"status","sid":"0000000000000000","state":"Online","members":[]}"#).await;

    alice.does(&format!(r#"{{"do":"close","sid":"{sid}"}}"#)).await;
    alice.says(&format!(r#"{{"event":"close","sid":"{sid}","ok":true}}"#)).await;
    bob.says(&format!(r#"{{"event":"closed","sid":"{sid}","by":"00000000000a11ce"}}"#)).await;
    bob.does(&format!(r#"{{"do":"send","sid":"{sid}","text":"late"}}"#)).await;
    bob.says(&format!(r#"{{"event":"refused","do":"send","error":"session {sid} is closed"}}"#)).await;
    bob.does(r#"{"do":"close","sid":"0000000000000000"}"#).await;
    let refused = bob.event().await;
    assert!(refused.starts_with(r#"{"event":"close","sid":"0000000000000000","ok":false,"error":""#), "{refused}");
    bob.does(r#"{"do":"send","sid":"0000000000000000","text":"to nobody"}"#).await;
    assert!(bob.event().await.starts_with(r#"{"event":"refused","do":"send","error":""#));

    // The end of the input is as good as `leave`, connected or not.
    assert_eq!(alice.ends().await, [r#"{"event":"disconnected"}"#]);
    assert_eq!(carol.ends().await, [""; 0]);
    soon(server.shutdown()).await;
    let end = bob.event().await;
    assert!(end.starts_with(r#"{"event":"disconnected","error":""#), "{end}");
    assert_eq!(bob.ends().await, [""; 0]);
}

#[tokio::test]
async fn what_cannot_be_reached_is_an_end_and_a_bad_kit_is_not() {
    let server = start(options()).await;
    let address = server.address();
    soon(server.shutdown()).await;
    let mut user = Driven::start();
    user.connects(address, "00000000000a11ce").await;
    let end = user.event().await;
    assert!(end.starts_with(r#"{"event":"disconnected","error":""#), "{end}");
    user.connects("nowhere", "00000000000a11ce").await;
    assert!(user.event().await.starts_with(r#"{"event":"disconnected","error":""#));
    // Nobody's key.
    user.connects(address, "0000000000000001").await;
    let refused = user.event().await;
    assert!(refused.starts_with(r#"{"event":"refused","do":"connect","error":"0000000000000001.key.pem"#), "{refused}");
    user.does(&format!(r#"{{"do":"connect","address":"{address}","uid":"00000000000a11ce","kit":"/nowhere"}}"#)).await;
    let refused = user.event().await;
    assert!(refused.starts_with(r#"{"event":"refused","do":"connect","error":"/nowhere"#), "{refused}");
    assert_eq!(user.ends().await, [""; 0]);
}

/// What was said while a login is under way waits, what is no command too; leaving does not.
#[tokio::test]
async fn leaving_waits_for_no_login() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut user = Driven::start();
    user.connects(listener.local_addr().unwrap(), "00000000000a11ce").await;
    user.does("nonsense").await;
    user.does(r#"{"do":"status"}"#).await;
    let (_silent, _) = soon(listener.accept()).await.unwrap();
    user.does(r#"{"do":"leave"}"#).await;
    assert!(user.event().await.starts_with(r#"{"event":"refused","do":"","error":""#));
    assert!(user.event().await.starts_with(r#"{"event":"refused","do":"status","error":""#));
    user.says(r#"{"event":"disconnected"}"#).await;
    assert_eq!(user.ends().await, [""; 0]);
}
