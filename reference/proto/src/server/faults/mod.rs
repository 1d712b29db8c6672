//! A server that breaks one rule, or has an unusual habit: a layer around the machine, at the seams that are called `around_…`.
//!
//! | file | faults in |
//! | --- | --- |
//! | `list` | all, by name, rule and text |
//! | `seams` | the seams, and who stands at each |
//! | `arriving` | what arrives: bytes, headers, macs (MTP) |
//! | `reading` | how a read is cut into frames, and in which order they count (MTP) |
//! | `leaving` | what leaves: fields, numbers, macs, payloads (MTP, PAY) |
//! | `ending` | what the end of a connection causes |
//! | `login` | LOGIN |
//! | `requests` | payloads (PAY) and requests that are refused or taken |
//! | `init`, `messages`, `close`, `status` | the areas of these names |
//! | `store` | what outlives a restart |
//! | `habits` | what is legal, and unusual |

mod arriving;
mod close;
mod ending;
mod habits;
mod init;
mod leaving;
mod list;
mod login;
mod messages;
mod reading;
mod requests;
mod seams;
mod status;
mod store;

use core::fmt;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::connection::Sender;
use super::init::Invitation;
use super::machine::Server;
use super::mailbox::Mailbox;
use super::{ConnectionId, Ending, StoredLine, Violation};
use crate::frame::{FrameType, Header};
use crate::ids::{Sid, Uid};
use crate::keys::FrameCipher;

pub use list::Quirk;

/// What a faulty server needs to remember beside what a right one does.
#[derive(Default)]
pub(super) struct Broken {
    fault: Option<Quirk>,
    now: Duration,
    /// The frame that is being dealt with.
    current: Option<(Sender, Header, Vec<u8>)>,
    /// Whether more whole frames came with the read that is being dealt with, and the header of the next one.
    next_in_read: Option<Header>,
    /// Unfinished bytes of each connection, where the layer cuts frames itself.
    partial: BTreeMap<ConnectionId, Vec<u8>>,
    /// Connections whose bytes are not looked at any more.
    deaf: BTreeSet<ConnectionId>,
    /// Connections to be ended later.
    late: BTreeMap<ConnectionId, Ending>,
    /// Bytes that wait because somebody else does not read.
    stalled: Vec<(ConnectionId, Vec<u8>)>,
    /// Frames that wait for others.
    held: Vec<(Sender, Header, Vec<u8>)>,
    /// Frames that are sent later.
    delayed: Vec<(Duration, ConnectionId, Out)>,
    /// Connections that are ended later.
    ends_later: Vec<(Duration, ConnectionId)>,
    /// To end the connection once the current frame is done with.
    ends_afterwards: Option<Ending>,
    /// Send nothing of this type for now.
    mute: Option<FrameType>,
    lapsing: bool,
    leaving: bool,
    /// The connection that ends was not ended by its peer, nor by a newer login.
    putting_out: bool,
    /// How many were told of the end that is being told of.
    told: Option<usize>,

    login_ciphers: BTreeMap<ConnectionId, FrameCipher>,
    /// sk of each user, or of all.
    shares: BTreeMap<Uid, [u8; 32]>,
    etks: BTreeSet<Vec<u8>>,
    /// Users that are shown as online.
    shown: BTreeMap<ConnectionId, Uid>,

    /// sids that were given out, in order.
    sids: Vec<Sid>,
    reusable: Vec<Sid>,
    drawn: u64,
    /// Everybody who was invited, and what became of it.
    invited: BTreeMap<Sid, Vec<(Uid, Invitation)>>,
    creators: BTreeMap<Sid, Uid>,
    offline_invited: BTreeSet<(Sid, Uid)>,
    /// When the init_req of each creator came that have not had their turn.
    init_arrivals: BTreeMap<Uid, VecDeque<Duration>>,
    /// The inits that are timed in another way.
    timed: BTreeSet<Sid>,
    /// Whose invitation lapsed.
    lapsed: BTreeSet<(Sid, Uid)>,
    left_undecided: BTreeSet<(Sid, Uid)>,
    /// Who accepted and was replaced then.
    replaced: BTreeSet<(Sid, Uid)>,
    accepted: BTreeMap<Sid, Vec<Uid>>,
    rosters: BTreeMap<Sid, Vec<Uid>>,
    closed: BTreeSet<Sid>,
    /// How many lines closes have deleted.
    deleted: usize,
    online_at_start: BTreeMap<Sid, BTreeSet<Uid>>,
    seen_online: BTreeSet<(Sid, Uid)>,

    last_answered: BTreeMap<Uid, StoredLine>,
    /// When each user answered last, on its connection.
    answered_at: BTreeMap<Uid, Duration>,
    /// Who answered a message with an error text.
    failed_by: BTreeSet<(u64, Uid)>,
    /// How many lines each user has answered.
    answers_of: BTreeMap<Uid, usize>,
    invites_later: BTreeMap<Uid, Vec<(Sid, Uid)>>,
    notices_later: BTreeMap<Uid, Vec<(Sid, Uid)>>,
    answers_later: BTreeMap<Uid, Vec<Sid>>,
    /// Stored lines that are not handed out yet.
    withheld: BTreeMap<Uid, Mailbox>,
    first_sent: BTreeMap<Uid, Duration>,
    last_number: Option<u64>,
    /// The lines from before the restart have lower numbers.
    restored_up_to: u64,
    /// Messages that one who had gone offline answered with an error text.
    late_errors: BTreeSet<u64>,
    /// The msg_req whose author's connection ended: the author, and who is undecided.
    orphans: BTreeMap<u64, (Uid, Sid, BTreeSet<Uid>)>,
    early_answers: BTreeSet<(Uid, Sid)>,
    early_accepts: BTreeSet<Uid>,
    /// Status answers of this read.
    answers: Vec<Vec<Out>>,
    answers_to: Option<ConnectionId>,
}

/// What a layer has made of a frame: `None` if the next one, or the machine, is to look at it.
type Done = Option<Result<(), Violation>>;

/// A layer in front of the machine's handlers: one an area.
type Layer = fn(&mut Server, Quirk, Duration, Sender, &mut Header, &mut Vec<u8>) -> Done;

/// A frame before it is numbered and sealed.
#[derive(Clone, Debug)]
struct Out {
    typ: FrameType,
    sid: Sid,
    uid: Uid,
    payload: Vec<u8>,
}

impl Broken {
    fn is(&self, fault: Quirk) -> bool {
        self.fault == Some(fault)
    }

    /// A recipient of a message is decided, whether anybody waits for it or not.
    fn orphan_decided(&mut self, number: u64, recipient: Uid) {
        if let Some((_, _, undecided)) = self.orphans.get_mut(&number) {
            undecided.remove(&recipient);
            if undecided.is_empty() {
                self.orphans.remove(&number);
            }
        }
    }

    pub(super) fn notes_time(&mut self, now: Duration) {
        self.now = now;
    }
}

impl fmt::Debug for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Broken").field(&self.fault).finish()
    }
}

impl Server {
    /// Takes on a fault or a habit. To be called before anything else.
    ///
    /// # Errors
    /// If the store cannot be read again.
    pub fn take_on(&mut self, fault: Quirk) -> Result<(), super::StoreError> {
        self.broken.fault = Some(fault);
        self.break_timers(fault);
        self.break_store(fault)
    }

    fn break_timers(&mut self, fault: Quirk) {
        let never = Duration::from_secs(1 << 24);
        let config = &mut self.config;
        match fault {
            Quirk::NoLoginTimeout => config.login_timeout = never,
            Quirk::LoginTimeoutEarly => config.login_timeout /= 2,
            Quirk::NoInviteTimeout => config.invite_timeout = never,
            Quirk::InviteTimeoutEarly => config.invite_timeout /= 2,
            Quirk::NoAnswerTimeout => config.answer_timeout = never,
            Quirk::AnswerTimeoutEarly => config.answer_timeout /= 2,
            Quirk::ProbesIdle => config.probe_after = Some(Duration::from_millis(20)),
            Quirk::LinesHeldBack => config.limits.unanswered_bytes = 0,
            Quirk::HeldOutliveClose | Quirk::HeldStuckAtClose => config.limits.unanswered_bytes = 4096,
            Quirk::FewSessions => config.limits.sessions = 4,
            Quirk::SessionsBelowFour => config.limits.sessions = 3,
            _ => {}
        }
    }

    /// The uid that is logged in on a connection.
    fn user_of(&mut self, id: ConnectionId) -> Option<Uid> {
        self.member(id).map(|member| member.channel.uid)
    }

    fn connection_of(&self, uid: Uid) -> Option<ConnectionId> {
        self.online.get(&uid).copied().filter(|id| self.connections.contains_key(id))
    }

    /// Sends past the layer.
    fn send_as_it_is(&mut self, to: ConnectionId, out: &Out) {
        self.seal_and_queue(to, out.typ, out.sid, out.uid, &out.payload);
    }

    fn send_to_user(&mut self, user: Uid, typ: FrameType, sid: Sid, uid: Uid, payload: &[u8]) {
        if let Some(id) = self.connection_of(user) {
            self.seal_and_queue(id, typ, sid, uid, payload);
        }
    }
}
