//! The reference server in this process, on a port of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use mpchat_peer::kit::Kit;
use mpchat_peer::server::{ServerHandle, ServerOptions, bind};
use mpchat_proto::server::MemoryStore;

#[cfg(feature = "faults")]
use crate::tapes::Tapes;
use crate::timing::Timers;

/// How the embedded server differs from a plain one: not at all, or by breaking a rule.
#[derive(Clone, Debug, Default)]
pub struct Embedding {
    /// The rule that it breaks, or the habit that it has.
    #[cfg(feature = "faults")]
    pub quirk: Option<mpchat_proto::server::Quirk>,
    /// Every case has a server for itself, and all that it is told is noted here.
    #[cfg(feature = "faults")]
    pub tapes: Option<Tapes<mpchat_peer::server::Tape>>,
    /// The one of this server.
    #[cfg(feature = "faults")]
    pub(crate) tape: Option<mpchat_peer::server::Tape>,
}

impl Embedding {
    #[cfg(feature = "faults")]
    pub(crate) fn wants_a_server_a_case(&self) -> bool {
        self.tapes.is_some()
    }

    #[cfg(not(feature = "faults"))]
    pub(crate) fn wants_a_server_a_case(&self) -> bool {
        false
    }

    /// For the case of this number alone.
    #[cfg(feature = "faults")]
    pub(crate) fn only_for(self, case: usize) -> Self {
        let tape = self.tapes.as_ref().map(|tapes| tapes.of(case));
        Self { tape, ..self }
    }

    #[cfg(not(feature = "faults"))]
    pub(crate) fn only_for(self, _case: usize) -> Self {
        self
    }

    #[cfg(feature = "faults")]
    fn apply(&self, options: &mut ServerOptions) {
        options.quirk = self.quirk;
        options.tape.clone_from(&self.tape);
    }

    #[cfg(not(feature = "faults"))]
    fn apply(&self, _options: &mut ServerOptions) {}
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
        let (kit, store, address) = (Arc::clone(kit), MemoryStore::new(), (Ipv4Addr::LOCALHOST, 0).into());
        let mut server = Self { kit, timers, embedding, store, address, handle: None };
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
