//! `mpchat run`: the suite against a server or a client.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use mpchat_model::{Event, KnownFailures, Ledger, Level, PatternProblem, Results, RunHeader, Shard, Target};
use mpchat_report::terminal::Terminal;
use mpchat_report::{ReportSpec, Reporter};
use mpchat_runner::{
    ClientSubject, Embedding, PlannedCase, RunOptions, Snapshots, Subject, Timers, client, plan, plan_for_clients,
    subject, temporary_folder,
};
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::{crypto, print, runtime};
use crate::args::{LevelArg, RunArgs, TransportArg};
use crate::config;
use crate::dictionary;
use crate::embedded;
use crate::failure::Failure;
use crate::known;
use crate::selection;

/// How long an answer may take, if nothing else is said.
const PATIENCE: Duration = Duration::from_secs(5);

/// `--client embedded`: the reference client, in this process.
const EMBEDDED: &str = "embedded";

/// How many cases run side by side for each processor: most wait for the target most of the time.
const JOBS_A_PROCESSOR: usize = 4;

/// Runs the suite and writes the reports.
pub(crate) fn run(args: RunArgs) -> Result<u8, Failure> {
    let args = config::with_config(args)?;
    let ledger = Arc::new(Ledger::embedded().map_err(Failure::found)?);
    let reports =
        args.report.iter().map(|r| r.parse::<ReportSpec>().map_err(Failure::usage)).collect::<Result<Vec<_>, _>>()?;
    no_report_twice(&reports)?;
    let known = known::read(&args)?;
    let scenarios = selection::scenarios(args.scenarios.as_deref())?;
    let shard = args.shard.as_deref().map(selection::parse_shard).transpose()?;
    let mut cases = match &args.client {
        Some(_) => plan_for_clients(&scenarios, &ledger, args.role.as_deref()),
        None => plan(&scenarios, &ledger),
    };
    let every: BTreeSet<String> = cases.iter().map(|case| case.id.clone()).collect();
    cases.retain(|case| selection::is_meant(case, &args.filter));
    if cases.is_empty() {
        return Err(Failure::usage("no case is meant; `mpchat run --list` lists all"));
    }
    let shard = shard.map(|(number, of)| Shard { number, of, plan: plan_digest(&args, &cases, &known) });
    cases.retain(|case| selection::in_shard(&case.id, shard.as_ref().map(|s| (s.number, s.of))));
    if args.list {
        return list(&cases);
    }
    let (subject, target) = subject(&args)?;
    let embedded = matches!(subject, Subject::Embedded(_) | Subject::Client(ClientSubject::Embedded(_)));
    let own_kit = own_kit_folder(&args)?;
    let kit_folder = own_kit.as_ref().map(TempDir::path).or(args.kit.as_deref());
    let options = options(&args, kit_folder, Arc::clone(&ledger), embedded, known.clone())?;
    let header = header(&args, target, cases.len(), shard);
    let stale = known.stale(every.iter().map(String::as_str));
    let mut results = Results::new(&ledger, &header);
    let mut reporters = reporters(&reports, &ledger)?;
    runtime()?.block_on(conduct(subject, cases, options, header, stale, &mut results, &mut reporters))?;
    drop(reporters);
    if args.accept {
        accept(&args, &results, &every)?;
    }
    if let Some(file) = &args.write_known_failures {
        known::write(file, &known, &results)?;
    }
    match results.exit_code() {
        2 => Err(Failure::nothing_judged()),
        _ if args.accept && results.aborted.is_none() => Ok(u8::from(broken(&results))),
        code => {
            if results.judged_nothing() && results.aborted.is_none() {
                eprintln!("mpchat: nothing was judged in this shard");
            }
            Ok(code)
        }
    }
}

/// What decides on cases and verdicts, whichever shard they fall into.
fn plan_digest(args: &RunArgs, cases: &[PlannedCase], known: &KnownFailures) -> String {
    let options = format!("{:?} {}", args.level.unwrap_or(LevelArg::Must), args.repeat.unwrap_or(1));
    let ids = cases.iter().map(|case| case.id.as_str());
    let patterns = known.patterns().iter().flat_map(|pattern| [pattern.text.as_str(), pattern.reason.as_str()]);
    selection::digest([options.as_str()].into_iter().chain(ids).chain(patterns))
}

/// Two reports in one place would be none.
fn no_report_twice(reports: &[ReportSpec]) -> Result<(), Failure> {
    for (n, report) in reports.iter().enumerate() {
        if reports.iter().take(n).any(|before| before.file == report.file) {
            let place = report.file.as_ref().map_or("standard output".to_owned(), |file| file.display().to_string());
            return Err(Failure::usage(format!("--report: two reports cannot both go to {place}")));
        }
    }
    Ok(())
}

/// Runs the cases while the reporters take the events.
async fn conduct(
    subject: Subject,
    cases: Vec<PlannedCase>,
    options: RunOptions,
    header: RunHeader,
    stale: Vec<PatternProblem>,
    results: &mut Results,
    reporters: &mut [Box<dyn Reporter + '_>],
) -> Result<(), Failure> {
    let began = Instant::now();
    let (sender, mut events) = mpsc::unbounded_channel();
    let mut tell = |event: Event, results: &mut Results| -> Result<(), Failure> {
        results.on(&event);
        for reporter in reporters.iter_mut() {
            match reporter.on(&event, results) {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                    return Err(Failure::usage(format!("a report cannot be written: {error}")));
                }
                _ => {}
            }
        }
        Ok(())
    };
    tell(Event::RunStarted(Box::new(header)), results)?;
    for problem in stale {
        tell(Event::PatternProblem(problem), results)?;
    }
    let run = tokio::spawn(mpchat_runner::run(subject, cases, options, sender));
    let interrupted = interrupted();
    tokio::pin!(interrupted);
    let mut aborted = None;
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(event) => tell(event, results)?,
                None => break,
            },
            _ = &mut interrupted => {
                run.abort();
                aborted = Some("interrupted".to_owned());
                break;
            }
        }
    }
    if aborted.is_none() {
        aborted = match run.await {
            Ok(Ok(())) => None,
            Ok(Err(unreachable)) => Some(unreachable.to_string()),
            Err(error) => Some(format!("the suite itself failed: {error}")),
        };
    }
    results.fails_like = dictionary::likeness(results);
    tell(Event::RunFinished { seconds: began.elapsed().as_secs_f64(), aborted }, results)
}

/// SIGINT or SIGTERM: what was started is to be ended.
async fn interrupted() {
    let interrupt = tokio::signal::ctrl_c();
    let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) else {
        let _interrupted = interrupt.await;
        return;
    };
    tokio::select! {
        _ = interrupt => {}
        _ = terminate.recv() => {}
    }
}

fn list(cases: &[PlannedCase]) -> Result<u8, Failure> {
    for case in cases {
        let covers: Vec<&str> = case.covers().iter().map(|rule| rule.as_str()).collect();
        print(&format!("{}  {}\n", case.id, covers.join(" ")))?;
    }
    print(&format!("{} cases\n", cases.len()))?;
    Ok(0)
}

fn subject(args: &RunArgs) -> Result<(Subject, Target), Failure> {
    if let Some(command) = &args.client {
        let name = command.clone();
        let target = Target { role: "client".to_owned(), address: name.clone(), name };
        let client = match command.as_str() {
            EMBEDDED => ClientSubject::Embedded(client::Embedding::default()),
            command => ClientSubject::Command(command.to_owned()),
        };
        return Ok((Subject::Client(client), target));
    }
    let target = |address: &str, name: &str| Target {
        role: "server".to_owned(),
        address: address.to_owned(),
        name: name.to_owned(),
    };
    match (&args.target, &args.start) {
        (Some(address), _) => {
            let resolved: Option<SocketAddr> = address.to_socket_addrs().ok().and_then(|mut all| all.next());
            let resolved =
                resolved.ok_or_else(|| Failure::unreachable(format!("--target {address}: no such address")))?;
            Ok((Subject::Address(resolved), target(address, address)))
        }
        (None, Some(command)) => {
            let started = subject::Command::new(command).map_err(Failure::usage)?;
            Ok((Subject::Command(started), target(command, command)))
        }
        (None, None) => Ok((Subject::Embedded(Embedding::default()), target("embedded", "embedded reference server"))),
    }
}

fn options(
    args: &RunArgs,
    kit_folder: Option<&Path>,
    ledger: Arc<Ledger>,
    is_embedded: bool,
    known: KnownFailures,
) -> Result<RunOptions, Failure> {
    let provider = crypto(args.crypto.as_deref())?;
    let kit = embedded::kit(args.kit.as_deref(), provider)?;
    let default = Timers::default();
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let snapshots = match (&args.snapshots, is_embedded) {
        _ if args.accept => None,
        (Some(folder), _) => Some(Snapshots::read(folder).map_err(Failure::usage)?),
        // A user's own scenarios have no snapshots with us.
        (None, true) if args.scenarios.is_none() => {
            Some(Snapshots::parse(embedded::snapshot_files()).map_err(Failure::found)?)
        }
        (None, _) => None,
    };
    Ok(RunOptions {
        jobs: args.jobs.unwrap_or(processors * JOBS_A_PROCESSOR),
        patience: args.patience.unwrap_or(PATIENCE),
        transports: args.transport.unwrap_or(TransportArg::Plain).transports(),
        timers: Timers {
            invite: args.invite_timeout.unwrap_or(default.invite),
            answer: args.answer_timeout.unwrap_or(default.answer),
            login: args.login_timeout.unwrap_or(default.login),
            status: args.status_timeout.unwrap_or(default.status),
        },
        fail_fast: args.fail_fast,
        level: if args.level == Some(LevelArg::Should) { Level::Should } else { Level::Must },
        again: true,
        repeat: args.repeat.unwrap_or(1),
        known,
        provider,
        kit_folder: kit_folder.map(Path::to_path_buf),
        kit,
        snapshots,
        reproduce: reproduce(args),
        ledger,
    })
}

/// The kit as a folder, for a command that wants one and was given none; removed when it is dropped.
fn own_kit_folder(args: &RunArgs) -> Result<Option<TempDir>, Failure> {
    if args.kit.is_some() || args.start.as_ref().is_none_or(|command| !command.contains("{kit}")) {
        return Ok(None);
    }
    let folder = temporary_folder("mpchat-kit-").map_err(Failure::usage)?;
    embedded::kit_files().write(folder.path(), |_| true).map_err(Failure::usage)?;
    Ok(Some(folder))
}

/// One command that repeats a case.
fn reproduce(args: &RunArgs) -> String {
    let mut command = String::from("mpchat run '={id}'");
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            command.push_str(&format!(" --{name} '{}'", value.replace('\'', r"'\''")));
        }
    };
    let seconds = |length: Option<Duration>| length.map(|l| l.as_secs_f64().to_string());
    add("target", args.target.clone());
    add("start", args.start.clone());
    add("client", args.client.clone());
    add("kit", args.kit.as_ref().map(|p| p.display().to_string()));
    add("scenarios", args.scenarios.as_ref().map(|p| p.display().to_string()));
    add("invite-timeout", seconds(args.invite_timeout));
    add("answer-timeout", seconds(args.answer_timeout));
    add("login-timeout", seconds(args.login_timeout));
    add("status-timeout", seconds(args.status_timeout));
    add("patience", seconds(args.patience));
    add("crypto", args.crypto.clone());
    add("level", (args.level == Some(LevelArg::Should)).then(|| "should".to_owned()));
    command
}

fn header(args: &RunArgs, target: Target, planned: usize, shard: Option<Shard>) -> RunHeader {
    RunHeader {
        tool: "mpchat".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: option_env!("MPCHAT_COMMIT").map(str::to_owned),
        target,
        started: rfc3339(SystemTime::now()),
        planned,
        rounds: args.repeat.unwrap_or(1),
        shard,
        should_fails: args.level == Some(LevelArg::Should),
    }
}

/// A moment as RFC 3339 in UTC, to the second.
fn rfc3339(now: SystemTime) -> String {
    let seconds = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).to_string()
}

fn reporters<'a>(specs: &[ReportSpec], ledger: &'a Ledger) -> Result<Vec<Box<dyn Reporter + 'a>>, Failure> {
    let taken = specs.iter().any(|spec| spec.file.is_none());
    let mut reporters: Vec<Box<dyn Reporter + 'a>> = Vec::new();
    if !taken {
        reporters.push(Box::new(Terminal::new(io::stdout(), ledger, io::stderr().is_terminal())));
    }
    for spec in specs {
        let out: Box<dyn Write> = match &spec.file {
            Some(file) => {
                Box::new(File::create(file).map_err(|error| Failure::usage(format!("{}: {error}", file.display())))?)
            }
            None => Box::new(io::stdout()),
        };
        reporters.push(spec.format.reporter(out, ledger));
    }
    Ok(reporters)
}

/// Takes the transcripts of the cases that passed as snapshots.
fn accept(args: &RunArgs, results: &Results, every: &BTreeSet<String>) -> Result<(), Failure> {
    let Some(folder) = &args.snapshots else { return Ok(()) };
    let mut snapshots = Snapshots::read(folder).map_err(Failure::usage)?;
    for case in results.cases.iter().filter(|case| case.verdict == mpchat_model::Verdict::Pass) {
        if let Some(transcript) = &case.transcript {
            snapshots.accept(&case.id, transcript);
        }
    }
    // Those of the other role stay: a client's cases have theirs behind an @.
    snapshots.keep_only(|id| id.contains('@') != args.client.is_some() || every.contains(id));
    snapshots.write(folder).map_err(Failure::usage)
}

fn broken(results: &Results) -> bool {
    results.summary.fail + results.summary.inconclusive > 0
}
