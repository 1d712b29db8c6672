//! The server as a machine without input and output: it routes, stores and times, and opens no envelope.
//!
//! **To drive it: after every `handle_*`, `connect` or `sent`, call [`Server::poll_action`] until it gives `None`, carry out
//! each action in order, and arm one timer for [`Server::poll_timeout`]; report each byte that left by
//! [`Server::sent`].** Calls come from one thread, with a `now` that never goes back.
//!
//! | file | what is decided in it |
//! | --- | --- |
//! | `machine` | the machine's state and its interface |
//! | `receive` | bytes to frames to handlers (MTP) |
//! | `connection` | one connection: its phase, its numbers, its queue (MTP-09, MTP-23) |
//! | `offline` | what the end of a connection causes |
//! | `login` | LOGIN |
//! | `init` | INIT |
//! | `messages`, `mailbox` | MSG |
//! | `close` | CLOSE |
//! | `status` | STAT |
//! | `refusal` | error texts (PAY-03, PAY-04, PAY-07) |
//! | `timers` | the four timers, and that of probes |
//! | `store`, `memory` | what outlives a restart |
//! | `faults` | with the feature `faults`: how to break one rule; without it, the same seams, empty |
//!
//! A function that is called `around_…` is such a seam: without the feature it is a call of the function that it names.

mod close;
mod config;
mod connection;
mod event;
#[cfg(feature = "faults")]
mod faults;
#[cfg(not(feature = "faults"))]
#[path = "faults/none.rs"]
mod faults;
mod init;
mod login;
mod machine;
mod mailbox;
mod memory;
mod messages;
mod offline;
mod receive;
mod refusal;
mod status;
mod store;
mod timers;

pub use config::{Config, Limits};
pub use connection::ConnectionId;
pub use event::{Action, Ending, Event, Violation};
#[cfg(feature = "faults")]
pub use faults::Quirk;
pub use machine::Server;
pub use memory::MemoryStore;
pub use store::{Restored, Store, StoreError, StoredLine, StoredSession};
