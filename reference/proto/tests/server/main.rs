//! The server machine by its rules, in virtual time: one module a rule area.

#![allow(clippy::unwrap_used, reason = "tests")]

mod close;
mod init;
mod login;
mod messages;
mod mtp;
mod restart;
mod status;
mod support;
