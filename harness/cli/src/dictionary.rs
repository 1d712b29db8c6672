//! The kill matrix as a dictionary: which known fault fails like this?

use std::collections::BTreeSet;
use std::sync::OnceLock;

use mpchat_model::{KillMatrix, Results, RuleId, Verdict};

static SERVER: &str = include_str!("../../../reports/baseline/kill-matrix-server.json");
static CLIENT: &str = include_str!("../../../reports/baseline/kill-matrix-client.json");

/// The committed matrix of a role, read when it is first needed.
pub(crate) fn matrix(role: &str) -> Option<&'static KillMatrix> {
    static SERVERS: OnceLock<Option<KillMatrix>> = OnceLock::new();
    static CLIENTS: OnceLock<Option<KillMatrix>> = OnceLock::new();
    let (read, text) = if role == "client" { (&CLIENTS, CLIENT) } else { (&SERVERS, SERVER) };
    read.get_or_init(|| serde_json::from_str(text).ok()).as_ref()
}

/// How many cases the committed matrix has for a fault.
#[cfg(feature = "faults")]
pub(crate) fn cases_caught(role: &str, fault: &str) -> usize {
    let row = matrix(role).and_then(|matrix| matrix.faults.iter().find(|row| row.id == fault));
    row.map_or(0, |row| row.named.len() + row.other.len())
}

/// How many faults are named that the failing cases do not tell apart.
const MOST: usize = 3;

/// The faults that the failing cases are most like, in words that follow "a server that" or "a client that".
pub(crate) fn likeness(results: &Results) -> Option<String> {
    let ids = |which: &dyn Fn(Verdict) -> bool| -> BTreeSet<&str> {
        results.cases.iter().filter(|case| which(case.verdict)).map(|case| case.id.as_str()).collect()
    };
    let failing = ids(&|verdict| matches!(verdict, Verdict::Fail | Verdict::Known));
    if failing.is_empty() {
        return None;
    }
    let run = ids(&|verdict| verdict != Verdict::Skipped && verdict != Verdict::Inconclusive);
    let broken: BTreeSet<&RuleId> = results.cases.iter().flat_map(|case| &case.violates).collect();
    let like = matrix(&results.target.role)?.nearest(&run, &failing, &broken)?;
    let rows = like.rows.iter().take(MOST);
    let words: Vec<String> = rows.map(|row| format!("{} ({}, {})", row.text, row.id, row.rule)).collect();
    Some(format!("{}: that explains {} of {} failing cases", words.join(", or "), like.explained, failing.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_matrices_can_be_read() {
        for (text, role, faults) in [(SERVER, "server", 150), (CLIENT, "client", 60)] {
            let matrix: KillMatrix = serde_json::from_str(text).expect("the committed matrix");
            assert_eq!((matrix.schema.as_str(), matrix.role.as_str()), (mpchat_model::MATRIX_SCHEMA, role));
            assert!(matrix.faults.len() >= faults, "{role}");
        }
    }
}
