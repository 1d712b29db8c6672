//! What an operator may choose.

use core::time::Duration;

/// Timers and limits of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How long an invitation waits for its answer (INIT-08).
    pub invite_timeout: Duration,
    /// How long a recipient may leave lines unanswered (MSG-12).
    pub answer_timeout: Duration,
    /// How long a login may take (LOGIN-10).
    pub login_timeout: Duration,
    /// How long a probe may stay unanswered (STAT-08).
    pub status_timeout: Duration,
    /// Probe a connection from which nothing came for this long (STAT-08); `None`: never.
    pub probe_after: Option<Duration>,
    /// Bounds of memory.
    pub limits: Limits,
}

/// Bounds of memory. PAY-07 is kept only with `sessions` of 4 or more, `stored_lines` of 128 or more (7, and one msg_req
/// to 121), and `stored_bytes` of 512 KiB or more (7 of the longest, and 8 KiB).
///
/// What has no entry here is bounded by others: requests that wait for their turn by the 65535 frames that one
/// connection can bring (some 80 bytes each), invitations by `sessions`, unfinished frames by 64 KiB a connection (292
/// bytes before login).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections, logged in or not. One more is closed as soon as it comes.
    pub connections: usize,
    /// Pending and live sessions. An init_req for one more is refused in its turn (PAY-07).
    pub sessions: usize,
    /// Lines without an answer, of all users together. A msg_req that would exceed it is refused in its turn (PAY-07).
    pub stored_lines: usize,
    /// Bytes of those lines. A msg_req that would exceed it is refused in its turn (PAY-07).
    pub stored_bytes: usize,
    /// Bytes that wait to be sent on one connection. A connection that exceeds it is closed (MTP-23).
    pub queue_bytes: usize,
    /// Bytes of msg_req that were sent on one connection and are not answered. Further ones are held back until some are
    /// (MSG-20), so that a user with many stored lines can log in without exceeding `queue_bytes`; one is always sent.
    pub unanswered_bytes: usize,
    /// init_req of one connection that wait for their turn (INIT-14). Further ones are refused in their turn, but those of
    /// up to 3 users, which PAY-07 protects.
    pub waiting_inits: usize,
}

impl Default for Config {
    /// The specification's timers, and no probes.
    fn default() -> Self {
        Self {
            invite_timeout: Duration::from_secs(30),
            answer_timeout: Duration::from_secs(10),
            login_timeout: Duration::from_secs(10),
            status_timeout: Duration::from_secs(10),
            probe_after: None,
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    /// Room for some thousand users on one machine.
    fn default() -> Self {
        Self {
            connections: 4096,
            sessions: 1 << 16,
            stored_lines: 1 << 18,
            stored_bytes: 256 << 20,
            queue_bytes: 4 << 20,
            unanswered_bytes: 1 << 20,
            waiting_inits: 64,
        }
    }
}
