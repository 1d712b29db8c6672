//! The result file against its schema.

use mpchat_model::Results;
use mpchat_report::{Format, RESULTS_SCHEMA};
use serde_json::{Value, json};

use crate::made_up::{cases, report, written, written_with_problems};

fn validator() -> jsonschema::Validator {
    let schema: Value = serde_json::from_str(RESULTS_SCHEMA).unwrap();
    jsonschema::meta::validate(&schema).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

fn file() -> Value {
    serde_json::from_str(&written(Format::Json)).unwrap()
}

fn file_with_all() -> Value {
    serde_json::from_str(&written_with_problems(Format::Json)).unwrap()
}

#[test]
fn the_result_file_keeps_to_its_schema() {
    let (_, aborted) = report(Format::Json, cases(), Some("gone"));
    for value in [file(), file_with_all(), serde_json::from_str(&aborted).unwrap()] {
        let errors: Vec<String> = validator().iter_errors(&value).map(|e| e.to_string()).collect();
        assert_eq!(errors, [""; 0]);
    }
}

#[test]
fn the_result_file_is_this() {
    insta::assert_snapshot!(written_with_problems(Format::Json));
}

#[test]
fn the_schema_refuses_what_is_not_the_format() {
    let validator = validator();
    let objects = [
        "",
        "/tool",
        "/specification",
        "/target",
        "/summary",
        "/rules/0",
        "/cases/0",
        "/shard",
        "/problems/0",
        "/cases/2/rounds",
    ];
    for pointer in objects {
        let mut broken = file_with_all();
        assert!(broken.pointer(pointer).is_some_and(Value::is_object), "{pointer}");
        broken.pointer_mut(pointer).unwrap()["surprise"] = json!(1);
        assert!(!validator.is_valid(&broken), "an unknown key in `{pointer}`");
        let keys: Vec<String> =
            file_with_all().pointer(pointer).unwrap().as_object().unwrap().keys().cloned().collect();
        for key in keys.iter().filter(|key| {
            ![
                "accepted",
                "evidence",
                "step",
                "expected",
                "got",
                "transcript",
                "frames",
                "notes",
                "rounds",
                "shard",
                "problems",
            ]
            .contains(&key.as_str())
        }) {
            let mut broken = file_with_all();
            if pointer == "/problems/0" && key == "cases" {
                continue;
            }
            broken.pointer_mut(pointer).unwrap().as_object_mut().unwrap().remove(key);
            assert!(!validator.is_valid(&broken), "no `{key}` in `{pointer}`");
        }
    }
    for (pointer, value) in [
        ("/schema", json!("mpchat-results/2")),
        ("/specification/digest", json!("abc")),
        ("/specification/revision", json!("1")),
        ("/target/role", json!("both")),
        ("/started", json!("yesterday")),
        ("/seconds", json!(-1)),
        ("/summary/pass", json!(1.5)),
        ("/rules/0/verdict", json!("broken")),
        ("/rules/0/level", json!("must")),
        ("/rules/0/id", json!("MTP-1")),
        ("/cases/0/verdict", json!("warning")),
        ("/cases/0/covers/0", json!("msg-03")),
        ("/cases/0/id", json!("")),
        ("/cases/0/accepted", json!(1)),
        ("/cases/0/verdict", json!("pass")),
        ("/shard/number", json!(0)),
        ("/problems", json!([])),
        ("/problems/0/problem", json!("odd")),
        ("/cases/2/rounds/failed/0", json!(0)),
    ] {
        let mut broken = file_with_all();
        *broken.pointer_mut(pointer).unwrap() = value;
        assert!(!validator.is_valid(&broken), "{pointer}");
    }
}

#[test]
fn a_result_file_is_read_back_as_it_was() {
    let (results, text) = report(Format::Json, cases(), Some("gone"));
    assert_eq!(serde_json::from_str::<Results>(&text).unwrap(), results);
}
