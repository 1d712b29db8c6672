//! Whole runs in this process.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod panic;
#[cfg(feature = "faults")]
mod rehearsal;
mod support;
