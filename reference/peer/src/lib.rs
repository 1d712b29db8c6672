//! Multy-Party Chat peers as libraries: `mpchat-proto` behind TCP, on tokio.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`kit`] | identity kits: key files as section 9 of the specification has them |
//! | [`server`] | a server as a task |
//! | [`store`] | what outlives a server: the durable store |
//! | [`client`] | a client as a task: commands in, events out |
//! | [`driver`] | a client as a client under test: JSON Lines in and out |

pub mod client;
pub mod driver;
pub mod kit;
pub mod server;
pub mod store;

#[cfg(feature = "faults")]
mod tape;
mod tcp;
