//! Frames on the wire: types, header, and finding frames in a byte stream (MTP-02 to MTP-06, MTP-16, MTP-17).
//!
//! ```text
//! offset  0     2     4     6     8               16              24
//!         +-----+-----+-----+-----+---------------+---------------+-------------+-----------+----------+
//!         | ver | typ | len | sqn |      sid      |      uid      | epd (n)     | mac (12)  | etk (256)|
//!         +-----+-----+-----+-----+---------------+---------------+-------------+-----------+----------+
//!                                                                               login frames only ^
//! ```

mod deframer;
mod error;
mod header;
mod kind;

#[cfg(test)]
mod tests;

pub use deframer::Deframer;
pub use error::HeaderError;
pub use header::Header;
pub use kind::FrameType;

/// The only version (MTP-03).
pub const VERSION: u16 = 0x0100;
/// Bytes of a header.
pub const HEADER_LEN: usize = 24;
/// Bytes of a mac: the truncated GCM tag (MTP-11).
pub const MAC_LEN: usize = 12;
/// Bytes of an etk: one RSA-2048 ciphertext.
pub const ETK_LEN: usize = 256;
/// Bytes of the shortest frame: empty payload, no etk (MTP-05).
pub const MIN_LEN: usize = HEADER_LEN + MAC_LEN;
/// Bytes of the shortest login frame (MTP-05).
pub const MIN_LOGIN_LEN: usize = MIN_LEN + ETK_LEN;
/// Bytes of the longest frame (MTP-05).
pub const MAX_LEN: usize = u16::MAX as usize;
/// Bytes of the longest payload of a frame without etk.
pub const MAX_PAYLOAD: usize = MAX_LEN - MIN_LEN;
