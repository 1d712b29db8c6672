//! Running cases against a subject: actors, the interpreter of scenarios, monitors, transcripts.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`plan`] | from scenarios to cases |
//! | [`program`] | a diagram as acts, expectations and checks, for one role |
//! | [`play`] | one case being played |
//! | [`link`] | a TCP connection, without meaning |
//! | [`transport`] | how bytes are cut and joined on it |
//! | [`books`] | what a connection owes and is owed |
//! | [`forge`] | frames that are wrong on purpose |
//! | [`schedule`] | the key schedule, written out |
//! | [`memory`] | what a run remembers across cases |
//! | [`subject`] | the server under test: embedded, at an address, started by a command |
//! | [`variants`] | one result of a case in several transports |
//! | [`rounds`] | the rounds of a repeated case as one result |
//! | [`client`] | a client under test |
//! | [`run`] | all cases, side by side; events come out |
//! | [`attempt`] | what running a case again, alone, makes of the first time |
//! | [`folder`] | temporary folders |
//! | [`looks`] | when a silent target is looked at again |
//! | [`snapshot`] | transcripts that were accepted |
//! | `mutants` | with the feature `faults`: the cases against peers that break one rule each |
//! | `tapes` | with the feature `faults`: what each case told its target |
//!
//! The runner judges by scenarios, books and rules; it never asks the reference server what is right.

mod attempt;
mod books;
mod choices;
pub mod client;

mod folder;
mod forge;
mod identities;
mod link;
mod looks;
mod memory;
#[cfg(feature = "faults")]
pub mod mutants;
mod other_padding;
pub mod plan;
mod play;
mod program;
mod rounds;
pub mod run;
mod schedule;
pub mod snapshot;
mod stalls;
mod stop;
pub mod subject;
#[cfg(feature = "faults")]
mod tapes;
mod timing;
mod transport;
mod variants;

pub use client::ClientSubject;
pub use folder::temporary_folder;
pub use plan::{PlannedCase, plan, plan_for_clients};
pub use run::{RunOptions, run};
pub use snapshot::Snapshots;
pub use subject::{Embedding, Subject};
pub use timing::Timers;
pub use transport::{NoTransport, Transport};
