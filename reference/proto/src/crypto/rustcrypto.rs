//! Provider `rustcrypto`: pure Rust.

use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::aes::Aes256;
use aes_gcm::aes::cipher::consts::U12;
use aes_gcm::{AesGcm, Nonce, Tag};
use core::convert::Infallible;
use hkdf::HkdfExtract;
use rand_core::{TryCryptoRng, TryRng};
use rsa::BoxedUint;
use rsa::hazmat::rsa_decrypt_and_check;
use rsa::pkcs8::DecodePrivateKey;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use super::key::{Decrypt, OaepError, PrivateKey};
use super::pem::{self, KeyError, invalid};
use super::{Aead, BadMac, Provider, oaep};
use crate::frame::MAC_LEN;

/// Provider `rustcrypto`.
pub(super) struct RustCrypto;

type Gcm = AesGcm<Aes256, U12, U12>;

impl Provider for RustCrypto {
    fn name(&self) -> &'static str {
        "rustcrypto"
    }

    fn aead(&self, key: &[u8; 32]) -> Box<dyn Aead> {
        Box::new(Gcm::new(key.into()))
    }

    fn hkdf_sha256(&self, salt: &[u8], ikm: &[&[u8]], info: &[&[u8]], okm: &mut [u8]) {
        let mut extract = HkdfExtract::<Sha256>::new(Some(salt));
        for part in ikm {
            extract.input_ikm(part);
        }
        let (mut prk, hkdf) = extract.finalize();
        prk.as_mut_slice().zeroize();
        hkdf.expand_multi_info(info, okm).expect("at most 255 hashes of output");
    }

    fn sha256(&self, parts: &[&[u8]]) -> [u8; 32] {
        parts.iter().fold(Sha256::new(), |hash, part| hash.chain_update(part)).finalize().into()
    }

    fn private_key(&self, pkcs8_pem: &str) -> Result<PrivateKey, KeyError> {
        let (der, public) = pem::read_private(pkcs8_pem)?;
        let key = rsa::PrivateKey::from_pkcs8_der(&der).map_err(invalid)?;
        let blinding = Zeroizing::new(self.sha256(&[b"mpchat rsa blinding", &der]));
        Ok(PrivateKey::new(public, Box::new(Key { key, blinding })))
    }
}

impl Aead for Gcm {
    fn seal(&self, nonce: &[u8; 12], aad: &[u8], in_out: &mut [u8]) -> [u8; MAC_LEN] {
        let tag = self.encrypt_inout_detached(&Nonce::<U12>::from(*nonce), aad, in_out.into());
        tag.expect("less than the 64 GiB that GCM is limited to").into()
    }

    fn open(&self, nonce: &[u8; 12], aad: &[u8], in_out: &mut [u8], tag: &[u8; MAC_LEN]) -> Result<(), BadMac> {
        self.decrypt_inout_detached(&Nonce::<U12>::from(*nonce), aad, in_out.into(), &Tag::<U12>::from(*tag))
            .map_err(|_| BadMac)
    }
}

struct Key {
    key: rsa::PrivateKey,
    /// Known to nobody who does not know the key.
    blinding: Zeroizing<[u8; 32]>,
}

impl Decrypt for Key {
    fn oaep_decrypt(&self, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, OaepError> {
        let number = BoxedUint::from_be_slice(ciphertext, 2048).map_err(|_| OaepError)?;
        let mut rng = Blinding::new(&self.blinding, ciphertext);
        let mut message = rsa_decrypt_and_check(&self.key, Some(&mut rng), &number).map_err(|_| OaepError)?;
        let mut encoded = message.to_be_bytes();
        message.zeroize();
        let decoded = oaep::decode(&mut encoded);
        encoded.zeroize();
        decoded
    }
}

/// The random numbers that blind one decryption: SHA-256 in counter mode over a secret and the ciphertext.
///
/// No generator is handed in here, as none is with `aws-lc`. That does no harm: what blinding needs is numbers that who
/// chose the ciphertext cannot predict, and that differ from one ciphertext to the next.
struct Blinding {
    seed: Zeroizing<[u8; 32]>,
    block: Zeroizing<[u8; 32]>,
    used: usize,
    counter: u64,
}

impl Blinding {
    fn new(secret: &[u8; 32], ciphertext: &[u8]) -> Self {
        let seed = Sha256::new().chain_update(secret).chain_update(ciphertext).finalize().into();
        Self { seed: Zeroizing::new(seed), block: Zeroizing::new([0; 32]), used: 32, counter: 0 }
    }

    fn byte(&mut self) -> u8 {
        if self.used == self.block.len() {
            let block = Sha256::new().chain_update(*self.seed).chain_update(self.counter.to_be_bytes()).finalize();
            self.block.copy_from_slice(&block);
            self.counter += 1;
            self.used = 0;
        }
        self.used += 1;
        self.block[self.used - 1]
    }
}

impl TryRng for Blinding {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_le_bytes(core::array::from_fn(|_| self.byte())))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_le_bytes(core::array::from_fn(|_| self.byte())))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.fill_with(|| self.byte());
        Ok(())
    }
}

impl TryCryptoRng for Blinding {}
