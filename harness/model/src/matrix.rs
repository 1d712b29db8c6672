//! The kill matrix: which case catches which fault, and by which rule. It is a dictionary as well: what fails like this?

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::RuleId;

/// The name of the format.
pub const MATRIX_SCHEMA: &str = "mpchat-kill-matrix/1";

/// Faults and the cases that catch them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KillMatrix {
    /// [`MATRIX_SCHEMA`].
    pub schema: String,
    /// `server` or `client`.
    pub role: String,
    /// Every case that was played, in the order of the plan.
    pub cases: Vec<String>,
    /// Every fault, in the order of the specification.
    pub faults: Vec<MatrixRow>,
}

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatrixRow {
    /// Its name: `gap-of-one`.
    pub id: String,
    /// The rule that it breaks.
    pub rule: RuleId,
    /// What it does.
    pub text: String,
    /// The cases that name its rule first, by their place in [`KillMatrix::cases`].
    pub named: Vec<usize>,
    /// The cases that fail for another rule first.
    pub other: Vec<usize>,
}

/// The faults that a set of failing cases is most like: several, if the cases do not tell them apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Likeness<'m> {
    /// The faults, in the order of the matrix; never none.
    pub rows: Vec<&'m MatrixRow>,
    /// How many of the failing cases each of them explains.
    pub explained: usize,
}

/// Below this share of common cases nothing is like anything.
const LEAST: f64 = 0.5;

impl KillMatrix {
    /// The fault whose cases are most like the failing ones, of those that were run: the share of what both have in what
    /// either has (Jaccard), at least a half. Only cases that the matrix knows count, and only faults of a rule that is
    /// `broken`: in a small run, a fault that breaks everything would explain anything.
    #[must_use]
    pub fn nearest(
        &self,
        run: &BTreeSet<&str>,
        failing: &BTreeSet<&str>,
        broken: &BTreeSet<&RuleId>,
    ) -> Option<Likeness<'_>> {
        let places = |ids: &BTreeSet<&str>| -> BTreeSet<usize> {
            self.cases.iter().enumerate().filter(|(_, id)| ids.contains(id.as_str())).map(|(n, _)| n).collect()
        };
        let (run, failing) = (places(run), places(failing));
        if failing.is_empty() {
            return None;
        }
        let likeness = |row: &MatrixRow| {
            let caught = row.named.iter().chain(&row.other).copied().filter(|case| run.contains(case));
            let caught: BTreeSet<usize> = caught.collect();
            let common = caught.intersection(&failing).count();
            (common as f64 / caught.union(&failing).count() as f64, common)
        };
        let faults = self.faults.iter().filter(|row| broken.contains(&row.rule));
        let all: Vec<((f64, usize), &MatrixRow)> = faults.map(|row| (likeness(row), row)).collect();
        let best = all.iter().map(|((share, _), _)| *share).max_by(f64::total_cmp)?;
        let rows: Vec<_> = all.iter().filter(|((share, _), _)| share.total_cmp(&best).is_eq()).collect();
        let explained = rows.first().map(|((_, explained), _)| *explained)?;
        (best >= LEAST).then(|| Likeness { rows: rows.iter().map(|(_, row)| *row).collect(), explained })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix() -> KillMatrix {
        let row = |id: &str, rule: &str, named: &[usize], other: &[usize]| MatrixRow {
            id: id.to_owned(),
            rule: rule.parse().expect("a rule id"),
            text: String::new(),
            named: named.to_vec(),
            other: other.to_vec(),
        };
        KillMatrix {
            schema: MATRIX_SCHEMA.to_owned(),
            role: "server".to_owned(),
            cases: ["a", "b", "c", "d"].map(str::to_owned).to_vec(),
            faults: vec![row("narrow", "MTP-08", &[0], &[1]), row("wide", "MSG-03", &[0, 1, 2], &[3])],
        }
    }

    #[test]
    fn the_nearest_fault_is_the_one_with_the_same_cases() {
        let matrix = matrix();
        let of = |run: &[&str], failing: &[&str], broken: &[&str]| {
            let rules: Vec<RuleId> = broken.iter().map(|rule| rule.parse().expect("a rule id")).collect();
            let (run, failing) = (run.iter().copied().collect(), failing.iter().copied().collect());
            let like = matrix.nearest(&run, &failing, &rules.iter().collect());
            like.map(|like| (like.rows.iter().map(|row| row.id.as_str()).collect::<Vec<_>>().join(" "), like.explained))
        };
        let nearest = |failing: &[&str]| of(&["a", "b", "c", "d"], failing, &["MTP-08", "MSG-03"]);
        assert_eq!(nearest(&["a", "b"]), Some(("narrow".to_owned(), 2)));
        assert_eq!(nearest(&["a", "b", "d"]), Some(("wide".to_owned(), 3)));
        assert_eq!(nearest(&["b", "unknown"]), Some(("narrow".to_owned(), 1)));
        assert_eq!(nearest(&["d"]), None);
        assert_eq!(nearest(&[]), None);
        // Of a run of two cases, both say the same.
        assert_eq!(of(&["c", "d"], &["c", "d"], &["MSG-03"]), Some(("wide".to_owned(), 2)));
        // Nor does a fault of another rule explain what fails.
        assert_eq!(of(&["c", "d"], &["c", "d"], &["MTP-08"]), None);
    }
}
