//! The binary `mpchat`.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`args`] | the command line |
//! | [`commands`] | one module a command |
//! | [`dictionary`] | which known fault fails like this |
//! | [`embedded`] | scenarios, vectors, snapshots and the kit inside the binary |
//! | [`selection`] | which scenarios and cases are meant |
//! | [`known`] | files of known failures |
//! | [`failure`] | exit codes |

mod args;
mod commands;
mod config;
mod dictionary;
mod embedded;
mod failure;
mod known;
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
        Command::Explain { what, role, scenarios } => {
            commands::explain::explain(&what, role.as_deref(), scenarios.as_deref())
        }
        Command::Kit { dir, users } => commands::kit::kit(&dir, &users),
        Command::Serve(args) => commands::serve::serve(&args),
        Command::Chat(args) => commands::chat::chat(&args),
        Command::Driver(args) => commands::driver::driver(&args),
        Command::Vectors { what } => commands::vectors::vectors(&what),
        #[cfg(feature = "faults")]
        Command::Mutants(args) => commands::mutants::mutants(&args),
        #[cfg(feature = "faults")]
        Command::Habits(args) => commands::mutants::habits::habits(&args),
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
