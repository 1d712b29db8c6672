//! The server machine behind TCP.
//!
//! ```text
//!                  +- connection task -+  bytes, ends, bytes that left   +-----------+
//!   client <-----> | reader     writer | ------------------------------> | core task |
//!                  +-------------------+            (bounded)            |           |
//!                  +- connection task -+                                 |  machine  |
//!   client <-----> | reader     writer | <------------------------------ |  clock    |
//!                  +-------------------+  frames (bounded by machine)    +-----------+
//!                            ^                                                 ^
//!                            |        accept task: new connections             |
//!                            +-------------------------------------------------+
//! ```
//!
//! A connection can hold up nobody but itself (MTP-18): its reader waits for its turn at the core, in the order of
//! arrival; the core waits for no writer, since the machine bounds what is queued (`Limits::queue_bytes`, MTP-23).

mod connection;
mod core;
mod style;
#[cfg(feature = "faults")]
mod tape;

use std::io;
use std::net::SocketAddr;

use mpchat_proto::crypto::{Provider, default_provider};
use mpchat_proto::server::{Config, MemoryStore, Server, Store, StoreError};
use rand::rngs::StdRng;
use thiserror::Error;
use tokio::net::{TcpListener, ToSocketAddrs};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::kit::ServerKit;

#[cfg(feature = "faults")]
pub use tape::Tape;

/// What the core drives.
#[cfg(feature = "faults")]
type Machine = crate::tape::Recorded<Server>;
#[cfg(not(feature = "faults"))]
type Machine = Server;

/// The port that a server listens on unless it is configured otherwise (MTP-01).
pub const DEFAULT_PORT: u16 = 5150;

/// What a server needs apart from its socket.
pub struct ServerOptions {
    /// Its key and its users.
    pub kit: ServerKit,
    /// Timers and limits.
    pub config: Config,
    /// What outlives a restart.
    pub store: Box<dyn Store + Send>,
    /// The crypto provider.
    pub provider: &'static dyn Provider,
    /// How it differs: the rule that it breaks, or the legal habit that it has, so that a suite can be shown to tell them apart.
    #[cfg(feature = "faults")]
    pub quirk: Option<mpchat_proto::server::Quirk>,
    /// Where all that it is told is noted.
    #[cfg(feature = "faults")]
    pub tape: Option<Tape>,
}

impl ServerOptions {
    /// The specification's timers, and a store that lasts as long as the process.
    #[must_use]
    pub fn new(kit: ServerKit) -> Self {
        let store = Box::new(MemoryStore::new());
        Self {
            kit,
            config: Config::default(),
            store,
            provider: default_provider(),
            #[cfg(feature = "faults")]
            quirk: None,
            #[cfg(feature = "faults")]
            tape: None,
        }
    }
}

/// A server that runs as a task. When it is dropped, the server shuts down without being waited for.
#[derive(Debug)]
pub struct ServerHandle {
    address: SocketAddr,
    /// Dropping it is the sign to stop.
    stop: watch::Sender<()>,
    task: JoinHandle<()>,
}

/// Why a server does not start.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The socket does not tell its address, or cannot be bound.
    #[error("cannot listen: {0}")]
    Listen(#[from] io::Error),
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Starts a server on a socket that listens already. Must be called within a tokio runtime.
///
/// # Errors
/// If the store cannot be read.
pub fn serve(listener: TcpListener, options: ServerOptions) -> Result<ServerHandle, ServeError> {
    let address = listener.local_addr()?;
    let style = style(&options);
    let machine = machine(options)?;
    let (stop, stopped) = watch::channel(());
    let task = tokio::spawn(core::run(machine, listener, stopped, style));
    Ok(ServerHandle { address, stop, task })
}

#[cfg(feature = "faults")]
fn style(options: &ServerOptions) -> style::Style {
    options.quirk.into()
}

#[cfg(not(feature = "faults"))]
fn style(_options: &ServerOptions) -> style::Style {
    style::Style::default()
}

fn plain(
    kit: ServerKit,
    config: Config,
    provider: &'static dyn Provider,
    store: Box<dyn Store + Send>,
) -> Result<Server, StoreError> {
    Server::new(config, provider, kit.key, kit.directory, Box::new(rand::make_rng::<StdRng>()), store)
}

#[cfg(not(feature = "faults"))]
fn machine(options: ServerOptions) -> Result<Machine, StoreError> {
    plain(options.kit, options.config, options.provider, options.store)
}

#[cfg(feature = "faults")]
fn machine(options: ServerOptions) -> Result<Machine, StoreError> {
    let ServerOptions { kit, config, store, provider, quirk, tape } = options;
    let mut recorded = match tape {
        Some(tape) => tape.start(kit, config, provider, store)?,
        None => Machine { machine: plain(kit, config, provider, store)?, reel: None },
    };
    if let Some(quirk) = quirk {
        recorded.machine.take_on(quirk)?;
    }
    Ok(recorded)
}

/// Binds `address` and starts a server there. For one that is embedded: `127.0.0.1:0`, then [`ServerHandle::address`].
///
/// # Errors
/// If the address cannot be bound, or the store not be read.
pub async fn bind(address: impl ToSocketAddrs, options: ServerOptions) -> Result<ServerHandle, ServeError> {
    serve(TcpListener::bind(address).await?, options)
}

impl ServerHandle {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts nothing more, sends what is due on each connection, ends it by FIN, and returns when all have ended: within
    /// seconds, since clients get only so long. The store is closed then.
    pub async fn shutdown(self) {
        drop(self.stop);
        // An error is a panic, which was reported where it happened.
        let _ = self.task.await;
    }
}

impl std::fmt::Debug for ServerOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerOptions")
            .field("kit", &self.kit)
            .field("config", &self.config)
            .field("provider", &self.provider.name())
            .finish_non_exhaustive()
    }
}
