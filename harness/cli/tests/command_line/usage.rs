//! Wrong usage: exit code 2, and a word about the offence.

use crate::Place;

#[test]
fn what_contradicts_itself_or_counts_wrong_is_refused() {
    let place = Place::new();
    place.write("jobs.toml", "jobs = 0\n");
    place.write("both.toml", "target = \"h:1\"\nstart = \"x {port}\"\n");
    place.write("level.toml", "level = \"may\"\n");
    for (arguments, words) in [
        (&["--jobs", "0"][..], "must be at least 1"),
        (&["--jobs", "many"], "`many` is no whole number from 1"),
        (&["--jobs", "-1"], "-1"),
        (&["--repeat", "0"], "must be at least 1"),
        (&["--config", "jobs.toml"], "jobs.toml: jobs: must be at least 1"),
        (&["--config", "both.toml"], "more than one of target, start and client"),
        (&["--config", "level.toml"], "level.toml"),
        (&["--shard", "0/3"], "--shard 0/3: not K/N"),
        (&["--shard", "3/2"], "--shard 3/2: not K/N"),
        (&["--shard", "1/0"], "--shard 1/0: not K/N"),
        (&["--shard", "1"], "--shard 1: not K/N"),
        (&["--shard", "1/2/3"], "--shard 1/2/3: not K/N"),
        (&["--shard", "-1/2"], "-1"),
        (&["--target", "127.0.0.1:1", "--start", "x {port}"], "--start"),
        (&["--level", "may"], "may"),
        (&["--patience", "0"], "must be more than 0"),
        (&["--report", "tap", "--report", "json"], "two reports cannot both go to standard output"),
        (&["--report", "tap=x", "--report", "json=x"], "two reports cannot both go to x"),
        (&["--accept"], "--snapshots"),
        (&["--list", "--write-known-failures", "x"], "--list"),
    ] {
        let done = place.mpchat(&[&["run", "=status/idle"], arguments].concat());
        assert_eq!(done.code, Some(2), "{arguments:?}: {}", done.err);
        assert!(done.err.contains(words), "{arguments:?}: {}", done.err);
        assert_eq!(done.out, "", "nothing is run");
    }
}

#[test]
fn the_help_tells_the_exit_codes() {
    let place = Place::new();
    let readme = include_str!("../../../../README.md");
    for command in [&["run", "--help"][..], &["report", "merge", "--help"]] {
        let done = place.mpchat(command);
        assert!(done.code == Some(0) && done.out.contains("2  wrong usage, or every case was skipped"), "{}", done.out);
    }
    let done = place.mpchat(&["run", "--help"]);
    let options = done.out.split_whitespace().filter(|word| word.starts_with("--") && word.len() > 2);
    for option in options.filter(|option| *option != "--help" && *option != "--version") {
        let option = option.trim_matches(|c: char| !c.is_ascii_alphabetic() && c != '-');
        assert!(readme.contains(option), "README.md does not tell of {option}");
    }
}
