//! The requirement ledger: the rule tables of the specification, parsed, so that there is one source.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::{Level, Party, Rule, RuleId, Source};

const SPECIFICATION: &str = include_str!("../../../reference/SPECIFICATION.md");

/// Rules that nobody can observe from outside, one a line: id, blank, reason. Short, and reviewed.
const UNOBSERVABLE: &str = include_str!("../unobservable.txt");

/// All rules of the specification, in its order.
#[derive(Clone, Debug)]
pub struct Ledger {
    rules: Vec<Rule>,
    places: BTreeMap<RuleId, usize>,
    unobservable: Vec<Unobservable>,
    version: String,
    revision: u32,
    digest: String,
}

/// A rule that nobody can observe from outside a server, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unobservable {
    /// The rule.
    pub id: RuleId,
    /// The reason.
    pub reason: String,
}

/// What is wrong with a specification's tables.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// A row of a rule table that is none.
    #[error("line {line}: {what}")]
    Row {
        /// 1-based.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// The document does not state its version and revision.
    #[error("no `Version V, revision N.` in the document")]
    NoRevision,
    /// The list of unobservable rules names one that does not exist.
    #[error("unobservable.txt: {0}")]
    Unobservable(String),
}

impl Ledger {
    /// Parses the rule tables of a specification in Markdown.
    ///
    /// # Errors
    /// The first row that is malformed, with its line.
    pub fn parse(markdown: &str) -> Result<Self, LedgerError> {
        let (version, revision) = revision(markdown).ok_or(LedgerError::NoRevision)?;
        let mut ledger = Self {
            rules: Vec::new(),
            places: BTreeMap::new(),
            unobservable: Vec::new(),
            version,
            revision,
            digest: hex::encode(Sha256::digest(markdown.as_bytes())),
        };
        let mut in_table = false;
        for (n, line) in markdown.lines().enumerate() {
            let cells = cells(line);
            if cells == ["id", "level", "role", "source", "rule"] {
                in_table = true;
            } else if cells.is_empty() {
                in_table = false;
            } else if in_table && !cells.iter().all(|cell| cell.chars().all(|c| c == '-')) {
                let rule = row(&cells).map_err(|what| LedgerError::Row { line: n + 1, what })?;
                if ledger.places.insert(rule.id.clone(), ledger.rules.len()).is_some() {
                    return Err(LedgerError::Row { line: n + 1, what: format!("{} stands here a second time", rule.id) });
                }
                ledger.rules.push(rule);
            }
        }
        Ok(ledger)
    }

    /// The ledger of the specification in this repository.
    ///
    /// # Errors
    /// What is wrong with it; a test makes sure that nothing is.
    pub fn embedded() -> Result<Self, LedgerError> {
        let mut ledger = Self::parse(SPECIFICATION)?;
        ledger.unobservable = unobservable(UNOBSERVABLE, &ledger)?;
        Ok(ledger)
    }

    /// All rules, in the order of the document.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// A rule by its identifier.
    pub fn rule(&self, id: &RuleId) -> Option<&Rule> {
        self.rules.get(*self.places.get(id)?)
    }

    /// Why nobody can observe a rule, if nobody can.
    pub fn unobservable(&self, id: &RuleId) -> Option<&str> {
        self.unobservable.iter().find(|u| u.id == *id).map(|u| u.reason.as_str())
    }

    /// `1.0`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The document's revision.
    pub fn revision(&self) -> u32 {
        self.revision
    }

    /// SHA-256 of the document, in hexadecimal.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

fn revision(markdown: &str) -> Option<(String, u32)> {
    let rest = markdown.split_once("\nVersion ")?.1;
    let (version, rest) = rest.split_once(", revision ")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Some((version.to_owned(), digits.parse().ok()?))
}

/// The cells of a table row; none for any other line.
fn cells(line: &str) -> Vec<&str> {
    match line.trim().strip_prefix('|').and_then(|rest| rest.strip_suffix('|')) {
        Some(row) => row.split('|').map(str::trim).collect(),
        None => Vec::new(),
    }
}

fn row(cells: &[&str]) -> Result<Rule, String> {
    let [id, level, role, source, text] = cells else {
        return Err(format!("{} cells instead of 5 (id, level, role, source, rule)", cells.len()));
    };
    Ok(Rule {
        id: id.parse().map_err(|e: crate::RuleIdError| e.to_string())?,
        level: match *level {
            "MUST" => Level::Must,
            "SHOULD" => Level::Should,
            "MAY" => Level::May,
            other => return Err(format!("level `{other}` is not MUST, SHOULD or MAY")),
        },
        role: match *role {
            "S" => Party::Server,
            "C" => Party::Client,
            "SC" => Party::Both,
            other => return Err(format!("role `{other}` is not S, C or SC")),
        },
        source: match *source {
            "seed" => Source::Seed,
            "ancestor" => Source::Ancestor,
            "profile" => Source::Profile,
            other => return Err(format!("source `{other}` is not seed, ancestor or profile")),
        },
        text: if text.is_empty() { return Err("a rule without text".to_owned()) } else { (*text).to_owned() },
    })
}

fn unobservable(text: &str, ledger: &Ledger) -> Result<Vec<Unobservable>, LedgerError> {
    let mut all = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        let (id, reason) = line.split_once(' ').unwrap_or((line, ""));
        let id: RuleId = id.parse().map_err(|e: crate::RuleIdError| LedgerError::Unobservable(e.to_string()))?;
        if ledger.rule(&id).is_none() || reason.trim().is_empty() {
            return Err(LedgerError::Unobservable(format!("`{line}`: an unknown rule, or no reason")));
        }
        all.push(Unobservable { id, reason: reason.trim().to_owned() });
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;

    const HEAD: &str = "# T\n\nVersion 1.0, revision 7. Words.\n\n| id | level | role | source | rule |\n| --- | --- | --- | --- | --- |\n";

    #[test]
    fn the_specification_has_all_its_rules() {
        let ledger = Ledger::embedded().unwrap();
        // Counted by hand, table by table: MTP, PAY, LOGIN, INIT, MSG, CLOSE, STAT.
        let counts = ["MTP", "PAY", "LOGIN", "INIT", "MSG", "CLOSE", "STAT"]
            .map(|area| ledger.rules().iter().filter(|rule| rule.id.area() == area).count());
        assert_eq!(counts, [23, 8, 17, 17, 20, 11, 9]);
        assert_eq!(ledger.version(), "1.0");
        assert_eq!(ledger.digest().len(), 64);
        let rule = ledger.rule(&"MTP-18".parse().unwrap()).unwrap();
        assert_eq!((rule.level, rule.role, rule.source), (Level::Must, Party::Server, Source::Profile));
    }

    #[test]
    fn a_wrong_row_is_named_with_its_line() {
        let wrong = [
            "| MTP-1 | MUST | S | seed | x |",
            "| MTP-01 | must | S | seed | x |",
            "| MTP-01 | MUST | X | seed | x |",
            "| MTP-01 | MUST | S | me | x |",
            "| MTP-01 | MUST | S | seed |  |",
            "| MTP-01 | MUST | S | seed |",
        ];
        for row in wrong {
            let error = Ledger::parse(&format!("{HEAD}{row}\n")).unwrap_err();
            assert!(matches!(error, LedgerError::Row { line: 7, .. }), "{row}: {error}");
        }
        let twice = "| MTP-01 | MUST | S | seed | x |\n".repeat(2);
        assert!(matches!(Ledger::parse(&format!("{HEAD}{twice}")), Err(LedgerError::Row { line: 8, .. })));
        assert_eq!(Ledger::parse("# nothing").unwrap_err(), LedgerError::NoRevision);
    }
}
