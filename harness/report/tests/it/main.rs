//! The reporters and comparisons over one made-up run.
#![allow(clippy::unwrap_used, reason = "tests")]

mod compare;
mod known_failures;
mod made_up;
mod markup;
mod merge;
mod result_file;
mod texts;
