//! What `mpchat mutants` and `mpchat habits` share: the cases, and how they are played against a list of peers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use mpchat_model::{KnownFailures, Ledger, Level};
use mpchat_peer::kit::Kit;
use mpchat_proto::crypto::{default_provider, shortcut};
use mpchat_runner::mutants::{Mutant, Quirk, Rehearsal, meets, mutants, rehearse};
use mpchat_runner::{PlannedCase, RunOptions, Timers, Transport, plan, plan_for_clients};

use super::super::print;
use super::rounds::Turns;
use crate::embedded;
use crate::failure::Failure;
use crate::selection;

/// Of the cases to which a fault should make no difference, one in so many is played all the same; with the next fault others.
const LOOKED_AT: usize = 40;

/// The suite, ready to be played many times in this process.
pub(super) struct Bench {
    pub(super) ledger: Arc<Ledger>,
    pub(super) cases: Vec<Arc<PlannedCase>>,
    kit: Arc<Kit>,
}

/// In what the two commands differ.
pub(super) struct Way {
    /// Cases of one peer that run side by side.
    pub(super) jobs: usize,
    /// Peers that are tried side by side.
    pub(super) peers: usize,
    pub(super) patience: Duration,
    pub(super) level: Level,
    /// Whether a case that proved nothing is run again, alone.
    pub(super) again: bool,
}

impl Bench {
    /// With the cases that `filters` mean. From here on RSA is looked up: what is to be shown does not depend on it, and
    /// there are some million logins.
    pub(super) fn new(filters: &[String], client: bool) -> Result<Self, Failure> {
        let ledger = Arc::new(Ledger::embedded().map_err(Failure::found)?);
        let scenarios = selection::scenarios(None)?;
        let planned = if client { plan_for_clients(&scenarios, &ledger, None) } else { plan(&scenarios, &ledger) };
        let mut cases: Vec<Arc<PlannedCase>> = planned.into_iter().map(Arc::new).collect();
        cases.retain(|case| selection::is_meant(case, filters));
        shortcut::enable();
        Ok(Self { ledger, cases, kit: embedded::kit(None, default_provider())? })
    }

    /// The cases that are played against a fault when all are.
    pub(super) fn meeting(&self, quirk: Quirk) -> Vec<Arc<PlannedCase>> {
        self.cases.iter().filter(|case| meets(case, quirk)).cloned().collect()
    }

    /// Plays each peer's cases against it; `line` is printed as soon as one is done with.
    pub(super) fn play(
        &self,
        quirks: &[(Quirk, Vec<Arc<PlannedCase>>)],
        way: &Way,
        line: impl Fn(&Mutant) -> String,
    ) -> Result<Vec<Mutant>, Failure> {
        let mut unheard = Ok(());
        let tell = |mutant: &Mutant| {
            if unheard.is_ok() {
                unheard = print(&line(mutant));
            }
        };
        let played = mutants(quirks, || self.options(way), way.peers, tell);
        let played = played.map_err(|error| Failure::unreachable(error.to_string()))?;
        unheard.map(|()| played)
    }

    /// Which faults make a difference to which cases.
    pub(super) fn rehearse(&self, faults: &[Quirk], way: &Way) -> Result<Rehearsal, Failure> {
        let rehearsal = rehearse(&self.cases, faults, self.options(way));
        rehearsal.map_err(|error| Failure::unreachable(error.to_string()))
    }

    /// What a rehearsal says that is to be played.
    pub(super) fn reached(&self, rehearsal: &Rehearsal, quirks: &[Quirk]) -> Turns {
        let each = |quirk: &Quirk| {
            let differ = self.cases.iter().enumerate().filter(|(_, case)| rehearsal.may_differ(case, *quirk));
            (*quirk, differ.map(|(n, _)| n).collect())
        };
        quirks.iter().map(each).collect()
    }

    /// The same with some of the others.
    pub(super) fn with_some_others(&self, reached: &Turns) -> Turns {
        let turns = reached.iter().enumerate().map(|(n, (quirk, cases))| {
            let others = (0..self.cases.len()).filter(|case| !cases.contains(case));
            let looked_at = others.skip(n % LOOKED_AT).step_by(LOOKED_AT);
            (*quirk, cases.iter().copied().chain(looked_at).collect())
        });
        turns.collect()
    }

    fn options(&self, way: &Way) -> RunOptions {
        RunOptions {
            jobs: way.jobs,
            patience: way.patience,
            transports: vec![Transport::Plain],
            timers: Timers::default(),
            fail_fast: false,
            level: way.level,
            again: way.again,
            repeat: 1,
            known: KnownFailures::default(),
            provider: default_provider(),
            kit: Arc::clone(&self.kit),
            kit_folder: None,
            snapshots: None,
            reproduce: String::new(),
            ledger: Arc::clone(&self.ledger),
        }
    }
}

/// The place of each case in the plan, by its id.
pub(super) fn places(cases: &[Arc<PlannedCase>]) -> HashMap<&str, usize> {
    cases.iter().enumerate().map(|(place, case)| (case.id.as_str(), place)).collect()
}

/// Whether a fault or habit is meant: by a part of its name, or by the rule that it breaks.
pub(super) fn is_meant(quirk: Quirk, only: &[String]) -> bool {
    let id = quirk.id();
    only.is_empty() || only.iter().any(|word| id.contains(word.as_str()) || quirk.rule() == Some(word))
}
