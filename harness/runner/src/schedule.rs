//! The key schedule of SPECIFICATION section 4, written out: a key share of any length has keys, so that a login can be
//! made wrong, and the reference's own schedule has somebody who contradicts it.

use mpchat_proto::crypto::Provider;
use mpchat_proto::keys::{DirectionKeys, FrameCipher};

/// The ciphers of the two directions, `c2s` first.
pub(crate) type Ciphers = (FrameCipher, FrameCipher);

/// Key and iv of the two directions, `c2s` first.
pub(crate) type Keys = [([u8; 32], [u8; 12]); 2];

/// The login keys.
pub(crate) fn login(provider: &dyn Provider, tk: &[u8]) -> Ciphers {
    ciphers(provider, both(provider, &[0; 32], &[tk], b"mpchat/1.0 login "))
}

/// The transfer keys; `request` and `response` are whole frames.
pub(crate) fn transfer(provider: &dyn Provider, tk: &[u8], sk: &[u8], request: &[u8], response: &[u8]) -> Keys {
    let salt = provider.sha256(&[request, response]);
    both(provider, &salt, &[tk, sk], b"mpchat/1.0 transfer ")
}

/// What seals and opens with these keys.
pub(crate) fn ciphers(provider: &dyn Provider, keys: Keys) -> Ciphers {
    let [c2s, s2c] = keys.map(|(key, iv)| FrameCipher::new(provider, &DirectionKeys::new(key, iv)));
    (c2s, s2c)
}

fn both(provider: &dyn Provider, salt: &[u8], ikm: &[&[u8]], label: &[u8]) -> Keys {
    [b"c2s", b"s2c"].map(|direction| {
        let mut okm = [0; 44];
        provider.hkdf_sha256(salt, ikm, &[label, direction], &mut okm);
        let (mut key, mut iv) = ([0; 32], [0; 12]);
        key.iter_mut().chain(&mut iv).zip(okm).for_each(|(to, from)| *to = from);
        (key, iv)
    })
}
