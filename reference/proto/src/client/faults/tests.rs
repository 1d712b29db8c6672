//! That the list is whole: every fault and habit is committed somewhere, under a name of its own, against a rule for clients.

use std::collections::BTreeSet;

use super::Quirk;

/// The code beside the list; what a connection looks like from outside is the shell's, and what is said of it the driver's.
const CODE: &[&str] = &[
    include_str!("mod.rs"),
    include_str!("seams.rs"),
    include_str!("reading.rs"),
    include_str!("arriving.rs"),
    include_str!("leaving.rs"),
    include_str!("login.rs"),
    include_str!("ending.rs"),
    include_str!("forms.rs"),
    include_str!("frames.rs"),
    include_str!("lines.rs"),
    include_str!("commands.rs"),
    include_str!("habits.rs"),
    include_str!("../../../../peer/src/client/style.rs"),
    include_str!("../../../../peer/src/driver/mod.rs"),
];
const SPECIFICATION: &str = include_str!("../../../../SPECIFICATION.md");

/// Ids and levels of the rules that bind clients.
fn rules() -> Vec<(&'static str, &'static str)> {
    let cells = |line: &'static str| line.split('|').map(str::trim).collect::<Vec<_>>();
    let of_clients = |cells: Vec<&'static str>| match cells[..] {
        ["", id, level, "C" | "SC", "seed" | "ancestor" | "profile", _, ""] => Some((id, level)),
        _ => None,
    };
    SPECIFICATION.lines().map(cells).filter_map(of_clients).collect()
}

#[test]
fn every_quirk_is_committed() {
    let matched: BTreeSet<&str> = CODE
        .iter()
        .flat_map(|code| code.split("Quirk::").skip(1))
        .map(|rest| rest.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default())
        .collect();
    let all = Quirk::FAULTS.iter().chain(Quirk::HABITS);
    let missing: Vec<Quirk> = all.copied().filter(|quirk| !matched.contains(&*format!("{quirk:?}"))).collect();
    assert!(missing.is_empty(), "nobody commits {missing:?}");
}

#[test]
fn names_are_unique_and_rules_bind_clients() {
    let all: Vec<Quirk> = Quirk::FAULTS.iter().chain(Quirk::HABITS).copied().collect();
    let ids: BTreeSet<String> = all.iter().map(|quirk| quirk.id()).collect();
    let texts: BTreeSet<&str> = all.iter().map(|quirk| quirk.text()).collect();
    assert_eq!((ids.len(), texts.len()), (all.len(), all.len()));
    let rules = rules();
    assert!(rules.len() > 40, "{rules:?}");
    let stray: Vec<&Quirk> =
        Quirk::FAULTS.iter().filter(|fault| !rules.iter().any(|(id, _)| Some(*id) == fault.rule())).collect();
    assert!(stray.is_empty(), "no rule for clients: {stray:?}");
    assert!(Quirk::HABITS.iter().all(|habit| habit.rule().is_none()));
}

#[test]
fn every_rule_that_clients_must_keep_is_broken_by_some_fault() {
    let broken: BTreeSet<&str> = Quirk::FAULTS.iter().filter_map(|fault| fault.rule()).collect();
    let kept: Vec<_> = rules().into_iter().filter(|(id, level)| *level == "MUST" && !broken.contains(id)).collect();
    assert!(kept.is_empty(), "{kept:?}");
}
