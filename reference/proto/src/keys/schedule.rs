//! From secrets to keys.

use core::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::Secret;
use crate::crypto::Provider;

const LOGIN: &[u8] = b"mpchat/1.0 login ";
const TRANSFER: &[u8] = b"mpchat/1.0 transfer ";
const C2S: &[u8] = b"c2s";
const S2C: &[u8] = b"s2c";

/// The keys of the two login frames, from tk alone (LOGIN-04).
#[derive(Debug)]
pub struct LoginKeys {
    /// Client to server: the login request.
    pub c2s: DirectionKeys,
    /// Server to client: the login response.
    pub s2c: DirectionKeys,
}

/// The keys of all later frames, from tk, sk and both login frames (LOGIN-04).
#[derive(Debug)]
pub struct TransferKeys {
    /// Client to server.
    pub c2s: DirectionKeys,
    /// Server to client.
    pub s2c: DirectionKeys,
}

/// Key and iv of one direction. Wiped when dropped, never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct DirectionKeys {
    key: [u8; 32],
    iv: [u8; 12],
}

impl LoginKeys {
    /// `login(d)` of section 4.
    #[must_use]
    pub fn derive(provider: &dyn Provider, tk: &Secret) -> Self {
        Self::derive_any(provider, tk.expose())
    }

    /// The same from a tk of any length, for who misbehaves.
    pub(crate) fn derive_any(provider: &dyn Provider, tk: &[u8]) -> Self {
        let direction = |d| DirectionKeys::derive(provider, &[], &[tk], &[LOGIN, d]);
        Self { c2s: direction(C2S), s2c: direction(S2C) }
    }
}

impl TransferKeys {
    /// `transfer(d)` of section 4. The login frames are whole, from `ver` to the end of `etk`, as they went over the wire.
    #[must_use]
    pub fn derive(
        provider: &dyn Provider,
        tk: &Secret,
        sk: &Secret,
        login_request: &[u8],
        login_response: &[u8],
    ) -> Self {
        Self::derive_any(provider, tk.expose(), sk, login_request, login_response)
    }

    /// The same from a tk of any length, for who misbehaves.
    pub(crate) fn derive_any(
        provider: &dyn Provider,
        tk: &[u8],
        sk: &Secret,
        login_request: &[u8],
        login_response: &[u8],
    ) -> Self {
        let salt = provider.sha256(&[login_request, login_response]);
        let direction = |d| DirectionKeys::derive(provider, &salt, &[tk, sk.expose()], &[TRANSFER, d]);
        Self { c2s: direction(C2S), s2c: direction(S2C) }
    }
}

impl DirectionKeys {
    /// Known ones, for vectors.
    #[must_use]
    pub fn new(key: [u8; 32], iv: [u8; 12]) -> Self {
        Self { key, iv }
    }

    /// Key and iv.
    #[must_use]
    pub fn expose(&self) -> (&[u8; 32], &[u8; 12]) {
        (&self.key, &self.iv)
    }

    fn derive(provider: &dyn Provider, salt: &[u8], ikm: &[&[u8]], info: &[&[u8]]) -> Self {
        let mut okm = Zeroizing::new([0; 44]);
        provider.hkdf_sha256(salt, ikm, info, &mut *okm);
        let mut keys = Self { key: [0; 32], iv: [0; 12] };
        keys.key.copy_from_slice(&okm[..32]);
        keys.iv.copy_from_slice(&okm[32..]);
        keys
    }
}

impl fmt::Debug for DirectionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DirectionKeys(…)")
    }
}
