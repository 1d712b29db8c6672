//! RSA without its cost, for runs that are made some hundred times in one process.
//!
//! Two thirds of the time of a suite's run are RSA. Once [`enable`]d, what this process encrypts is 256 random bytes, and
//! what it decrypts is looked up. Whatever else comes, tampered or made elsewhere, is decrypted as always.

use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use rand_core::CryptoRng;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{OaepError, PublicKey};
use crate::frame::ETK_LEN;

/// Ciphertexts that are remembered; older ones are decrypted as always, and are none.
const KEPT: usize = 1 << 16;

static ENABLED: AtomicBool = AtomicBool::new(false);
static TABLE: Mutex<Option<Table>> = Mutex::new(None);

thread_local! {
    static NOTES: Cell<bool> = const { Cell::new(true) };
}

#[derive(Default)]
struct Table {
    known: HashMap<[u8; ETK_LEN], (PublicKey, Zeroizing<Vec<u8>>)>,
    oldest_first: VecDeque<[u8; ETK_LEN]>,
}

/// From now on this process takes the shortcut. Never for a server that is meant: no one else can decrypt what it sends.
pub fn enable() {
    ENABLED.store(true, Ordering::Relaxed);
}

/// Does something after which nobody will decrypt what it encrypts: it takes no room in the table.
pub fn for_nobody<T>(act: impl FnOnce() -> T) -> T {
    let _whatever_happens = Noting(NOTES.replace(false));
    act()
}

/// Whether the thread noted before; when dropped, it does so again.
struct Noting(bool);

impl Drop for Noting {
    fn drop(&mut self) {
        NOTES.set(self.0);
    }
}

/// A stand-in for a ciphertext, if the shortcut is taken.
pub(super) fn seal(key: &PublicKey, rng: &mut dyn CryptoRng, message: &[u8]) -> Option<[u8; ETK_LEN]> {
    if !ENABLED.load(Ordering::Relaxed) {
        return None;
    }
    let mut ciphertext = [0; ETK_LEN];
    rng.fill_bytes(&mut ciphertext);
    // As a ciphertext does, it depends on key and message, not on the random numbers alone.
    let digest = Sha256::new().chain_update(key.modulus()).chain_update(message).finalize();
    ciphertext.iter_mut().rev().zip(digest).for_each(|(byte, other)| *byte ^= other);
    // Below every modulus, as a ciphertext is.
    ciphertext[0] = 0;
    if !NOTES.get() {
        return Some(ciphertext);
    }
    with(|table| {
        table.known.insert(ciphertext, (key.clone(), Zeroizing::new(message.to_vec())));
        table.oldest_first.push_back(ciphertext);
        if table.oldest_first.len() > KEPT
            && let Some(oldest) = table.oldest_first.pop_front()
        {
            table.known.remove(&oldest);
        }
    });
    Some(ciphertext)
}

/// What a stand-in stands for, if it is one: nothing for another key than its own.
pub(super) fn open(key: &PublicKey, ciphertext: &[u8]) -> Option<Result<Zeroizing<Vec<u8>>, OaepError>> {
    if !ENABLED.load(Ordering::Relaxed) {
        return None;
    }
    with(|table| {
        let (owner, message) = table.known.get(ciphertext)?;
        Some(if owner == key { Ok(message.clone()) } else { Err(OaepError) })
    })
}

fn with<T>(act: impl FnOnce(&mut Table) -> T) -> T {
    let mut table = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
    act(table.get_or_insert_default())
}
