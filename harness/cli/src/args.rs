//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

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
    Run(Box<RunArgs>),
    /// Show a rule with its text, source and tests, or a scenario with its diagram.
    Explain {
        /// A rule (`MSG-03`), a case or scenario (`msg/redelivery`), or a scenario file.
        what: String,
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
    /// Check or write the known-answer vectors.
    Vectors {
        #[command(subcommand)]
        what: VectorsCommand,
    },
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
    /// How long an answer may take, in seconds [default: 5]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) patience: Option<std::time::Duration>,
    /// Options in a file: the same names, as TOML; the command line comes first.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
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
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<usize>,
    /// Run every case so many times.
    #[arg(long, value_name = "N")]
    pub(crate) repeat: Option<usize>,
    /// Only the Kth of N parts of the cases.
    #[arg(long, value_name = "K/N")]
    pub(crate) shard: Option<String>,
    /// List the cases instead of running them.
    #[arg(long)]
    pub(crate) list: bool,
    /// End at the first failure.
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

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// The address to listen on (MTP-01).
    #[arg(long, default_value = "127.0.0.1:5150", value_name = "HOST:PORT")]
    pub(crate) listen: SocketAddr,
    /// The kit: server.key.pem and everyone's public keys. Without one, the suite's own test-only kit.
    #[arg(long, value_name = "DIR")]
    pub(crate) kit: Option<PathBuf>,
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
    /// One result of the results of shards.
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

/// A positive number of seconds, with a fraction if need be.
pub(crate) fn seconds(text: &str) -> Result<std::time::Duration, String> {
    let number: f64 = text.parse().map_err(|_| format!("`{text}` is no number of seconds"))?;
    if number <= 0.0 {
        return Err("must be more than 0 seconds".to_owned());
    }
    std::time::Duration::try_from_secs_f64(number).map_err(|_| format!("`{text}` is too long"))
}
