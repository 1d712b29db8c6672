//! The binary `mpchat`.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`args`] | the command line |
//! | [`commands`] | one module a command |
//! | [`embedded`] | scenarios, vectors, snapshots and the kit inside the binary |
//! | [`selection`] | which scenarios and cases are meant |
//! | [`failure`] | exit codes |

mod args;
mod commands;
mod embedded;
mod failure;
mod selection;
mod vectors;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Arguments, Command};
use crate::failure::Failure;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.command {
        Command::Run(args) => commands::run::run(*args),
        Command::Explain { what, scenarios } => commands::explain::explain(&what, scenarios.as_deref()),
        Command::Kit { dir, users } => commands::kit::kit(&dir, &users),
        Command::Serve(args) => commands::serve::serve(&args),
        Command::Chat(args) => commands::chat::chat(&args),
        Command::Vectors { what } => commands::vectors::vectors(&what),
        Command::Report { what } => commands::report::report(&what),
        Command::Mermaid { scenarios } => commands::mermaid::mermaid(scenarios.as_deref()),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(Failure { code, text }) => {
            eprintln!("mpchat: {text}");
            ExitCode::from(code)
        }
    }
}
