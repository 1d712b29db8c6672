//! Reporters: each folds over the runner's events and writes in one format.
//!
//! | module | format |
//! | --- | --- |
//! | [`terminal`] | for people: progress, failures, a summary by rule area |
//! | [`json`] | the result file that tools rely on, `schema/results.schema.json` |
//! | [`junit`] | JUnit XML |
//! | [`tap`] | TAP 14 |
//! | [`markdown`] | Markdown, for a job summary |
//! | [`html`] | one HTML file |
//! | [`compare`] | what is different between two results |
//! | [`merge`] | the results of shards as one |
//! | [`known_failures`] | a file of known failures, written from a result |

pub mod compare;
mod facts;
pub mod html;
pub mod json;
pub mod junit;
pub mod known_failures;
pub mod markdown;
pub mod merge;
pub mod spec;
pub mod tap;
pub mod terminal;
mod text;

use std::io;

use mpchat_model::{Event, Results};

pub use spec::{Format, ReportSpec, ReportSpecError};

/// The JSON Schema of the result file.
pub const RESULTS_SCHEMA: &str = include_str!("../schema/results.schema.json");

/// Takes every event of a run, in order, with the results so far (complete at [`Event::RunFinished`]).
pub trait Reporter {
    /// Takes one event.
    ///
    /// # Errors
    /// What writing fails with.
    fn on(&mut self, event: &Event, results: &Results) -> io::Result<()>;
}
