//! `--client`: commands that are no client, clients that break a rule, and whom a client plays.

use mpchat_model::Verdict;

use crate::Place;

/// What has to be run, as a shell would take it.
fn driver(quirk: &str) -> String {
    format!("{} driver {quirk}", env!("CARGO_BIN_EXE_mpchat"))
}

#[test]
fn a_command_that_is_no_client_ends_the_run_with_what_it_did() {
    let place = Place::new();
    for (command, words) in [
        ("./nowhere", "nowhere: not found"),
        ("true", "the client ended by itself"),
        ("yes", "no event of the driver's: y"),
        ("cat", "no event of the driver's"),
        ("sleep 60", "the client does not connect within"),
    ] {
        let done =
            place.mpchat(&["run", "--client", command, "--patience", "2", "client/probes", "=msg/redelivery@bob"]);
        assert_eq!(done.code, Some(3), "{command}: {}{}", done.out, done.err);
        assert!(format!("{}{}", done.out, done.err).contains(words), "{command}: {}{}", done.out, done.err);
    }
}

#[test]
fn a_client_that_breaks_a_rule_fails_by_it_and_is_known() {
    let place = Place::new();
    let client = driver("--quirk roster-replaced");
    let done = place.run(&["--client", &client, "client/roster-is-not-replaced", "client/shown-once"]);
    assert_eq!(done.code, Some(1), "{}{}", done.out, done.err);
    let results = place.results("results.json");
    let failed: Vec<&str> =
        results.cases.iter().filter(|c| c.verdict == Verdict::Fail).map(|c| c.id.as_str()).collect();
    assert_eq!(failed, ["client/roster-is-not-replaced@alice"]);
    assert!(done.out.contains("breaks    STAT-09"), "{}", done.out);
    assert!(done.out.contains("fails like a client that"), "{}", done.out);
}

#[test]
fn a_role_takes_its_cases_only() {
    let place = Place::new();
    let done = place.run(&["--client", &driver(""), "--role", "bob", "msg/redelivery", "close/twice"]);
    assert_eq!(done.code, Some(0), "{}{}", done.out, done.err);
    let results = place.results("results.json");
    assert!(!results.cases.is_empty());
    assert!(results.cases.iter().all(|case| case.id.ends_with("@bob") && case.verdict == Verdict::Pass));
}

#[test]
fn an_exact_id_means_every_role_or_the_one_that_it_names() {
    let place = Place::new();
    let listed = |id: &str| -> Vec<String> {
        let done = place.mpchat(&["run", "--client", "embedded", "--list", id]);
        let ids = done.out.lines().filter(|line| line.contains('@')).filter_map(|line| line.split_whitespace().next());
        ids.map(str::to_owned).collect()
    };
    assert_eq!(listed("=msg/redelivery@bob"), ["msg/redelivery@bob"]);
    let both = listed("=msg/redelivery");
    assert!(both.len() > 1 && both.iter().all(|id| id.starts_with("msg/redelivery@")), "{both:?}");
}
