//! The short way to a kill matrix: what the committed one says is tried, not what it says nothing of.
//!
//! Of a whole matrix most plays only say once more that a case passes. Its conditions speak of failing cases alone: every
//! fault is caught and named, every case catches something. Each of these is shown again here, by the plays that showed it
//! before; only what they do not show any more is played in full.

use std::collections::BTreeSet;
use std::sync::Arc;

use mpchat_model::MatrixRow;
use mpchat_runner::PlannedCase;
use mpchat_runner::mutants::{Mutant, Quirk};

use super::bench::{Bench, Way, places};
use super::conditions;
use super::rounds::{Plan, SoFar, Turns, in_rounds, is_named};
use crate::dictionary;
use crate::failure::Failure;

/// How many of the cases that name a fault's rule are played against it.
const NAMED: usize = 4;

/// How many of the faults that a case catches are tried with it: those that the fewest cases catch.
const FAULTS: usize = 2;

/// Plays what the committed matrix says, and in full what does not hold any more.
pub(super) fn confirm(
    bench: &Bench,
    faults: &[Quirk],
    way: &Way,
    line: impl Fn(&Mutant) -> String,
) -> Result<Vec<Mutant>, Failure> {
    let known = Known::of(bench, faults);
    let plans: [Plan<'_>; 3] = [&|_| known.shortest(), &|all| known.longer(all), &|all| known.whole(all)];
    in_rounds(bench, faults, way, line, &plans)
}

/// The cases that catch a fault.
struct Catches {
    /// They name its rule first.
    named: Vec<usize>,
    other: Vec<usize>,
}

impl Catches {
    fn all(&self) -> impl Iterator<Item = usize> {
        self.named.iter().chain(&self.other).copied()
    }
}

/// The committed matrix, in places of the plan.
struct Known<'b> {
    cases: &'b [Arc<PlannedCase>],
    /// The cases that catch each fault; none for a fault that is new.
    catches: Vec<(Quirk, Option<Catches>)>,
    /// Cases that the matrix does not have.
    new: BTreeSet<usize>,
}

impl<'b> Known<'b> {
    fn of(bench: &'b Bench, faults: &[Quirk]) -> Self {
        let at = places(&bench.cases);
        let matrix = faults.first().and_then(|fault| dictionary::matrix(fault.role()));
        let ids = matrix.map(|matrix| matrix.cases.as_slice()).unwrap_or_default();
        let row = |fault: &Quirk| matrix?.faults.iter().find(|row| row.id == fault.id());
        let here = |places: &[usize]| -> Vec<usize> {
            places.iter().filter_map(|place| at.get(ids.get(*place)?.as_str()).copied()).collect()
        };
        let catches = |row: &MatrixRow| Catches { named: here(&row.named), other: here(&row.other) };
        let before: BTreeSet<&str> = ids.iter().map(String::as_str).collect();
        let new = at.iter().filter(|(id, _)| !before.contains(*id)).map(|(_, place)| *place).collect();
        Self {
            cases: &bench.cases,
            catches: faults.iter().map(|fault| (*fault, row(fault).map(catches))).collect(),
            new,
        }
    }

    /// Some cases for each fault, some faults for each case.
    fn shortest(&self) -> Turns {
        let mut turns = Turns::new();
        for (fault, catches) in &self.catches {
            let chosen = turns.entry(*fault).or_default();
            match catches {
                Some(catches) => chosen.extend(spread(&catches.named, NAMED).chain(self.new.iter().copied())),
                None => chosen.extend(0..self.cases.len()),
            }
        }
        for case in 0..self.cases.len() {
            for fault in self.caught_by(case).into_iter().take(FAULTS) {
                turns.entry(fault).or_default().insert(case);
            }
        }
        turns
    }

    /// Every case that named a fault which nobody names now; every fault that a case caught which catches none now.
    fn longer(&self, all: &SoFar) -> Turns {
        let mut turns = Turns::new();
        for (fault, catches) in self.catches.iter().filter(|(fault, _)| !is_named(all, *fault)) {
            turns.entry(*fault).or_default().extend(catches.iter().flat_map(Catches::all));
        }
        for case in self.uncaught(all) {
            for fault in self.caught_by(case) {
                turns.entry(fault).or_default().insert(case);
            }
        }
        turns
    }

    /// Everything, for what nothing that was known shows.
    fn whole(&self, all: &SoFar) -> Turns {
        let uncaught = self.uncaught(all);
        let each = |(fault, _): &(Quirk, _)| {
            let cases = if is_named(all, *fault) { uncaught.clone() } else { (0..self.cases.len()).collect() };
            (*fault, cases)
        };
        self.catches.iter().map(each).collect()
    }

    /// The faults that a case caught, those first that the fewest cases catch.
    fn caught_by(&self, case: usize) -> Vec<Quirk> {
        let of = |(fault, catches): &(Quirk, Option<Catches>)| {
            let catches = catches.as_ref()?;
            catches.all().any(|other| other == case).then(|| (catches.all().count(), *fault))
        };
        let mut caught: Vec<_> = self.catches.iter().filter_map(of).collect();
        caught.sort_unstable();
        caught.into_iter().map(|(_, fault)| fault).collect()
    }

    /// Cases that the matrix says catch something, or does not know, and that have caught nothing now.
    fn uncaught(&self, all: &SoFar) -> BTreeSet<usize> {
        let caught = conditions::catching(all.values());
        let uncaught = self.cases.iter().enumerate().filter(|(_, case)| !caught.contains(case.id.as_str()));
        uncaught.map(|(n, _)| n).filter(|n| self.new.contains(n) || !self.caught_by(*n).is_empty()).collect()
    }
}

/// So many of them, from the first to the last.
fn spread(cases: &[usize], most: usize) -> impl Iterator<Item = usize> {
    let step = cases.len().div_ceil(most).max(1);
    cases.iter().copied().step_by(step)
}
