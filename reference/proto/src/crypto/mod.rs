//! The primitives behind one small trait, so that two independent stacks can check each other: AES-256-GCM with 12-byte
//! tags, HKDF and SHA-256, RSA-OAEP.
//!
//! | provider | from | feature |
//! | --- | --- | --- |
//! | `aws-lc` | aws-lc-rs, and aws-lc-sys for GCM | `aws-lc` |
//! | `rustcrypto` | aes-gcm, hkdf, rsa, sha2: pure Rust | `rustcrypto` |
//!
//! Both encrypt with crate `rsa`: the seed of OAEP is handed in, which aws-lc-rs cannot do.

#[cfg(feature = "aws-lc")]
mod aws_lc;
#[cfg(feature = "aws-lc")]
mod aws_lc_gcm;
mod key;
#[cfg(feature = "rustcrypto")]
mod oaep;
mod pem;
#[cfg(feature = "rustcrypto")]
mod rustcrypto;
#[cfg(feature = "faults")]
pub mod shortcut;

#[cfg(test)]
mod tests;

use core::fmt;

use thiserror::Error;

pub use key::{KeyPem, OaepError, PrivateKey, PublicKey, generate_key};
pub use pem::KeyError;

use crate::frame::MAC_LEN;

#[cfg(not(any(feature = "aws-lc", feature = "rustcrypto")))]
compile_error!("mpchat-proto needs a crypto provider: feature `rustcrypto` or `aws-lc`");

/// A stack of primitives.
pub trait Provider: Send + Sync {
    /// `rustcrypto` or `aws-lc`.
    fn name(&self) -> &'static str;

    /// AES-256-GCM with this key.
    fn aead(&self, key: &[u8; 32]) -> Box<dyn Aead>;

    /// HKDF of RFC 5869 with SHA-256. The parts of `ikm` and of `info` are concatenated; an empty `salt` is 32 zero bytes.
    ///
    /// # Panics
    /// If `okm` is longer than the 8160 bytes that RFC 5869 allows.
    fn hkdf_sha256(&self, salt: &[u8], ikm: &[&[u8]], info: &[&[u8]], okm: &mut [u8]);

    /// SHA-256 of the concatenated parts.
    fn sha256(&self, parts: &[&[u8]]) -> [u8; 32];

    /// Reads a private key file: PEM, PKCS #8, RSA 2048, exponent 65537 (section 9).
    ///
    /// # Errors
    /// What is wrong with the text.
    fn private_key(&self, pkcs8_pem: &str) -> Result<PrivateKey, KeyError>;

    /// Reads a public key file: PEM, SubjectPublicKeyInfo, RSA 2048, exponent 65537 (section 9).
    ///
    /// # Errors
    /// What is wrong with the text.
    fn public_key(&self, spki_pem: &str) -> Result<PublicKey, KeyError> {
        PublicKey::from_pem(spki_pem)
    }
}

impl fmt::Debug for dyn Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// AES-256-GCM with a fixed key and 12-byte tags (MTP-10, MTP-11), in place, without allocation.
pub trait Aead: Send + Sync {
    /// Encrypts `in_out` in place and returns the tag. A nonce must never be used twice.
    fn seal(&self, nonce: &[u8; 12], aad: &[u8], in_out: &mut [u8]) -> [u8; MAC_LEN];

    /// Decrypts `in_out` in place. The tag is compared in constant time.
    ///
    /// # Errors
    /// [`BadMac`] if anything was changed; what `in_out` then holds is of no use (its old content or zeros).
    fn open(&self, nonce: &[u8; 12], aad: &[u8], in_out: &mut [u8], tag: &[u8; MAC_LEN]) -> Result<(), BadMac>;
}

/// The mac does not fit: the frame was changed, or sealed with another key or nonce (MTP-10, MTP-11, MTP-12).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("wrong mac")]
pub struct BadMac;

/// The providers that are built in, the default first.
pub const PROVIDERS: &[&str] = &[
    #[cfg(feature = "aws-lc")]
    "aws-lc",
    #[cfg(feature = "rustcrypto")]
    "rustcrypto",
];

/// The provider with this name, if it is built in.
#[must_use]
pub fn provider(name: &str) -> Option<&'static dyn Provider> {
    match name {
        #[cfg(feature = "aws-lc")]
        "aws-lc" => Some(&aws_lc::AwsLc),
        #[cfg(feature = "rustcrypto")]
        "rustcrypto" => Some(&rustcrypto::RustCrypto),
        _ => None,
    }
}

/// `aws-lc` if it is built in, else `rustcrypto`.
#[must_use]
pub fn default_provider() -> &'static dyn Provider {
    #[cfg(feature = "aws-lc")]
    {
        &aws_lc::AwsLc
    }
    #[cfg(not(feature = "aws-lc"))]
    {
        &rustcrypto::RustCrypto
    }
}
