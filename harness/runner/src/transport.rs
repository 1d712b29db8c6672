//! How the bytes of a frame reach the wire (MTP-16): the same bytes, cut or joined in another way.

use std::fmt;
use std::str::FromStr;

use mpchat_proto::frame::{ETK_LEN, HEADER_LEN, MAC_LEN};

/// Where the fields of a header begin, and the end of the last (SPECIFICATION section 2).
const FIELDS: [usize; 7] = [2, 4, 6, 8, 16, 24, HEADER_LEN];

/// Bytewise: how many bytes behind the header are written one by one, and how many at the end of the frame. What lies
/// between goes in chunks, or frames of 64 KiB would take most of a run.
const SLOW_START: usize = 64;
const SLOW_END: usize = 16;
const CHUNK: usize = 1021;

/// How many frames of a connection are always cut, and which of those behind them still are: a conversation that uses up
/// all sequence numbers has 65535 frames, and a server that cut the first ones right has no reason to lose a later one.
const ALWAYS_CUT: u32 = 256;
const THEN_EVERY: u32 = 64;

/// How the harness writes, where a scenario does not say so itself.
///
/// A target that keeps MTP-16 cannot tell them apart: verdicts and transcripts are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// A burst of frames is one write.
    #[default]
    Plain,
    /// One byte a write; long payloads only at both ends.
    Bytewise,
    /// A write ends where a field of the frame does.
    Split,
    /// All that may be sent before something has to be heard is one write.
    Coalesced,
}

impl Transport {
    /// Every transport, the plain one first: what fails only in others breaks MTP-16.
    pub const ALL: [Self; 4] = [Self::Plain, Self::Bytewise, Self::Split, Self::Coalesced];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Bytewise => "bytewise",
            Self::Split => "split",
            Self::Coalesced => "coalesced",
        }
    }

    /// Whether a write is cut into parts.
    pub(crate) fn cuts(self) -> bool {
        matches!(self, Self::Bytewise | Self::Split)
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that no transport has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no transport: plain, bytewise, split or coalesced")]
pub struct NoTransport(String);

impl FromStr for Transport {
    type Err = NoTransport;

    fn from_str(name: &str) -> Result<Self, NoTransport> {
        Self::ALL.into_iter().find(|t| t.name() == name).ok_or_else(|| NoTransport(name.to_owned()))
    }
}

/// Cuts what one connection writes. It reads no more of a frame than its length, and takes a wrong length as it comes:
/// then all bytes that are left are one frame.
#[derive(Debug)]
pub(crate) struct Cutter {
    transport: Transport,
    /// Frames so far.
    frames: u32,
}

impl Cutter {
    pub(crate) fn new(transport: Transport) -> Self {
        Self { transport, frames: 0 }
    }

    /// The lengths of the parts of a write, in order; their sum is `bytes.len()`.
    pub(crate) fn parts(&mut self, bytes: &[u8]) -> Vec<usize> {
        let mut parts = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let (frame, behind) = rest.split_at(frame_len(rest));
            let cut = self.frames < ALWAYS_CUT || self.frames.is_multiple_of(THEN_EVERY);
            match self.transport {
                Transport::Bytewise if cut => bytewise(frame.len(), &mut parts),
                Transport::Split if cut => fields(frame.len(), self.frames == 0, &mut parts),
                _ => parts.push(frame.len()),
            }
            self.frames = self.frames.saturating_add(1);
            rest = behind;
        }
        parts
    }
}

/// How many of the bytes are the first frame: never 0, never more than there are.
fn frame_len(bytes: &[u8]) -> usize {
    let stated = match bytes {
        [_, _, _, _, high, low, ..] => usize::from(u16::from_be_bytes([*high, *low])),
        _ => bytes.len(),
    };
    if (HEADER_LEN..bytes.len()).contains(&stated) { stated } else { bytes.len() }
}

fn bytewise(len: usize, parts: &mut Vec<usize>) {
    let start = len.min(HEADER_LEN + SLOW_START);
    let end = (len - start).min(SLOW_END);
    let mut between = len - start - end;
    parts.extend(std::iter::repeat_n(1, start));
    while between > 0 {
        parts.push(between.min(CHUNK));
        between -= between.min(CHUNK);
    }
    parts.extend(std::iter::repeat_n(1, end));
}

/// `login`: the frame ends with an etk, behind the mac.
fn fields(len: usize, login: bool, parts: &mut Vec<usize>) {
    let etk = if login && len >= HEADER_LEN + MAC_LEN + ETK_LEN { len - ETK_LEN } else { len };
    let mac = etk.saturating_sub(MAC_LEN);
    let mut done = 0;
    for end in FIELDS.into_iter().chain([mac, etk, len]) {
        let end = end.min(len);
        if end > done {
            parts.push(end - done);
            done = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        let stated = u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes();
        bytes.iter_mut().skip(4).zip(stated).for_each(|(to, from)| *to = from);
        bytes
    }

    #[test]
    fn a_write_ends_where_a_field_does() {
        let mut cutter = Cutter::new(Transport::Split);
        assert_eq!(cutter.parts(&frame(292)), [2, 2, 2, 2, 8, 8, 12, 256], "step 1: no payload, mac, etk");
        assert_eq!(cutter.parts(&frame(42)), [2, 2, 2, 2, 8, 8, 6, 12]);
        let two = [frame(36), frame(300)].concat();
        assert_eq!(cutter.parts(&two), [2, 2, 2, 2, 8, 8, 12, 2, 2, 2, 2, 8, 8, 264, 12]);
    }

    #[test]
    fn bytes_go_one_by_one_but_for_the_middle_of_long_payloads() {
        let mut cutter = Cutter::new(Transport::Bytewise);
        assert_eq!(cutter.parts(&frame(104)), [1; 104]);
        let long = cutter.parts(&frame(3000));
        assert_eq!((long.len(), long.iter().max()), (24 + 64 + 16 + 3, Some(&CHUNK)));
        assert_eq!(long.iter().sum::<usize>(), 3000);
    }

    #[test]
    fn no_byte_is_lost_whatever_the_length_field_says() {
        for transport in Transport::ALL {
            for stated in [0_u16, 1, 23, 24, 35, 36, 37, 90, 100, 65535] {
                for len in [0, 1, 5, 6, 23, 24, 30, 36, 37, 91, 200, 70_000] {
                    let mut bytes = vec![0; len];
                    bytes.iter_mut().skip(4).zip(stated.to_be_bytes()).for_each(|(to, from)| *to = from);
                    let parts = Cutter::new(transport).parts(&bytes);
                    assert_eq!(parts.iter().sum::<usize>(), len, "{transport} {stated} {len}");
                    assert!(parts.iter().all(|part| *part > 0));
                }
            }
        }
    }

    #[test]
    fn a_long_conversation_is_cut_at_its_start_and_then_now_and_then() {
        let mut cutter = Cutter::new(Transport::Split);
        let cut = (0..65535).filter(|_| cutter.parts(&frame(36)).len() > 1).count();
        assert_eq!(cut, 256 + (65535_usize - 256).div_ceil(64));
    }

    #[test]
    fn names_are_those_of_the_command_line() {
        for transport in Transport::ALL {
            assert_eq!(transport.to_string().parse(), Ok(transport));
        }
        assert!("all".parse::<Transport>().is_err());
    }
}
