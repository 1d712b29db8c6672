//! Several rounds of plays, of which each depends on what the ones before have shown.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mpchat_runner::PlannedCase;
use mpchat_runner::mutants::{Mutant, Quirk, meets};

use super::bench::{Bench, Way};
use crate::failure::Failure;

/// What is played against a fault, by the place of the case in the plan.
pub(super) type Turns = BTreeMap<Quirk, BTreeSet<usize>>;

/// What the rounds so far have shown.
pub(super) type SoFar = BTreeMap<Quirk, Mutant>;

/// What is played in a round; what was played before is not played again.
pub(super) type Plan<'p> = &'p dyn Fn(&SoFar) -> Turns;

/// Plays the rounds, and returns what they have shown together.
pub(super) fn in_rounds(
    bench: &Bench,
    faults: &[Quirk],
    way: &Way,
    line: impl Fn(&Mutant) -> String,
    plans: &[Plan<'_>],
) -> Result<Vec<Mutant>, Failure> {
    let mut all = SoFar::new();
    let mut played = Turns::new();
    for plan in plans {
        let turns = plan(&all);
        let new = |fault: &Quirk, cases: &BTreeSet<usize>| -> Vec<Arc<PlannedCase>> {
            let before = played.get(fault);
            let new = cases.iter().filter(|case| before.is_none_or(|before| !before.contains(case)));
            new.filter_map(|case| bench.cases.get(*case)).filter(|case| meets(case, *fault)).cloned().collect()
        };
        // In the order of `faults`: the slowest first.
        let round: Vec<_> = faults
            .iter()
            .filter_map(|fault| Some((*fault, new(fault, turns.get(fault)?))))
            .filter(|(_, cases)| !cases.is_empty())
            .collect();
        let so_far = |mutant: &Mutant| match all.get(&mutant.fault).cloned() {
            Some(mut before) => {
                before.extend(mutant.clone());
                before
            }
            None => mutant.clone(),
        };
        let mutants = bench.play(&round, way, |mutant| line(&so_far(mutant)))?;
        let mutants: Vec<Mutant> = mutants.iter().map(so_far).collect();
        all.extend(mutants.into_iter().map(|mutant| (mutant.fault, mutant)));
        for (fault, cases) in turns {
            played.entry(fault).or_default().extend(cases);
        }
    }
    // A fault that meets no case survives.
    let unmet = faults.iter().filter(|fault| !all.contains_key(fault)).map(|fault| Mutant::unmet(*fault));
    let unmet: Vec<Mutant> = unmet.collect();
    Ok(all.into_values().chain(unmet).collect())
}

/// Whether a case named the rule of a fault first.
pub(super) fn is_named(all: &SoFar, fault: Quirk) -> bool {
    all.get(&fault).is_some_and(|mutant| mutant.named().next().is_some())
}
