//! Key schedule of section 4, and sealing and opening of frames.
//!
//! What the types rule out: sealing with login keys after the login ([`LoginKeys`] and [`TransferKeys`] come from
//! different secrets, LOGIN-04), mixing up the directions (fields, not an argument), and using a number twice
//! ([`Sealer`] counts; a [`FrameCipher`] does not, and is for who wants to misbehave).

mod cipher;
mod schedule;
mod secret;

#[cfg(test)]
mod tests;

pub use cipher::{FrameCipher, Opener, Sealer};
pub use schedule::{DirectionKeys, LoginKeys, TransferKeys};
pub use secret::Secret;
