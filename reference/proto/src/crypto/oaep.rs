//! EME-OAEP decoding (RFC 8017 section 7.1.2, step 3) with SHA-256, MGF1-SHA-256 and an empty label.

use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroizing;

use super::OaepError;

/// Bytes of a hash.
const HASH: usize = 32;

/// Takes the message out of an encoded message of 256 bytes, which is unmasked in place.
///
/// Which of the checks failed shows neither in the result nor in the time.
///
/// ```text
/// encoded = Y (00) | seed ^ mask(DB) | DB ^ mask(seed)
/// DB      = hash of the label | 00 … 00 | 01 | message
/// ```
pub(super) fn decode(encoded: &mut [u8]) -> Result<Zeroizing<Vec<u8>>, OaepError> {
    if encoded.len() < 2 * HASH + 2 {
        return Err(OaepError);
    }
    let (first, rest) = encoded.split_at_mut(1);
    let (seed, data) = rest.split_at_mut(HASH);
    unmask(seed, data);
    unmask(data, seed);

    let (label, padded) = data.split_at(HASH);
    let mut good = first[0].ct_eq(&0) & label.ct_eq(&Sha256::digest(b""));
    let mut searching = Choice::from(1);
    let mut start = 0u32;
    for (&byte, at) in padded.iter().zip(1u32..) {
        let one = byte.ct_eq(&1);
        start.conditional_assign(&at, searching & one);
        good &= !searching | one | byte.ct_eq(&0);
        searching &= !one;
    }
    good &= !searching;
    if bool::from(good) { Ok(Zeroizing::new(padded[start as usize..].to_vec())) } else { Err(OaepError) }
}

/// XORs `target` with MGF1 of `seed` (RFC 8017 appendix B.2.1).
fn unmask(target: &mut [u8], seed: &[u8]) {
    for (chunk, counter) in target.chunks_mut(HASH).zip(0u32..) {
        let mask = Zeroizing::new(<[u8; HASH]>::from(
            Sha256::new().chain_update(seed).chain_update(counter.to_be_bytes()).finalize(),
        ));
        chunk.iter_mut().zip(mask.iter()).for_each(|(byte, mask)| *byte ^= mask);
    }
}
