//! Who decides an `alt` or an `opt`, and by what the decision is seen.

use std::collections::BTreeSet;

use crate::ast::{Item, Loop, NoteKind};
use crate::error::Problem;
use crate::views::first_lines;

use super::{Offence, line};

pub(super) fn check(items: &[Item]) -> Result<(), Offence> {
    for item in items {
        match item {
            Item::Frame(_) | Item::Ending(_) | Item::Note(_) => {}
            Item::Par(branches) => branches.iter().try_for_each(|branch| check(&branch.items))?,
            Item::Alt(branches) => {
                decision("alt", &branches.iter().map(|branch| branch.items.as_slice()).collect::<Vec<_>>())?;
                branches.iter().try_for_each(|branch| check(&branch.items))?;
            }
            Item::Opt(branch) => {
                decision("opt", &[&branch.items])?;
                check(&branch.items)?;
            }
            Item::Loop(Loop::Rounds { rounds, .. }) => rounds.iter().try_for_each(|round| check(round))?,
            Item::Loop(Loop::Until { body, .. }) => check(body)?,
        }
    }
    Ok(())
}

/// First lines have one sender, and no two branches have the same.
fn decision(word: &'static str, branches: &[&[Item]]) -> Result<(), Offence> {
    let mut decider: Option<&str> = None;
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for items in branches {
        let mut own: BTreeSet<&str> = BTreeSet::new();
        for item in first_lines(items) {
            let Some(line) = line(item) else { continue };
            let Some(sender) = sender(item) else {
                return Err(Offence::new(line, "", Problem::NobodysChoice(word)));
            };
            let first = *decider.get_or_insert(sender);
            if first != sender {
                return Err(Offence::new(line, "", Problem::SeveralDeciders(first.to_owned(), sender.to_owned())));
            }
            if seen.contains(line.text.as_str()) {
                return Err(Offence::new(line, "", Problem::SameBeginning));
            }
            own.insert(&line.text);
        }
        seen.extend(own);
    }
    Ok(())
}

/// Who does what a statement says; `None` for a check, which is nobody's act.
fn sender(item: &Item) -> Option<&str> {
    match item {
        Item::Frame(frame) => Some(&frame.from),
        Item::Ending(ending) => Some(&ending.from),
        Item::Note(note) => match note.what {
            NoteKind::LogsIn
            | NoteKind::Connects
            | NoteKind::Restarts
            | NoteKind::StopsReading
            | NoteKind::ReadsAgain
            | NoteKind::TimeoutPasses { .. }
            | NoteKind::ClaimsRoster { .. }
            | NoteKind::ClosesWhenAsked { .. } => Some(&note.over),
            NoteKind::HearsNothing
            | NoteKind::StillServed
            | NoteKind::StaysAway { .. }
            | NoteKind::ShowsNothing
            | NoteKind::Shows(_)
            | NoteKind::Refuses { .. }
            | NoteKind::RefusesToSend { .. } => None,
        },
        Item::Par(_) | Item::Alt(_) | Item::Opt(_) | Item::Loop(_) => None,
    }
}
