//! `mpchat mutants`: the whole matrix, rehearsed or not, and the short way that shows that the committed one still holds.
#![cfg(feature = "faults")]

use crate::{Done, Place};

/// How many plays it took, of the last line.
fn plays(done: &Done) -> usize {
    let words: Vec<&str> = done.out.lines().last().unwrap().split_whitespace().collect();
    let at = words.iter().position(|word| word.starts_with("plays")).unwrap();
    words[at - 1].parse().unwrap()
}

#[test]
fn what_is_known_to_be_caught_is_confirmed_by_a_few_cases() {
    let place = Place::new();
    let done = place.mpchat(&["mutants", "--confirm", "--only", "gap-of-one"]);
    assert_eq!(done.code, Some(0), "{}{}", done.out, done.err);
    assert!(plays(&done) < 50, "{}", done.out);
}

#[test]
fn what_is_not_confirmed_is_played_in_full_and_fails_where_that_shows_nothing() {
    let place = Place::new();
    let done = place.mpchat(&["mutants", "--confirm", "--only", "short-uid", "--cases", "status/"]);
    assert_eq!(done.code, Some(1), "{}{}", done.out, done.err);
    assert!(done.out.contains("short-uid survives: no case fails (INIT-02"), "{}", done.out);
    let whole = place.mpchat(&["mutants", "--only", "short-uid", "--cases", "status/"]);
    assert_eq!((whole.code, plays(&whole)), (Some(1), plays(&done)), "{}", whole.out);
}

#[test]
fn a_case_to_which_a_fault_makes_no_difference_is_not_played_and_nothing_is_lost() {
    let place = Place::new();
    let args = ["mutants", "--only", "gap-of-one", "--cases", "msg/", "--cases", "malformed/"];
    let rehearsed = place.mpchat(&args);
    let every = place.mpchat(&[&args[..], &["--every-case"]].concat());
    assert_eq!((rehearsed.code, every.code), (Some(0), Some(0)), "{}{}", rehearsed.out, every.out);
    assert!(plays(&rehearsed) * 5 < plays(&every), "{}{}", rehearsed.out, every.out);
    let caught = |done: &Done| -> String {
        let line = done.out.lines().rfind(|line| line.starts_with("caught")).unwrap();
        line.split_once(" s  ").unwrap().1.to_owned()
    };
    assert_eq!(caught(&rehearsed), caught(&every));
}

#[test]
fn a_habit_is_played_where_it_makes_a_difference_or_everywhere() {
    let place = Place::new();
    let args = ["habits", "--rehearse", "--cases", "status/", "--only"];
    let few = place.mpchat(&[&args[..], &["errors-terse"]].concat());
    let all = place.mpchat(&[&args[..], &["byte-a-write"]].concat());
    assert_eq!((few.code, all.code), (Some(0), Some(0)), "{}{}", few.out, all.out);
    assert!(plays(&few) * 2 < plays(&all), "{}{}", few.out, all.out);
}
