//! The client machine in virtual time: its rules, its logins, and whatever a server may say.

#![allow(clippy::unwrap_used, reason = "tests")]

mod any;
mod login;
mod rules;
mod support;
