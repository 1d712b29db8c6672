//! Provider `aws-lc`: fast, and written by others than `rustcrypto`.

use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use aws_lc_rs::{digest, hkdf};
use zeroize::Zeroizing;

use super::aws_lc_gcm::Gcm;
use super::key::{Decrypt, OaepError, PrivateKey};
use super::pem::{self, KeyError, invalid};
use super::{Aead, Provider};

/// Provider `aws-lc`.
pub(super) struct AwsLc;

impl Provider for AwsLc {
    fn name(&self) -> &'static str {
        "aws-lc"
    }

    fn aead(&self, key: &[u8; 32]) -> Box<dyn Aead> {
        Box::new(Gcm::new(key))
    }

    fn hkdf_sha256(&self, salt: &[u8], ikm: &[&[u8]], info: &[&[u8]], okm: &mut [u8]) {
        let length: usize = ikm.iter().map(|part| part.len()).sum();
        let mut secret = Zeroizing::new(Vec::with_capacity(length));
        ikm.iter().for_each(|part| secret.extend_from_slice(part));
        let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(&secret);
        let output = prk.expand(info, Length(okm.len())).expect("at most 255 hashes of output");
        output.fill(okm).expect("the length that was asked for");
    }

    fn sha256(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut hash = digest::Context::new(&digest::SHA256);
        parts.iter().for_each(|part| hash.update(part));
        hash.finish().as_ref().try_into().expect("SHA-256 has 32 bytes")
    }

    fn private_key(&self, pkcs8_pem: &str) -> Result<PrivateKey, KeyError> {
        let (der, public) = pem::read_private(pkcs8_pem)?;
        let key = PrivateDecryptingKey::from_pkcs8(&der).map_err(invalid)?;
        Ok(PrivateKey::new(public, Box::new(OaepPrivateDecryptingKey::new(key).map_err(invalid)?)))
    }
}

impl Decrypt for OaepPrivateDecryptingKey {
    fn oaep_decrypt(&self, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, OaepError> {
        let mut message = Zeroizing::new(vec![0; self.min_output_size()]);
        let length =
            self.decrypt(&OAEP_SHA256_MGF1SHA256, ciphertext, &mut message, None).map_err(|_| OaepError)?.len();
        message.truncate(length);
        Ok(message)
    }
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}
