//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use mpchat_runner::Transport;

/// Said at the end of the help of `run` and `report merge`.
const EXIT_CODES: &str = "\
Exit codes:
  0  the target conforms
  1  a rule is broken, a case proved nothing, or a pattern of known failures is not true any more
  2  wrong usage, or every case was skipped: nothing was judged
  3  the target could not be reached or started, or died and could not be started again";

/// Conformance tests and a reference implementation of the Multy-Party Chat protocol.
#[derive(Debug, Parser)]
#[command(name = "mpchat", version, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the suite against a server: the embedded reference server, if no other is given.
    #[command(after_help = EXIT_CODES)]
    Run(Box<RunArgs>),
    /// Show a rule with its text, source and tests, or a scenario with its diagram.
    Explain {
        /// A rule (`MSG-03`), a case or scenario (`msg/redelivery`), or a scenario file.
        what: String,
        /// As it is played for a client that is this user.
        #[arg(long, value_name = "USER")]
        role: Option<String>,
        /// Further scenarios, as for `run`.
        #[arg(long, value_name = "DIR")]
        scenarios: Option<PathBuf>,
    },
    /// Write an identity kit (specification, section 9) with the suite's test-only keys.
    Kit {
        /// The folder to write into.
        dir: PathBuf,
        /// Only these users (16 hexadecimal digits, or a name of names.toml).
        users: Vec<String>,
    },
    /// Run the reference server.
    Serve(ServeArgs),
    /// Run the reference client, for people.
    Chat(ChatArgs),
    /// Run the reference client as a client under test: commands and events in JSON Lines, as docs/driver.md has them.
    Driver(DriverArgs),
    /// Check or write the known-answer vectors.
    Vectors {
        #[command(subcommand)]
        what: VectorsCommand,
    },
    /// The kill matrix: run the suite against servers that break one rule each, and see each one caught.
    #[cfg(feature = "faults")]
    Mutants(MutantsArgs),
    /// The other way round: run the suite against servers with unusual but legal habits, and see none called wrong.
    #[cfg(feature = "faults")]
    Habits(HabitsArgs),
    /// Merge the results of shards, or compare two results.
    Report {
        #[command(subcommand)]
        what: ReportCommand,
    },
    /// Print every expansion of every scenario as a JSON line, for the check with Mermaid's own parser.
    #[command(hide = true)]
    Mermaid {
        /// Further scenarios.
        #[arg(long, value_name = "DIR")]
        scenarios: Option<PathBuf>,
    },
}

/// The peer that is tested.
#[cfg(feature = "faults")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum PeerArg {
    /// The reference server.
    #[default]
    Server,
    /// The reference client.
    Client,
}

#[cfg(feature = "faults")]
impl PeerArg {
    pub(crate) fn is_client(self) -> bool {
        self == Self::Client
    }
}

#[cfg(feature = "faults")]
#[derive(Debug, Args)]
pub(crate) struct MutantsArgs {
    /// Whose faults.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) role: PeerArg,
    /// Only faults whose name contains this, or that break this rule; repeatable.
    #[arg(long, value_name = "FAULT|RULE")]
    pub(crate) only: Vec<String>,
    /// Only cases that `mpchat run` would take for this filter; repeatable.
    #[arg(long, value_name = "FILTER")]
    pub(crate) cases: Vec<String>,
    /// Write the matrix: FILE.json for tools, FILE.md for people; repeatable.
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Vec<PathBuf>,
    /// Play only what shows that the committed matrix still holds: for every fault some cases that caught it, for every case
    /// some faults that it caught, new ones in full. What does not hold any more is played in full.
    #[arg(long, conflicts_with = "report")]
    pub(crate) confirm: bool,
    /// Play every case against every fault, also those to which it makes no difference: those in which a peer with the fault,
    /// told what a right one was told, does the same.
    #[arg(long, conflicts_with = "confirm")]
    pub(crate) every_case: bool,
    /// How many faults are tried side by side.
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<usize>,
    /// How long an answer may take, in seconds.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) patience: Option<std::time::Duration>,
    /// Say which cases catch each fault, and by which rules.
    #[arg(long)]
    pub(crate) verbose: bool,
}

#[cfg(feature = "faults")]
#[derive(Debug, Args)]
pub(crate) struct HabitsArgs {
    /// Whose habits.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) role: PeerArg,
    /// Only habits whose name contains this; repeatable.
    #[arg(long, value_name = "HABIT")]
    pub(crate) only: Vec<String>,
    /// Only cases that `mpchat run` would take for this filter; repeatable.
    #[arg(long, value_name = "FILTER")]
    pub(crate) cases: Vec<String>,
    /// Without the cases that use up sequence numbers, which take longer than all others.
    #[arg(long)]
    pub(crate) short: bool,
    /// Only the cases to which a habit makes a difference: those in which a peer that has it, told what a plain one was told,
    /// does anything else.
    #[arg(long)]
    pub(crate) rehearse: bool,
    /// How often each.
    #[arg(long, value_name = "N")]
    pub(crate) rounds: Option<usize>,
    /// How many cases run side by side.
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<usize>,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Cases whose id contains one of these, or that cover one of these rules (MSG-03) or areas (MSG).
    pub(crate) filter: Vec<String>,
    /// A server that runs already.
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "start")]
    pub(crate) target: Option<String>,
    /// A command that starts a server: {port}, {kit}, {state}, {invite_timeout} and the other timers are filled in.
    #[arg(long, value_name = "COMMAND")]
    pub(crate) start: Option<String>,
    /// A command that is a client driven by its standard input and output, as docs/driver.md says; `embedded` is the
    /// reference client.
    #[arg(long, value_name = "COMMAND", conflicts_with_all = ["target", "start"])]
    pub(crate) client: Option<String>,
    /// Only the cases in which the client is this user, as `alice`.
    #[arg(long, value_name = "USER")]
    pub(crate) role: Option<String>,
    /// The identity kit of the server under test (default: the suite's own, as `mpchat kit` writes it).
    #[arg(long, value_name = "DIR")]
    pub(crate) kit: Option<PathBuf>,
    /// Further scenarios.
    #[arg(long, value_name = "DIR")]
    pub(crate) scenarios: Option<PathBuf>,
    /// The target's invite timeout in seconds [default: 30]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) invite_timeout: Option<std::time::Duration>,
    /// The target's answer timeout in seconds [default: 10]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) answer_timeout: Option<std::time::Duration>,
    /// The target's login timeout in seconds [default: 10]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) login_timeout: Option<std::time::Duration>,
    /// The target's status timeout in seconds [default: 10]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) status_timeout: Option<std::time::Duration>,
    /// How the bytes travel: one byte a write, cut at each field, or joined as far as may be [default: plain]
    #[arg(long, value_enum, value_name = "TRANSPORT")]
    pub(crate) transport: Option<TransportArg>,
    /// How long an answer may take, in seconds [default: 5]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) patience: Option<std::time::Duration>,
    /// Options in a file: the same names, as TOML; the command line comes first.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Failures that are accepted: patterns of case ids (`*` matches anything), each with its reason in a comment above it.
    #[arg(long, value_name = "FILE")]
    pub(crate) known_failures: Option<PathBuf>,
    /// Write such a file from what fails; a file that is there is brought up to date if it is given as known failures too.
    #[arg(long, value_name = "FILE", conflicts_with = "list")]
    pub(crate) write_known_failures: Option<PathBuf>,
    /// Write a report: terminal, json, junit, tap, markdown or html; to standard output, or to a file.
    #[arg(long, value_name = "FORMAT[=FILE]")]
    pub(crate) report: Vec<String>,
    /// Whether a broken SHOULD fails the run [default: must]
    #[arg(long, value_enum)]
    pub(crate) level: Option<LevelArg>,
    /// The provider of the cryptographic primitives [default: aws-lc]
    #[arg(long, value_name = "PROVIDER")]
    pub(crate) crypto: Option<String>,
    /// How many cases run side by side [default: 4 a processor]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(crate) jobs: Option<usize>,
    /// Run every case so many times; its result is that of its worst round.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(crate) repeat: Option<usize>,
    /// Only the Kth of N parts of the cases; `mpchat report merge` makes one result of all.
    #[arg(long, value_name = "K/N")]
    pub(crate) shard: Option<String>,
    /// List the cases instead of running them.
    #[arg(long)]
    pub(crate) list: bool,
    /// End at the first failure that is not known.
    #[arg(long)]
    pub(crate) fail_fast: bool,
    /// Compare transcripts with the snapshots in this folder (embedded server: with the suite's own).
    #[arg(long, value_name = "DIR")]
    pub(crate) snapshots: Option<PathBuf>,
    /// Accept the transcripts of this run as snapshots.
    #[arg(long, requires = "snapshots")]
    pub(crate) accept: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LevelArg {
    /// A broken SHOULD is a warning.
    Must,
    /// A broken SHOULD fails.
    Should,
}

/// The transports of a run: one of them, or each case in all four.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TransportArg {
    /// A burst of frames is one write.
    Plain,
    /// One byte a write (of a long payload: its first 64 and last 16 bytes, the rest in chunks).
    Bytewise,
    /// A write ends where a field of the frame ends.
    Split,
    /// All that may be sent before something has to be heard is one write.
    Coalesced,
    /// Every case in all four, with one result: the worst.
    All,
}

impl TransportArg {
    /// What the runner is told.
    pub(crate) fn transports(self) -> Vec<Transport> {
        match self {
            Self::Plain => vec![Transport::Plain],
            Self::Bytewise => vec![Transport::Bytewise],
            Self::Split => vec![Transport::Split],
            Self::Coalesced => vec![Transport::Coalesced],
            Self::All => Transport::ALL.to_vec(),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// The address to listen on (MTP-01).
    #[arg(long, default_value = "127.0.0.1:5150", value_name = "HOST:PORT")]
    pub(crate) listen: SocketAddr,
    /// The kit: server.key.pem and everyone's public keys. Without one, the suite's own test-only kit.
    #[arg(long, value_name = "DIR")]
    pub(crate) kit: Option<PathBuf>,
    /// A folder that keeps sessions and stored lines for the next start (MSG-19). Without one, they end with the process.
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// How long an invitation waits, in seconds (INIT-08).
    #[arg(long, default_value = "30", value_name = "SECONDS", value_parser = seconds)]
    pub(crate) invite_timeout: std::time::Duration,
    /// How long a line waits for its answer, in seconds (MSG-12).
    #[arg(long, default_value = "10", value_name = "SECONDS", value_parser = seconds)]
    pub(crate) answer_timeout: std::time::Duration,
    /// How long a login may take, in seconds (LOGIN-10).
    #[arg(long, default_value = "10", value_name = "SECONDS", value_parser = seconds)]
    pub(crate) login_timeout: std::time::Duration,
    /// How long a probe waits for its answer, in seconds (STAT-08).
    #[arg(long, default_value = "10", value_name = "SECONDS", value_parser = seconds)]
    pub(crate) status_timeout: std::time::Duration,
    /// Probe a connection that was silent for so many seconds (STAT-08); never, if not given.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) probe_after: Option<std::time::Duration>,
    /// Be a server that breaks a rule (`mpchat mutants` lists the faults) or has an unusual habit (`mpchat habits`).
    #[cfg(feature = "faults")]
    #[arg(long, value_name = "FAULT|HABIT")]
    pub(crate) quirk: Option<String>,
    /// The provider of the cryptographic primitives.
    #[arg(long, value_name = "PROVIDER")]
    pub(crate) crypto: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ChatArgs {
    /// The server.
    #[arg(long, default_value = "127.0.0.1:5150", value_name = "HOST:PORT")]
    pub(crate) server: String,
    /// The kit: your key, the server's public key, everyone's public keys. Without one, the suite's own.
    #[arg(long, value_name = "DIR")]
    pub(crate) kit: Option<PathBuf>,
    /// Who you are: 16 hexadecimal digits, or a name of the kit's names.toml.
    #[arg(long = "as", value_name = "USER")]
    pub(crate) user: String,
    /// Keep what you write in this file, to be brought back next time. Without it, nothing of a conversation is stored.
    #[arg(long, value_name = "FILE")]
    pub(crate) history: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct DriverArgs {
    /// Be a client that breaks a rule, or has an unusual but legal habit.
    #[cfg(feature = "faults")]
    #[arg(long, value_name = "FAULT|HABIT")]
    pub(crate) quirk: Option<String>,
    /// The provider of the cryptographic primitives.
    #[arg(long, value_name = "PROVIDER")]
    pub(crate) crypto: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum VectorsCommand {
    /// Check all known-answer vectors with every provider.
    Check,
    /// Write the known-answer vectors anew, byte for byte the same.
    Write {
        /// The folder of the vectors.
        #[arg(default_value = "vectors")]
        dir: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ReportCommand {
    /// One result of the results of all shards.
    #[command(after_help = EXIT_CODES)]
    Merge {
        /// Result files (`--report json=FILE`).
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Where to write the merged result (default: standard output).
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// What is different between two results; exit code 1 if something got worse.
    Diff {
        /// The older result.
        old: PathBuf,
        /// The newer result.
        new: PathBuf,
    },
}

/// A whole number that is not 0.
pub(crate) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(_) => Err(format!("`{text}` is no whole number from 1")),
    }
}

/// A positive number of seconds, with a fraction if need be.
pub(crate) fn seconds(text: &str) -> Result<std::time::Duration, String> {
    let number: f64 = text.parse().map_err(|_| format!("`{text}` is no number of seconds"))?;
    if number <= 0.0 {
        return Err("must be more than 0 seconds".to_owned());
    }
    std::time::Duration::try_from_secs_f64(number).map_err(|_| format!("`{text}` is too long"))
}
