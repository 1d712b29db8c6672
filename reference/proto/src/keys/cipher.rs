//! Frames sealed and opened with the keys of one direction (MTP-10, MTP-11, MTP-12).

use core::fmt;

use zeroize::Zeroizing;

use super::DirectionKeys;
use crate::crypto::{Aead, BadMac, Provider};
use crate::frame::{ETK_LEN, HEADER_LEN, Header, MAC_LEN, MIN_LEN};

/// Seals and opens frames of one direction. It counts nothing and checks nothing but the mac.
pub struct FrameCipher {
    aead: Box<dyn Aead>,
    iv: Zeroizing<[u8; 12]>,
}

/// A [`FrameCipher`] that seals, and the number of the next frame.
#[derive(Debug)]
pub struct Sealer {
    cipher: FrameCipher,
    /// `None` once 65535 was used (MTP-09).
    next: Option<u16>,
}

/// A [`FrameCipher`] that opens, and the number of the last frame.
#[derive(Debug)]
pub struct Opener {
    cipher: FrameCipher,
    last: u16,
}

impl FrameCipher {
    /// With the keys of one direction.
    #[must_use]
    pub fn new(provider: &dyn Provider, keys: &DirectionKeys) -> Self {
        let (key, iv) = keys.expose();
        Self { aead: provider.aead(key), iv: Zeroizing::new(*iv) }
    }

    /// The iv XOR `sqn` as a 12-byte big-endian number (MTP-12).
    #[must_use]
    pub fn nonce(&self, sqn: u16) -> [u8; 12] {
        let mut nonce = *self.iv;
        let [high, low] = sqn.to_be_bytes();
        nonce[10] ^= high;
        nonce[11] ^= low;
        nonce
    }

    /// A frame with this header, as it is: `len` is not corrected, so that faulty frames can be made. The nonce comes from
    /// its `sqn`.
    #[must_use]
    pub fn seal(&self, header: &Header, payload: &[u8], etk: Option<&[u8; ETK_LEN]>) -> Vec<u8> {
        let mut frame = Vec::with_capacity(MIN_LEN + payload.len() + ETK_LEN);
        frame.extend_from_slice(&header.encode());
        frame.extend_from_slice(payload);
        frame.extend_from_slice(&[0; MAC_LEN]);
        self.seal_in_place(&mut frame, false);
        frame.extend_from_slice(etk.map_or(&[], |etk| &etk[..]));
        frame
    }

    /// Seals a frame that is laid out as header, payload, 12 bytes of room for the mac, and, with `etk`, 256 bytes that are
    /// left alone. Allocates nothing.
    ///
    /// # Panics
    /// If `frame` is shorter than that.
    pub fn seal_in_place(&self, frame: &mut [u8], etk: bool) {
        let parts = Parts::split(frame, etk).expect("room for header, mac and etk");
        *parts.mac = self.aead.seal(&self.nonce(parts.header.sqn), parts.aad, parts.epd);
    }

    /// A frame that is sealed with the nonce of another number than its own.
    #[cfg(feature = "faults")]
    pub(crate) fn seal_with_nonce_of(&self, sqn: u16, header: &Header, payload: &[u8]) -> Vec<u8> {
        let mut epd = payload.to_vec();
        let mac = self.aead.seal(&self.nonce(sqn), &header.encode(), &mut epd);
        [&header.encode()[..], &epd, &mac].concat()
    }

    /// Opens a frame where it is, and returns its payload. Allocates nothing.
    ///
    /// # Errors
    /// [`BadMac`] if it was changed, or is too short to hold a mac (and, with `etk`, an etk).
    pub fn open_in_place<'f>(&self, frame: &'f mut [u8], etk: bool) -> Result<&'f [u8], BadMac> {
        let parts = Parts::split(frame, etk).ok_or(BadMac)?;
        self.aead.open(&self.nonce(parts.header.sqn), parts.aad, parts.epd, parts.mac)?;
        Ok(parts.epd)
    }
}

impl fmt::Debug for FrameCipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FrameCipher(…)")
    }
}

impl Sealer {
    /// The next frame will have number `next`; none if `None`.
    #[must_use]
    pub fn new(cipher: FrameCipher, next: Option<u16>) -> Self {
        Self { cipher, next }
    }

    /// The number of the next frame; `None` once 65535 was used (MTP-09).
    #[must_use]
    pub fn next(&self) -> Option<u16> {
        self.next
    }

    /// The bare cipher, for frames that are out of turn.
    #[must_use]
    pub fn cipher(&self) -> &FrameCipher {
        &self.cipher
    }

    /// Takes the next number (MTP-07).
    pub(crate) fn take(&mut self) -> Option<u16> {
        let sqn = self.next?;
        self.next = sqn.checked_add(1);
        Some(sqn)
    }

    /// Goes on at another number, for who wants to misbehave.
    #[cfg(feature = "faults")]
    pub(crate) fn go_on_at(&mut self, next: Option<u16>) {
        self.next = next;
    }

    /// Goes on at another number. Using one twice gives the key away to who sees both frames.
    pub(crate) fn set_next(&mut self, next: Option<u16>) {
        self.next = next;
    }
}

impl Opener {
    /// The last frame that was accepted had number `last`.
    #[must_use]
    pub fn new(cipher: FrameCipher, last: u16) -> Self {
        Self { cipher, last }
    }

    /// The number of the last frame that was accepted.
    #[must_use]
    pub fn last(&self) -> u16 {
        self.last
    }

    /// The only number that may come next (MTP-08); `None` after 65535 (MTP-09).
    #[must_use]
    pub fn expected(&self) -> Option<u16> {
        self.last.checked_add(1)
    }

    /// Counts `sqn` as the last one that was accepted, for who wants to misbehave.
    #[cfg(feature = "faults")]
    pub(crate) fn accept_number(&mut self, sqn: u16) {
        self.last = sqn;
    }

    /// The bare cipher.
    #[must_use]
    pub fn cipher(&self) -> &FrameCipher {
        &self.cipher
    }

    /// Opens a frame without etk; if its mac fits, its number becomes the last one.
    pub(crate) fn open<'f>(&mut self, frame: &'f mut [u8]) -> Result<(Header, &'f [u8]), BadMac> {
        let header = Header::decode(frame.first_chunk().ok_or(BadMac)?);
        let payload = self.cipher.open_in_place(frame, false)?;
        self.last = header.sqn;
        Ok((header, payload))
    }
}

/// A frame, cut up.
struct Parts<'f> {
    header: Header,
    aad: &'f [u8; HEADER_LEN],
    epd: &'f mut [u8],
    mac: &'f mut [u8; MAC_LEN],
}

impl<'f> Parts<'f> {
    fn split(frame: &'f mut [u8], etk: bool) -> Option<Self> {
        let end = frame.len().checked_sub(if etk { ETK_LEN } else { 0 })?;
        let (aad, rest) = frame[..end].split_first_chunk_mut::<HEADER_LEN>()?;
        let (epd, mac) = rest.split_last_chunk_mut::<MAC_LEN>()?;
        Some(Self { header: Header::decode(aad), aad, epd, mac })
    }
}
