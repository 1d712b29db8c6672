//! `mpchat mutants`: the kill matrix.

mod bench;
mod conditions;
mod confirm;
pub(crate) mod habits;
mod matrix;
mod rounds;
mod whole;

use std::time::{Duration, Instant};

use mpchat_model::Level;
use mpchat_runner::mutants::{Mutant, Quirk};

use self::bench::{Bench, Way, is_meant};
use super::print;
use crate::args::MutantsArgs;
use crate::dictionary;
use crate::failure::Failure;

/// How long an answer may take: everybody is in this process.
const PATIENCE: Duration = Duration::from_millis(1500);

/// How many cases of one fault run side by side. A fault that leaves cases waiting costs patience, not a processor.
const CASES_SIDE_BY_SIDE: usize = 32;

/// The same where nothing else runs.
const CASES_ALONE: usize = 8;

/// How many faults a busy machine hides at most.
const HIDDEN: usize = 6;

/// How many faults are tried side by side for each processor.
const FAULTS_A_PROCESSOR: usize = 7;

/// Runs the suite against every fault; exit code 1 if a condition does not hold.
pub(crate) fn mutants(args: &MutantsArgs) -> Result<u8, Failure> {
    let client = args.role.is_client();
    let mut faults: Vec<Quirk> =
        Quirk::faults(client).into_iter().filter(|fault| is_meant(*fault, &args.only)).collect();
    // What leaves the most cases waiting begins first.
    faults.sort_by_key(|fault| std::cmp::Reverse(dictionary::cases_caught(fault.role(), &fault.id())));
    if faults.is_empty() {
        return Err(Failure::usage("no fault is meant; `mpchat mutants` without --only tries all"));
    }
    let bench = Bench::new(&args.cases, client)?;
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let way = Way {
        jobs: CASES_SIDE_BY_SIDE,
        peers: args.jobs.unwrap_or(processors * FAULTS_A_PROCESSOR),
        patience: args.patience.unwrap_or(PATIENCE),
        // A fault may break a SHOULD.
        level: Level::Should,
        again: false,
    };
    let whole = args.only.is_empty() && args.cases.is_empty();
    let began = Instant::now();
    let show = |mutant: &Mutant| line(mutant, args.verbose);
    let mut all = if args.confirm {
        confirm::confirm(&bench, &faults, &way, show)?
    } else if !args.every_case {
        whole::rehearsed(&bench, &faults, &way, whole, show)?
    } else {
        let turns: Vec<_> = faults.iter().map(|fault| (*fault, bench.meeting(*fault))).collect();
        bench.play(&turns, &way, show)?
    };
    look_again(&bench, &mut all, &way, show)?;
    for file in &args.report {
        matrix::write(file, &all, &bench.cases, if client { "client" } else { "server" }).map_err(Failure::usage)?;
    }
    let breaches = conditions::breaches(&all, &bench.cases, &bench.ledger, whole);
    for breach in &breaches {
        print(&format!("{breach}\n"))?;
    }
    let caught = all.iter().filter(|mutant| mutant.is_named()).count();
    print(&format!(
        "{} faults: {caught} caught and named by their rule in {} plays; {} conditions broken; {:.0} s\n",
        all.len(),
        all.iter().map(|mutant| mutant.cases).sum::<usize>(),
        breaches.len(),
        began.elapsed().as_secs_f64()
    ))?;
    Ok(u8::from(!breaches.is_empty()))
}

/// Plays what seems to survive, or to be misnamed, once more: one fault at a time, since a busy machine hides what shows only
/// in time. It does not hide many.
fn look_again(bench: &Bench, all: &mut [Mutant], way: &Way, show: impl Fn(&Mutant) -> String) -> Result<(), Failure> {
    let way = Way { peers: 1, jobs: CASES_ALONE, ..*way };
    let hidden: Vec<&mut Mutant> = all.iter_mut().filter(|mutant| !mutant.is_named()).collect();
    if hidden.len() > HIDDEN {
        return Ok(());
    }
    for mutant in hidden {
        let only_if_named = |again: &Mutant| if again.is_named() { show(again) } else { String::new() };
        let again = bench.play(&[(mutant.fault, bench.meeting(mutant.fault))], &way, only_if_named)?;
        for better in again.into_iter().filter(Mutant::is_named) {
            *mutant = better;
        }
    }
    Ok(())
}

fn line(mutant: &Mutant, verbose: bool) -> String {
    let named = mutant.named().count();
    let fault = mutant.fault;
    let word = match (named, mutant.caught.len()) {
        (0, 0) => "SURVIVES",
        (0, _) => "MISNAMED",
        _ => "caught",
    };
    let mut text = format!(
        "{word:8} {:10} {:30} {:5.1} s  {named} of {} failing cases name it first",
        fault.rule().unwrap_or_default(),
        fault.id(),
        mutant.took.as_secs_f64(),
        mutant.caught.len()
    );
    if !mutant.inconclusive.is_empty() {
        text.push_str(&format!(", {} inconclusive", mutant.inconclusive.len()));
    }
    text.push('\n');
    if verbose || named == 0 {
        for caught in mutant.caught.iter().take(if verbose { usize::MAX } else { 5 }) {
            let rules: Vec<&str> = caught.rules.iter().map(mpchat_model::RuleId::as_str).collect();
            text.push_str(&format!("    {}: {}\n", caught.case, rules.join(" ")));
            if verbose {
                text.push_str(&format!("        {}\n", caught.how));
            }
        }
    }
    text
}
