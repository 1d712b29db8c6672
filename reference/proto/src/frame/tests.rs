#![allow(clippy::unwrap_used, reason = "a test")]

use arbitrary::{Arbitrary, Unstructured};
use rand::{Rng, SeedableRng};
use rstest::rstest;

use super::*;
use crate::ids::{Sid, Uid};

fn frame(length: usize, sqn: u16) -> Vec<u8> {
    let len = u16::try_from(length).unwrap();
    let header = Header { ver: VERSION, typ: 0x0200, len, sqn, sid: Sid(1), uid: Uid(2) };
    let mut frame = header.encode().to_vec();
    frame.extend((HEADER_LEN..length).map(|at| (at % 253) as u8));
    frame
}

fn fine(_: &Header) -> Result<(), HeaderError> {
    Ok(())
}

/// Everything that comes out of a stream that arrives in these pieces, with how often headers were checked.
fn collect<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, Vec<u16>, Deframer) {
    let (mut frames, mut checked, mut deframer) = (vec![], vec![], Deframer::new());
    for mut input in pieces {
        while let Some(frame) = deframer
            .feed(&mut input, |header| {
                checked.push(header.sqn);
                fine(header)
            })
            .unwrap()
        {
            frames.push(frame.to_vec());
        }
        assert!(input.is_empty());
    }
    (frames, checked, deframer)
}

/// MTP-16: two cuts anywhere, so each frame is also cut in its header, between header and body, and in its body.
#[test]
fn every_split_gives_the_same_frames() {
    let frames = [frame(36, 1), frame(41, 2), frame(36, 3)];
    let stream = frames.concat();
    for first in 0..=stream.len() {
        for second in first..=stream.len() {
            let (got, checked, deframer) = collect([&stream[..first], &stream[first..second], &stream[second..]]);
            assert_eq!(got, frames, "cut at {first} and {second}");
            assert_eq!(checked, [1, 2, 3], "cut at {first} and {second}");
            assert_eq!(deframer.partial(), 0);
        }
    }
}

#[rstest]
#[case(1)]
#[case(7)]
#[case(4096)]
#[case(1 << 20)]
fn pieces_of_any_size_give_the_same_frames(#[case] size: usize) {
    let frames = [frame(MAX_LEN, 1), frame(MIN_LEN, 2), frame(5000, 3), frame(MAX_LEN, 4)];
    let stream = frames.concat();
    let (got, checked, deframer) = collect(stream.chunks(size));
    assert!(got == frames);
    assert_eq!(checked, [1, 2, 3, 4]);
    assert_eq!(deframer.partial(), 0);
}

#[test]
fn a_part_is_counted_and_its_header_shown() {
    let stream = [frame(40, 1), frame(50, 2)].concat();
    for length in 0..stream.len() {
        let (_, _, deframer) = collect([&stream[..length]]);
        let part = if length < 40 { length } else { length - 40 };
        assert_eq!(deframer.partial(), part, "{length} bytes");
        let shown = (part >= HEADER_LEN).then_some(if length < 40 { 1 } else { 2 });
        assert_eq!(deframer.header().map(|header| header.sqn), shown, "{length} bytes");
    }
}

/// MTP-17: with its 24th byte, neither before nor after.
#[test]
fn a_bad_header_is_reported_with_its_last_byte() {
    let stream = frame(1000, 9);
    let mut deframer = Deframer::new();
    let check = |header: &Header| Err(HeaderError::Sequence { expected: Some(1), got: header.sqn });
    let mut input = &stream[..HEADER_LEN - 1];
    assert_eq!(deframer.feed(&mut input, check), Ok(None));
    let mut input = &stream[HEADER_LEN - 1..HEADER_LEN];
    assert_eq!(deframer.feed(&mut input, check), Err(HeaderError::Sequence { expected: Some(1), got: 9 }));
}

#[test]
fn nothing_comes_after_a_bad_header() {
    let mut deframer = Deframer::new();
    let good = frame(36, 2);
    let stream = [frame(36, 1), good.clone()].concat();
    let mut input = stream.as_slice();
    let bad = |_: &Header| Err(HeaderError::Version(7));
    assert_eq!(deframer.feed(&mut input, bad), Err(HeaderError::Version(7)));
    assert!(input.is_empty());
    let mut input = good.as_slice();
    let called = |_: &Header| -> Result<(), HeaderError> { panic!("a second check") };
    assert_eq!(deframer.feed(&mut input, called), Ok(None));
    assert_eq!((input.len(), deframer.partial(), deframer.header()), (0, 0, None));
}

/// A `len` that ends before the mac does, let through by the caller: neither panic nor endless loop (MTP-05).
#[rstest]
fn the_shortest_frame_is_guarded(#[values(0, 1, 23, 24, 35)] len: u16) {
    let header = Header { ver: VERSION, typ: 0, len, sqn: 1, sid: Sid(0), uid: Uid(0) };
    let stream = [&header.encode()[..], &[0; 100]].concat();
    let mut input = stream.as_slice();
    let error = HeaderError::Length { len, least: 36 };
    assert_eq!(Deframer::new().feed(&mut input, fine), Err(error));
    assert_eq!(error.rule(), "MTP-05");
}

#[test]
fn memory_grows_with_what_arrived_and_stays_below_one_frame() {
    let mut deframer = Deframer::new();
    let stream = frame(MAX_LEN, 1);
    for byte in &stream {
        let before = deframer.partial();
        let mut input = core::slice::from_ref(byte);
        deframer.feed(&mut input, fine).unwrap();
        let bound = MAX_LEN.min(2 * (before + 1).max(HEADER_LEN));
        assert!(deframer.capacity() <= bound, "{} bytes for {}", deframer.capacity(), before + 1);
    }
    let mut input = &stream[..];
    deframer.feed(&mut input, fine).unwrap().unwrap();
    assert_eq!(deframer.capacity(), MAX_LEN);
}

#[test]
fn the_frame_can_be_changed_where_it_is() {
    let stream = [frame(36, 1), frame(36, 2)].concat();
    let (mut input, mut deframer) = (stream.as_slice(), Deframer::new());
    deframer.feed(&mut input, fine).unwrap().unwrap().fill(0xff);
    assert_eq!(deframer.feed(&mut input, fine).unwrap().unwrap(), &stream[36..]);
}

/// Any bytes in any pieces: no panic, all input is taken, and an error is the last thing that happens.
#[test]
fn any_bytes_are_survived() {
    let mut rng = rand::rngs::StdRng::seed_from_u64(1);
    for _ in 0..2000 {
        let mut deframer = Deframer::new();
        let mut failed = false;
        for _ in 0..20 {
            let mut bytes = vec![0; rng.next_u32() as usize % 60];
            rng.fill_bytes(&mut bytes);
            // Often short, so that several frames begin.
            if let [_, _, _, _, high, ..] = &mut bytes[..] {
                *high = 0;
            }
            let mut input = &bytes[..];
            loop {
                match deframer.feed(&mut input, fine) {
                    Ok(Some(frame)) => assert!(!failed && frame.len() >= MIN_LEN),
                    Ok(None) => break,
                    Err(_) => {
                        assert!(!failed);
                        failed = true;
                    }
                }
            }
            assert!(input.is_empty());
        }
    }
}

#[test]
fn any_header_is_read_as_it_was_written() {
    let mut rng = rand::rngs::StdRng::seed_from_u64(2);
    for _ in 0..1000 {
        let mut bytes = [0; HEADER_LEN];
        rng.fill_bytes(&mut bytes);
        assert_eq!(Header::decode(&bytes).encode(), bytes);
        let header = Header::arbitrary(&mut Unstructured::new(&bytes)).unwrap();
        assert_eq!(Header::decode(&header.encode()), header);
    }
}

#[rstest]
#[case(HeaderError::Version(0x0200), "MTP-03", "version 0200 instead of 0100")]
#[case(HeaderError::Type(0x0500), "MTP-04", "type 0500 is unknown")]
#[case(HeaderError::Length { len: 35, least: 36 }, "MTP-05", "length 35 where at least 36 is needed")]
#[case(HeaderError::Sequence { expected: Some(3), got: 2 }, "MTP-08", "sequence number 2 instead of 3")]
#[case(HeaderError::Sequence { expected: None, got: 0 }, "MTP-09", "sequence number 0 instead of none, 65535 was used")]
#[case(
    HeaderError::User { expected: Uid(0xa11ce), got: Uid(0xb0b) },
    "MTP-14",
    "uid 0000000000000b0b instead of 00000000000a11ce"
)]
#[case(
    HeaderError::User { expected: Uid::SERVER, got: Uid(0xb0b) },
    "MTP-21",
    "uid 0000000000000b0b instead of 0000000000000000"
)]
#[case(HeaderError::Nobody(FrameType::MsgReq), "MTP-21", "uid 0 in msg_req, which must name a user")]
#[case(HeaderError::Direction(FrameType::InitRes), "MTP-15", "init_res from a party that may not send it")]
fn errors_name_rule_and_offence(#[case] error: HeaderError, #[case] rule: &str, #[case] text: &str) {
    assert_eq!((error.rule(), error.to_string().as_str()), (rule, text));
}
