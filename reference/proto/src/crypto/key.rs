//! RSA-2048 keys: what both providers share, and how a provider plugs in its decryption.

use core::fmt;
use std::sync::Arc;

use rand_core::CryptoRng;
use rsa::pkcs8::{EncodePrivateKey, EncodePublicKey, LineEnding};
use rsa::traits::PublicKeyParts;
use sha2::Sha256;
use thiserror::Error;
use zeroize::Zeroizing;

use super::pem::{self, KeyError, invalid};
use crate::frame::ETK_LEN;

/// The longest message of one RSA-OAEP ciphertext, in bytes: RFC 8017 section 7.1.1 with SHA-256 and 2048 bits.
const MAX_MESSAGE: usize = ETK_LEN - 2 * 32 - 2;

/// A private key. Cloning shares it; printing shows nothing of it.
#[derive(Clone)]
pub struct PrivateKey(Arc<Inner>);

/// A public key. Cloning shares it.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(Arc<rsa::PublicKey>);

/// A fresh key pair as the two files of section 9.
pub struct KeyPem {
    /// `BEGIN PRIVATE KEY`; wiped when dropped.
    pub private: Zeroizing<String>,
    /// `BEGIN PUBLIC KEY`.
    pub public: String,
}

/// A ciphertext that is not one of this key. It does not say why: the reason would be an oracle (RFC 8017 section 7.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("no RSA-OAEP ciphertext of this key")]
pub struct OaepError;

/// A provider's own half of a private key: RFC 8017 section 7.1.2 with SHA-256, MGF1-SHA-256, an empty label, blinded.
pub(super) trait Decrypt: Send + Sync {
    fn oaep_decrypt(&self, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, OaepError>;
}

struct Inner {
    public: PublicKey,
    decrypt: Box<dyn Decrypt>,
}

impl PrivateKey {
    pub(super) fn new(public: rsa::PublicKey, decrypt: Box<dyn Decrypt>) -> Self {
        Self(Arc::new(Inner { public: PublicKey(Arc::new(public)), decrypt }))
    }

    /// Decrypts an RSAES-OAEP ciphertext (RFC 8017) with SHA-256, MGF1-SHA-256 and an empty label.
    ///
    /// # Errors
    /// [`OaepError`] for whatever reason, a length other than 256 bytes included.
    pub fn oaep_decrypt(&self, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, OaepError> {
        if ciphertext.len() != ETK_LEN {
            return Err(OaepError);
        }
        #[cfg(feature = "faults")]
        if let Some(known) = super::shortcut::open(&self.public(), ciphertext) {
            return known;
        }
        self.0.decrypt.oaep_decrypt(ciphertext)
    }

    /// The public key that belongs to it.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        self.0.public.clone()
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey").field("public", &self.0.public).finish_non_exhaustive()
    }
}

impl PublicKey {
    pub(super) fn from_pem(spki_pem: &str) -> Result<Self, KeyError> {
        Ok(Self(Arc::new(pem::read_public(spki_pem)?)))
    }

    /// Encrypts with RSAES-OAEP (RFC 8017), SHA-256, MGF1-SHA-256 and an empty label. The seed of OAEP is the first
    /// 32 bytes drawn from `rng`, and the only ones.
    ///
    /// # Panics
    /// If `message` has more than the 190 bytes that fit.
    #[must_use]
    pub fn oaep_encrypt(&self, rng: &mut dyn CryptoRng, message: &[u8]) -> [u8; ETK_LEN] {
        assert!(message.len() <= MAX_MESSAGE, "RSA-2048 with OAEP and SHA-256 holds 190 bytes, not {}", message.len());
        #[cfg(feature = "faults")]
        if let Some(ciphertext) = super::shortcut::seal(self, rng, message) {
            return ciphertext;
        }
        let ciphertext = self.0.oaep_encrypt_with_rng::<Sha256, _>(rng, message);
        // Its errors: an invalid key (checked when read), a message too long (checked above), a failing generator
        // (infallible by type).
        let ciphertext = ciphertext.expect("a valid key and a message that fits");
        ciphertext.try_into().expect("as many bytes as the modulus, 2048 bits")
    }

    /// Tells it from every other key.
    #[cfg(feature = "faults")]
    pub(super) fn modulus(&self) -> Box<[u8]> {
        self.0.n_bytes()
    }

    /// The public key file: PEM, SubjectPublicKeyInfo (section 9).
    #[must_use]
    pub fn to_pem(&self) -> String {
        self.0.to_public_key_pem(LineEnding::LF).expect("two positive integers have a DER form")
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Enough to tell keys apart; the high end of a modulus is random but for its first bit.
        let modulus = self.0.n_bytes();
        write!(f, "PublicKey({}…)", hex::encode(&modulus[..8]))
    }
}

impl fmt::Debug for KeyPem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPem").field("public", &self.public).finish_non_exhaustive()
    }
}

/// Makes an RSA-2048 key pair with exponent 65537, for an identity kit. It takes some tenths of a second.
///
/// # Errors
/// [`KeyError::Invalid`] if no primes were found.
pub fn generate_key(rng: &mut dyn CryptoRng) -> Result<KeyPem, KeyError> {
    let key = rsa::PrivateKey::new(rng, 2048).map_err(invalid)?;
    let private = key.to_pkcs8_pem(LineEnding::LF).map_err(invalid)?;
    let public = key.as_public_key().to_public_key_pem(LineEnding::LF).map_err(invalid)?;
    Ok(KeyPem { private, public })
}
