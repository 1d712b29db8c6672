//! `as` and `bytes of`, `joined`, `held at`: bytes that other lines need.

use std::collections::{BTreeMap, BTreeSet};

use crate::ast::{Delivery, Item, What};
use crate::error::Problem;

use super::Offence;
use super::path::{self, Path, exclusive, ordered};

pub(super) fn check(body: &[Item]) -> Result<(), Offence> {
    kept(body)?;
    joined(body)
}

/// Bytes are kept once, before they are sent again.
fn kept(body: &[Item]) -> Result<(), Offence> {
    let mut kept: BTreeMap<&str, Vec<Path>> = BTreeMap::new();
    path::walk(body, &mut |path, item| {
        let Item::Frame(frame) = item else { return Ok(()) };
        if let What::BytesOf(name) = &frame.what {
            let known = kept.get(name.as_str()).is_some_and(|paths| paths.iter().any(|other| ordered(path, other)));
            if !known {
                return Err(Offence::new(&frame.line, name, Problem::NotKept(name.clone())));
            }
        }
        if let Some(name) = &frame.keep_as {
            let earlier = kept.entry(name).or_default();
            if !earlier.iter().all(|other| exclusive(path, other)) {
                return Err(Offence::new(&frame.line, name, Problem::KeptTwice(name.clone())));
            }
            earlier.push(path.clone());
        }
        Ok(())
    })
}

/// `joined` and `held at` need a later line of the same connection, whose bytes go into the same write.
fn joined(body: &[Item]) -> Result<(), Offence> {
    let mut all: Vec<&Item> = Vec::new();
    crate::views::walk(body, &mut |item| all.push(item));
    let mut later: BTreeSet<(&str, &str)> = BTreeSet::new();
    // From the end, so that each line knows what comes after it; the first offence of the file is the last found.
    let mut offence = None;
    for item in all.into_iter().rev() {
        match item {
            Item::Frame(frame) => {
                let ends = (frame.from.as_str(), frame.to.as_str());
                if let What::Message(message) = &frame.what
                    && let Some(word) = message.delivery.iter().find_map(waits)
                    && !later.contains(&ends)
                {
                    let problem = Problem::JoinedToNothing(frame.from.clone());
                    offence = Some(Offence::new(&frame.line, word, problem));
                }
                later.insert(ends);
            }
            Item::Ending(ending) => {
                later.insert((&ending.from, &ending.to));
            }
            _ => {}
        }
    }
    offence.map_or(Ok(()), Err)
}

/// The word of a delivery that keeps bytes back.
fn waits(delivery: &Delivery) -> Option<&'static str> {
    match delivery {
        Delivery::Joined => Some("joined"),
        Delivery::HeldAt(_) => Some("held"),
        Delivery::SplitAt(_) | Delivery::ByteByByte => None,
    }
}
