//! Every malformed-frame vector becomes a scenario that the parser of scenarios takes.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::Path;

use mpchat_script::ast::{Item, NoteKind};
use mpchat_vectors::malformed;

#[test]
fn every_vector_parses() {
    let mut refused = Vec::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/malformed");
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let path = format!("malformed/{}", entry.file_name().to_string_lossy());
        let text = std::fs::read_to_string(entry.path()).unwrap();
        for vector in malformed::load([(path.as_str(), text.as_str())]).unwrap() {
            let source = malformed::to_scenario(&vector);
            let scenario = match mpchat_script::parse(&path, &vector.id(), &source) {
                Ok(scenario) => scenario,
                Err(error) => {
                    refused.push(format!("{}: {error}\n{source}", vector.id()));
                    continue;
                }
            };
            assert_eq!(scenario.id, vector.id());
            assert_eq!(scenario.expansions.len(), 1);
            let last = scenario.expansions[0].body.last();
            let looks = matches!(last, Some(Item::Note(note)) if note.what == NoteKind::StillServed);
            assert!(looks || vector.receiver == malformed::Receiver::Client, "{source}");
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}
