//! The key schedule of SPECIFICATION section 4, written out: a key share of any length has keys, so that a login can be
//! made wrong, and the reference's own schedule has somebody who contradicts it.

use mpchat_proto::crypto::Provider;
use mpchat_proto::keys::{DirectionKeys, FrameCipher};

/// The ciphers of the two directions, `c2s` first.
pub(crate) type Ciphers = (FrameCipher, FrameCipher);

/// The login keys.
pub(crate) fn login(provider: &dyn Provider, tk: &[u8]) -> Ciphers {
    both(provider, &[0; 32], &[tk], b"mpchat/1.0 login ")
}

/// The transfer keys; `request` and `response` are whole frames.
pub(crate) fn transfer(provider: &dyn Provider, tk: &[u8], sk: &[u8], request: &[u8], response: &[u8]) -> Ciphers {
    let salt = provider.sha256(&[request, response]);
    both(provider, &salt, &[tk, sk], b"mpchat/1.0 transfer ")
}

fn both(provider: &dyn Provider, salt: &[u8], ikm: &[&[u8]], label: &[u8]) -> Ciphers {
    let cipher = |direction: &[u8]| FrameCipher::new(provider, &derive(provider, salt, ikm, &[label, direction]));
    (cipher(b"c2s"), cipher(b"s2c"))
}

fn derive(provider: &dyn Provider, salt: &[u8], ikm: &[&[u8]], info: &[&[u8]]) -> DirectionKeys {
    let mut okm = [0; 44];
    provider.hkdf_sha256(salt, ikm, info, &mut okm);
    let (mut key, mut iv) = ([0; 32], [0; 12]);
    key.iter_mut().chain(&mut iv).zip(okm).for_each(|(to, from)| *to = from);
    DirectionKeys::new(key, iv)
}
