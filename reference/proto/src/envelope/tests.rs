#![allow(clippy::unwrap_used, reason = "a test")]

use rand::SeedableRng;
use rand::rngs::StdRng;
use rstest::rstest;

use super::*;
use crate::crypto::default_provider;
use crate::testing::*;

const SESSION: Sid = Sid(0x0102030405060708);
const TEXT: &str = "Grüße";

/// The known envelope: bob has the server's key here.
fn good() -> String {
    hex::encode(known("envelope"))
}

fn open_as_bob(line: &str) -> Result<String, EnvelopeError> {
    open(default_provider(), &private(default_provider(), SERVER_KEY), SESSION, ALICE, BOB, line)
}

#[test]
fn it_is_what_an_independent_implementation_makes() {
    for provider in providers() {
        let mut rng = Script::of(&[0x55, 0x66]);
        assert_eq!(seal(provider, &mut rng, &public(provider, SERVER_PUB), SESSION, ALICE, BOB, TEXT), good());
        assert!(rng.is_used_up());
        let opened = open(provider, &private(provider, SERVER_KEY), SESSION, ALICE, BOB, &good());
        assert_eq!(opened.as_deref(), Ok(TEXT), "{provider:?}");
    }
}

#[rstest]
#[case("")]
#[case("x")]
#[case("two\nlines")]
#[case(&"long ".repeat(5000))]
fn each_opens_what_the_other_sealed(#[case] text: &str) {
    let mut rng = StdRng::seed_from_u64(5);
    for (writer, reader) in pairs() {
        let line = seal(writer, &mut rng, &public(writer, SERVER_PUB), SESSION, ALICE, BOB, text);
        assert_eq!(line.len(), line_len(text.len()));
        let opened = open(reader, &private(reader, SERVER_KEY), SESSION, ALICE, BOB, &line);
        assert_eq!(opened.as_deref(), Ok(text), "{writer:?} to {reader:?}");
    }
}

/// MSG-14, MSG-15.
#[test]
fn no_two_are_alike_and_none_opens_elsewhere() {
    let (provider, mut rng) = (default_provider(), StdRng::seed_from_u64(6));
    let mut seal = || seal(provider, &mut rng, &public(provider, SERVER_PUB), SESSION, ALICE, BOB, TEXT);
    assert_ne!(seal(), seal());
    let key = private(provider, SERVER_KEY);
    let open = |sid, author, recipient| open(provider, &key, sid, author, recipient, &good());
    assert!(open(SESSION, ALICE, BOB).is_ok());
    assert_eq!(open(Sid(1), ALICE, BOB), Err(EnvelopeError::Tag));
    assert_eq!(open(SESSION, BOB, BOB), Err(EnvelopeError::Tag));
    assert_eq!(open(SESSION, ALICE, ALICE), Err(EnvelopeError::Tag));
    let other = private(provider, ALICE_KEY);
    assert_eq!(super::open(provider, &other, SESSION, ALICE, BOB, &good()), Err(EnvelopeError::Key));
}

#[rstest]
#[case::nothing(String::new(), EnvelopeError::Short(0))]
#[case::a_digit_short(good()[1..].into(), EnvelopeError::Odd(good().len() - 1))]
#[case::no_room_for_a_tag(good()[..534].into(), EnvelopeError::Short(534))]
#[case::less_text(good()[..good().len() - 2].into(), EnvelopeError::Tag)]
#[case::more_text(good() + "00", EnvelopeError::Tag)]
#[case::uppercase(good().to_uppercase(), EnvelopeError::Digit { at: good().find(char::is_alphabetic).unwrap() })]
#[case::white_space(good() + " ", EnvelopeError::Digit { at: good().len() })]
#[case::no_text_at_all("é".repeat(300), EnvelopeError::Digit { at: 0 })]
#[case::other_key("00".repeat(268), EnvelopeError::Key)]
fn anything_else_is_refused(#[case] line: String, #[case] error: EnvelopeError) {
    assert_eq!(open_as_bob(&line), Err(error));
}

#[test]
fn a_text_that_is_no_utf8_is_refused() {
    let (provider, mut rng) = (default_provider(), StdRng::seed_from_u64(7));
    let to = public(provider, SERVER_PUB);
    let cek = Secret::new([1; 32]);
    let line = seal_with(provider, &mut rng, &cek, &to, SESSION, ALICE, BOB, b"ab\xff");
    assert_eq!(open_as_bob(&line), Err(EnvelopeError::NotUtf8 { at: 2 }));
}

#[rstest]
#[case(31)]
#[case(33)]
#[case(0)]
fn a_cek_has_32_bytes(#[case] length: usize) {
    let (provider, mut rng) = (default_provider(), StdRng::seed_from_u64(8));
    let etk = public(provider, SERVER_PUB).oaep_encrypt(&mut rng, &vec![1; length]);
    assert_eq!(open_as_bob(&(hex::encode(etk) + &"0".repeat(24))), Err(EnvelopeError::KeyLength(length)));
}

/// 65499 bytes of payload, 536 digits and an LF a line (MTP-05, MSG-16); 121 recipients are the most (INIT-02).
#[rstest]
#[case(1, 32481, true)]
#[case(1, 32482, false)]
#[case(121, 2, true)]
#[case(121, 3, false)]
#[case(122, 0, false)]
#[case(0, 1_000_000, true)]
#[case(usize::MAX, 1, false)]
fn what_fits_one_frame(#[case] recipients: usize, #[case] length: usize, #[case] expected: bool) {
    assert_eq!(fits(&"x".repeat(length), recipients), expected);
}
