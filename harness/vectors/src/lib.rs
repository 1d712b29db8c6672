//! Vectors: what is right or wrong about single frames, as data that implementations in any language can use.
//!
//! `vectors/README.md` describes the files for who does not use this crate.
//!
//! | module | what |
//! | --- | --- |
//! | [`malformed`] | frames that a peer may not send, or that are legal and look odd, and the reactions that conform: each becomes a scenario |
//! | [`known`] | known answers: headers, sealed frames, keys, RSA-OAEP, logins, envelopes, payloads |

pub mod known;
pub mod malformed;
