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
            let text = serde_json::to_string_pretty(&merged).map_err(Failure::usage)?;
            match out {
                Some(file) => std::fs::write(file, format!("{text}\n"))
                    .map_err(|error| Failure::usage(format!("{}: {error}", file.display())))?,
                None => print(&format!("{text}\n"))?,
            }
            Ok(merged.exit_code())
        }
        ReportCommand::Diff { old, new } => {
            let diff = compare::diff(&read(old)?, &read(new)?);
            print(&diff.to_string())?;
            Ok(u8::from(!diff.worse.is_empty()))
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
