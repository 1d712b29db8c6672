//! Key transport as a wrong implementation would do it: right in all but the padding.

use mpchat_proto::crypto::PublicKey;
use mpchat_proto::frame::ETK_LEN;
use rand_core::CryptoRng;
use rsa::pkcs8::DecodePublicKey;

/// RSAES-OAEP with SHA-1, RFC 8017's default, instead of SHA-256.
pub(crate) fn oaep_sha1(key: &PublicKey, rng: &mut impl CryptoRng, message: &[u8]) -> [u8; ETK_LEN] {
    encrypt(key, |key| key.oaep_encrypt_with_rng::<sha1::Sha1, _>(rng, message))
}

/// OAEP with SHA-256, but with SHA-1 in its MGF1: what some libraries make of "OAEP with SHA-256".
pub(crate) fn oaep_mgf1_sha1(key: &PublicKey, rng: &mut impl CryptoRng, message: &[u8]) -> [u8; ETK_LEN] {
    let padding = rsa::Oaep::<sha2::Sha256, sha1::Sha1>::new_with_mgf_hash();
    encrypt(key, |key| key.encrypt(rng, padding, message))
}

/// RSAES-PKCS1-v1_5 instead of OAEP.
pub(crate) fn pkcs1(key: &PublicKey, rng: &mut impl CryptoRng, message: &[u8]) -> [u8; ETK_LEN] {
    encrypt(key, |key| key.pkcs1v15_encrypt_with_rng(rng, message))
}

fn encrypt(key: &PublicKey, encrypt: impl FnOnce(&rsa::PublicKey) -> rsa::Result<Vec<u8>>) -> [u8; ETK_LEN] {
    let sealed = rsa::PublicKey::from_public_key_pem(&key.to_pem()).ok().and_then(|key| encrypt(&key).ok());
    // 33 bytes fit a 2048-bit modulus under either padding, and the key was read before.
    sealed.and_then(|bytes| bytes.try_into().ok()).unwrap_or([0; ETK_LEN])
}
