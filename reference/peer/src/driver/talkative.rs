//! Events of a client that says more than it has to: `docs/driver.md` has the harness ignore what it does not know.

use mpchat_proto::client::Event;
use serde_json::{Value, json};

use super::report;

/// The line of an event behind one that nobody knows, with fields that nobody knows.
pub(super) fn line(event: &Event) -> Vec<u8> {
    // What was written as JSON just now can be read again.
    let mut said: Value = serde_json::from_slice(&report::line(event)).expect("a report is JSON");
    talk(&mut said);
    format!("{}\n{said}\n", json!({"event": "typing", "sid": null, "text": "one"})).into_bytes()
}

/// Every object says a little more.
fn talk(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.values_mut().for_each(talk);
            fields.insert("name".to_owned(), json!("J\u{fc}rgen"));
            fields.insert("seen".to_owned(), json!([1.5e300, null, {"sid": "0000000000000000"}]));
        }
        Value::Array(values) => values.iter_mut().for_each(talk),
        _ => {}
    }
}
