//! Multy-Party Chat peers as libraries: `mpchat-proto` behind TCP, on tokio.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`kit`] | identity kits: key files as section 9 of the specification has them |
//! | [`server`] | a server as a task |
//! | [`client`] | a client as a task: commands in, events out |

pub mod client;
pub mod kit;
pub mod server;

mod tcp;
