//! The whole kill matrix: every fault with every case to which it makes a difference.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use mpchat_runner::mutants::{Mutant, Quirk};

use super::super::print;
use super::bench::{Bench, Way};
use super::rounds::{Plan, SoFar, Turns, in_rounds, is_named};
use crate::failure::Failure;

/// Of the cases to which a fault should make no difference, each so-manieth is played against it all the same: with the next
/// fault the next ones.
const LOOKED_AT: usize = 40;

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
    let reached: Turns = faults
        .iter()
        .map(|fault| {
            let differ = bench.cases.iter().enumerate().filter(|(_, case)| rehearsal.may_differ(case, *fault));
            (*fault, differ.map(|(n, _)| n).collect())
        })
        .collect();
    print(&format!(
        "rehearsed: {} of {} plays may come to something else than with a right peer\n",
        reached.values().map(BTreeSet::len).sum::<usize>(),
        faults.len() * bench.cases.len()
    ))?;
    let plans: [Plan<'_>; 2] =
        [&|_| with_some_others(bench, &reached), &|so_far| what_is_left(bench, &reached, so_far, all)];
    in_rounds(bench, faults, way, line, &plans)
}

fn with_some_others(bench: &Bench, reached: &Turns) -> Turns {
    let turns = reached.iter().enumerate().map(|(n, (fault, cases))| {
        let others = (0..bench.cases.len()).filter(|case| !cases.contains(case));
        let looked_at = others.skip(n % LOOKED_AT).step_by(LOOKED_AT);
        (*fault, cases.iter().copied().chain(looked_at).collect())
    });
    turns.collect()
}

fn what_is_left(bench: &Bench, reached: &Turns, so_far: &SoFar, all: bool) -> Turns {
    let at: HashMap<&str, usize> = bench.cases.iter().enumerate().map(|(n, case)| (case.id.as_str(), n)).collect();
    let caught: BTreeMap<Quirk, BTreeSet<usize>> = so_far
        .iter()
        .map(|(fault, mutant)| {
            (*fault, mutant.caught.iter().filter_map(|caught| at.get(caught.case.as_str()).copied()).collect())
        })
        .collect();
    let every: BTreeSet<usize> = (0..bench.cases.len()).collect();
    let idle: BTreeSet<usize> =
        every.iter().copied().filter(|n| all && !caught.values().any(|of| of.contains(n))).collect();
    let each = |(fault, cases): (&Quirk, &BTreeSet<usize>)| {
        let spreads = caught.get(fault).is_some_and(|caught| !caught.is_subset(cases));
        let left = if spreads || !is_named(so_far, *fault) { every.clone() } else { idle.clone() };
        (*fault, left)
    };
    reached.iter().map(each).collect()
}
