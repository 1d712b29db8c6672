//! Running cases against a subject: actors, the interpreter of scenarios, monitors, transcripts.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`plan`] | from scenarios to cases |
//! | [`program`] | a diagram as acts, expectations and checks, for one role |
//! | [`play`] | one case being played |
//! | [`link`] | a TCP connection, without meaning |
//! | [`books`] | what a connection owes and is owed |
//! | [`memory`] | what a run remembers across cases |
//! | [`subject`] | the server under test: embedded, at an address, started by a command |
//! | [`run`] | all cases, side by side; events come out |
//! | [`snapshot`] | transcripts that were accepted |
//!
//! The runner judges by scenarios, books and rules; it never asks the reference server what is right.

mod books;
mod identities;
mod link;
mod memory;
mod other_padding;
pub mod plan;
mod play;
mod program;
pub mod run;
pub mod snapshot;
mod stop;
pub mod subject;
mod timing;

pub use plan::{PlannedCase, plan};
pub use run::{RunOptions, run};
pub use snapshot::Snapshots;
pub use subject::Subject;
pub use timing::Timers;
