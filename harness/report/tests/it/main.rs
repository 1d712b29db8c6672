//! The reporters and comparisons over one made-up run.
#![allow(clippy::unwrap_used, reason = "tests")]

mod compare;
mod made_up;
mod markup;
mod result_file;
mod texts;
