//! `mpchat serve`: the reference server.

use std::io::IsTerminal;

use mpchat_peer::kit::{KitFiles, ServerKit};
use mpchat_peer::server::{ServerOptions, bind};
use mpchat_peer::store::DurableStore;
use tokio::signal::unix::{SignalKind, signal};

use super::{crypto, print, runtime};
use crate::args::ServeArgs;
use crate::embedded;
use crate::failure::Failure;

/// Serves until SIGINT or SIGTERM.
pub(crate) fn serve(args: &ServeArgs) -> Result<u8, Failure> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let provider = crypto(args.crypto.as_deref())?;
    let kit = match &args.kit {
        Some(folder) => {
            let files = KitFiles::read(folder).map_err(Failure::usage)?;
            ServerKit::load(&files, provider).map_err(Failure::usage)?
        }
        None => embedded::kit(None, provider)?.server().map_err(Failure::usage)?,
    };
    let mut options = ServerOptions::new(kit);
    match &args.state {
        Some(folder) => options.store = Box::new(DurableStore::open(folder).map_err(Failure::usage)?),
        None => tracing::warn!("without --state, sessions, stored lines and sids given out end with this process"),
    }
    options.provider = provider;
    options.config.invite_timeout = args.invite_timeout;
    options.config.answer_timeout = args.answer_timeout;
    options.config.login_timeout = args.login_timeout;
    options.config.status_timeout = args.status_timeout;
    options.config.probe_after = args.probe_after;
    #[cfg(feature = "faults")]
    {
        options.quirk = args.quirk.as_deref().map(quirk).transpose()?;
    }
    runtime()?.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::usage)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(Failure::usage)?;
        let server = bind(args.listen, options)
            .await
            .map_err(|error| Failure::unreachable(format!("{}: {error}", args.listen)))?;
        print(&format!("listening on {}\n", server.address()))?;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        server.shutdown().await;
        Ok(0)
    })
}

#[cfg(feature = "faults")]
fn quirk(name: &str) -> Result<mpchat_proto::server::Quirk, Failure> {
    use mpchat_proto::server::Quirk;
    let mut all = Quirk::FAULTS.iter().chain(Quirk::HABITS);
    let found = all.find(|quirk| quirk.id() == name).copied();
    if let Some(quirk) = found {
        tracing::warn!("a server that {}", quirk.text());
    }
    found.ok_or_else(|| Failure::usage(format!("--quirk {name}: no such fault or habit")))
}
