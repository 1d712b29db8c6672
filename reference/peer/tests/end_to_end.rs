//! Client tasks and an embedded server, over TCP.

#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use mpchat_peer::client::{self, ClientHandle, ClientOptions};
use mpchat_peer::server;
use mpchat_proto::client::{Command, End, Event, Refusal};
use mpchat_proto::ids::Sid;
use mpchat_proto::payload::{Presence, Response};
use mpchat_proto::server::MemoryStore;
use support::*;

/// A session of alice and bob.
async fn session(alice: &mut ClientHandle, bob: &mut ClientHandle) -> Sid {
    alice.command(Command::Init { invite: vec![BOB] }).await;
    let Event::Invited { sid, from: ALICE } = event(bob).await else { panic!("no invitation") };
    bob.command(Command::Answer { sid, accept: true }).await;
    assert_eq!(event(alice).await, Event::Init { sid, result: Response::Ok });
    sid
}

async fn send(client: &ClientHandle, sid: Sid, text: &str) {
    client.command(Command::Send { sid, text: text.to_owned() }).await;
}

#[tokio::test]
async fn a_conversation() {
    let server = start(options()).await;
    let (mut alice, mut bob) = (online(&server, ALICE).await, online(&server, BOB).await);
    let sid = session(&mut alice, &mut bob).await;
    send(&alice, sid, "hello").await;
    assert_eq!(event(&mut bob).await, Event::Message { sid, from: ALICE, text: "hello".to_owned() });
    assert_eq!(event(&mut alice).await, Event::Sent { sid, result: Response::Ok });
    // A frame of nearly 64 KiB.
    let long = "é".repeat(16_000);
    send(&bob, sid, &long).await;
    assert_eq!(event(&mut alice).await, Event::Message { sid, from: BOB, text: long });
    assert_eq!(event(&mut bob).await, Event::Sent { sid, result: Response::Ok });
    bob.command(Command::Close { sid }).await;
    assert_eq!(event(&mut bob).await, Event::Close { sid, result: Response::Ok });
    assert_eq!(event(&mut alice).await, Event::Closed { sid, by: BOB });
    send(&alice, sid, "too late").await;
    assert_eq!(event(&mut alice).await, Event::Refused { command: "send", error: Refusal::Closed(sid) });
    alice.command(Command::Leave).await;
    assert_eq!(event(&mut alice).await, Event::Disconnected { end: End::Left, anew: false });
    soon(async { tokio::join!(alice.finish(), bob.finish(), server.shutdown()) }).await;
}

#[tokio::test]
async fn a_restart_keeps_what_the_store_keeps() {
    let store = MemoryStore::new();
    let with_store = || server::ServerOptions { store: Box::new(store.clone()), ..options() };
    let first = start(with_store()).await;
    let address = first.address();
    let (mut alice, mut bob) = (online(&first, ALICE).await, online(&first, BOB).await);
    let sid = session(&mut alice, &mut bob).await;
    bob.command(Command::Leave).await;
    assert!(matches!(event(&mut bob).await, Event::Disconnected { end: End::Left, .. }));
    send(&alice, sid, "for later").await;
    assert_eq!(event(&mut alice).await, Event::Sent { sid, result: Response::Ok });
    soon(first.shutdown()).await;
    assert_eq!(event(&mut alice).await, Event::Disconnected { end: End::ByServer, anew: false });

    // The port is free at once.
    let second = server::bind(address, with_store()).await.unwrap();
    bob.command(client::connect(address.to_string(), KIT.client(BOB).unwrap())).await;
    assert_eq!(event(&mut bob).await, Event::Online);
    assert_eq!(event(&mut bob).await, Event::Message { sid, from: ALICE, text: "for later".to_owned() });
    bob.command(Command::Status { sid }).await;
    let members = vec![(ALICE, Presence::Offline), (BOB, Presence::Online)];
    assert_eq!(event(&mut bob).await, Event::Status { sid, state: Presence::Online, members });
    drop(second);
    assert_eq!(event(&mut bob).await, Event::Disconnected { end: End::ByServer, anew: false });
}

#[tokio::test]
async fn nobody_listens_there() {
    let server = start(options()).await;
    let address = server.address();
    soon(server.shutdown()).await;
    let mut client = client::start(ClientOptions::default());
    client.command(client::connect(address.to_string(), KIT.client(ALICE).unwrap())).await;
    let Event::Disconnected { end: End::Failed(_), anew: false } = event(&mut client).await else { panic!() };
    client.command(client::connect("not an address", KIT.client(ALICE).unwrap())).await;
    let Event::Disconnected { end: End::Failed(_), anew: false } = event(&mut client).await else { panic!() };
    soon(client.finish()).await;
}

#[tokio::test]
async fn a_later_login_replaces_an_earlier_one() {
    let server = start(options()).await;
    let (mut first, mut second) = (online(&server, ALICE).await, online(&server, ALICE).await);
    assert_eq!(event(&mut first).await, Event::Disconnected { end: End::ByServer, anew: false });
    second.command(Command::Status { sid: Sid::NONE }).await;
    assert!(matches!(event(&mut second).await, Event::Status { .. }));
}

/// MTP-09 over TCP: the numbers of both directions run out together, and the client comes back by itself.
#[tokio::test]
async fn all_numbers_are_used() {
    let server = start(options()).await;
    let mut client = online(&server, ALICE).await;
    let (commands, mut events, task) = client.split();
    let asking = tokio::spawn(async move {
        for _ in 0..65_600 {
            commands.send(Command::Status { sid: Sid::NONE }).await.unwrap();
        }
        commands
    });
    let (mut answers, mut others) = (0, Vec::new());
    while answers < 65_600 {
        match soon(events.recv()).await.unwrap() {
            Event::Status { .. } => answers += 1,
            other => others.push(other),
        }
    }
    assert!(matches!(others[..], [Event::Disconnected { anew: true, .. }, Event::Online]), "{others:?}");
    drop(asking.await.unwrap());
    drop(events);
    soon(task).await.unwrap();
    client = online(&server, ALICE).await;
    soon(client.finish()).await;
}
