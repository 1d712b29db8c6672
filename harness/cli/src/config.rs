//! `--config FILE`: the options of a run in a file.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::args::{LevelArg, RunArgs, TransportArg, at_least_one};
use crate::failure::Failure;

/// The options of a configuration file; what the command line says comes first.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct ConfigFile {
    filter: Vec<String>,
    target: Option<String>,
    start: Option<String>,
    client: Option<String>,
    role: Option<String>,
    kit: Option<PathBuf>,
    scenarios: Option<PathBuf>,
    invite_timeout: Option<f64>,
    answer_timeout: Option<f64>,
    login_timeout: Option<f64>,
    status_timeout: Option<f64>,
    patience: Option<f64>,
    transport: Option<TransportArg>,
    report: Vec<String>,
    level: Option<LevelArg>,
    crypto: Option<String>,
    jobs: Option<usize>,
    repeat: Option<usize>,
    shard: Option<String>,
    fail_fast: bool,
    snapshots: Option<PathBuf>,
    known_failures: Option<PathBuf>,
}

pub(crate) fn with_config(mut args: RunArgs) -> Result<RunArgs, Failure> {
    let Some(path) = &args.config else { return Ok(args) };
    let fail = |error: &dyn std::fmt::Display| Failure::usage(format!("{}: {error}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| fail(&error))?;
    let file: ConfigFile = toml::from_str(&text).map_err(|error| fail(&error))?;
    let seconds = |value: Option<f64>| -> Result<Option<Duration>, Failure> {
        value.map(|v| crate::args::seconds(&v.to_string()).map_err(|error| fail(&error))).transpose()
    };
    args.invite_timeout = args.invite_timeout.or(seconds(file.invite_timeout)?);
    args.answer_timeout = args.answer_timeout.or(seconds(file.answer_timeout)?);
    args.login_timeout = args.login_timeout.or(seconds(file.login_timeout)?);
    args.status_timeout = args.status_timeout.or(seconds(file.status_timeout)?);
    args.patience = args.patience.or(seconds(file.patience)?);
    if args.target.is_none() && args.start.is_none() && args.client.is_none() {
        (args.target, args.start, args.client) = (file.target, file.start, file.client);
        let given = [args.target.is_some(), args.start.is_some(), args.client.is_some()];
        if given.into_iter().filter(|given| *given).count() > 1 {
            return Err(fail(&"more than one of target, start and client"));
        }
    }
    args.role = args.role.or(file.role);
    if args.filter.is_empty() {
        args.filter = file.filter;
    }
    if args.report.is_empty() {
        args.report = file.report;
    }
    args.kit = args.kit.or(file.kit);
    args.scenarios = args.scenarios.or(file.scenarios);
    args.level = args.level.or(file.level);
    args.crypto = args.crypto.or(file.crypto);
    args.transport = args.transport.or(file.transport);
    let number = |name: &str, value: Option<usize>| -> Result<Option<usize>, Failure> {
        let checked = value.map(|n| at_least_one(&n.to_string())).transpose();
        checked.map_err(|error| fail(&format!("{name}: {error}")))
    };
    args.jobs = args.jobs.or(number("jobs", file.jobs)?);
    args.repeat = args.repeat.or(number("repeat", file.repeat)?);
    args.known_failures = args.known_failures.or(file.known_failures);
    args.shard = args.shard.or(file.shard);
    args.fail_fast |= file.fail_fast;
    args.snapshots = args.snapshots.or(file.snapshots);
    Ok(args)
}
