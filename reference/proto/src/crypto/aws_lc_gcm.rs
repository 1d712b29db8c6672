//! AES-256-GCM with 12-byte tags from aws-lc. aws-lc-rs knows 16-byte tags only, so this calls the C functions: the only
//! `unsafe` code of the workspace.
//!
//! Why it is sound:
//! - `Gcm` owns its context: made by `EVP_AEAD_CTX_new`, freed once, on drop; never null, never handed out.
//! - A context of AES-GCM does not change after it was made. aws-lc's `aead.h` states that sealing and opening may run
//!   concurrently on one context of `EVP_aead_aes_256_gcm`, hence `Send` and `Sync`.
//! - Every pointer comes from a slice or an array that outlives the call, with that slice's own length.
//! - `in` and `out` are the same pointer, which `aead.h` allows; nothing else overlaps, by Rust's rules for `&mut`.

#![allow(
    unsafe_code,
    reason = "aws-lc-rs has no AES-GCM with 12-byte tags; the head of this file says why it is sound"
)]

use core::ptr::{NonNull, null};

use aws_lc_sys::{
    EVP_AEAD_CTX, EVP_AEAD_CTX_free, EVP_AEAD_CTX_new, EVP_AEAD_CTX_open_gather, EVP_AEAD_CTX_seal_scatter,
    EVP_aead_aes_256_gcm,
};

use super::{Aead, BadMac};
use crate::frame::MAC_LEN;

/// A key, expanded. aws-lc wipes what it frees.
pub(super) struct Gcm(NonNull<EVP_AEAD_CTX>);

// SAFETY: see the head of this file.
unsafe impl Send for Gcm {}
// SAFETY: see the head of this file.
unsafe impl Sync for Gcm {}

impl Gcm {
    /// Expands a key.
    pub(super) fn new(key: &[u8; 32]) -> Self {
        // SAFETY: the key has 32 bytes, which is what this cipher takes; aws-lc copies it.
        let context = unsafe { EVP_AEAD_CTX_new(EVP_aead_aes_256_gcm(), key.as_ptr(), key.len(), MAC_LEN) };
        Self(NonNull::new(context).expect("a key and a tag of valid lengths, and memory for 600 bytes"))
    }
}

impl Drop for Gcm {
    fn drop(&mut self) {
        // SAFETY: made by `EVP_AEAD_CTX_new`, and freed here only.
        unsafe { EVP_AEAD_CTX_free(self.0.as_ptr()) }
    }
}

impl Aead for Gcm {
    fn seal(&self, nonce: &[u8; 12], aad: &[u8], in_out: &mut [u8]) -> [u8; MAC_LEN] {
        let mut tag = [0; MAC_LEN];
        let mut tag_len = 0;
        let data = in_out.as_mut_ptr();
        // SAFETY: writes `in_out.len()` bytes to `data` and at most `MAC_LEN` to `tag`; there is no extra input.
        let done = unsafe {
            EVP_AEAD_CTX_seal_scatter(
                self.0.as_ptr(),
                data,
                tag.as_mut_ptr(),
                &raw mut tag_len,
                tag.len(),
                nonce.as_ptr(),
                nonce.len(),
                data,
                in_out.len(),
                null(),
                0,
                aad.as_ptr(),
                aad.len(),
            )
        };
        // It fails only beyond the 64 GiB that GCM is limited to. Going on would send what was not sealed.
        assert!(done == 1 && tag_len == MAC_LEN, "AES-GCM seals anything that fits into memory");
        tag
    }

    fn open(&self, nonce: &[u8; 12], aad: &[u8], in_out: &mut [u8], tag: &[u8; MAC_LEN]) -> Result<(), BadMac> {
        let data = in_out.as_mut_ptr();
        // SAFETY: writes `in_out.len()` bytes to `data`, also when the tag is wrong (zeros).
        let done = unsafe {
            EVP_AEAD_CTX_open_gather(
                self.0.as_ptr(),
                data,
                nonce.as_ptr(),
                nonce.len(),
                data,
                in_out.len(),
                tag.as_ptr(),
                tag.len(),
                aad.as_ptr(),
                aad.len(),
            )
        };
        if done == 1 { Ok(()) } else { Err(BadMac) }
    }
}
