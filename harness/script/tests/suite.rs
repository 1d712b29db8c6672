//! The suite's own scenarios: all parse, survive printing, and no mutation of theirs makes the parser panic.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeSet;

use common::{shown, suite};
use mpchat_script::ast::{Item, Line};
use mpchat_script::{parse, unparse};

#[test]
fn every_scenario_parses_and_no_two_cases_share_an_id() {
    let mut refused = Vec::new();
    let mut ids = BTreeSet::new();
    for (id, path, text) in suite() {
        match parse(&path.to_string_lossy(), &id, &text) {
            Ok(scenario) => {
                for expansion in scenario.expansions {
                    assert!(ids.insert(expansion.id.clone()), "{} stands there twice", expansion.id);
                }
            }
            Err(error) => refused.push(shown(&error)),
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

/// The statement without the number of its line, which printing changes, and its text, in which `times` and escapes may
/// be written in several ways.
fn plain(item: &Item) -> Item {
    let mut item = item.clone();
    let line: Option<&mut Line> = match &mut item {
        Item::Frame(frame) => Some(&mut frame.line),
        Item::Ending(ending) => Some(&mut ending.line),
        Item::Note(note) => Some(&mut note.line),
        _ => None,
    };
    if let Some(line) = line {
        line.number = 0;
        line.text.clear();
    }
    item
}

#[test]
fn printed_items_parse_to_the_same_statements() {
    for (id, path, text) in suite() {
        let Ok(scenario) = parse(&path.to_string_lossy(), &id, &text) else { continue };
        // Variables that the printed diagram no longer has must not be declared.
        let front: Vec<&str> = text.split("\n---\n").next().unwrap().lines().collect();
        let mut kept = Vec::new();
        let mut variables = false;
        for line in front {
            if !line.starts_with(' ') {
                variables = line.starts_with("cases:") || line.starts_with("each:");
            }
            if !variables {
                kept.push(line);
            }
        }
        for expansion in &scenario.expansions {
            // A printed line of 32 kB, or a thousand rounds, would only try the limits.
            if expansion.statements().len() > 2000 {
                continue;
            }
            let printed = format!("{}\n---\nsequenceDiagram\n{}", kept.join("\n"), unparse(&expansion.body));
            let again = match parse("printed", &expansion.id, &printed) {
                Ok(again) => again,
                // Some names of the cast are used in some cases only.
                Err(error) if error.to_string().contains("is used nowhere") => continue,
                Err(error) => panic!("{}", shown(&error)),
            };
            let before: Vec<Item> = expansion.statements().into_iter().map(plain).collect();
            let after: Vec<Item> = again.expansions[0].statements().into_iter().map(plain).collect();
            assert_eq!(before, after, "{}", expansion.id);
            assert_eq!(unparse(&again.expansions[0].body).to_string(), unparse(&expansion.body).to_string());
        }
    }
}

/// Marsaglia's xorshift: the same mutations in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }
}

#[test]
fn no_mutation_of_a_scenario_makes_the_parser_panic() {
    let texts: Vec<String> = suite().into_iter().map(|(_, _, text)| text).collect();
    let words: Vec<&str> = texts.iter().flat_map(|text| text.split([' ', '\n'])).collect();
    let odd = [
        "$",
        "\"",
        "\\",
        "[",
        "]",
        "{",
        "}",
        "é",
        "\u{1f600}",
        "\n",
        " ",
        "---",
        "->>",
        ":",
        "&a",
        "*a",
        "99999999999",
    ];
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let mut accepted = 0;
    for round in 0..6000 {
        let mut text: Vec<char> = texts[numbers.below(texts.len())].chars().collect();
        for _ in 0..=numbers.below(4) {
            let at = numbers.below(text.len() + 1);
            let end = (at + numbers.below(12)).min(text.len());
            let with: Vec<char> = match numbers.below(5) {
                0 => Vec::new(),
                1 => odd[numbers.below(odd.len())].chars().collect(),
                2 => words[numbers.below(words.len())].chars().collect(),
                3 => {
                    let from = numbers.below(text.len() + 1);
                    text[from..(from + numbers.below(60)).min(text.len())].to_vec()
                }
                _ => vec![char::from_u32(u32::try_from(numbers.below(0x300)).unwrap()).unwrap_or(' ')],
            };
            text.splice(at..end, with);
        }
        let text: String = text.into_iter().collect();
        match parse("mutated", "area/mutated", &text) {
            Ok(_) => accepted += 1,
            // Showing an error must not panic either, wherever it points.
            Err(error) if round % 8 == 0 => assert!(!shown(&error).is_empty()),
            Err(error) => assert!(error.place().line >= 1),
        }
    }
    assert!(accepted > 100, "hardly any mutation is accepted, so they hardly try anything: {accepted}");
}

#[test]
fn the_example_of_the_manual_parses() {
    let manual = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/README.md");
    let text = std::fs::read_to_string(manual).unwrap();
    let example = text.split("```\n").find(|block| block.starts_with("---\n")).unwrap();
    let scenario = parse(manual, "area/behaviour", example).unwrap_or_else(|error| panic!("{}", shown(&error)));
    let ids: Vec<&str> = scenario.expansions.iter().map(|expansion| expansion.id.as_str()).collect();
    assert_eq!(ids, ["area/behaviour[fin]", "area/behaviour[reset]"]);
}
