//! The matrix as a file: JSON for tools, Markdown for people.

use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::sync::Arc;

use mpchat_model::{KillMatrix, MATRIX_SCHEMA, MatrixRow, RuleId};
use mpchat_runner::PlannedCase;
use mpchat_runner::mutants::{Caught, Mutant};

/// Writes the matrix in the form that the file's ending says.
pub(super) fn write(file: &Path, mutants: &[Mutant], cases: &[Arc<PlannedCase>], role: &str) -> io::Result<()> {
    let matrix = matrix(mutants, cases, role);
    let text = match file.extension().and_then(|ending| ending.to_str()) {
        Some("json") => json(&matrix)?,
        Some("md") => markdown(&matrix),
        _ => return Err(io::Error::other(format!("{}: neither .json nor .md", file.display()))),
    };
    std::fs::write(file, text).map_err(|error| io::Error::other(format!("{}: {error}", file.display())))
}

fn matrix(mutants: &[Mutant], cases: &[Arc<PlannedCase>], role: &str) -> KillMatrix {
    let at = super::bench::places(cases);
    let row = |mutant: &Mutant| {
        let rule = mutant.fault.rule().and_then(|rule| rule.parse().ok());
        let rule: RuleId = rule.expect("every fault of the list has a rule");
        let (named, other): (Vec<_>, Vec<_>) =
            mutant.caught.iter().partition(|caught| caught.rules.first() == Some(&rule));
        let places = |found: Vec<&Caught>| -> Vec<usize> {
            found.into_iter().filter_map(|caught| at.get(caught.case.as_str()).copied()).collect()
        };
        MatrixRow {
            id: mutant.fault.id(),
            rule,
            text: mutant.fault.text().to_owned(),
            named: places(named),
            other: places(other),
        }
    };
    KillMatrix {
        schema: MATRIX_SCHEMA.to_owned(),
        role: role.to_owned(),
        cases: cases.iter().map(|case| case.id.clone()).collect(),
        faults: mutants.iter().map(row).collect(),
    }
}

/// One line a case and a fault, so that a change shows as the lines that changed.
fn json(matrix: &KillMatrix) -> io::Result<String> {
    let lines = |values: Vec<serde_json::Result<String>>| -> io::Result<String> {
        Ok(values.into_iter().collect::<serde_json::Result<Vec<_>>>()?.join(",\n"))
    };
    let cases = lines(matrix.cases.iter().map(serde_json::to_string).collect())?;
    let faults = lines(matrix.faults.iter().map(serde_json::to_string).collect())?;
    Ok(format!(
        "{{\"schema\": \"{}\", \"role\": \"{}\",\n\"cases\": [\n{cases}\n],\n\"faults\": [\n{faults}\n]}}\n",
        matrix.schema, matrix.role
    ))
}

fn markdown(matrix: &KillMatrix) -> String {
    let mut text = format!(
        "# Kill matrix, {}\n\n{} faults, {} cases. Written by `mpchat mutants --report`; the JSON file beside it holds \
         every case.\n\n| fault | rule | the {} … | cases that name the rule first | other failing cases | for example |\n\
         | --- | --- | --- | ---: | ---: | --- |\n",
        matrix.role,
        matrix.faults.len(),
        matrix.cases.len(),
        matrix.role
    );
    for row in &matrix.faults {
        let example = row.named.iter().chain(&row.other).next().and_then(|n| matrix.cases.get(*n));
        let example = example.map_or(String::new(), |case| format!("`{}`", case.replace('|', "\\|")));
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} | {} | {example} |",
            row.id,
            row.rule,
            row.text,
            row.named.len(),
            row.other.len()
        );
    }
    text
}
