//! One module a command. Each returns its exit code.

pub(crate) mod chat;
pub(crate) mod driver;
pub(crate) mod explain;
pub(crate) mod kit;
pub(crate) mod mermaid;
#[cfg(feature = "faults")]
pub(crate) mod mutants;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod serve;
pub(crate) mod vectors;

use mpchat_proto::crypto::{PROVIDERS, Provider, default_provider, provider};

use crate::failure::Failure;

/// The provider of that name, or the default one.
pub(crate) fn crypto(name: Option<&str>) -> Result<&'static dyn Provider, Failure> {
    match name {
        None => Ok(default_provider()),
        Some(name) => provider(name).ok_or_else(|| {
            Failure::usage(format!(
                "--crypto {name}: no such provider in this build; there is {}",
                PROVIDERS.join(", ")
            ))
        }),
    }
}

/// Writes to standard output; a reader that has gone away is no error.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    use std::io::Write;
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::usage(error)),
        _ => Ok(()),
    }
}

/// The runtime of the commands that need one.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::usage)
}
