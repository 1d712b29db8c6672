//! `mpchat habits`: the suite against peers that are legal in unusual ways. None may be called wrong.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mpchat_model::Level;
use mpchat_runner::PlannedCase;
use mpchat_runner::mutants::{Mutant, Quirk};

use super::super::print;
use super::bench::{Bench, Way, is_meant};
use crate::args::HabitsArgs;
use crate::failure::Failure;

const PATIENCE: Duration = Duration::from_secs(5);

/// How many cases of one habit run side by side, if nothing is said.
const CASES_SIDE_BY_SIDE: usize = 16;

/// How many habits are tried side by side.
const HABITS_SIDE_BY_SIDE: usize = 6;

type Cases = Vec<Arc<PlannedCase>>;

/// Runs the suite against every habit; exit code 1 if a case fails or proves nothing.
pub(crate) fn habits(args: &HabitsArgs) -> Result<u8, Failure> {
    let habits: Vec<Quirk> =
        Quirk::habits(args.role.is_client()).into_iter().filter(|habit| is_meant(*habit, &args.only)).collect();
    if habits.is_empty() {
        return Err(Failure::usage("no habit is meant; `mpchat habits` without --only tries all"));
    }
    let mut bench = Bench::new(&args.cases, args.role.is_client())?;
    bench.cases.retain(|case| !(args.short && case.exhausts));
    let way = Way {
        jobs: args.jobs.unwrap_or(CASES_SIDE_BY_SIDE),
        peers: if args.jobs == Some(1) { habits.len() } else { HABITS_SIDE_BY_SIDE },
        patience: PATIENCE,
        level: Level::Must,
        again: true,
    };
    let began = Instant::now();
    let rounds = args.rounds.unwrap_or(1).max(1);
    let cases = cases(&bench, &habits, &way, args.rehearse)?;
    let turns: Vec<_> = (0..rounds).flat_map(|_| cases.iter().cloned()).collect();
    let all = bench.play(&turns, &way, line)?;
    let plays: usize = all.iter().map(|habit| habit.cases).sum();
    let wrong = all.iter().filter(|habit| !habit.caught.is_empty() || !habit.inconclusive.is_empty()).count();
    print(&format!(
        "{} habits, {rounds} rounds of {} cases, {plays} plays: {wrong} of {} runs with a case that did not pass; {:.0} s\n",
        habits.len(),
        bench.cases.len(),
        all.len(),
        began.elapsed().as_secs_f64()
    ))?;
    Ok(u8::from(wrong > 0))
}

/// What is played with each habit: every case, or those to which it makes a difference and some others. A habit of which the
/// machine knows nothing, such as how bytes are written, makes none in a rehearsal: then it is every case.
fn cases(bench: &Bench, habits: &[Quirk], way: &Way, rehearse: bool) -> Result<Vec<(Quirk, Cases)>, Failure> {
    if !rehearse {
        return Ok(habits.iter().map(|habit| (*habit, bench.cases.clone())).collect());
    }
    let rehearsal = bench.rehearse(habits, way)?;
    let turns = bench.with_some_others(&bench.reached(&rehearsal, habits));
    let few =
        |places: BTreeSet<usize>| places.into_iter().filter_map(|place| bench.cases.get(place).cloned()).collect();
    let each = |(habit, places)| (habit, if rehearsal.shows(habit) { few(places) } else { bench.cases.clone() });
    Ok(turns.into_iter().map(each).collect())
}

fn line(habit: &Mutant) -> String {
    let fine = habit.caught.is_empty() && habit.inconclusive.is_empty();
    let mut text = format!(
        "{:6} {:20} {:5.1} s  {} cases, {} skipped: the {} {}\n",
        if fine { "passes" } else { "WRONG" },
        habit.fault.id(),
        habit.took.as_secs_f64(),
        habit.cases,
        habit.skipped,
        habit.fault.role(),
        habit.fault.text()
    );
    for caught in &habit.caught {
        let rules: Vec<&str> = caught.rules.iter().map(mpchat_model::RuleId::as_str).collect();
        text.push_str(&format!("    {} fails: {}\n        {}\n", caught.case, rules.join(" "), caught.how));
        for frame in &caught.frames {
            text.push_str(&format!("            {}\n", frame.chars().take(160).collect::<String>()));
        }
    }
    for (case, why) in &habit.inconclusive {
        text.push_str(&format!("    {case} proves nothing: {why}\n"));
    }
    text
}
