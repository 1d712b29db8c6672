//! `mpchat driver`: the reference client as a client under test (`docs/driver.md`).

use std::io::{ErrorKind, IsTerminal};
use std::sync::Arc;

use mpchat_peer::driver::{DriverOptions, Folders, drive};
use tokio::io::BufReader;

use super::{crypto, runtime};
use crate::args::DriverArgs;
use crate::failure::Failure;

/// Carries out commands until standard input ends.
pub(crate) fn driver(args: &DriverArgs) -> Result<u8, Failure> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let provider = crypto(args.crypto.as_deref())?;
    let mut options = DriverOptions::new(Arc::new(Folders::new(provider)));
    options.client.provider = provider;
    #[cfg(feature = "faults")]
    {
        options.client.quirk = args.quirk.as_deref().map(quirk).transpose()?;
    }
    let runtime = runtime()?;
    let driven = runtime.block_on(drive(BufReader::new(tokio::io::stdin()), tokio::io::stdout(), options));
    // If standard output broke, a thread may still be reading standard input: it is not waited for.
    runtime.shutdown_background();
    match driven {
        // Nobody listens any more.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(0),
        Err(error) => Err(Failure::usage(error)),
        Ok(()) => Ok(0),
    }
}

#[cfg(feature = "faults")]
fn quirk(name: &str) -> Result<mpchat_proto::client::Quirk, Failure> {
    use mpchat_proto::client::Quirk;
    let mut all = Quirk::FAULTS.iter().chain(Quirk::HABITS);
    let found = all.find(|quirk| quirk.id() == name).copied();
    if let Some(quirk) = found {
        tracing::warn!("a client that {}", quirk.text());
    }
    found.ok_or_else(|| Failure::usage(format!("--quirk {name}: no such fault or habit")))
}
