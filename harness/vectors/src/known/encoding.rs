//! RSA encoded messages of our own making, right or wrong, and the bare RSA operation on them.

use mpchat_proto::frame::ETK_LEN;
use rsa::BoxedUint;
use rsa::hazmat::rsa_encrypt;
use rsa::pkcs8::DecodePublicKey;
use sha1::{Digest as _, Sha1};

use super::data::maker;
use super::kit;

/// A hash function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha1,
    Sha256,
}

/// The parts of an OAEP encoded message (RFC 8017, section 7.1.1).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Encoding<'a> {
    pub(crate) hash: Hash,
    pub(crate) mgf: Hash,
    pub(crate) label: &'a [u8],
    /// Y, 0 where it is right.
    pub(crate) first: u8,
    /// What PS is made of, 0 where it is right.
    pub(crate) filler: u8,
    /// What stands between PS and the message, 1 where it is right.
    pub(crate) separator: u8,
    /// Masks of bytes of lHash, to make it wrong.
    pub(crate) hash_mask: (usize, u8),
}

/// What the specification says.
pub(crate) const RIGHT: Encoding<'static> = Encoding {
    hash: Hash::Sha256,
    mgf: Hash::Sha256,
    label: b"",
    first: 0,
    filler: 0,
    separator: 1,
    hash_mask: (0, 0),
};

/// A message of at most 190 bytes, encoded so and encrypted for a key of the kit.
pub(crate) fn oaep(key: &str, seed: &[u8; 32], message: &[u8], encoding: &Encoding<'_>) -> [u8; ETK_LEN] {
    let hash_len = encoding.hash.of(&[]).len();
    let mut block = encoding.hash.of(encoding.label);
    block[encoding.hash_mask.0] ^= encoding.hash_mask.1;
    block.resize(ETK_LEN - hash_len - 2 - message.len(), encoding.filler);
    block.push(encoding.separator);
    block.extend_from_slice(message);
    let mut seed = seed[..hash_len].to_vec();
    mask(encoding.mgf, &seed, &mut block);
    mask(encoding.mgf, &block, &mut seed);
    raw(key, &[&[encoding.first], &seed[..], &block].concat())
}

/// The message with the padding of PKCS #1 v1.5.
pub(crate) fn pkcs1(key: &str, filler: u8, message: &[u8]) -> [u8; ETK_LEN] {
    raw(key, &[&[0, 2], &vec![filler; ETK_LEN - 3 - message.len()][..], &[0], message].concat())
}

/// RSAEP (RFC 8017, section 5.1.1) of an encoded message of 256 bytes that is less than the modulus.
pub(crate) fn raw(key: &str, encoded: &[u8]) -> [u8; ETK_LEN] {
    let pem = kit::known_public(key).to_pem();
    let key = rsa::PublicKey::from_public_key_pem(&pem).expect("a key of the kit");
    let message = BoxedUint::from_be_slice(encoded, 2048).expect("256 bytes");
    let encrypted = rsa_encrypt(&key, &message).expect("less than the modulus");
    encrypted.to_be_bytes()[..].try_into().expect("as wide as the modulus")
}

impl Hash {
    fn of(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => Sha1::digest(bytes).to_vec(),
            Self::Sha256 => maker().sha256(&[bytes]).to_vec(),
        }
    }
}

/// XORs `target` with MGF1 of `seed` (RFC 8017, appendix B.2.1).
fn mask(hash: Hash, seed: &[u8], target: &mut [u8]) {
    let width = hash.of(&[]).len();
    for (n, part) in (0u32..).zip(target.chunks_mut(width)) {
        let block = hash.of(&[seed, &n.to_be_bytes()].concat());
        part.iter_mut().zip(block).for_each(|(t, m)| *t ^= m);
    }
}
