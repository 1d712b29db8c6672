//! The 24 bytes in front of every frame.

use core::ops::Range;

use super::{ETK_LEN, FrameType, HEADER_LEN, MIN_LEN, VERSION};
use crate::ids::{Sid, Uid};

/// A header as it stands on the wire: any field may hold anything. All integers are big endian (MTP-06).
///
/// Checks are apart: [`crate::login::Channel::check_header`] and those of the handshakes in [`crate::login`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(any(test, feature = "arbitrary"), derive(arbitrary::Arbitrary))]
pub struct Header {
    /// Version, [`VERSION`] (MTP-03).
    pub ver: u16,
    /// Code of a [`FrameType`] (MTP-04).
    pub typ: u16,
    /// Bytes of the whole frame (MTP-05).
    pub len: u16,
    /// Number of the frame in its direction, from 1 (MTP-07).
    pub sqn: u16,
    /// The session that it belongs to.
    pub sid: Sid,
    /// From a client its own; from the server see MTP-21.
    pub uid: Uid,
}

const VER: Range<usize> = 0..2;
const TYP: Range<usize> = 2..4;
const LEN: Range<usize> = 4..6;
const SQN: Range<usize> = 6..8;
const SID: Range<usize> = 8..16;
const UID: Range<usize> = 16..24;

impl Header {
    /// Reads a header. Total: nothing is checked.
    #[must_use]
    pub fn decode(bytes: &[u8; HEADER_LEN]) -> Self {
        Self {
            ver: u16::from_be_bytes(part(bytes, VER)),
            typ: u16::from_be_bytes(part(bytes, TYP)),
            len: u16::from_be_bytes(part(bytes, LEN)),
            sqn: u16::from_be_bytes(part(bytes, SQN)),
            sid: Sid(u64::from_be_bytes(part(bytes, SID))),
            uid: Uid(u64::from_be_bytes(part(bytes, UID))),
        }
    }

    /// Writes a header. Total: nothing is checked.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[VER].copy_from_slice(&self.ver.to_be_bytes());
        bytes[TYP].copy_from_slice(&self.typ.to_be_bytes());
        bytes[LEN].copy_from_slice(&self.len.to_be_bytes());
        bytes[SQN].copy_from_slice(&self.sqn.to_be_bytes());
        bytes[SID].copy_from_slice(&self.sid.0.to_be_bytes());
        bytes[UID].copy_from_slice(&self.uid.0.to_be_bytes());
        bytes
    }

    /// The header that a conforming sender puts in front of `payload_len` bytes.
    ///
    /// A payload that no frame can hold (more than [`super::MAX_PAYLOAD`] bytes, less with `etk`) gets a `len` of 65535,
    /// which is then wrong: whoever takes payloads from outside checks their length first.
    #[must_use]
    pub fn for_payload(typ: FrameType, sqn: u16, sid: Sid, uid: Uid, payload_len: usize, etk: bool) -> Self {
        let len = payload_len.saturating_add(MIN_LEN + if etk { ETK_LEN } else { 0 });
        let len = u16::try_from(len).unwrap_or(u16::MAX);
        Self { ver: VERSION, typ: typ.code(), len, sqn, sid, uid }
    }

    /// The type that `typ` stands for, if any.
    #[must_use]
    pub fn kind(&self) -> Option<FrameType> {
        FrameType::from_code(self.typ)
    }
}

fn part<const N: usize>(bytes: &[u8; HEADER_LEN], range: Range<usize>) -> [u8; N] {
    let mut part = [0; N];
    part.copy_from_slice(&bytes[range]);
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_where_the_picture_has_them() {
        let bytes: [u8; HEADER_LEN] = core::array::from_fn(|at| u8::try_from(at).expect("below 24"));
        let header = Header {
            ver: 0x0001,
            typ: 0x0203,
            len: 0x0405,
            sqn: 0x0607,
            sid: Sid(0x08090a0b0c0d0e0f),
            uid: Uid(0x1011121314151617),
        };
        assert_eq!(Header::decode(&bytes), header);
        assert_eq!(header.encode(), bytes);
    }

    #[test]
    fn lengths_count_everything() {
        let len = |payload, etk| Header::for_payload(FrameType::StatusReq, 1, Sid::NONE, Uid(1), payload, etk).len;
        assert_eq!((len(0, false), len(0, true), len(6, true)), (36, 292, 298));
        assert_eq!((len(65499, false), len(65500, false), len(usize::MAX, true)), (65535, 65535, 65535));
    }
}
