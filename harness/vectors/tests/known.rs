//! The known-answer vectors of the repository: they are what the crate writes, they keep their schemas, and every provider
//! agrees with them.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::{Path, PathBuf};

use mpchat_vectors::known;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors")
}

fn check(files: &[(String, String)]) -> Vec<known::Failure> {
    known::check(files.iter().map(|(path, text)| (path.as_str(), text.as_str())))
}

#[test]
fn the_files_are_what_is_written() {
    for (name, text) in known::write() {
        let kept = std::fs::read_to_string(folder().join(&name)).unwrap_or_default();
        assert!(kept == text, "vectors/{name} differs from what is written now");
    }
}

#[test]
fn every_provider_agrees_with_every_vector() {
    let failures: Vec<String> = check(&known::write()).iter().map(ToString::to_string).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn files_keep_their_schemas() {
    for (name, text) in known::write() {
        let schema = folder().join("schema").join(name.replace(".json", ".schema.json"));
        let schema = serde_json::from_str(&std::fs::read_to_string(schema).unwrap()).unwrap();
        let schema = jsonschema::validator_for(&schema).unwrap();
        let json = serde_json::from_str(&text).unwrap();
        let errors: Vec<String> =
            schema.iter_errors(&json).map(|e| format!("{name}: {}: {e}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{}", errors.join("\n"));
    }
}

/// The failures of one file alone.
fn check_one(name: &str, text: String) -> Vec<known::Failure> {
    let mut failures = check(&[(name.to_owned(), text)]);
    failures.retain(|failure| failure.message != "is missing");
    failures
}

#[test]
fn a_verdict_that_is_turned_round_is_found_in_every_file() {
    for (name, text) in known::write() {
        for (from, to) in [("invalid", "valid"), ("valid", "invalid")] {
            let (from, to) = (format!("\"result\": \"{from}\""), format!("\"result\": \"{to}\""));
            // Keys and logins have no other way than the right one.
            if !text.contains(&from) || name == "keys.json" || name == "logins.json" {
                continue;
            }
            let failures = check_one(&name, text.replacen(&from, &to, 1));
            assert!(!failures.is_empty() && failures.iter().all(|f| f.test.is_some()), "{name}: {failures:?}");
        }
    }
}

#[test]
fn a_changed_answer_is_found() {
    for (name, mut text) in known::write() {
        let part = match name.as_str() {
            "keys.json" => "\"iv\": \"",
            "logins.json" => "\"step_4\": \"0100",
            "frames.json" => "\"mac\": \"",
            "oaep.json" => "\"message\": \"",
            "envelopes.json" => "\"line\": \"",
            "payloads.json" => "\"says\": [\n          \"",
            "headers.json" => "\"sid\": \"",
            _ => continue,
        };
        let tests = text.find("\"tests\"").unwrap();
        let at = tests + text[tests..].find(part).unwrap() + part.len();
        let digit = if &text[at..=at] == "0" { "1" } else { "0" };
        text.replace_range(at..=at, digit);
        let failures = check_one(&name, text);
        assert!(!failures.is_empty(), "{name}");
    }
}

#[test]
fn what_is_no_vector_file_is_named() {
    let mut files = known::write();
    files.remove(0);
    files[0].1 = files[0].1.replacen("\"about\"", "\"abuot\"", 1);
    let failures = check(&files);
    assert_eq!(failures.len(), 2, "{failures:?}");
    assert_eq!(failures[0].to_string(), "headers.json: is missing");
    assert!(failures[1].to_string().starts_with("frames.json: unknown field `abuot`"), "{}", failures[1]);
}
