//! The front matter: YAML, read strictly.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;

use mpchat_model::{Level, RuleId};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::ast::{Cast, Front, Need, Start};
use crate::error::{Flaw, Problem};
use crate::limits;
use crate::names::{is_case_id, is_name, is_reserved};
use crate::near::near;

const KEYS: &[&str] =
    &["title", "covers", "why", "cast", "sessions", "starts", "cases", "each", "clients", "needs", "level", "tags"];

/// Keys by which Mermaid changes what it draws.
const MERMAID_KEYS: &[&str] = &["config", "displayMode"];

/// Front matter and the variables of `cases` and `each`.
pub(crate) struct FrontMatter {
    pub(crate) front: Front,
    /// Case ids with their variables, in the order of the file.
    pub(crate) cases: Vec<(String, Vec<(String, String)>)>,
    /// Variables with their values, in the order of the file.
    pub(crate) each: Vec<(String, Vec<String>)>,
}

/// Reads the YAML between the `---` lines; flaws count in its bytes.
pub(crate) fn read(yaml: &str) -> Result<FrontMatter, Flaw> {
    if let Some(range) = anchor(yaml) {
        return Err(Flaw::at(range, Problem::Anchor));
    }
    let raw = raw(yaml)?;
    let finder = Finder { yaml };
    let front = Front {
        title: one_line(&finder, "title", raw.title)?,
        covers: rules(&finder, raw.covers)?,
        why: one_line(&finder, "why", raw.why)?,
        cast: cast(&finder, raw.cast)?,
        sessions: sessions(&finder, raw.sessions)?,
        starts: starts(&finder, raw.starts)?,
        clients: clients(&finder, raw.clients)?,
        needs: needs(&finder, raw.needs)?,
        level: level(&finder, raw.level)?,
        tags: raw.tags.unwrap_or_default(),
    };
    let cases = cases(&finder, raw.cases)?;
    let each = each(&finder, raw.each, &cases)?;
    Ok(FrontMatter { front, cases, each })
}

/// Where `word` first stands in the YAML.
pub(crate) fn place_of(yaml: &str, word: &str) -> Range<usize> {
    let key = Finder { yaml }.key(word);
    if key.is_empty() { Finder { yaml }.word("", word) } else { key }
}

// ---- reading the YAML ----

/// A map in the order of the file.
struct Pairs<V>(Vec<(String, V)>);

impl<V> Default for Pairs<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// A range or a list.
enum Values {
    Range(String),
    List(Vec<String>),
}

#[derive(Default)]
struct Raw {
    title: Option<String>,
    covers: Option<Vec<String>>,
    why: Option<String>,
    cast: Pairs<String>,
    sessions: Pairs<String>,
    starts: Pairs<String>,
    cases: Pairs<Pairs<String>>,
    each: Pairs<Values>,
    clients: Option<Vec<String>>,
    needs: Option<Vec<String>>,
    level: Option<String>,
    tags: Option<Vec<String>>,
}

thread_local! {
    /// What a visitor found wrong; the YAML reader's own errors carry text only.
    static FOUND: RefCell<Option<Problem>> = const { RefCell::new(None) };
}

/// Ends the reading with a problem of ours.
fn stop<E: serde::de::Error>(problem: Problem) -> E {
    let text = problem.to_string();
    FOUND.with_borrow_mut(|found| found.get_or_insert(problem).clone());
    E::custom(text)
}

fn raw(yaml: &str) -> Result<Raw, Flaw> {
    FOUND.set(None);
    serde_norway::from_str::<Raw>(yaml).map_err(|error| {
        let finder = Finder { yaml };
        match FOUND.take() {
            Some(Problem::UnknownKey { key, near, known }) => {
                Flaw::at(finder.key(&key), Problem::UnknownKey { key, near, known })
            }
            Some(Problem::MermaidKey(key)) => Flaw::at(finder.key(&key), Problem::MermaidKey(key)),
            Some(Problem::DuplicateKey(key)) => Flaw::at(finder.last_key(&key), Problem::DuplicateKey(key)),
            Some(problem) => Flaw::at(0..0, problem),
            None => {
                let at = error.location().map_or(0, |location| location.index());
                // The place is in the text of the figure already.
                let text = error.to_string();
                let text = text.split(" at line ").next().unwrap_or_default().to_owned();
                Flaw::at(finder.rest_of_line(at), Problem::Yaml(text))
            }
        }
    })
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Raw;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Raw, M::Error> {
                let mut raw = Raw::default();
                let mut seen: Vec<String> = Vec::new();
                while let Some(key) = map.next_key::<String>()? {
                    if seen.contains(&key) {
                        return Err(stop(Problem::DuplicateKey(key)));
                    }
                    match key.as_str() {
                        "title" => raw.title = Some(map.next_value()?),
                        "covers" => raw.covers = Some(map.next_value()?),
                        "why" => raw.why = Some(map.next_value()?),
                        "cast" => raw.cast = map.next_value()?,
                        "sessions" => raw.sessions = map.next_value()?,
                        "starts" => raw.starts = map.next_value()?,
                        "cases" => raw.cases = map.next_value()?,
                        "each" => raw.each = map.next_value()?,
                        "clients" => raw.clients = Some(map.next_value()?),
                        "needs" => raw.needs = Some(map.next_value()?),
                        "level" => raw.level = Some(map.next_value()?),
                        "tags" => raw.tags = Some(map.next_value()?),
                        _ if MERMAID_KEYS.contains(&key.as_str()) => return Err(stop(Problem::MermaidKey(key))),
                        _ => {
                            let near = near(&key, KEYS.iter().copied());
                            return Err(stop(Problem::UnknownKey { key, near, known: KEYS }));
                        }
                    }
                    seen.push(key);
                }
                Ok(raw)
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Pairs<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Ordered<V>(PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for Ordered<V> {
            type Value = Pairs<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map with at least one entry")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Pairs<V>, M::Error> {
                let mut pairs: Vec<(String, V)> = Vec::new();
                while let Some(key) = map.next_key::<String>()? {
                    if pairs.iter().any(|(known, _)| *known == key) {
                        return Err(stop(Problem::DuplicateKey(key)));
                    }
                    pairs.push((key, map.next_value()?));
                }
                if pairs.is_empty() { Err(M::Error::invalid_length(0, &self)) } else { Ok(Pairs(pairs)) }
            }
        }
        deserializer.deserialize_map(Ordered(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Values;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a range `1..35` or a list")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Values, E> {
                Ok(Values::Range(text.to_owned()))
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut sequence: S) -> Result<Values, S::Error> {
                let mut values = Vec::new();
                while let Some(value) = sequence.next_element::<String>()? {
                    values.push(value);
                }
                Ok(Values::List(values))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

// ---- what the values mean ----

fn one_line(finder: &Finder<'_>, key: &'static str, value: Option<String>) -> Result<String, Flaw> {
    let Some(value) = value else { return Err(Flaw::at(0..0, Problem::MissingKey(key))) };
    if value.trim().is_empty() {
        return Err(Flaw::at(finder.key(key), Problem::EmptyValue(key.to_owned())));
    }
    if value.contains('\n') {
        return Err(Flaw::at(finder.key(key), Problem::SeveralLines(key.to_owned())));
    }
    Ok(value)
}

fn rules(finder: &Finder<'_>, value: Option<Vec<String>>) -> Result<Vec<RuleId>, Flaw> {
    let Some(value) = value else { return Err(Flaw::at(0..0, Problem::MissingKey("covers"))) };
    if value.is_empty() {
        return Err(Flaw::at(finder.key("covers"), Problem::EmptyValue("covers".into())));
    }
    let mut rules: Vec<RuleId> = Vec::new();
    for text in value {
        let flaw = |problem| Flaw::at(finder.word("covers", &text), problem);
        let rule: RuleId = text.parse().map_err(|_| flaw(Problem::NotARule(text.clone())))?;
        if rules.contains(&rule) {
            return Err(flaw(Problem::RuleTwice(text.clone())));
        }
        rules.push(rule);
    }
    Ok(rules)
}

/// A name that front matter may define or mention.
fn name(finder: &Finder<'_>, under: &str, word: &str) -> Result<(), Flaw> {
    let problem = if !is_name(word) {
        Problem::BadName(word.to_owned())
    } else if is_reserved(word) {
        Problem::ReservedName(word.to_owned())
    } else {
        return Ok(());
    };
    Err(Flaw::at(finder.word(under, word), problem))
}

fn cast(finder: &Finder<'_>, pairs: Pairs<String>) -> Result<BTreeMap<String, Cast>, Flaw> {
    let mut cast = BTreeMap::new();
    for (key, value) in pairs.0 {
        name(finder, "cast", &key)?;
        let words: Vec<&str> = value.split(' ').collect();
        let meaning = match words.as_slice() {
            ["connection", "of", "nobody"] => Cast::ConnectionOfNobody,
            ["connection", "of", of] => {
                name(finder, &key, of)?;
                Cast::ConnectionOf((*of).to_owned())
            }
            ["same", "as", other] => {
                name(finder, &key, other)?;
                Cast::SameAs((*other).to_owned())
            }
            ["unknown", "user"] => Cast::UnknownUser,
            [count, "users"] => match count.parse::<usize>() {
                Ok(count) if (1..=limits::USERS).contains(&count) => Cast::Users(count),
                Ok(count) if count > 0 => {
                    return Err(Flaw::at(finder.word(&key, &value), Problem::TooManyUsers(limits::USERS)));
                }
                _ => return Err(Flaw::at(finder.word(&key, &value), Problem::BadCast(value))),
            },
            _ => return Err(Flaw::at(finder.word(&key, &value), Problem::BadCast(value))),
        };
        cast.insert(key, meaning);
    }
    for (key, meaning) in &cast {
        let (Cast::ConnectionOf(of) | Cast::SameAs(of)) = meaning else { continue };
        if cast.contains_key(of) {
            return Err(Flaw::at(finder.word(key, of), Problem::NotAUser(of.clone())));
        }
    }
    Ok(cast)
}

fn sessions(finder: &Finder<'_>, pairs: Pairs<String>) -> Result<Vec<(String, Vec<String>)>, Flaw> {
    let mut sessions = Vec::new();
    for (key, value) in pairs.0 {
        name(finder, "sessions", &key)?;
        let mut roster: Vec<String> = Vec::new();
        for word in value.split(' ') {
            name(finder, &key, word)?;
            if roster.iter().any(|known| known == word) {
                return Err(Flaw::at(finder.word(&key, &value), Problem::ValueTwice(word.to_owned())));
            }
            roster.push(word.to_owned());
        }
        sessions.push((key, roster));
    }
    Ok(sessions)
}

fn starts(finder: &Finder<'_>, pairs: Pairs<String>) -> Result<BTreeMap<String, Start>, Flaw> {
    let mut starts = BTreeMap::new();
    for (key, value) in pairs.0 {
        name(finder, "starts", &key)?;
        let start = match value.as_str() {
            "offline" => Start::Offline,
            "half logged in" => Start::HalfLoggedIn,
            _ => return Err(Flaw::at(finder.word("starts", &value), Problem::BadStart(value))),
        };
        starts.insert(key, start);
    }
    Ok(starts)
}

fn clients(finder: &Finder<'_>, value: Option<Vec<String>>) -> Result<Option<Vec<String>>, Flaw> {
    let Some(value) = value else { return Ok(None) };
    if value.is_empty() {
        return Err(Flaw::at(finder.key("clients"), Problem::EmptyValue("clients".into())));
    }
    for (index, word) in value.iter().enumerate() {
        name(finder, "clients", word)?;
        if value[..index].contains(word) {
            return Err(Flaw::at(finder.word("clients", word), Problem::ValueTwice(word.clone())));
        }
    }
    Ok(Some(value))
}

fn needs(finder: &Finder<'_>, value: Option<Vec<String>>) -> Result<Vec<Need>, Flaw> {
    let mut needs = Vec::new();
    for word in value.unwrap_or_default() {
        match word.as_str() {
            "restart" => needs.push(Need::Restart),
            _ => return Err(Flaw::at(finder.word("needs", &word), Problem::BadNeed(word))),
        }
    }
    Ok(needs)
}

fn level(finder: &Finder<'_>, value: Option<String>) -> Result<Option<Level>, Flaw> {
    let Some(value) = value else { return Ok(None) };
    match value.as_str() {
        "must" => Ok(Some(Level::Must)),
        "should" => Ok(Some(Level::Should)),
        "may" => Ok(Some(Level::May)),
        _ => Err(Flaw::at(finder.word("level", &value), Problem::BadLevel(value))),
    }
}

/// A name and a value of a variable.
fn variable(finder: &Finder<'_>, under: &str, key: &str, value: &str) -> Result<(), Flaw> {
    if !is_name(key) {
        return Err(Flaw::at(finder.word(under, key), Problem::BadVariable(key.to_owned())));
    }
    if value.contains(['\n', '$', '\t']) {
        return Err(Flaw::at(finder.word(under, value), Problem::BadVariableValue));
    }
    Ok(())
}

type Cases = Vec<(String, Vec<(String, String)>)>;

fn cases(finder: &Finder<'_>, pairs: Pairs<Pairs<String>>) -> Result<Cases, Flaw> {
    let mut cases = Vec::new();
    for (id, variables) in pairs.0 {
        if !is_case_id(&id) {
            return Err(Flaw::at(finder.word("cases", &id), Problem::BadCaseId(id)));
        }
        for (key, value) in &variables.0 {
            variable(finder, &id, key, value)?;
        }
        cases.push((id, variables.0));
    }
    Ok(cases)
}

fn each(finder: &Finder<'_>, pairs: Pairs<Values>, cases: &Cases) -> Result<Vec<(String, Vec<String>)>, Flaw> {
    let mut each = Vec::new();
    for (key, values) in pairs.0 {
        let values = match values {
            Values::List(list) => list,
            Values::Range(text) => {
                range(&text).ok_or_else(|| Flaw::at(finder.word("each", &text), Problem::BadRange(text.clone())))??
            }
        };
        if values.is_empty() {
            return Err(Flaw::at(finder.word("each", &key), Problem::EmptyValue(key)));
        }
        for (index, value) in values.iter().enumerate() {
            variable(finder, "each", &key, value)?;
            if values[..index].contains(value) {
                return Err(Flaw::at(finder.word("each", value), Problem::ValueTwice(value.clone())));
            }
        }
        if cases.iter().any(|(_, variables)| variables.iter().any(|(known, _)| *known == key)) {
            return Err(Flaw::at(finder.word("each", &key), Problem::VariableTwice(key)));
        }
        each.push((key, values));
    }
    Ok(each)
}

/// `1..35`, both ends included.
fn range(text: &str) -> Option<Result<Vec<String>, Flaw>> {
    let (from, to) = text.split_once("..")?;
    let (from, to) = (from.parse::<usize>().ok()?, to.parse::<usize>().ok()?);
    let count = to.checked_sub(from)?.saturating_add(1);
    if count > limits::EXPANSIONS {
        let problem = Problem::TooManyExpansions { count, limit: limits::EXPANSIONS };
        return Some(Err(Flaw::at(0..0, problem)));
    }
    Some(Ok((from..=to).map(|number| number.to_string()).collect()))
}

// ---- finding places ----

/// A YAML anchor, with which a small file can make a large one.
fn anchor(yaml: &str) -> Option<Range<usize>> {
    yaml.match_indices('&').find_map(|(at, _)| {
        let before = yaml[..at].trim_end_matches(' ').chars().next_back();
        let begins_value = before.is_none_or(|c| ":-[{,\n".contains(c));
        let named = yaml[at + 1..].starts_with(|c: char| c.is_alphanumeric() || c == '_');
        (begins_value && named).then(|| at..at + 1)
    })
}

/// Where in the YAML something stands. The reader's values have no places, so they are looked for.
struct Finder<'a> {
    yaml: &'a str,
}

impl Finder<'_> {
    /// The first place of `key:`.
    fn key(&self, key: &str) -> Range<usize> {
        self.keys(key).next().unwrap_or(0..0)
    }

    /// The last place of `key:`.
    fn last_key(&self, key: &str) -> Range<usize> {
        self.keys(key).last().unwrap_or(0..0)
    }

    fn keys<'s>(&'s self, key: &'s str) -> impl Iterator<Item = Range<usize>> + 's {
        self.yaml.match_indices(key).filter_map(move |(at, _)| {
            let starts = self.yaml[..at].chars().next_back().is_none_or(|c| " \n{,\"'".contains(c));
            let after = self.yaml[at + key.len()..].trim_start_matches(['"', '\'', ' ']);
            (!key.is_empty() && starts && after.starts_with(':')).then(|| at..at + key.len())
        })
    }

    /// The first place of `word` after the key `under`; the key itself if the word is written in another way.
    fn word(&self, under: &str, word: &str) -> Range<usize> {
        let key = self.key(under);
        let after = key.end;
        let found = self.yaml[after..].match_indices(word).find(|(at, _)| {
            let at = after + at;
            let edge = |c: Option<char>| c.is_none_or(|c| !(c.is_alphanumeric() || c == '_' || c == '-'));
            edge(self.yaml[..at].chars().next_back()) && edge(self.yaml[at + word.len()..].chars().next())
        });
        match found {
            Some((at, _)) if !word.is_empty() => after + at..after + at + word.len(),
            _ => key,
        }
    }

    /// From `at` to the end of its line.
    fn rest_of_line(&self, at: usize) -> Range<usize> {
        let mut at = at.min(self.yaml.len());
        while !self.yaml.is_char_boundary(at) {
            at -= 1;
        }
        let length = self.yaml[at..].find('\n').unwrap_or(self.yaml.len() - at);
        at..at + length
    }
}
