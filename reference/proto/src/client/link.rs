//! The life of a connection: opened, logged in, used up, closed.

use core::time::Duration;

use super::outstanding::Outstanding;
use super::{Client, Command, End, Event, Identity, Refusal, Violation};
use crate::frame::{Deframer, FrameType, Header};
use crate::ids::{Sid, Uid};
use crate::login::{Channel, ClientHalf, ClientLogin};
use crate::payload::Presence;

/// How long a client that has sent number 65535 waits for answers at most (MTP-09).
const SPENT_WAIT: Duration = Duration::from_secs(1);

/// The picture is in the [module](super).
#[derive(Debug, Default)]
pub(super) enum Phase {
    /// No connection.
    #[default]
    Idle,
    /// A connection is being opened.
    Opening { deadline: Duration },
    /// Step 1 was sent.
    Request { deadline: Duration, login: Box<ClientLogin> },
    /// Step 2 was verified.
    Probe { deadline: Duration, login: Box<ClientHalf> },
    /// Step 4 was sent.
    Online(Box<Online>),
    /// To be closed.
    Closing {
        end: End,
        /// Log in again on a new connection (MTP-09).
        anew: bool,
        /// A `send` was waiting for its roster.
        asking: bool,
    },
}

/// A connection that is logged in.
#[derive(Debug)]
pub(super) struct Online {
    pub(super) channel: Channel,
    pub(super) open: Outstanding,
    /// Number 65535 was sent: when to close at the latest (MTP-09). This is `Spent` in the picture.
    pub(super) spent: Option<Duration>,
}

impl Phase {
    pub(super) fn deadline(&self) -> Option<Duration> {
        match self {
            Self::Opening { deadline } | Self::Request { deadline, .. } | Self::Probe { deadline, .. } => {
                Some(*deadline)
            }
            Self::Online(online) => online.spent,
            Self::Idle | Self::Closing { .. } => None,
        }
    }

    /// Whether bytes of the server mean anything.
    pub(super) fn receives(&self) -> bool {
        matches!(self, Self::Request { .. } | Self::Probe { .. } | Self::Online(_))
    }

    /// MTP-17: judged as soon as the header is there.
    pub(super) fn check_header(&self, header: &Header) -> Result<(), Violation> {
        match self {
            Self::Request { login, .. } => Ok(login.check_header(header)?),
            Self::Probe { login, .. } => Ok(login.check_header(header)?),
            Self::Online(online) => Ok(online.channel.check_header(header)?),
            Self::Idle | Self::Opening { .. } | Self::Closing { .. } => Ok(()),
        }
    }
}

impl Client {
    /// The user wants to be `identity`, and connected.
    pub(super) fn connect(&mut self, now: Duration, address: String, identity: Identity) {
        self.address = address;
        let new = identity.uid;
        if let Some(old) = self.identity.replace(identity)
            && old.uid != new
        {
            let memory = self.stowed.remove(&new).unwrap_or_default();
            self.stowed.insert(old.uid, core::mem::replace(&mut self.memory, memory));
        }
        self.open_connection(now);
    }

    pub(super) fn open_connection(&mut self, now: Duration) {
        self.deframer = Deframer::new();
        self.transmits.clear();
        self.phase = Phase::Opening { deadline: now + self.config.login_timeout };
    }

    /// Step 1 (LOGIN-01, LOGIN-02).
    pub(super) fn connected(&mut self) {
        let (Phase::Opening { deadline }, Some(identity)) = (&self.phase, &self.identity) else { return };
        let deadline = *deadline;
        let key = identity.key.clone();
        let (uid, server) = (identity.uid, &identity.server);
        let (frame, login) = self.broken.around_start(self.provider, &mut *self.rng, uid, key, server);
        self.transmits.push_back(frame);
        self.phase = Phase::Request { deadline, login: Box::new(login) };
    }

    pub(super) fn receive_bytes(&mut self, now: Duration, mut bytes: &[u8]) {
        // Out of `self`, since frames lie in it while they are dealt with.
        let mut deframer = core::mem::take(&mut self.deframer);
        while self.phase.receives() {
            let result = match deframer.feed(&mut bytes, |header| self.around_check(header)) {
                Ok(Some(frame)) => self.receive_frame(now, frame),
                Ok(None) => break,
                Err(violation) => Err(violation),
            };
            if let Err(error) = result {
                self.around_end(now, End::Violation { error });
            }
            self.close_if_spent(now);
        }
        self.deframer = deframer;
    }

    fn receive_frame(&mut self, now: Duration, frame: &mut [u8]) -> Result<(), Violation> {
        match core::mem::take(&mut self.phase) {
            // Step 2 (LOGIN-12).
            Phase::Request { deadline, login } => {
                let login = Box::new(self.around_response(*login, frame)?);
                self.phase = Phase::Probe { deadline, login };
            }
            // Steps 3 and 4 (LOGIN-14).
            Phase::Probe { login, .. } => {
                let (answer, channel) = self.around_request(*login, frame)?;
                self.transmits.push_back(answer);
                self.phase = Phase::Online(Box::new(Online { channel, open: Outstanding::default(), spent: None }));
                self.events.push_back(Event::Online);
            }
            Phase::Online(mut online) => {
                let kind = frame.first_chunk().and_then(|header| Header::decode(header).kind());
                let opened = self.around_open(&mut online.channel, frame);
                self.phase = Phase::Online(online);
                // The type passed its check.
                let (header, payload) = opened.map_err(|_| Violation::Mac(kind.unwrap_or(FrameType::StatusReq)))?;
                self.around_receive(now, header, payload)?;
            }
            other => self.phase = other,
        }
        Ok(())
    }

    /// Sends a frame, and says whether it could: after number 65535 nothing can be sent (MTP-09). Whoever waits for an
    /// answer to it has to say so before the next frame is received.
    pub(super) fn send(&mut self, now: Duration, typ: FrameType, sid: Sid, payload: &[u8]) -> bool {
        let Phase::Online(online) = &mut self.phase else { return false };
        let uid = online.channel.uid;
        let Ok(frame) = self.broken.around_seal(&mut online.channel, typ, sid, uid, payload) else { return false };
        if online.channel.next_out().is_none() {
            online.spent = Some(now + SPENT_WAIT);
        }
        self.transmits.push_back(frame);
        true
    }

    /// MTP-09: closes once the answers are in.
    pub(super) fn close_if_spent(&mut self, now: Duration) {
        if let Phase::Online(online) = &self.phase
            && online.spent.is_some()
            && self.broken.around_is_empty(&online.open)
        {
            self.around_end(now, End::Spent);
        }
    }

    pub(super) fn timed_out(&mut self, now: Duration) {
        match self.phase {
            Phase::Opening { .. } | Phase::Request { .. } | Phase::Probe { .. } => {
                self.around_end(now, End::LoginTimeout)
            }
            Phase::Online(_) => self.around_end(now, End::Spent),
            Phase::Idle | Phase::Closing { .. } => {}
        }
    }

    /// The connection is over, whatever was under way. Frames that were due may still be sent (MTP-13).
    pub(super) fn end(&mut self, end: End) {
        let (anew, asking) = match &self.phase {
            // LOGIN-15: by itself only after its own number 65535, whoever closed and for whatever reason.
            Phase::Online(online) => (online.spent.is_some() && end != End::Left, online.open.asking.is_some()),
            Phase::Opening { .. } | Phase::Request { .. } | Phase::Probe { .. } => (false, false),
            // The first reason counts. `Idle` here is a frame that was being dealt with when it turned out to be wrong.
            Phase::Closing { .. } => return,
            Phase::Idle if matches!(end, End::Violation { .. }) => (false, false),
            Phase::Idle => return,
        };
        self.phase = Phase::Closing { end, anew, asking };
    }

    /// The user leaves: at once, whatever waits.
    pub(super) fn leave(&mut self) {
        if matches!(self.phase, Phase::Idle) {
            self.refuse(&Command::Leave, Refusal::NotConnected);
            return;
        }
        // STAT-02, STAT-03: the farewell, where one can be sent.
        if let Phase::Online(online) = &mut self.phase {
            let uid = online.channel.uid;
            let (typ, payload) = (FrameType::StatusRes, Presence::Offline.as_bytes());
            let farewell = self.broken.around_seal(&mut online.channel, typ, Sid::NONE, uid, payload);
            self.transmits.extend(farewell.ok());
        }
        self.end(End::Left);
        if let Phase::Closing { end, anew, asking } = &mut self.phase {
            if core::mem::take(anew) {
                *end = End::Left;
            }
            *asking = false;
        }
        // Nothing that was said before the farewell may come after it.
        for command in core::mem::take(&mut self.waiting) {
            self.refuse(&command, Refusal::Ended);
        }
    }

    /// The connection is closed, and everything that waited for an answer on it is gone.
    pub(super) fn closed(&mut self, now: Duration) {
        let (end, anew, asking) = match core::mem::take(&mut self.phase) {
            Phase::Closing { end, anew, asking } => (end, anew, asking),
            other => {
                self.phase = other;
                return;
            }
        };
        self.transmits.clear();
        self.memory.lapse_invitations();
        if asking && let Some(command) = self.waiting.pop_front() {
            self.refuse(&command, Refusal::Ended);
        }
        self.events.push_back(Event::Disconnected { end, anew });
        if anew {
            self.open_connection(now);
        }
    }

    /// The user's own uid; the server's before the first connect.
    pub(super) fn me(&self) -> Uid {
        self.identity.as_ref().map_or(Uid::SERVER, |identity| identity.uid)
    }
}
