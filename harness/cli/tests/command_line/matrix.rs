//! `mpchat mutants`: the whole matrix, and the short way that shows that the committed one still holds.
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
