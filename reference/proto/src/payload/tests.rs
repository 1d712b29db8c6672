#![allow(clippy::unwrap_used, reason = "a test")]

use arbitrary::{Arbitrary, Unstructured};
use rand::{Rng, SeedableRng};
use rstest::rstest;

use super::PayloadError::*;
use super::*;
use crate::ids::Uid;

#[rstest]
#[case(b"", Ok(vec![]))]
#[case(b"00000000000a11ce\n", Ok(vec![0xa11ce]))]
#[case(b"00000000000a11ce\n0000000000000000\nffffffffffffffff\n", Ok(vec![0xa11ce, 0, u64::MAX]))]
#[case(b"00000000000a11ce", Err(NoLineEnd { at: 0 }))]
#[case(b"00000000000a11ce\n00000000000a11ce", Err(NoLineEnd { at: 17 }))]
#[case(b"\n", Err(NotUid { at: 0 }))]
#[case(b"00000000000a11ce\n\n", Err(NotUid { at: 17 }))]
#[case(b"00000000000A11CE\n", Err(NotUid { at: 0 }))]
#[case(b"00000000000a11ce\r\n", Err(NotUid { at: 0 }))]
#[case(b"00000000000a11ce\na11ce\n", Err(NotUid { at: 17 }))]
#[case(b"00000000000a11ce\n\xff", Err(NotUtf8 { at: 17 }))]
fn init_req(#[case] payload: &[u8], #[case] expected: Result<Vec<u64>, PayloadError>) {
    assert_eq!(parse_init_req(payload), expected.map(|uids| uids.into_iter().map(Uid).collect()));
}

#[rstest]
#[case(b"", Ok(vec![]))]
#[case(b"a\n", Ok(vec!["a"]))]
#[case(b"a\nb c\n", Ok(vec!["a", "b c"]))]
#[case(b"a\r\n", Ok(vec!["a\r"]))]
#[case("gr\u{fc}n\u{2028}\n".as_bytes(), Ok(vec!["gr\u{fc}n\u{2028}"]))]
#[case(b"\xef\xbb\xbfa\n", Ok(vec!["\u{feff}a"]))]
#[case(b"\0\n", Ok(vec!["\0"]))]
#[case(b"a", Err(NoLineEnd { at: 0 }))]
#[case(b"a\nb", Err(NoLineEnd { at: 2 }))]
#[case(b"\n", Err(EmptyLine { at: 0 }))]
#[case(b"a\n\nb\n", Err(EmptyLine { at: 2 }))]
#[case(b"a\n\xc3\x28\n", Err(NotUtf8 { at: 2 }))]
#[case(b"\xed\xa0\x80\n", Err(NotUtf8 { at: 0 }))]
#[case(b"\xc0\xaf\n", Err(NotUtf8 { at: 0 }))]
fn msg_req(#[case] payload: &[u8], #[case] expected: Result<Vec<&str>, PayloadError>) {
    assert_eq!(parse_lines(payload), expected);
}

#[rstest]
#[case(b"OK", Ok(Response::Ok))]
#[case(b"ok", Ok(Response::Error("ok".into())))]
#[case(b"OK\n", Ok(Response::Error("OK\n".into())))]
#[case(b" OK", Ok(Response::Error(" OK".into())))]
#[case(b"no such session", Ok(Response::Error("no such session".into())))]
#[case(b"", Err(Empty))]
#[case(b"no\xff", Err(NotUtf8 { at: 2 }))]
fn responses(#[case] payload: &[u8], #[case] expected: Result<Response, PayloadError>) {
    assert_eq!(parse_response(payload), expected);
    if let Ok(response) = expected {
        assert_eq!(response.as_bytes(), payload);
        assert_eq!(response.is_ok(), payload == b"OK");
    }
}

/// PAY-03, whatever is asked for.
#[rstest]
#[case("unknown session", "unknown session")]
#[case("", "failed")]
#[case("OK", "failed")]
#[case(" OK \n", "failed")]
#[case("\nsecond line", "failed")]
#[case("first\r\nsecond", "first")]
#[case(&"x".repeat(300), &"x".repeat(256))]
#[case(&"ü".repeat(300), &"ü".repeat(128))]
#[case(&format!("x{}", "ü".repeat(300)), &format!("x{}", "ü".repeat(127)))]
fn error_texts_are_kept_in_form(#[case] asked: &str, #[case] expected: &str) {
    assert_eq!(Response::error(asked), Response::Error(expected.into()));
}

#[rstest]
#[case(b"Accept", Ok(Choice::Accept))]
#[case(b"Deny", Ok(Choice::Deny))]
#[case(b"", Err(0))]
#[case(b"accept", Err(0))]
#[case(b"DENY", Err(1))]
#[case(b"Accept\n", Err(6))]
#[case(b"Deny ", Err(4))]
#[case(b"Accep", Err(5))]
#[case(b"\xff", Err(0))]
fn choices(#[case] payload: &[u8], #[case] expected: Result<Choice, usize>) {
    let words = ["Accept", "Deny"];
    assert_eq!(parse_choice(payload), expected.map_err(|at| NotOneOf { words, at }));
}

#[rstest]
#[case(b"Online", Ok(Presence::Online))]
#[case(b"Offline", Ok(Presence::Offline))]
#[case(b"", Err(0))]
#[case(b"online", Err(0))]
#[case(b"Off", Err(3))]
#[case(b"Online\n", Err(6))]
#[case(b"OK", Err(1))]
fn presences(#[case] payload: &[u8], #[case] expected: Result<Presence, usize>) {
    let words = ["Online", "Offline"];
    assert_eq!(parse_presence(payload), expected.map_err(|at| NotOneOf { words, at }));
}

#[test]
fn nothing_is_nothing() {
    assert_eq!(parse_empty(b""), Ok(()));
    assert_eq!(parse_empty(b"\n"), Err(NotEmpty(1)));
}

/// A payload that is read is written back the same: forms have no second spelling.
#[test]
fn what_is_read_is_written_the_same() {
    let mut rng = rand::rngs::StdRng::seed_from_u64(3);
    let alphabet = b"0a\nOK\r\xc3\xbc\xff";
    let mut read = [0; 3];
    for _ in 0..100_000 {
        let length = rng.next_u32() as usize % 12;
        let payload: Vec<u8> = (0..length).map(|_| alphabet[rng.next_u32() as usize % alphabet.len()]).collect();
        if let Ok(lines) = parse_lines(&payload) {
            assert_eq!(write_lines(lines), payload);
            read[0] += 1;
        }
        if let Ok(response) = parse_response(&payload) {
            assert_eq!(response.as_bytes(), payload);
            read[1] += 1;
        }
        if let Ok(uids) = parse_init_req(&payload) {
            assert_eq!(write_init_req(&uids), payload);
            read[2] += 1;
        }
    }
    assert!(read.iter().all(|&times| times > 1000), "too few payloads were well-formed: {read:?}");
}

#[test]
fn what_is_written_is_read_the_same() {
    let mut rng = rand::rngs::StdRng::seed_from_u64(4);
    for _ in 0..1000 {
        let mut bytes = [0; 200];
        rng.fill_bytes(&mut bytes);
        let uids = Vec::<Uid>::arbitrary(&mut Unstructured::new(&bytes)).unwrap();
        assert_eq!(parse_init_req(&write_init_req(&uids)), Ok(uids));
    }
    for choice in [Choice::Accept, Choice::Deny] {
        assert_eq!(parse_choice(choice.as_bytes()), Ok(choice));
    }
    for presence in [Presence::Online, Presence::Offline] {
        assert_eq!(parse_presence(presence.as_bytes()), Ok(presence));
    }
}
