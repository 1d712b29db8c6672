//! The malformed-frame vectors of the repository: they keep their schema, load, and become scenarios that parse.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;
use std::path::Path;

use mpchat_vectors::malformed::{self, LoadError, Offence, Receiver, Vector};
use rstest::rstest;

fn files() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/malformed");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let path = format!("malformed/{}", entry.file_name().to_string_lossy());
            (path, std::fs::read_to_string(entry.path()).unwrap())
        })
        .collect();
    files.sort();
    files
}

fn vectors() -> Vec<Vector> {
    let files = files();
    malformed::load(files.iter().map(|(path, text)| (path.as_str(), text.as_str()))).unwrap()
}

fn schema() -> jsonschema::Validator {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/schema/malformed.schema.json");
    let schema = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

#[test]
fn files_keep_their_schema() {
    let schema = schema();
    for (path, text) in files() {
        let json = serde_json::from_str(&text).unwrap();
        let errors: Vec<String> =
            schema.iter_errors(&json).map(|e| format!("{path}: {}: {e}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{}", errors.join("\n"));
    }
}

#[test]
fn ids_are_unique_and_there_are_many() {
    let vectors = vectors();
    let ids: BTreeSet<String> = vectors.iter().map(Vector::id).collect();
    assert_eq!(ids.len(), vectors.len());
    assert!(vectors.len() >= 500, "{}", vectors.len());
}

#[test]
fn no_two_vectors_of_a_file_send_the_same_in_the_same_phase() {
    let mut seen = std::collections::BTreeMap::new();
    for vector in vectors() {
        let source = malformed::to_scenario(&vector);
        let diagram = source.split_once("---\nsequenceDiagram\n").unwrap().1;
        // Rules say what is at stake, not what is sent.
        let sender = if vector.receiver == Receiver::Client { "server-" } else { "alice" };
        let sent: Vec<&str> = diagram.lines().filter(|l| l.trim_start().starts_with(sender)).collect();
        let key = (format!("{:?}{:?}", vector.phase, vector.roster), sent.join("\n"));
        if let Some(other) = seen.insert(key, vector.id()) {
            panic!("{} sends what {other} sends", vector.id());
        }
    }
}

#[test]
fn every_scenario_towards_a_server_ends_with_a_look_at_bob() {
    for vector in vectors() {
        let source = malformed::to_scenario(&vector);
        let looks = source.contains("    Note over bob: is still served [MTP-18]\n");
        assert_eq!(looks, vector.receiver == Receiver::Server, "{source}");
        assert!(source.is_ascii(), "{source}");
        let diagram = source.split_once("\nsequenceDiagram\n").unwrap().1;
        assert!(!diagram.contains(['#', ';', '<', '%']), "{source}");
    }
}

#[test]
fn a_vector_becomes_a_scenario() {
    let vector = vectors().into_iter().find(|v| v.id() == "malformed/payload-answers/invite-res-lf").unwrap();
    assert_eq!(
        malformed::to_scenario(&vector),
        r#"---
title: "invite_res with another text: lf"
covers: [PAY-05, PAY-01, INIT-07, MTP-18]
why: "A line end\u003b texts are exact, and what is neither Accept nor Deny closes."
tags: [malformed]
---
sequenceDiagram
    bob->>server: init_req alice in session
    server->>alice: invite_req in session [INIT-05]
    alice-xserver: invite_res in session with payload "Accept\n"
    server--xalice: closes [PAY-05, PAY-01, INIT-07]
    server->>bob: init_res error in session [INIT-08, INIT-10]
    Note over bob: is still served [MTP-18]
"#
    );
}

/// One file with one vector, and a change to its text.
fn changed(from: &str, to: &str) -> LoadError {
    let good = r#"{"schema":"mpchat-malformed/1","theme":"t","about":"a","flags":{"f":"x"},"vectors":[{"name":"n","title":"t",
        "why":"w","covers":["MTP-03"],"flags":["f"],"receiver":"server","phase":"logged-in",
        "send":[{"message":{"type":"status_req","changes":[{"before_sealing":{"field":"ver","to":{"hex":"0200"}}}]}}],
        "conforms":["closes"]}]}"#;
    assert_eq!(malformed::load([("malformed/t.json", good)]).map(|v| v.len()), Ok(1));
    assert!(good.contains(from), "{from}");
    malformed::load([("malformed/t.json", good.replace(from, to).as_str())]).unwrap_err()
}

#[rstest]
#[case::top(r#""about":"a""#, r#""about":"a","colour":1"#, "$", None, "colour")]
#[case::vector(r#""title":"t""#, r#""titel":"t""#, "$.vectors[0]", Some("n"), "titel")]
#[case::message(r#""type":"status_req""#, r#""tpye":"status_req""#, "$.vectors[0].send[0]", Some("n"), "tpye")]
#[case::change(
    r#""field":"ver""#,
    r#""field":"version""#,
    "$.vectors[0].send[0].message.changes[0]",
    Some("n"),
    "version"
)]
#[case::reaction(r#"["closes"]"#, r#"["close"]"#, "$.vectors[0].conforms[0]", Some("n"), "close")]
fn a_wrong_shape_is_located(
    #[case] from: &str,
    #[case] to: &str,
    #[case] path: &str,
    #[case] vector: Option<&str>,
    #[case] names: &str,
) {
    let error = changed(from, to);
    assert_eq!((error.file.as_str(), error.path.as_str(), error.vector.as_deref()), ("malformed/t.json", path, vector));
    assert!(matches!(&error.offence, Offence::Shape(message) if message.contains(names)), "{error}");
}

#[rstest]
#[case(r#""mpchat-malformed/1""#, r#""mpchat-malformed/2""#, "$.schema", Offence::Schema("mpchat-malformed/2".into()))]
#[case(r#""theme":"t""#, r#""theme":"u""#, "$.theme", Offence::Theme("u".into()))]
#[case(r#""name":"n""#, r#""name":"N""#, "$.vectors[0].name", Offence::Name("N".into()))]
#[case(r#"["f"]"#, r#"["g"]"#, "$.vectors[0].flags", Offence::Flag("g".into()))]
#[case(r#"["f"]"#, "[]", "$.flags", Offence::UnusedFlag("f".into()))]
#[case(r#"["closes"]"#, "[]", "$.vectors[0].conforms", Offence::Empty)]
#[case(r#""hex":"0200""#, r#""hex":"020""#, "$.vectors[0].send[0].message.changes[0]", Offence::Hex("020".into()))]
#[case(r#""status_req""#, r#""status""#, "$.vectors[0].send[0].message.type", Offence::Word("status".into(), "a type"))]
fn a_wrong_value_is_named(#[case] from: &str, #[case] to: &str, #[case] path: &str, #[case] offence: Offence) {
    let error = changed(from, to);
    assert_eq!((error.path.as_str(), &error.offence), (path, &offence), "{error}");
}

#[rstest]
#[case::delivered(r#"["closes"]"#, r#"["delivered"]"#)]
#[case::refusal(r#"["closes"]"#, r#"["refusal"]"#)]
fn a_reaction_must_fit_the_phase(#[case] from: &str, #[case] to: &str) {
    assert!(matches!(changed(from, to).offence, Offence::Reaction(_)));
}

#[test]
fn two_reactions_become_branches() {
    let mut vector = vectors().into_iter().find(|v| v.id() == "malformed/sequence/logged-in-gap").unwrap();
    vector.conforms.push(malformed::Reaction::Ignored);
    let source = malformed::to_scenario(&vector);
    let branches = "    alt\n        server--xalice: closes [MTP-08, MTP-13]\n        Note over bob: is still served [MTP-18]\n    else\n        Note over alice: is still served";
    assert!(source.contains(branches), "{source}");
}
