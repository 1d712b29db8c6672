//! What all cases of a run against a client share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mpchat_model::Ledger;
use mpchat_peer::kit::Kit;
use mpchat_proto::crypto::{PrivateKey, Provider};
use mpchat_script::ast::Timer;
use tokio::task::JoinSet;

use super::driver::ClientSubject;
use super::host::{Host, Stage};
use crate::identities::Identity;
use crate::memory::RunMemory;
use crate::plan::{Body, PlannedCase};
use crate::play::Played;
use crate::stop::Stop;
use crate::timing::Timers;
use crate::transport::Transport;

/// How long an embedded client waits for a login, where a case waits for that.
const QUICK: Duration = Duration::from_millis(1500);

/// The client under test, and what the server that the harness plays has.
pub(crate) struct Bench {
    stage: Stage,
}

impl Bench {
    /// # Errors
    /// If the kit lacks the server's private key.
    pub(crate) fn new(
        subject: ClientSubject,
        kit: &Arc<Kit>,
        provider: &'static dyn Provider,
        patience: Duration,
        timers: Timers,
        memory: Arc<RunMemory>,
        ledger: Arc<Ledger>,
    ) -> Result<Self, String> {
        let server_key: PrivateKey = kit.server_private().map_err(|error| error.to_string())?;
        let (kit, transport) = (Arc::clone(kit), Transport::Plain);
        let stage = Stage { subject, kit, provider, server_key, patience, transport, timers, memory, ledger };
        Ok(Self { stage })
    }

    /// Whether the client can be started, connects, and logs in.
    pub(crate) async fn looks_alive(&self, user: Arc<Identity>) -> Result<(), String> {
        Host::looks_alive(self.stage.clone(), ("alice".to_owned(), user)).await
    }

    /// Plays a case in a task of its own: a panic of the suite ends just that, and proves nothing.
    pub(crate) async fn play(
        &self,
        (number, case): (usize, &Arc<PlannedCase>),
        transport: Transport,
        users: BTreeMap<String, Arc<Identity>>,
        limit: Duration,
    ) -> (Played, Vec<String>) {
        let mut stage = Stage { transport, ..self.stage.clone() };
        stage.subject = stage.subject.only_for(number);
        // The embedded client's timer is made short where a case waits for it.
        if case.timers.contains(&Timer::Login) && matches!(stage.subject, ClientSubject::Embedded(_)) {
            stage.timers = stage.timers.with(Timer::Login, QUICK);
        }
        let case = Arc::clone(case);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let Body::Client(script) = &case.body else {
                return (Played::nothing(Stop::Skip("it is about a server".to_owned())), Vec::new());
            };
            match Host::new(stage, Arc::new(case.scenario.front.clone()), script, users).await {
                Ok(host) => host.run(script, limit).await,
                Err(stop) => (Played::nothing(stop), Vec::new()),
            }
        });
        let failed =
            |why: String| (Played::nothing(Stop::Inconclusive(format!("the suite itself failed{why}"))), Vec::new());
        match task.join_next().await {
            Some(Ok(played)) => played,
            Some(Err(error)) => failed(format!(": {error}")),
            None => failed(String::new()),
        }
    }
}
