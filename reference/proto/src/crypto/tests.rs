#![allow(clippy::unwrap_used, reason = "a test")]

use rstest::rstest;

use super::*;
use crate::testing::*;

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

/// RFC 5869 appendix A, the three cases with SHA-256.
#[rstest]
#[case(
    &[0x0b; 22],
    &bytes("000102030405060708090a0b0c"),
    &bytes("f0f1f2f3f4f5f6f7f8f9"),
    "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
)]
#[case(
    &(0x00..=0x4f).collect::<Vec<u8>>(),
    &(0x60..=0xaf).collect::<Vec<u8>>(),
    &(0xb0..=0xff).collect::<Vec<u8>>(),
    "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"
)]
#[case(
    &[0x0b; 22],
    b"",
    b"",
    "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
)]
fn hkdf_of_rfc_5869(#[case] ikm: &[u8], #[case] salt: &[u8], #[case] info: &[u8], #[case] expected: &str) {
    for provider in providers() {
        let mut okm = vec![0; expected.len() / 2];
        provider.hkdf_sha256(salt, &[ikm], &[info], &mut okm);
        assert_eq!(hex::encode(&okm), expected, "{provider:?}");
        // Parts are concatenated, wherever they are cut.
        provider.hkdf_sha256(salt, &[&ikm[..5], &ikm[5..]], &[b"", info], &mut okm);
        assert_eq!(hex::encode(&okm), expected, "{provider:?}");
    }
}

#[test]
fn no_salt_is_32_zero_bytes() {
    for provider in providers() {
        let [mut none, mut zeros] = [[0; 44]; 2];
        provider.hkdf_sha256(&[], &[b"ikm"], &[b"info"], &mut none);
        provider.hkdf_sha256(&[0; 32], &[b"ikm"], &[b"info"], &mut zeros);
        assert_eq!(none, zeros, "{provider:?}");
    }
}

#[test]
fn sha256_of_fips_180() {
    for provider in providers() {
        let hash = hex::encode(provider.sha256(&[b"a", b"", b"bc"]));
        assert_eq!(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "{provider:?}");
    }
}

/// Test case 16 of the GCM submission (McGrew, Viega), its tag cut to 12 bytes (MTP-11).
#[test]
fn gcm_of_its_submission() {
    let key = bytes("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308").try_into().unwrap();
    let nonce = bytes("cafebabefacedbaddecaf888").try_into().unwrap();
    let aad = bytes("feedfacedeadbeeffeedfacedeadbeefabaddad2");
    let text = bytes(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
    );
    let sealed = bytes(
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
    );
    for provider in providers() {
        let aead = provider.aead(&key);
        let mut buffer = text.clone();
        let tag = aead.seal(&nonce, &aad, &mut buffer);
        assert_eq!((&buffer, hex::encode(tag).as_str()), (&sealed, "76fc6ece0f4e1768cddf8853"), "{provider:?}");
        assert_eq!(aead.open(&nonce, &aad, &mut buffer, &tag), Ok(()));
        assert_eq!(buffer, text, "{provider:?}");
    }
}

#[test]
fn each_opens_what_the_other_sealed_and_nothing_that_was_changed() {
    let (key, nonce, aad) = ([3; 32], [5; 12], [7; 24]);
    for (writer, reader) in pairs() {
        for length in [0, 1, 15, 16, 17, 255, 65499] {
            let text: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            let mut sealed = text.clone();
            let tag = writer.aead(&key).seal(&nonce, &aad, &mut sealed);
            let open = |nonce: &[u8; 12], aad: &[u8], sealed: &[u8], tag: &[u8; 12]| {
                let mut buffer = sealed.to_vec();
                reader.aead(&key).open(nonce, aad, &mut buffer, tag).map(|()| buffer)
            };
            assert_eq!(open(&nonce, &aad, &sealed, &tag), Ok(text), "{writer:?} to {reader:?}, {length} bytes");
            for bit in [0, 95] {
                let mut other = tag;
                other[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(open(&nonce, &aad, &sealed, &other), Err(BadMac));
            }
            assert_eq!(open(&[6; 12], &aad, &sealed, &tag), Err(BadMac));
            assert_eq!(open(&nonce, &aad[1..], &sealed, &tag), Err(BadMac));
            if let Some(last) = sealed.last_mut() {
                *last ^= 0x80;
                assert_eq!(open(&nonce, &aad, &sealed, &tag), Err(BadMac));
            }
        }
    }
}

#[test]
fn one_cipher_serves_several_threads() {
    for provider in providers() {
        let aead = provider.aead(&[3; 32]);
        let seal = |nonce: u8| {
            let mut text = [nonce; 1000];
            let tag = aead.seal(&[nonce; 12], b"", &mut text);
            (text, tag)
        };
        let alone: Vec<_> = (0..64).map(seal).collect();
        let together: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|part| scope.spawn(move || (part * 16..(part + 1) * 16).map(seal).collect::<Vec<_>>()))
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(alone, together, "{provider:?}");
    }
}

#[test]
fn the_seed_of_oaep_is_what_is_drawn() {
    for provider in providers() {
        let mut rng = Script::of(&[0x5e]);
        let ciphertext = public(provider, ALICE_PUB).oaep_encrypt(&mut rng, &known("oaep message"));
        assert_eq!(hex::encode(ciphertext), hex::encode(known("oaep ciphertext")), "{provider:?}");
        assert!(rng.is_used_up());
    }
}

#[rstest]
#[case("oaep ciphertext", known("oaep message"))]
#[case("oaep empty", vec![])]
#[case("oaep longest", vec![0; 190])]
fn oaep_decrypts(#[case] name: &str, #[case] message: Vec<u8>) {
    for provider in providers() {
        assert_eq!(
            private(provider, ALICE_KEY).oaep_decrypt(&known(name)).unwrap().as_slice(),
            message,
            "{provider:?}"
        );
    }
}

/// RFC 8017 section 7.1.2: every flaw is an error, and the same one.
#[rstest]
#[case::first_octet_is_not_0(known("oaep bad first octet"))]
#[case::other_label(known("oaep bad label hash"))]
#[case::padding_is_not_0(known("oaep bad padding"))]
#[case::nothing_ends_the_padding(known("oaep bad no separator"))]
#[case::not_below_the_modulus(known("oaep bad modulus"))]
#[case::all_ones(vec![0xff; 256])]
#[case::zero(known("oaep bad zero"))]
#[case::nothing(vec![])]
#[case::a_byte_short(known("oaep ciphertext")[1..].to_vec())]
#[case::a_byte_more([&known("oaep ciphertext")[..], &[0]].concat())]
fn oaep_refuses(#[case] ciphertext: Vec<u8>) {
    for provider in providers() {
        let result = private(provider, ALICE_KEY).oaep_decrypt(&ciphertext);
        assert_eq!(result.err(), Some(OaepError), "{provider:?}");
        let other = private(provider, SERVER_KEY).oaep_decrypt(&known("oaep ciphertext"));
        assert_eq!(other.err(), Some(OaepError), "{provider:?}");
    }
}

#[test]
#[should_panic(expected = "holds 190 bytes, not 191")]
fn oaep_has_a_longest_message() {
    let _ = public(default_provider(), ALICE_PUB).oaep_encrypt(&mut Script::of(&[0]), &[0; 191]);
}

#[test]
fn a_key_knows_its_public_part() {
    for provider in providers() {
        let key = private(provider, ALICE_KEY);
        assert_eq!(key.public(), public(provider, ALICE_PUB));
        assert_ne!(key.public(), public(provider, SERVER_PUB));
        assert_eq!(key.public().to_pem(), ALICE_PUB);
    }
}

#[test]
fn a_generated_key_is_one() {
    let mut rng = <rand::rngs::StdRng as rand::SeedableRng>::seed_from_u64(1);
    let pem = generate_key(&mut rng).unwrap();
    for provider in providers() {
        let key = private(provider, &pem.private);
        assert_eq!(key.public(), public(provider, &pem.public));
        let ciphertext = key.public().oaep_encrypt(&mut rng, b"text");
        assert_eq!(key.oaep_decrypt(&ciphertext).unwrap().as_slice(), b"text");
    }
    assert!(!format!("{pem:?}").contains("PRIVATE"));
}

#[test]
fn printing_a_key_shows_nothing_private() {
    for provider in providers() {
        let text = format!("{:?}", private(provider, ALICE_KEY));
        assert_eq!(text, format!("PrivateKey {{ public: {:?}, .. }}", public(provider, ALICE_PUB)));
        assert!(text.len() < 80, "{text}");
    }
}

fn label(expected: &'static str, got: &str) -> KeyError {
    KeyError::Label { expected, got: got.into() }
}

macro_rules! data {
    ($name:literal) => {
        include_str!(concat!("../../testdata/", $name))
    };
}

#[rstest]
#[case::other_size(data!("bits1024.key.pem"), KeyError::Bits(1024))]
#[case::other_exponent(data!("exponent3.key.pem"), KeyError::Exponent("03".into()))]
#[case::other_algorithm(data!("ec.key.pem"), KeyError::NotRsa("1.2.840.10045.2.1".into()))]
#[case::pkcs1(data!("pkcs1.key.pem"), label("PRIVATE KEY", "RSA PRIVATE KEY"))]
#[case::public(ALICE_PUB, label("PRIVATE KEY", "PUBLIC KEY"))]
fn what_is_wrong_with_a_private_key_is_named(#[case] pem: &str, #[case] error: KeyError) {
    for provider in providers() {
        assert_eq!(provider.private_key(pem).unwrap_err(), error, "{provider:?}");
    }
}

#[rstest]
#[case::other_size(data!("bits1024.pub.pem"), KeyError::Bits(1024))]
#[case::other_exponent(data!("exponent3.pub.pem"), KeyError::Exponent("03".into()))]
#[case::other_algorithm(data!("ec.pub.pem"), KeyError::NotRsa("1.2.840.10045.2.1".into()))]
#[case::pkcs1(data!("pkcs1.pub.pem"), label("PUBLIC KEY", "RSA PUBLIC KEY"))]
#[case::private(ALICE_KEY, label("PUBLIC KEY", "PRIVATE KEY"))]
fn what_is_wrong_with_a_public_key_is_named(#[case] pem: &str, #[case] error: KeyError) {
    for provider in providers() {
        assert_eq!(provider.public_key(pem).unwrap_err(), error, "{provider:?}");
    }
}

#[rstest]
#[case::nothing("".into())]
#[case::text("hello".into())]
#[case::no_end(ALICE_PUB[..200].into())]
#[case::no_base64(ALICE_PUB.replacen("MII", "M!I", 1))]
fn text_that_is_no_pem_is_refused(#[case] text: String) {
    for provider in providers() {
        assert!(matches!(provider.public_key(&text).unwrap_err(), KeyError::NotPem(_)), "{provider:?}");
        let text = text.replace("PUBLIC", "PRIVATE");
        assert!(matches!(provider.private_key(&text).unwrap_err(), KeyError::NotPem(_)), "{provider:?}");
    }
}

/// A digit changed here and there, a line left out: an error or a key, never a panic; and never a key that is not whole.
#[test]
fn damaged_keys_are_refused_or_work() {
    let lines: Vec<&str> = ALICE_KEY.lines().collect();
    for provider in providers() {
        for at in 1..lines.len() - 1 {
            let mut less = lines.clone();
            less.remove(at);
            provider.private_key(&less.join("\n")).unwrap_err();
            let mut changed = lines.clone();
            let line = format!("A{}", &lines[at][1..]);
            changed[at] = &line;
            if let Ok(key) = provider.private_key(&changed.join("\n")) {
                assert_eq!(key.oaep_decrypt(&known("oaep empty")).unwrap().as_slice(), b"", "{provider:?} line {at}");
            }
        }
    }
}

#[rstest]
#[case::dos(ALICE_PUB.replace('\n', "\r\n"))]
#[case::lines_of_76(rewrapped(ALICE_PUB, 76))]
#[case::no_last_line_end(ALICE_PUB.trim_end().into())]
fn pem_of_other_tools_is_read(#[case] pem: String) {
    for provider in providers() {
        assert_eq!(public(provider, &pem), public(provider, ALICE_PUB));
    }
}

fn rewrapped(pem: &str, width: usize) -> String {
    let lines: Vec<&str> = pem.lines().collect();
    let digits: Vec<char> = lines[1..lines.len() - 1].concat().chars().collect();
    let body: Vec<String> = digits.chunks(width).map(|line| line.iter().collect()).collect();
    format!("{}\n{}\n{}\n", lines[0], body.join("\n"), lines[lines.len() - 1])
}

#[test]
fn providers_are_found_by_name() {
    for name in PROVIDERS {
        assert_eq!(provider(name).unwrap().name(), *name);
    }
    assert_eq!(default_provider().name(), PROVIDERS[0]);
    assert!(provider("none").is_none());
}
