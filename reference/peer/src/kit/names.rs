//! `names.toml` and `cast.txt`.

use std::collections::{BTreeMap, BTreeSet};

use mpchat_proto::ids::Uid;

use super::Fault;

/// Reads lines of `name = "uid text"`: the part of TOML that a kit uses. Empty lines and comments are skipped; names are
/// `[a-z][a-z0-9_]*`, as in scenarios.
pub(super) fn parse_names(text: &str) -> Result<BTreeMap<String, Uid>, Fault> {
    let mut names = BTreeMap::new();
    for (line, content) in content(text) {
        let wrong = |what: String| Fault::Line { line, what };
        let (name, value) =
            content.split_once('=').ok_or_else(|| wrong("not of the form name = \"uid text\"".to_owned()))?;
        let name = name.trim_end();
        if !is_name(name) {
            return Err(wrong(format!("{name:?} is no name")));
        }
        let value = value.trim_start();
        let uid = value
            .strip_prefix('"')
            .and_then(|value| value.strip_suffix('"'))
            .ok_or_else(|| wrong(format!("{value:?} is not in quotation marks")))?;
        let uid = parse_uid(uid).map_err(wrong)?;
        if names.insert(name.to_owned(), uid).is_some() {
            return Err(wrong(format!("{name} is there twice")));
        }
    }
    Ok(names)
}

/// Reads one uid text a line.
pub(super) fn parse_cast(text: &str) -> Result<Vec<Uid>, Fault> {
    let mut cast = Vec::new();
    let mut seen = BTreeSet::new();
    for (line, content) in content(text) {
        let wrong = |what: String| Fault::Line { line, what };
        let uid = parse_uid(content).map_err(wrong)?;
        if !seen.insert(uid) {
            return Err(wrong(format!("{uid} is there twice")));
        }
        cast.push(uid);
    }
    Ok(cast)
}

/// Lines with something in them, numbered from 1, without comments and the white space around.
fn content(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(at, line)| (at + 1, line.split_once('#').map_or(line, |(before, _)| before).trim()))
        .filter(|(_, line)| !line.is_empty())
}

fn parse_uid(text: &str) -> Result<Uid, String> {
    match text.parse() {
        Ok(Uid::SERVER) => Err("uid 0 is the server".to_owned()),
        Ok(uid) => Ok(uid),
        Err(error) => Err(format!("{text:?} is no uid text: {error}")),
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}
