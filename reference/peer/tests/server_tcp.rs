//! What the server does about TCP: MTP-13, MTP-16, MTP-18, MTP-19, MTP-23.

#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::time::Duration;

use mpchat_peer::server::ServerHandle;
use mpchat_proto::client::{Command, Event};
use mpchat_proto::ids::Sid;
use support::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn is_served(server: &ServerHandle) {
    let mut carol = online(server, CAROL).await;
    carol.command(Command::Status { sid: Sid::NONE }).await;
    assert!(matches!(event(&mut carol).await, Event::Status { .. }));
    soon(carol.finish()).await;
}

#[tokio::test]
async fn what_was_due_before_the_fin_arrives() {
    let server = start(options()).await;
    let mut raw = Raw::log_in(&server, ALICE).await;
    let mut bytes: Vec<u8> = (0..1000).flat_map(|_| raw.status_req()).collect();
    // A violation, and much behind it that the server does not want: unread, it would become an RST.
    bytes.extend(vec![0xff; 200_000]);
    raw.stream.write_all(&bytes).await.unwrap();
    assert_eq!(raw.frames_to_the_end().await, 1000);
    is_served(&server).await;
}

#[tokio::test]
async fn a_half_close_is_the_end_and_answers_still_come() {
    let server = start(options()).await;
    let mut raw = Raw::log_in(&server, ALICE).await;
    let two = [raw.status_req(), raw.status_req()].concat();
    let part = &raw.status_req()[..20];
    raw.stream.write_all(&[&two, part].concat()).await.unwrap();
    raw.stream.shutdown().await.unwrap();
    assert_eq!(raw.frames_to_the_end().await, 2);
}

#[tokio::test]
async fn who_does_not_read_holds_up_nobody() {
    let mut options = options();
    options.config.limits.queue_bytes = 64 << 10;
    let server = start(options).await;
    let mut raw = Raw::log_in(&server, ALICE).await;
    let bytes: Vec<u8> = (0..60_000).flat_map(|_| raw.status_req()).collect();
    let writing = async {
        // The server may have enough of it at some point (MTP-23).
        let _ = raw.stream.write_all(&bytes).await;
    };
    let others = async {
        for _ in 0..20 {
            is_served(&server).await;
        }
    };
    soon(async { tokio::join!(writing, others) }).await;
    // Nor does it hold up the end.
    soon(server.shutdown()).await;
}

#[tokio::test]
async fn a_login_is_given_its_time_and_no_more() {
    let mut options = options();
    options.config.login_timeout = Duration::from_millis(100);
    let server = start(options).await;
    let mut silent = TcpStream::connect(server.address()).await.unwrap();
    let begun = tokio::time::Instant::now();
    assert_eq!(soon(silent.read(&mut [0])).await.unwrap(), 0);
    assert!(begun.elapsed() >= Duration::from_millis(95), "never early");
}

#[tokio::test]
async fn over_the_limit_connections_are_closed_and_the_rest_is_served() {
    let mut options = options();
    options.config.limits.connections = 2;
    let server = start(options).await;
    let mut raw = Raw::log_in(&server, ALICE).await;
    let bob = online(&server, BOB).await;
    let mut third = TcpStream::connect(server.address()).await.unwrap();
    assert_eq!(soon(third.read(&mut [0])).await.unwrap(), 0);
    soon(bob.finish()).await;
    raw.stream.shutdown().await.unwrap();
    assert_eq!(raw.frames_to_the_end().await, 0);
    is_served(&server).await;
}

#[tokio::test]
async fn a_reset_is_an_end() {
    let server = start(options()).await;
    let raw = Raw::log_in(&server, ALICE).await;
    raw.stream.set_zero_linger().unwrap();
    drop(raw);
    is_served(&server).await;
}
