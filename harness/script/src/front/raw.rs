//! The YAML of the front matter, in the order of the file and with scalars as they are written.

use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::error::{Flaw, Problem};
use crate::near::near;

use super::finder::Finder;

const KEYS: &[&str] =
    &["title", "covers", "why", "cast", "sessions", "starts", "cases", "each", "clients", "needs", "level", "tags"];

/// Keys by which Mermaid changes what it draws.
const MERMAID_KEYS: &[&str] = &["config", "displayMode"];

/// A map in the order of the file.
pub(super) struct Pairs<V>(pub(super) Vec<(String, V)>);

impl<V> Default for Pairs<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// A range or a list.
pub(super) enum Values {
    Range(String),
    List(Vec<String>),
}

/// The front matter as it is written.
#[derive(Default)]
pub(super) struct Raw {
    pub(super) title: Option<String>,
    pub(super) covers: Option<Vec<String>>,
    pub(super) why: Option<String>,
    pub(super) cast: Pairs<String>,
    pub(super) sessions: Pairs<String>,
    pub(super) starts: Pairs<String>,
    pub(super) cases: Pairs<Pairs<String>>,
    pub(super) each: Pairs<Values>,
    pub(super) clients: Option<Vec<String>>,
    pub(super) needs: Option<Vec<String>>,
    pub(super) level: Option<String>,
    pub(super) tags: Option<Vec<String>>,
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

/// Reads the YAML strictly: no unknown key, none twice.
pub(super) fn raw(yaml: &str) -> Result<Raw, Flaw> {
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
