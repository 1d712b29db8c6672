//! Files of known failures: read before a run, written after it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use mpchat_model::{KnownFailures, Results};
use mpchat_report::known_failures;

use crate::args::RunArgs;
use crate::failure::Failure;

/// What `--known-failures` names. Where the run is to write the same file, it need not be there yet.
///
/// # Errors
/// If the file is wrong, or `--write-known-failures` would overwrite reasons that the run does not know.
pub(crate) fn read(args: &RunArgs) -> Result<KnownFailures, Failure> {
    let is_same = |old: &PathBuf, new: &PathBuf| {
        old == new || matches!((old.canonicalize(), new.canonicalize()), (Ok(a), Ok(b)) if a == b)
    };
    let rewritten = match (&args.known_failures, &args.write_known_failures) {
        (Some(old), Some(new)) => is_same(old, new),
        _ => false,
    };
    if let Some(file) = args.write_known_failures.as_ref().filter(|file| !rewritten && file.exists()) {
        let file = file.display();
        return Err(Failure::usage(format!(
            "--write-known-failures {file}: is there already; with `--known-failures {file}` as well, it is brought up to \
             date and its reasons are kept"
        )));
    }
    let Some(path) = &args.known_failures else { return Ok(KnownFailures::default()) };
    let shown = path.display().to_string();
    let text = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound && rewritten => String::new(),
        other => other.map_err(|error| Failure::usage(format!("--known-failures {shown}: {error}")))?,
    };
    KnownFailures::parse(&shown, &text).map_err(|error| Failure::usage(format!("--known-failures {shown}: {error}")))
}

/// Writes down what failed, and says on standard error what it did.
pub(crate) fn write(file: &Path, known: &KnownFailures, results: &Results) -> Result<(), Failure> {
    let shown = file.display();
    if let Some(why) = &results.aborted {
        eprintln!("mpchat: {shown} is not written: the run could not go on: {why}");
        return Ok(());
    }
    let written = known_failures::written(known, results);
    std::fs::write(file, &written.text).map_err(|error| Failure::usage(format!("{shown}: {error}")))?;
    for change in &written.changes {
        eprintln!("mpchat: {shown}: {change}");
    }
    eprintln!("mpchat: {shown} has {} patterns; say in each reason why the failure is accepted", written.patterns);
    Ok(())
}
