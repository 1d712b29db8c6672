//! The reference server in this process, on a port of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use mpchat_peer::kit::Kit;
use mpchat_peer::server::{ServerHandle, ServerOptions, bind};
use mpchat_proto::server::MemoryStore;

use crate::timing::Timers;

/// How the embedded server differs from a plain one: not at all, or by breaking a rule.
#[derive(Clone, Copy, Debug, Default)]
pub struct Embedding {
    /// The rule that it breaks, or the habit that it has.
    #[cfg(feature = "faults")]
    pub quirk: Option<mpchat_proto::server::Quirk>,
}

impl Embedding {
    #[cfg(feature = "faults")]
    fn apply(self, options: &mut ServerOptions) {
        options.quirk = self.quirk;
    }

    #[cfg(not(feature = "faults"))]
    fn apply(self, _options: &mut ServerOptions) {}
}

/// A running server, and what outlives its restart.
pub(crate) struct Embedded {
    kit: Arc<Kit>,
    timers: Timers,
    embedding: Embedding,
    store: MemoryStore,
    address: SocketAddr,
    handle: Option<ServerHandle>,
}

impl Embedded {
    pub(crate) async fn start(kit: &Arc<Kit>, timers: Timers, embedding: Embedding) -> Result<Self, String> {
        let address = (Ipv4Addr::LOCALHOST, 0).into();
        let mut server =
            Self { kit: Arc::clone(kit), timers, embedding, store: MemoryStore::new(), address, handle: None };
        server.launch().await?;
        Ok(server)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends the server and starts another on its store.
    pub(crate) async fn restart(&mut self) -> Result<SocketAddr, String> {
        self.stop().await;
        self.launch().await?;
        Ok(self.address)
    }

    pub(crate) async fn stop(&mut self) {
        if let Some(handle) = self.handle.take() {
            handle.shutdown().await;
        }
    }

    async fn launch(&mut self) -> Result<(), String> {
        let kit = self.kit.server().map_err(|error| error.to_string())?;
        let mut options = ServerOptions::new(kit);
        self.embedding.apply(&mut options);
        options.config.invite_timeout = self.timers.invite;
        options.config.answer_timeout = self.timers.answer;
        options.config.login_timeout = self.timers.login;
        options.config.status_timeout = self.timers.status;
        options.store = Box::new(self.store.clone());
        let handle = bind((Ipv4Addr::LOCALHOST, 0), options).await.map_err(|error| error.to_string())?;
        self.address = handle.address();
        self.handle = Some(handle);
        Ok(())
    }
}
