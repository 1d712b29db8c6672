//! A client under test: the harness is the server, every other user, and the user who sits at the client.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`script`] | a diagram as seen by one user: what the server does, what the user has the client do, what the client does by itself |
//! | [`roles`] | which users of a scenario a client can play |
//! | [`driver`] | the client's command: a child process, or the reference client in this process |
//! | [`kit_folder`] | the folder with its keys |
//! | [`explain`] | a case in words |
//! | [`host`] | one case being played |
//! | [`bench`] | what all cases of a run share |

pub(crate) mod bench;
pub(crate) mod driver;
pub(crate) mod explain;
pub(crate) mod host;
pub(crate) mod kit_folder;
pub(crate) mod roles;
pub(crate) mod script;

pub use driver::{ClientSubject, Embedding};
