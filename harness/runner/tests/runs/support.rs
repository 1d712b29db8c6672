//! What tests of whole runs share.

#![cfg_attr(not(feature = "faults"), allow(dead_code, reason = "rehearsals use it"))]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mpchat_model::{KnownFailures, Ledger, Level};
use mpchat_peer::kit::{Kit, KitFiles};
use mpchat_proto::crypto::{Provider, default_provider};
use mpchat_runner::{RunOptions, Timers, Transport};
use mpchat_script::ast::Scenario;

pub(crate) fn scenario(id: &str, text: &str) -> Arc<Scenario> {
    Arc::new(mpchat_script::parse(&format!("{id}.mmd"), id, text).unwrap())
}

/// A scenario of the suite by its id: `status/of-the-server`.
pub(crate) fn scenario_of_the_suite(id: &str) -> Arc<Scenario> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios").join(format!("{id}.mmd"));
    scenario(id, &std::fs::read_to_string(file).unwrap())
}

/// One job, with the embedded users.
pub(crate) fn options(provider: &'static dyn Provider) -> RunOptions {
    let kit = KitFiles::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../kit")).unwrap();
    RunOptions {
        jobs: 1,
        patience: Duration::from_secs(5),
        transports: vec![Transport::Plain],
        timers: Timers::default(),
        fail_fast: false,
        level: Level::Must,
        again: true,
        repeat: 1,
        known: KnownFailures::default(),
        provider,
        kit: Arc::new(Kit::load(kit, default_provider()).unwrap()),
        kit_folder: None,
        snapshots: None,
        reproduce: String::new(),
        ledger: Arc::new(Ledger::embedded().unwrap()),
    }
}
