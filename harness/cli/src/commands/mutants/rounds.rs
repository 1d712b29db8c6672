//! Several rounds of plays, of which each depends on what the ones before have shown.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mpchat_runner::PlannedCase;
use mpchat_runner::mutants::{Mutant, Quirk, meets};

use super::bench::{Bench, Way};
use crate::failure::Failure;

/// What is played against a fault, by the place of the case in the plan.
pub(super) type Turns = BTreeMap<Quirk, BTreeSet<usize>>;

/// What the rounds so far have shown of every fault; one that has met no case survives.
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
    let mut all: SoFar = faults.iter().map(|fault| (*fault, Mutant::unmet(*fault))).collect();
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
        let with_before = |mutant: &Mutant| {
            let both = all.get(&mutant.fault).cloned().map(|mut both| {
                both.extend(mutant.clone());
                both
            });
            line(both.as_ref().unwrap_or(mutant))
        };
        for mutant in bench.play(&round, way, with_before)? {
            all.entry(mutant.fault).and_modify(|before| before.extend(mutant));
        }
        for (fault, cases) in turns {
            played.entry(fault).or_default().extend(cases);
        }
    }
    Ok(all.into_values().collect())
}

/// Whether a case named the rule of a fault first.
pub(super) fn is_named(all: &SoFar, fault: Quirk) -> bool {
    all.get(&fault).is_some_and(Mutant::is_named)
}
