//! A client that breaks one rule, or has an unusual habit: a layer around the machine, at the seams that are called
//! `around_…`.
//!
//! | file | faults in |
//! | --- | --- |
//! | `list` | all, by name, rule and text |
//! | `seams` | the seams, and who stands at each |
//! | `reading` | how a read is cut into frames, and in which order they count (MTP) |
//! | `arriving` | headers and macs that arrive (MTP) |
//! | `leaving` | what leaves: fields, numbers, macs, payloads (MTP, PAY) |
//! | `login` | LOGIN |
//! | `ending` | what the end of a connection causes (MTP-09, MTP-13, LOGIN-15, STAT-02) |
//! | `forms` | payloads that are taken otherwise than they are meant (PAY) |
//! | `frames` | frames of the server (PAY-06, MSG-06, MSG-18, CLOSE, STAT) |
//! | `lines` | envelopes (MSG), and for whom they are (STAT-09) |
//! | `commands` | what the user wants (INIT-16, MSG-16, CLOSE-10) |
//! | `habits` | what is legal, and unusual |

mod arriving;
mod commands;
mod ending;
mod forms;
mod frames;
mod habits;
mod leaving;
mod lines;
mod list;
mod login;
mod reading;
mod seams;
#[cfg(test)]
mod tests;

use core::fmt;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Client, End};
use crate::crypto::PublicKey;
use crate::frame::{FrameType, Header};
use crate::ids::{Sid, Uid};
use crate::keys::FrameCipher;
use crate::payload::Presence;

pub use list::Quirk;

/// What a faulty client needs to remember beside what a right one does.
#[derive(Default)]
pub(super) struct Broken {
    fault: Option<Quirk>,
    link: Link,

    came_back: bool,
    comes_back: Option<Duration>,
    /// Its user has left before.
    left: bool,
    tk: Option<[u8; 32]>,

    /// Sessions that were spoken of, and the last one.
    sids: BTreeSet<Sid>,
    last_sid: Sid,
    presence: BTreeMap<(Sid, Uid), Presence>,
    /// Sessions that somebody else has closed, and those that the server has closed by itself.
    noticed: BTreeSet<Sid>,
    withdrawn: BTreeSet<Sid>,
    choices: BTreeMap<Sid, Vec<u8>>,
    invitations: Vec<Sid>,
    /// Sessions with texts that were not answered when their connection ended, or that were never sent.
    texts: Vec<Sid>,
    /// Members that were named before anybody asked for them.
    early: Vec<(Sid, Uid, Presence)>,
    inviters: BTreeMap<Sid, Uid>,
    /// Sessions whose roster came before the invitation.
    early_rosters: BTreeSet<Sid>,
    /// What was left of the stream of the connection before.
    part: Vec<u8>,

    /// Of the text that is being sent: a cek for all, the key of the first, how many there is room for.
    cek: Option<[u8; 32]>,
    first_key: Option<PublicKey>,
    room: Option<usize>,
    ceks: BTreeMap<(Uid, String), [u8; 32]>,

    /// Lines that were shown, with the session or the author left out, and texts.
    lines: BTreeSet<Known>,
    order: VecDeque<[u8; 32]>,
    last_line: Option<Known>,
    failed: BTreeSet<Known>,
    /// What was decrypted of an envelope that is not for this client.
    leak: Option<String>,
}

/// What a faulty client needs to remember of a connection.
#[derive(Default)]
struct Link {
    /// Bytes of a frame, where the layer cuts frames itself.
    partial: Vec<u8>,
    /// Nothing that comes is looked at.
    deaf: bool,
    /// To be ended later.
    late: Option<End>,
    /// To be ended once the current frame is done with.
    ends_afterwards: Option<End>,
    /// The frame that is being dealt with, and the one behind it in its read.
    current: Option<Header>,
    next_in_read: Option<Header>,
    /// Frames that wait for the next one.
    held: Vec<(Header, Vec<u8>)>,
    /// Sessions that were closed on it.
    closed: BTreeSet<Sid>,
    /// Invitations that came, and that were answered.
    invited: BTreeSet<Sid>,
    chosen: BTreeSet<Sid>,
    /// Lines and probes of this read, and probes of the connection.
    lines_in_read: usize,
    /// Envelopes that were made on it.
    envelopes: usize,
    probes_in_read: usize,
    probes: usize,
    /// Answers of this read that are sent at its end.
    answers: Vec<Out>,
    /// Send nothing of this type for now.
    mute: Option<FrameType>,
    /// Bytes that are looked at later, and frames that are sent later.
    bytes_later: VecDeque<(Duration, Vec<u8>)>,
    frames_later: VecDeque<(Duration, Out)>,
    answered_late: bool,

    login_c2s: Option<FrameCipher>,
    login_s2c: Option<FrameCipher>,
    step_4_sent: bool,
    is_greeted: bool,
}

/// Session, author, and the line.
type Known = (Sid, Uid, String);

/// A frame before it is numbered and sealed.
#[derive(Clone)]
struct Out {
    typ: FrameType,
    sid: Sid,
    payload: Vec<u8>,
}

impl Broken {
    fn is(&self, fault: Quirk) -> bool {
        self.fault == Some(fault)
    }
}

impl fmt::Debug for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Broken").field(&self.fault).finish()
    }
}

impl Client {
    /// Takes on a fault or a habit. To be called before anything else.
    pub fn take_on(&mut self, fault: Quirk) {
        self.broken.fault = Some(fault);
        if fault == Quirk::NoLoginTimeout {
            self.config.login_timeout = Duration::from_secs(1 << 24);
        }
    }
}
