//! `mpchat report merge` and `mpchat report diff`.

use std::path::{Path, PathBuf};

use mpchat_model::Results;
use mpchat_report::{compare, merge};

use super::print;
use crate::args::ReportCommand;
use crate::failure::Failure;

/// Carries out one of them.
pub(crate) fn report(what: &ReportCommand) -> Result<u8, Failure> {
    match what {
        ReportCommand::Merge { files, out } => {
            let named = |file: &PathBuf| Ok((file.display().to_string(), read(file)?));
            let shards = files.iter().map(named).collect::<Result<_, _>>()?;
            let merged = merge::merge(shards).map_err(Failure::usage)?;
            match out {
                Some(file) => {
                    let fail = |error: std::io::Error| Failure::usage(format!("{}: {error}", file.display()));
                    let created = std::fs::File::create(file).map_err(fail)?;
                    mpchat_report::json::write(created, &merged).map_err(fail)?;
                }
                None => mpchat_report::json::write(std::io::stdout(), &merged).map_err(Failure::usage)?,
            }
            match merged.exit_code() {
                2 => Err(Failure::nothing_judged()),
                code => Ok(code),
            }
        }
        ReportCommand::Diff { old, new } => {
            let diff = compare::diff(&read(old)?, &read(new)?);
            print(&diff.to_string())?;
            Ok(u8::from(diff.is_regression()))
        }
    }
}

fn read(file: &Path) -> Result<Results, Failure> {
    let fail = |error: &dyn std::fmt::Display| Failure::usage(format!("{}: {error}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| fail(&error))?;
    // The format's name first: what is of another format cannot be read as this one.
    let value: serde_json::Value = serde_json::from_str(&text).map_err(|error| fail(&error))?;
    match value.get("schema").and_then(serde_json::Value::as_str) {
        Some(mpchat_model::SCHEMA) => serde_json::from_value(value).map_err(|error| fail(&error)),
        Some(other) => Err(fail(&format!("format `{other}` instead of `{}`", mpchat_model::SCHEMA))),
        None => Err(fail(&"no result file of `mpchat run --report json`")),
    }
}
