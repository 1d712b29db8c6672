//! What all files have in common.

use std::collections::BTreeMap;

use mpchat_model::RuleId;
use mpchat_proto::crypto::{PROVIDERS, Provider, provider};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Failure;
use super::notes;

/// The value of `schema` in every file.
const SCHEMA: &str = "mpchat-known-answers/1";

/// A file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File<T> {
    schema: String,
    /// What a test is about.
    about: String,
    number_of_tests: usize,
    /// What each flag means.
    notes: BTreeMap<String, String>,
    tests: Vec<Test<T>>,
}

/// One test.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Test<T> {
    id: usize,
    comment: String,
    flags: Vec<String>,
    /// The rules at stake, the most specific one first.
    rules: Vec<RuleId>,
    result: Verdict,
    data: T,
}

/// What an implementation must make of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    /// To be accepted, with the outcome that the test has.
    Valid,
    /// To be refused.
    Invalid,
}

/// What differs from file to file.
pub(crate) trait Data: Serialize + DeserializeOwned {
    /// Whether the test comes out right with one provider that makes and one that reads. `rules` are those that a refusal
    /// may name.
    fn check(
        &self,
        verdict: Verdict,
        rules: &[&str],
        maker: &'static dyn Provider,
        reader: &'static dyn Provider,
    ) -> Result<(), String>;
}

/// A file that was made.
pub(crate) trait Made {
    /// As JSON.
    fn text(&self) -> String;
}

impl<T: Data> File<T> {
    pub(crate) fn new(about: &str) -> Self {
        let (schema, about) = (SCHEMA.to_owned(), about.to_owned());
        Self { schema, about, number_of_tests: 0, notes: BTreeMap::new(), tests: Vec::new() }
    }

    /// Adds a test that is to be accepted.
    pub(crate) fn valid(&mut self, comment: impl Into<String>, flags: &str, rules: &str, data: T) {
        self.add(comment.into(), flags, rules, Verdict::Valid, data);
    }

    /// Adds a test that is to be refused.
    pub(crate) fn invalid(&mut self, comment: impl Into<String>, flags: &str, rules: &str, data: T) {
        self.add(comment.into(), flags, rules, Verdict::Invalid, data);
    }

    fn add(&mut self, comment: String, flags: &str, rules: &str, result: Verdict, data: T) {
        self.number_of_tests += 1;
        for flag in flags.split_whitespace() {
            self.notes.insert(flag.to_owned(), notes::note(flag).to_owned());
        }
        self.tests.push(Test {
            id: self.number_of_tests,
            comment,
            flags: flags.split_whitespace().map(str::to_owned).collect(),
            rules: rules.split_whitespace().map(|rule| rule.parse().expect("a rule identifier")).collect(),
            result,
            data,
        });
    }
}

impl<T: Data> Made for File<T> {
    fn text(&self) -> String {
        // Maps with text keys, numbers, texts: nothing that JSON lacks.
        let mut text = serde_json::to_string_pretty(self).expect("vectors have a JSON form");
        text.push('\n');
        text
    }
}

/// Checks one file.
pub(crate) fn check<T: Data>(path: &str, text: &str) -> Vec<Failure> {
    let failure = |test, message| Failure { file: path.to_owned(), test, message };
    let file: File<T> = match serde_json::from_str(text) {
        Ok(file) => file,
        Err(error) => return vec![failure(None, error.to_string())],
    };
    let mut failures = Vec::new();
    if file.schema != SCHEMA {
        failures.push(failure(None, format!("schema `{}` instead of `{SCHEMA}`", file.schema)));
    }
    if file.number_of_tests != file.tests.len() {
        failures.push(failure(None, format!("{} tests instead of {}", file.tests.len(), file.number_of_tests)));
    }
    let providers = || PROVIDERS.iter().filter_map(|name| provider(name));
    for (n, test) in file.tests.iter().enumerate() {
        let name = || Some(format!("{} ({})", test.id, test.comment));
        if test.id != n + 1 {
            failures.push(failure(name(), format!("has a number other than {}", n + 1)));
        }
        if let Some(flag) = test.flags.iter().find(|flag| !file.notes.contains_key(*flag)) {
            failures.push(failure(name(), format!("flag `{flag}` has no note")));
        }
        let rules: Vec<&str> = test.rules.iter().map(RuleId::as_str).collect();
        for maker in providers() {
            for reader in providers() {
                if let Err(message) = test.data.check(test.result, &rules, maker, reader) {
                    let who = format!("made by {}, read by {}", maker.name(), reader.name());
                    failures.push(failure(name(), format!("{message} ({who})")));
                }
            }
        }
    }
    failures
}

/// Compares a refusal, or the lack of one, with the verdict. `rule` is what the refusal names.
pub(crate) fn judge<E: std::fmt::Display>(
    verdict: Verdict,
    rules: &[&str],
    got: Result<(), E>,
    rule: impl FnOnce(&E) -> Option<&'static str>,
) -> Result<(), String> {
    match (verdict, got) {
        (Verdict::Valid, Ok(())) => Ok(()),
        (Verdict::Valid, Err(error)) => Err(format!("refused: {error}")),
        (Verdict::Invalid, Ok(())) => Err("accepted".to_owned()),
        (Verdict::Invalid, Err(error)) => match rule(&error) {
            Some(rule) if !rules.contains(&rule) => {
                Err(format!("refused for {rule} instead of {}: {error}", rules.join(", ")))
            }
            _ => Ok(()),
        },
    }
}

/// Compares bytes.
pub(crate) fn same(what: &str, got: &[u8], expected: &[u8]) -> Result<(), String> {
    if got == expected { Ok(()) } else { Err(format!("{what} is {}", hex::encode(got.get(..64).unwrap_or(got)))) }
}
