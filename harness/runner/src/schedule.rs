//! The key schedule of SPECIFICATION section 4, written out: a key share of any length has keys, so that a login can be
//! made wrong, and the reference's own schedule has somebody who contradicts it.

use mpchat_proto::crypto::Provider;
use mpchat_proto::keys::{DirectionKeys, FrameCipher};

/// The ciphers of the two directions, `c2s` first.
pub(crate) type Ciphers = (FrameCipher, FrameCipher);

const LOGIN: &[u8] = b"mpchat/1.0 login ";
const TRANSFER: &[u8] = b"mpchat/1.0 transfer ";
const DIRECTIONS: [&[u8]; 2] = [b"c2s", b"s2c"];

/// The login keys.
pub(crate) fn login(provider: &dyn Provider, tk: &[u8]) -> Ciphers {
    both(provider, &[0; 32], &[tk], LOGIN)
}

/// The transfer keys; `request` and `response` are whole frames.
pub(crate) fn transfer(provider: &dyn Provider, tk: &[u8], sk: &[u8], request: &[u8], response: &[u8]) -> Ciphers {
    let salt = provider.sha256(&[request, response]);
    both(provider, &salt, &[tk, sk], TRANSFER)
}

/// The transfer keys themselves, without their ivs: to be found where they must not be.
pub(crate) fn transfer_keys(
    provider: &dyn Provider,
    tk: &[u8],
    sk: &[u8],
    request: &[u8],
    response: &[u8],
) -> [[u8; 32]; 2] {
    let salt = provider.sha256(&[request, response]);
    DIRECTIONS.map(|direction| derive(provider, &salt, &[tk, sk], &[TRANSFER, direction]).0)
}

fn both(provider: &dyn Provider, salt: &[u8], ikm: &[&[u8]], label: &[u8]) -> Ciphers {
    let [c2s, s2c] = DIRECTIONS.map(|direction| {
        let (key, iv) = derive(provider, salt, ikm, &[label, direction]);
        FrameCipher::new(provider, &DirectionKeys::new(key, iv))
    });
    (c2s, s2c)
}

fn derive(provider: &dyn Provider, salt: &[u8], ikm: &[&[u8]], info: &[&[u8]]) -> ([u8; 32], [u8; 12]) {
    let mut okm = [0; 44];
    provider.hkdf_sha256(salt, ikm, info, &mut okm);
    let (mut key, mut iv) = ([0; 32], [0; 12]);
    key.iter_mut().chain(&mut iv).zip(okm).for_each(|(to, from)| *to = from);
    (key, iv)
}
