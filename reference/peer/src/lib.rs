//! Multy-Party Chat peers as libraries: `mpchat-proto` behind TCP, on tokio.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`kit`] | identity kits: key files as section 9 of the specification has them |

pub mod kit;
