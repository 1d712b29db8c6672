//! A process without file descriptors left cannot accept connections; once it has some again, it does.
//!
//! The limit is that of a whole process, so that the test runs itself again in one with a small limit.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test, which tells itself what it saw")]

mod support;

use std::process::Command as Process;
use std::time::Duration;

use mpchat_proto::client::{Command, Event};
use mpchat_proto::ids::Sid;
use support::*;
use tokio::net::TcpStream;
use tokio::time::timeout;

const INNER: &str = "MPCHAT_TEST_FEW_FILES";

#[test]
fn no_file_descriptors_left() {
    if std::env::var_os(INNER).is_some() {
        return tokio::runtime::Runtime::new().unwrap().block_on(with_few_files());
    }
    let itself = std::env::current_exe().unwrap();
    let script = "ulimit -n 64 && exec \"$0\" --exact no_file_descriptors_left --nocapture";
    let output = Process::new("sh").args(["-c", script]).arg(itself).env(INNER, "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("ran out"), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
}

async fn with_few_files() {
    let server = start(options()).await;
    let mut alice = online(&server, ALICE).await;
    let mut held = Vec::new();
    // Client and server share the limit: one of them meets it.
    loop {
        match timeout(Duration::from_secs(5), TcpStream::connect(server.address()))
            .await
            .expect("an answer of the kernel")
        {
            Ok(stream) => held.push(stream),
            Err(error) => {
                println!("ran out: {error}");
                break;
            }
        }
        assert!(held.len() < 64, "no limit");
    }
    // Those who are there are served meanwhile.
    alice.command(Command::Status { sid: Sid::NONE }).await;
    assert!(matches!(event(&mut alice).await, Event::Status { .. }));
    // One descriptor back is not enough for both ends of a connection: the kernel opens it, the server cannot accept it.
    held.pop();
    let waiting = TcpStream::connect(server.address()).await.unwrap();
    alice.command(Command::Status { sid: Sid::NONE }).await;
    assert!(matches!(event(&mut alice).await, Event::Status { .. }));
    drop((waiting, held));
    let bob = online(&server, BOB).await;
    soon(bob.finish()).await;
    soon(server.shutdown()).await;
}
