//! The scenario language: a strict subset of Mermaid `sequenceDiagram` under YAML front matter.
//!
//! `scenarios/README.md` is its manual. [`parse`] reads one file into a [`Scenario`](ast::Scenario) with all its
//! expansions; errors point at file, line, column and the offending text, and say what was expected.

pub mod ast;
