//! Ending a TCP connection so that what was sent before the end arrives.
//!
//! If a socket is closed while something that it received was not read, the kernel sends RST, and the peer's kernel may
//! then drop what its process has not read yet. So: FIN for the own direction, then read on until the peer's FIN.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// Bytes that are read at once: some small frames, or a part of a large one.
pub(crate) const READ: usize = 16 << 10;
/// How long a peer may take to accept what was due before the end.
pub(crate) const FLUSH_TIME: Duration = Duration::from_secs(2);
/// How long a peer may take to end its own direction after that.
pub(crate) const DRAIN_TIME: Duration = Duration::from_secs(1);

/// Sends the rest, then FIN. `false` if the peer does not take it.
pub(crate) async fn finish_sending(stream: &mut TcpStream, rest: &[u8]) -> bool {
    let sending = async {
        stream.write_all(rest).await?;
        stream.shutdown().await
    };
    matches!(timeout(FLUSH_TIME, sending).await, Ok(Ok(())))
}

/// Sends the rest, then RST.
pub(crate) async fn reset(mut stream: TcpStream, rest: &[u8]) {
    let _sent = timeout(FLUSH_TIME, stream.write_all(rest)).await;
    // What is written is with the peer by then, or its reader is told that there was more.
    sleep(Duration::from_millis(5)).await;
    // Where it fails the connection is gone already.
    let _gone = stream.set_zero_linger();
}

/// Reads and forgets until the peer's FIN.
pub(crate) async fn drain(mut stream: impl AsyncReadExt + Unpin) {
    let mut buffer = [0; 4096];
    let reading = async { while stream.read(&mut buffer).await.is_ok_and(|count| count > 0) {} };
    // A peer that goes on for longer gets the RST.
    let _ = timeout(DRAIN_TIME, reading).await;
}
