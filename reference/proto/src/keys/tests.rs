#![allow(clippy::unwrap_used, reason = "a test")]

use rstest::rstest;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::*;
use crate::crypto::{BadMac, default_provider};
use crate::frame::{FrameType, HEADER_LEN, Header, MAX_PAYLOAD, MIN_LEN};
use crate::ids::{Sid, Uid};
use crate::testing::*;

fn flat(keys: &DirectionKeys) -> Vec<u8> {
    let (key, iv) = keys.expose();
    [&key[..], iv].concat()
}

fn direction(name: &str) -> DirectionKeys {
    let okm = known(name);
    DirectionKeys::new(okm[..32].try_into().unwrap(), okm[32..].try_into().unwrap())
}

#[test]
fn the_schedule_is_that_of_section_4() {
    let [tk, sk] = [0x11, 0x22].map(|value| Secret::new([value; 32]));
    for provider in providers() {
        let login = LoginKeys::derive(provider, &tk);
        assert_eq!((flat(&login.c2s), flat(&login.s2c)), (known("login c2s"), known("login s2c")), "{provider:?}");
        let transfer = TransferKeys::derive(provider, &tk, &sk, &known("login 1"), &known("login 2"));
        assert_eq!(flat(&transfer.c2s), known("transfer c2s"), "{provider:?}");
        assert_eq!(flat(&transfer.s2c), known("transfer s2c"), "{provider:?}");
    }
}

#[rstest]
#[case(0, "0102030405060708090a0b0c")]
#[case(1, "0102030405060708090a0b0d")]
#[case(0x0b0c, "0102030405060708090a0000")]
#[case(0xffff, "0102030405060708090af4f3")]
fn the_nonce_is_iv_xor_number(#[case] sqn: u16, #[case] expected: &str) {
    let keys = DirectionKeys::new([0; 32], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    assert_eq!(hex::encode(FrameCipher::new(default_provider(), &keys).nonce(sqn)), expected);
}

#[test]
fn frames_are_sealed_as_an_independent_implementation_seals_them() {
    let header = Header::for_payload(FrameType::MsgReq, 65535, Sid(0x0102030405060708), ALICE, 5, false);
    for provider in providers() {
        let cipher = FrameCipher::new(provider, &direction("transfer c2s"));
        let mut frame = cipher.seal(&header, b"line\n", None);
        assert_eq!(hex::encode(&frame), hex::encode(known("frame 65535")), "{provider:?}");
        assert_eq!(cipher.open_in_place(&mut frame, false), Ok(&b"line\n"[..]));
    }
}

#[test]
fn every_bit_of_a_frame_is_protected_but_those_of_its_etk() {
    for provider in providers() {
        let cipher = FrameCipher::new(provider, &direction("login s2c"));
        let good = known("login 2");
        assert_eq!(cipher.open_in_place(&mut good.clone(), true), Ok(&b"Online"[..]));
        for bit in 0..8 * good.len() {
            let mut frame = good.clone();
            frame[bit / 8] ^= 1 << (bit % 8);
            let etk = bit / 8 >= good.len() - 256;
            assert_eq!(cipher.open_in_place(&mut frame, true).is_ok(), etk, "{provider:?} bit {bit}");
        }
    }
}

#[test]
fn any_header_can_be_sealed_as_it_is() {
    let header = Header { ver: 9, typ: 8, len: 7, sqn: 6, sid: Sid(5), uid: Uid(4) };
    for (writer, reader) in pairs() {
        let keys = DirectionKeys::new([1; 32], [2; 12]);
        let mut frame = FrameCipher::new(writer, &keys).seal(&header, b"payload", Some(&[3; 256]));
        assert_eq!(frame.len(), 24 + 7 + 12 + 256);
        assert_eq!(frame[..HEADER_LEN], header.encode());
        assert_eq!(frame[24 + 7 + 12..], [3; 256]);
        assert_eq!(FrameCipher::new(reader, &keys).open_in_place(&mut frame, true), Ok(&b"payload"[..]));
    }
}

#[test]
fn in_place_is_the_same_as_in_a_new_buffer() {
    for provider in providers() {
        let cipher = FrameCipher::new(provider, &DirectionKeys::new([1; 32], [2; 12]));
        for (size, etk) in [(0, false), (0, true), (300, true), (MAX_PAYLOAD, false)] {
            let payload = vec![b'x'; size];
            let header = Header::for_payload(FrameType::StatusReq, 1, Sid::NONE, ALICE, size, etk);
            let expected = cipher.seal(&header, &payload, etk.then_some(&[3; 256]));
            assert_eq!(expected.len(), usize::from(header.len));
            let mut frame = [&header.encode()[..], &payload, &[0; 12], if etk { &[3; 256] } else { &[] }].concat();
            cipher.seal_in_place(&mut frame, etk);
            assert!(frame == expected, "{provider:?} {size} {etk}");
        }
    }
}

#[rstest]
#[case(0, false)]
#[case(MIN_LEN - 1, false)]
#[case(MIN_LEN, true)]
#[case(291, true)]
fn too_little_to_hold_a_mac_does_not_open(#[case] length: usize, #[case] etk: bool) {
    for provider in providers() {
        let cipher = FrameCipher::new(provider, &DirectionKeys::new([1; 32], [2; 12]));
        assert_eq!(cipher.open_in_place(&mut vec![0; length], etk), Err(BadMac));
    }
}

#[test]
fn numbers_end_at_65535() {
    let cipher = || FrameCipher::new(default_provider(), &DirectionKeys::new([1; 32], [2; 12]));
    let mut sealer = Sealer::new(cipher(), Some(65534));
    assert_eq!([sealer.take(), sealer.take(), sealer.take(), sealer.next()], [Some(65534), Some(65535), None, None]);
    assert_eq!(Opener::new(cipher(), 65534).expected(), Some(65535));
    assert_eq!(Opener::new(cipher(), 65535).expected(), None);
}

#[test]
fn secrets_are_wiped_when_dropped() {
    fn wiped_on_drop<T: Zeroize + ZeroizeOnDrop>(mut value: T, bytes: impl Fn(&T) -> Vec<u8>) {
        assert!(bytes(&value).iter().any(|&byte| byte != 0));
        value.zeroize();
        assert!(bytes(&value).iter().all(|&byte| byte == 0));
    }
    wiped_on_drop(Secret::new([0xab; 32]), |secret| secret.expose().to_vec());
    wiped_on_drop(DirectionKeys::new([0xab; 32], [0xab; 12]), flat);
}

#[test]
fn secrets_are_not_printed() {
    let tk = Secret::new([0xab; 32]);
    let keys = LoginKeys::derive(default_provider(), &tk);
    let cipher = FrameCipher::new(default_provider(), &keys.c2s);
    assert_eq!(format!("{tk:?} {cipher:?}"), "Secret(…) FrameCipher(…)");
    assert_eq!(format!("{keys:?}"), "LoginKeys { c2s: DirectionKeys(…), s2c: DirectionKeys(…) }");
}

#[test]
fn a_random_secret_is_the_next_32_bytes() {
    let mut rng = Script::of(&[1, 2]);
    let secrets = [Secret::random(&mut rng), Secret::random(&mut rng)];
    assert_eq!(secrets, [Secret::new([1; 32]), Secret::new([2; 32])]);
    assert_eq!([31, 33].map(|length| Secret::from_slice(&vec![0; length])), [None, None]);
}
