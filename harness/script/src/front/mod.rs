//! The front matter: YAML, read strictly.

mod finder;
mod raw;

use std::collections::BTreeMap;
use std::ops::Range;

use mpchat_model::{Level, RuleId};

use crate::ast::{Cast, Front, Need, Start};
use crate::error::{Flaw, Problem};
use crate::limits;
use crate::names::{is_case_id, is_name, is_reserved};

use finder::{Finder, anchor};
use raw::{Pairs, Values, raw};

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

/// Where `word` first stands in the YAML after the key `key`.
pub(crate) fn place_of(yaml: &str, key: &str, word: &str) -> Range<usize> {
    Finder { yaml }.word(key, word)
}

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
            "alone" => needs.push(Need::Alone),
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
