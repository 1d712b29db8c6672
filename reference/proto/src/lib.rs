//! Multy-Party Chat 1.0 without input and output: bytes, time and random numbers are handed in, bytes, events and
//! deadlines come out. No socket, clock, runtime, disk or operating-system randomness is in here.
//!
//! | module | what it is | specification |
//! | --- | --- | --- |
//! | [`ids`] | users and sessions | section 1 |
//! | [`frame`] | header, types, and finding frames in a byte stream | section 2 |
//! | [`payload`] | the texts inside of frames | section 3 |
//! | [`keys`] | key schedule, and sealing and opening of frames | sections 2 and 4 |
//! | [`login`] | the handshake of both sides, and the connection end that it yields | section 4 |
//! | [`client`] | the client machine | sections 2 to 8, rules for C |
//! | [`envelope`] | the end-to-end encrypted line for one recipient | section 6 |
//! | [`crypto`] | two interchangeable providers of the primitives | sections 4 and 9 |

pub mod client;
pub mod crypto;
pub mod envelope;
pub mod frame;
pub mod ids;
pub mod keys;
pub mod login;
pub mod payload;
#[cfg(feature = "faults")]
mod quirks;
pub mod server;

#[cfg(test)]
mod testing;
