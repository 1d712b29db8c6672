//! Reading of key files (section 9), the same for both providers, so that both name the same offence.

use rsa::BoxedUint;
use rsa::pkcs1::{ALGORITHM_OID, RsaPrivateKeyRef, RsaPublicKeyRef, UintRef};
use rsa::pkcs8::der::Decode;
use rsa::pkcs8::der::pem::Decoder;
use rsa::pkcs8::{ObjectIdentifier, PrivateKeyInfoRef, SubjectPublicKeyInfoRef};
use thiserror::Error;
use zeroize::Zeroizing;

/// The only size of a modulus, in bits.
const BITS: u32 = 2048;
/// The only public exponent.
const EXPONENT: u32 = 65537;
/// What stands behind `BEGIN` in a file with a private key.
const PRIVATE: &str = "PRIVATE KEY";
/// What stands behind `BEGIN` in a file with a public key.
const PUBLIC: &str = "PUBLIC KEY";

/// What is wrong with a key file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// It is no PEM text (RFC 7468).
    #[error("not PEM: {0}")]
    NotPem(String),
    /// It is PEM, but of something else, say of a certificate or of a key in another form.
    #[error("PEM of \"{got}\" instead of \"{expected}\"")]
    Label {
        /// `PUBLIC KEY` or `PRIVATE KEY`.
        expected: &'static str,
        /// What stands there.
        got: String,
    },
    /// It is labelled right, but its inside is not the DER of such a key.
    #[error("malformed: {0}")]
    Malformed(String),
    /// It is a key of another algorithm.
    #[error("not an RSA key, but one of algorithm {0}")]
    NotRsa(String),
    /// The modulus has another size.
    #[error("{0} bits instead of 2048")]
    Bits(usize),
    /// The public exponent is another one (hexadecimal).
    #[error("public exponent 0x{0} instead of 65537")]
    Exponent(String),
    /// The numbers do not make up a key.
    #[error("no valid RSA key: {0}")]
    Invalid(String),
}

/// The DER inside of a private key file, and the public part of that key, both of the right form.
pub(super) fn read_private(pem: &str) -> Result<(Zeroizing<Vec<u8>>, rsa::PublicKey), KeyError> {
    let der = unwrap(pem, PRIVATE)?;
    let info = PrivateKeyInfoRef::from_der(&der).map_err(malformed)?;
    rsa_only(info.algorithm.oid)?;
    let key = RsaPrivateKeyRef::from_der(info.private_key.as_bytes()).map_err(malformed)?;
    let public = numbers(&key.modulus, &key.public_exponent)?;
    Ok((der, public))
}

/// The key of a public key file.
pub(super) fn read_public(pem: &str) -> Result<rsa::PublicKey, KeyError> {
    let der = unwrap(pem, PUBLIC)?;
    let info = SubjectPublicKeyInfoRef::from_der(&der).map_err(malformed)?;
    rsa_only(info.algorithm.oid)?;
    let bits = info.subject_public_key.as_bytes().ok_or_else(|| KeyError::Malformed("a part of a byte".into()))?;
    let key = RsaPublicKeyRef::from_der(bits).map_err(malformed)?;
    numbers(&key.modulus, &key.public_exponent)
}

/// Takes the PEM off. Lines may have any one width: not every tool breaks them at 64.
fn unwrap(pem: &str, expected: &'static str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let not_pem = |error: rsa::pkcs8::der::pem::Error| KeyError::NotPem(error.to_string());
    let mut decoder = Decoder::new_detect_wrap(pem.as_bytes()).map_err(not_pem)?;
    if decoder.type_label() != expected {
        return Err(KeyError::Label { expected, got: decoder.type_label().to_owned() });
    }
    // At its final size from the start: growing would leave copies of a secret behind.
    let mut der = Zeroizing::new(vec![0; decoder.remaining_len()]);
    decoder.decode(&mut der).map_err(not_pem)?;
    Ok(der)
}

fn rsa_only(algorithm: ObjectIdentifier) -> Result<(), KeyError> {
    if algorithm == ALGORITHM_OID { Ok(()) } else { Err(KeyError::NotRsa(algorithm.to_string())) }
}

fn numbers(modulus: &UintRef<'_>, exponent: &UintRef<'_>) -> Result<rsa::PublicKey, KeyError> {
    let bits = bit_length(modulus.as_bytes());
    if bits != BITS as usize {
        return Err(KeyError::Bits(bits));
    }
    if exponent.as_bytes() != &EXPONENT.to_be_bytes()[1..] {
        return Err(KeyError::Exponent(hex::encode(exponent.as_bytes())));
    }
    let modulus = BoxedUint::from_be_slice(modulus.as_bytes(), BITS).map_err(invalid)?;
    rsa::PublicKey::new(modulus, BoxedUint::from(EXPONENT)).map_err(invalid)
}

fn bit_length(number: &[u8]) -> usize {
    match number.iter().position(|&byte| byte != 0) {
        Some(first) => 8 * (number.len() - first) - number[first].leading_zeros() as usize,
        None => 0,
    }
}

pub(super) fn malformed(error: impl ToString) -> KeyError {
    KeyError::Malformed(error.to_string())
}

pub(super) fn invalid(error: impl ToString) -> KeyError {
    KeyError::Invalid(error.to_string())
}
