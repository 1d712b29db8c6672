//! The scenario language: a strict subset of Mermaid `sequenceDiagram` under YAML front matter.
//!
//! `scenarios/README.md` is its manual. [`parse`] reads one file into a [`Scenario`](ast::Scenario) with all its
//! expansions; errors point at file, line, column and the offending text, and say what was expected.
//!
//! ```text
//! source -> front matter -> cases x each -> blocks -> statements -> checks -> Scenario
//!           front           expand          blocks    statement/    check/
//! ```

pub mod ast;

mod blocks;
mod check;
mod error;
mod expand;
mod front;
mod limits;
mod mermaid;
mod names;
mod near;
mod parse;
mod print;
mod source;
mod statement;
mod substitute;
mod views;

pub use error::{Place, Problem, ScriptError};
pub use mermaid::{MermaidLine, Seen, mermaid_lines};
pub use parse::parse;
pub use print::{PrintedItems, unparse};
pub use statement::{ENVELOPE_WAYS, ETK_WAYS, KEY_WAYS, in_braces, split_digits};
pub use views::{DEFAULT_SESSION, Names, first_lines, names, names_of, sessions, sessions_of, walk};
