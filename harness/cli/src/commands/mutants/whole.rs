//! The whole kill matrix: every fault with every case to which it makes a difference.

use std::collections::BTreeSet;

use mpchat_runner::mutants::{Mutant, Quirk};

use super::super::print;
use super::bench::{Bench, Way, places};
use super::conditions;
use super::rounds::{Plan, SoFar, Turns, in_rounds, is_named};
use crate::failure::Failure;

/// Plays every case with every fault that makes a difference to it, as a rehearsal says; and with every one where that
/// does not hold: where a case fails to which the fault should make none, where the fault is not caught by its rule, and, of
/// `all` faults, where the case catches none.
pub(super) fn rehearsed(
    bench: &Bench,
    faults: &[Quirk],
    way: &Way,
    all: bool,
    line: impl Fn(&Mutant) -> String,
) -> Result<Vec<Mutant>, Failure> {
    let rehearsal = bench.rehearse(faults, way)?;
    let reached = bench.reached(&rehearsal, faults);
    print(&format!(
        "rehearsed: {} of {} plays may come to something else than with a right peer\n",
        reached.values().map(BTreeSet::len).sum::<usize>(),
        faults.len() * bench.cases.len()
    ))?;
    let plans: [Plan<'_>; 2] =
        [&|_| bench.with_some_others(&reached), &|so_far| what_is_left(bench, &reached, so_far, all)];
    in_rounds(bench, faults, way, line, &plans)
}

fn what_is_left(bench: &Bench, reached: &Turns, so_far: &SoFar, all: bool) -> Turns {
    let every: BTreeSet<usize> = (0..bench.cases.len()).collect();
    let idle = all.then(|| conditions::idle(so_far.values(), &bench.cases));
    let idle: BTreeSet<usize> = idle.into_iter().flatten().map(|(place, _)| place).collect();
    let places = places(&bench.cases);
    let each = |(fault, cases): (&Quirk, &BTreeSet<usize>)| {
        let mut caught = so_far.get(fault).into_iter().flat_map(|mutant| &mutant.caught);
        let spreads = caught.any(|caught| places.get(caught.case.as_str()).is_some_and(|n| !cases.contains(n)));
        (*fault, if spreads || !is_named(so_far, *fault) { every.clone() } else { idle.clone() })
    };
    reached.iter().map(each).collect()
}
