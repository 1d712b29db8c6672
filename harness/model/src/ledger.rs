//! The requirement ledger: the rule tables of the specification, parsed, so that there is one source.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::{Level, Party, Rule, RuleId, Source};

const SPECIFICATION: &str = include_str!("../../../reference/SPECIFICATION.md");

/// The head of a rule table.
const HEAD: [&str; 5] = ["id", "level", "role", "source", "rule"];

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
    /// The document has no rule table.
    #[error("no rule in the document: a rule table begins with `| id | level | role | source | rule |`")]
    NoRules,
    /// The document does not state its version and revision.
    #[error("no `Version V, revision N.` in the document")]
    NoRevision,
    /// The list of unobservable rules has a line that names an unknown rule, one named already, or no reason.
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
            let at = |what: String| LedgerError::Row { line: n + 1, what };
            let Some(cells) = cells(line).map_err(at)? else {
                in_table = false;
                continue;
            };
            if cells == HEAD {
                in_table = true;
            } else if !in_table {
                // A misspelt head must not make a whole table disappear.
                if cells.first().is_some_and(|cell| cell.parse::<RuleId>().is_ok()) {
                    return Err(at(format!("{} stands outside of a rule table", cells[0])));
                }
            } else if !cells.iter().all(|cell| !cell.is_empty() && cell.chars().all(|c| c == '-' || c == ':')) {
                let rule = row(&cells).map_err(at)?;
                if ledger.places.insert(rule.id.clone(), ledger.rules.len()).is_some() {
                    return Err(at(format!("{} stands here a second time", rule.id)));
                }
                ledger.rules.push(rule);
            }
        }
        if ledger.rules.is_empty() {
            return Err(LedgerError::NoRules);
        }
        Ok(ledger)
    }

    /// The ledger of the specification in this repository.
    ///
    /// # Errors
    /// What is wrong with it; a test makes sure that nothing is.
    pub fn embedded() -> Result<Self, LedgerError> {
        Self::parse(SPECIFICATION)?.with_unobservable(UNOBSERVABLE)
    }

    /// The ledger with a list of rules that nobody can observe from outside: a line each, the id, a blank, the reason;
    /// lines that begin with `#` are comments.
    ///
    /// # Errors
    /// The first line that names an unknown rule, one named already, or no reason.
    pub fn with_unobservable(mut self, list: &str) -> Result<Self, LedgerError> {
        self.unobservable = unobservable(list, &self)?;
        Ok(self)
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

    /// The rules that nobody can observe from outside, each with its reason.
    pub fn all_unobservable(&self) -> &[Unobservable] {
        &self.unobservable
    }

    /// The protocol's version: `1.0`.
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

/// The cells of a table row; none for a line that is not one.
fn cells(line: &str) -> Result<Option<Vec<&str>>, String> {
    let Some(rest) = line.trim().strip_prefix('|') else { return Ok(None) };
    let row = rest.strip_suffix('|').ok_or("a table row that does not end with `|`")?;
    Ok(Some(row.split('|').map(str::trim).collect()))
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
    let mut all: Vec<Unobservable> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        let (id, reason) = line.split_once(' ').unwrap_or((line, ""));
        let id: RuleId = id.parse().map_err(|e: crate::RuleIdError| LedgerError::Unobservable(e.to_string()))?;
        let flaw = if ledger.rule(&id).is_none() {
            "is no rule of the specification"
        } else if reason.trim().is_empty() {
            "stands there without a reason"
        } else if all.iter().any(|other| other.id == id) {
            "stands there twice"
        } else {
            all.push(Unobservable { id, reason: reason.trim().to_owned() });
            continue;
        };
        return Err(LedgerError::Unobservable(format!("{id} {flaw}")));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;

    const DOCUMENT: &str = "# T\n\nVersion 1.0, revision 7. Words.\n\n| id | level | role | source | rule |\n| --- | --- | --- | --- | --- |\n";

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
            "| MTP-01 | MUST | S | seed | x | y |",
            "| MTP-01 | MUST | S | seed | x",
            "\n| MTP-01 | MUST | S | seed | x |",
        ];
        for row in wrong {
            let error = Ledger::parse(&format!("{DOCUMENT}{row}\n")).unwrap_err();
            let place = 7 + row.matches('\n').count();
            assert!(matches!(error, LedgerError::Row { line, .. } if line == place), "{row}: {error}");
        }
        let twice = "| MTP-01 | MUST | S | seed | x |\n".repeat(2);
        assert!(matches!(Ledger::parse(&format!("{DOCUMENT}{twice}")), Err(LedgerError::Row { line: 8, .. })));
        assert_eq!(Ledger::parse("# nothing").unwrap_err(), LedgerError::NoRevision);
        assert_eq!(Ledger::parse(DOCUMENT).unwrap_err(), LedgerError::NoRules);
    }

    #[test]
    fn a_misspelt_table_head_loses_no_rules_silently() {
        let document =
            SPECIFICATION.replacen("| id | level | role | source | rule |", "| id | level | role | source | text |", 1);
        let error = Ledger::parse(&document).unwrap_err();
        assert!(error.to_string().ends_with("MTP-01 stands outside of a rule table"), "{error}");
    }

    #[test]
    fn what_cannot_be_observed_is_a_rule_and_has_a_reason() {
        let ledger = Ledger::embedded().unwrap();
        for wrong in ["MTP-99 why", "MTP-01", "MTP-01  ", "mtp-01 why", "MTP-01 why\nMTP-01 why"] {
            assert!(matches!(unobservable(wrong, &ledger), Err(LedgerError::Unobservable(_))), "{wrong}");
        }
        assert!(ledger.unobservable(&"MTP-01".parse().unwrap()).is_some());
        assert_eq!(ledger.unobservable(&"LOGIN-05".parse().unwrap()), None, "a key used twice can be seen");
        // More than a handful is no list of exceptions any more.
        assert!(ledger.all_unobservable().len() <= 5);
    }
}
