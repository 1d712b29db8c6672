//! What must hold of a kill matrix.

use std::collections::BTreeSet;
use std::sync::Arc;

use mpchat_model::{Ledger, Level};
use mpchat_runner::PlannedCase;
use mpchat_runner::mutants::Mutant;

/// Every condition that does not hold, a line each. Those about all faults and all cases only of a `whole` matrix.
pub(super) fn breaches(mutants: &[Mutant], cases: &[Arc<PlannedCase>], ledger: &Ledger, whole: bool) -> Vec<String> {
    let mut breaches = Vec::new();
    for mutant in mutants {
        let (id, rule) = (mutant.fault.id(), mutant.fault.rule().unwrap_or_default());
        if mutant.caught.is_empty() {
            breaches.push(format!(
                "{id} survives: no case fails ({rule}: the {} {})",
                mutant.fault.role(),
                mutant.fault.text()
            ));
        } else if !mutant.is_named() {
            breaches.push(format!("{id} is caught, but no failing case names {rule} first"));
        }
    }
    if whole {
        breaches.extend(rules_without_fault(mutants, ledger));
        breaches.extend(cases_without_fault(mutants, cases));
    }
    breaches
}

fn rules_without_fault(mutants: &[Mutant], ledger: &Ledger) -> Vec<String> {
    let broken: BTreeSet<&str> = mutants.iter().filter_map(|mutant| mutant.fault.rule()).collect();
    let client = mutants.iter().any(|mutant| mutant.fault.role() == "client");
    let binds = |rule: &mpchat_model::Rule| if client { rule.role.binds_client() } else { rule.role.binds_server() };
    let must = |rule: &&mpchat_model::Rule| {
        rule.level == Level::Must && binds(rule) && ledger.unobservable(&rule.id).is_none()
    };
    let without = ledger.rules().iter().filter(must).filter(|rule| !broken.contains(rule.id.as_str()));
    without.map(|rule| format!("{} has no fault", rule.id)).collect()
}

/// The cases on the list of those that need not catch a fault.
fn spared() -> BTreeSet<&'static str> {
    let lines = crate::embedded::spared().lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(": ").map(|(case, _)| case)).collect()
}

/// The ids of the cases that have caught something.
pub(super) fn catching<'m>(mutants: impl IntoIterator<Item = &'m Mutant>) -> BTreeSet<&'m str> {
    mutants.into_iter().flat_map(|mutant| &mutant.caught).map(|caught| caught.case.as_str()).collect()
}

/// The cases that have caught nothing and are not spared, with their places.
pub(super) fn idle<'c>(
    mutants: impl IntoIterator<Item = &'c Mutant>,
    cases: &'c [Arc<PlannedCase>],
) -> impl Iterator<Item = (usize, &'c str)> {
    let (catching, spared) = (catching(mutants), spared());
    let ids = cases.iter().map(|case| case.id.as_str()).enumerate();
    ids.filter(move |(_, id)| !catching.contains(id) && !spared.contains(id))
}

/// A case catches a fault, or is on the list of those that need not.
fn cases_without_fault(mutants: &[Mutant], cases: &[Arc<PlannedCase>]) -> Vec<String> {
    let idle = idle(mutants, cases);
    let mut breaches: Vec<String> =
        idle.map(|(_, case)| format!("{case} catches no fault, and is not in scenarios/spared.txt")).collect();
    // A client's cases have their role behind an @.
    let of_clients = mutants.iter().any(|mutant| mutant.fault.role() == "client");
    let known: BTreeSet<&str> = cases.iter().map(|case| case.id.as_str()).collect();
    let stale = spared().into_iter().filter(|case| case.contains('@') == of_clients && !known.contains(case));
    breaches.extend(stale.map(|case| format!("{case} is in scenarios/spared.txt, but there is no such case")));
    breaches
}
