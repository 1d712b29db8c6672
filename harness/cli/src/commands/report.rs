//! `mpchat report merge` and `mpchat report diff`.

use std::path::Path;

use mpchat_model::Results;
use mpchat_report::compare;

use super::print;
use crate::args::ReportCommand;
use crate::failure::Failure;

/// Carries out one of them.
pub(crate) fn report(what: &ReportCommand) -> Result<u8, Failure> {
    match what {
        ReportCommand::Merge { files, out } => {
            let shards = files.iter().map(|file| read(file)).collect::<Result<_, _>>()?;
            let merged = compare::merge(shards).map_err(Failure::usage)?;
            match out {
                Some(file) => {
                    let fail = |error: std::io::Error| Failure::usage(format!("{}: {error}", file.display()));
                    let created = std::fs::File::create(file).map_err(fail)?;
                    mpchat_report::json::write(created, &merged).map_err(fail)?;
                }
                None => mpchat_report::json::write(std::io::stdout(), &merged).map_err(Failure::usage)?,
            }
            Ok(merged.exit_code())
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
    let results: Results = serde_json::from_str(&text).map_err(|error| fail(&error))?;
    if results.schema == mpchat_model::SCHEMA {
        Ok(results)
    } else {
        Err(fail(&format!("format `{}` instead of `{}`", results.schema, mpchat_model::SCHEMA)))
    }
}
