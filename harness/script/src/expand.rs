//! `cases` times `each`: which diagrams one file stands for, and what they are called.

use crate::error::{Flaw, Problem};
use crate::front::FrontMatter;
use crate::limits::EXPANSIONS;
use crate::substitute::Variables;

/// An expansion before its diagram is read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    /// `[uid moment=with]`, or nothing where the file has neither `cases` nor `each`.
    pub(crate) suffix: String,
    /// What its variables stand for.
    pub(crate) variables: Variables,
}

/// All expansions in the order of the file: the first case with each value, then the second case.
pub(crate) fn choices(matter: &FrontMatter) -> Result<Vec<Choice>, Flaw> {
    let factors = matter.each.iter().map(|(_, values)| values.len());
    let count = factors.fold(matter.cases.len().max(1), usize::saturating_mul);
    if count > EXPANSIONS {
        return Err(Flaw::whole(Problem::TooManyExpansions { count, limit: EXPANSIONS }));
    }
    let mut rows: Vec<(Vec<String>, Variables)> = match matter.cases.as_slice() {
        [] => vec![(Vec::new(), Vec::new())],
        cases => cases.iter().map(|(id, variables)| (vec![id.clone()], variables.clone())).collect(),
    };
    for (name, values) in &matter.each {
        rows = rows
            .iter()
            .flat_map(|(words, variables)| {
                values.iter().map(move |value| {
                    let mut row = (words.clone(), variables.clone());
                    row.0.push(format!("{name}={value}"));
                    row.1.push((name.clone(), value.clone()));
                    row
                })
            })
            .collect();
    }
    let choice = |(words, variables): (Vec<String>, Variables)| {
        let suffix = if words.is_empty() { String::new() } else { format!("[{}]", words.join(" ")) };
        Choice { suffix, variables }
    };
    Ok(rows.into_iter().map(choice).collect())
}
