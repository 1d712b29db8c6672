//! Envelopes: what an author writes so that one recipient can read it, and the server cannot (MSG-02).
//!
//! ```text
//! envelope = RSA-OAEP(recipient's public key, cek) (256 bytes) || ciphertext || tag (12 bytes)
//! line     = lowercase hexadecimal text of the envelope
//! ```

use rand_core::CryptoRng;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::crypto::{PrivateKey, Provider, PublicKey};
use crate::frame::{ETK_LEN, MAC_LEN, MAX_PAYLOAD};
use crate::ids::{Sid, Uid};
use crate::keys::Secret;

/// What a line has beyond two digits a byte of text: digits of the encrypted cek and of the tag.
pub const OVERHEAD: usize = 2 * (ETK_LEN + MAC_LEN);

/// Every cek seals once (MSG-15), so that the nonce need not differ.
const NONCE: [u8; 12] = [0; 12];

/// Why a line is no envelope of this author for this recipient in this session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EnvelopeError {
    /// The line is no lowercase hexadecimal text.
    #[error("byte {at} of the line is no lowercase hexadecimal digit")]
    Digit {
        /// Offset of the first such byte.
        at: usize,
    },
    /// The line has an odd number of digits.
    #[error("{0} digits make no whole bytes")]
    Odd(usize),
    /// The line is shorter than the envelope of an empty text.
    #[error("{0} digits where at least {OVERHEAD} are needed")]
    Short(usize),
    /// The cek cannot be decrypted: the envelope is for another key.
    #[error("the content key was not encrypted for this recipient")]
    Key,
    /// The cek has another size.
    #[error("a content key of {0} bytes instead of 32")]
    KeyLength(usize),
    /// The tag is wrong: changed, or meant for another session, author or recipient (MSG-14).
    #[error("wrong tag: changed, or of another session, author or recipient")]
    Tag,
    /// The text is no UTF-8.
    #[error("byte {at} of the text is no UTF-8")]
    NotUtf8 {
        /// The first byte that does not fit.
        at: usize,
    },
}

/// Seals `text` for one recipient, under a fresh cek (MSG-15). Returns the line, without LF.
#[must_use]
pub fn seal(
    provider: &dyn Provider,
    rng: &mut dyn CryptoRng,
    to: &PublicKey,
    sid: Sid,
    author: Uid,
    recipient: Uid,
    text: &str,
) -> String {
    let cek = Secret::random(rng);
    seal_with(provider, rng, &cek, to, sid, author, recipient, text)
}

/// [`seal`] with a known cek, and any bytes for a text: for vectors and for envelopes with a flaw. `rng` gives the seed of
/// OAEP and nothing else.
#[must_use]
#[expect(clippy::too_many_arguments, reason = "all that goes into an envelope")]
pub fn seal_with(
    provider: &dyn Provider,
    rng: &mut dyn CryptoRng,
    cek: &Secret,
    to: &PublicKey,
    sid: Sid,
    author: Uid,
    recipient: Uid,
    text: impl AsRef<[u8]>,
) -> String {
    let etk = to.oaep_encrypt(rng, cek.expose());
    seal_under(provider, cek, &etk, sid, author, recipient, text)
}

/// [`seal_with`] with a cek that somebody has encrypted already, in whatever way: for envelopes with a flaw.
#[must_use]
pub fn seal_under(
    provider: &dyn Provider,
    cek: &Secret,
    etk: &[u8; ETK_LEN],
    sid: Sid,
    author: Uid,
    recipient: Uid,
    text: impl AsRef<[u8]>,
) -> String {
    let text = text.as_ref();
    let mut envelope = Vec::with_capacity(ETK_LEN + text.len() + MAC_LEN);
    envelope.extend_from_slice(etk);
    envelope.extend_from_slice(text);
    let tag = provider.aead(cek.expose()).seal(&NONCE, &aad(sid, author, recipient), &mut envelope[ETK_LEN..]);
    envelope.extend_from_slice(&tag);
    hex::encode(envelope)
}

/// Opens a line (without LF) that the server delivered as written by `author` in session `sid` (MSG-14).
///
/// # Errors
/// What is wrong with it; the recipient then answers with an error text (MSG-06).
pub fn open(
    provider: &dyn Provider,
    key: &PrivateKey,
    sid: Sid,
    author: Uid,
    recipient: Uid,
    line: &str,
) -> Result<String, EnvelopeError> {
    let mut envelope = bytes(line)?;
    let (encrypted_cek, rest) = envelope.split_at_mut(ETK_LEN);
    let cek = key.oaep_decrypt(encrypted_cek).map_err(|_| EnvelopeError::Key)?;
    let cek = Secret::from_slice(&cek).ok_or(EnvelopeError::KeyLength(cek.len()))?;
    // `bytes` has made sure that the tag is there.
    let (text, tag) = rest.split_last_chunk_mut::<MAC_LEN>().ok_or(EnvelopeError::Short(line.len()))?;
    let aad = aad(sid, author, recipient);
    provider.aead(cek.expose()).open(&NONCE, &aad, text, tag).map_err(|_| EnvelopeError::Tag)?;
    let text = str::from_utf8(text).map_err(|error| EnvelopeError::NotUtf8 { at: error.valid_up_to() })?;
    Ok(text.to_owned())
}

/// Digits of the line for a text of this many bytes.
#[must_use]
pub const fn line_len(text_len: usize) -> usize {
    text_len.saturating_mul(2).saturating_add(OVERHEAD)
}

/// Whether one msg_req can carry `text` to so many recipients (MSG-16).
#[must_use]
pub fn fits(text: &str, recipients: usize) -> bool {
    recipients.saturating_mul(line_len(text.len()).saturating_add(1)) <= MAX_PAYLOAD
}

/// sid || author's uid || recipient's uid.
fn aad(sid: Sid, author: Uid, recipient: Uid) -> [u8; 24] {
    let mut aad = [0; 24];
    aad[..8].copy_from_slice(&sid.0.to_be_bytes());
    aad[8..16].copy_from_slice(&author.0.to_be_bytes());
    aad[16..].copy_from_slice(&recipient.0.to_be_bytes());
    aad
}

/// The bytes of a line: only lowercase, so that an envelope has one line; at least an encrypted cek and a tag.
fn bytes(line: &str) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
    if let Some(at) = line.bytes().position(|byte| !matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(EnvelopeError::Digit { at });
    }
    if !line.len().is_multiple_of(2) {
        return Err(EnvelopeError::Odd(line.len()));
    }
    if line.len() < OVERHEAD {
        return Err(EnvelopeError::Short(line.len()));
    }
    hex::decode(line).map(Zeroizing::new).map_err(|_| EnvelopeError::Digit { at: 0 })
}

#[cfg(test)]
mod tests;
