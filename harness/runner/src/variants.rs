//! One result of the same case in several transports.

use mpchat_model::{CaseResult, Verdict};

use crate::stop::rules;
use crate::transport::Transport;

/// The worst of the results, in the order in which the transports were run; told is in which others it was better.
///
/// `control` is the case once more in the plain transport, where that was not asked for: it has no vote, and tells only
/// whose fault a failure is. What fails in another transport and passes in the plain one breaks MTP-16.
pub(crate) fn merge(results: Vec<(Transport, CaseResult)>, control: Option<&CaseResult>) -> Option<CaseResult> {
    let worst = results.iter().map(|(_, result)| result.verdict).max()?;
    let as_bad: Vec<Transport> = results.iter().filter(|(_, r)| r.verdict == worst).map(|(t, _)| *t).collect();
    let mut better: Vec<String> = Vec::new();
    let others = results.iter().filter(|(_, r)| r.verdict != worst).map(|(t, r)| (*t, r));
    let control_differs = control.filter(|r| r.verdict != worst).map(|r| (Transport::Plain, r));
    for (transport, result) in others.chain(control_differs) {
        better.push(format!("{transport}: {}", result.verdict));
    }
    let plain_passed = results.iter().any(|(t, r)| *t == Transport::Plain && r.verdict == Verdict::Pass)
        || control.is_some_and(|r| r.verdict == Verdict::Pass);
    let seconds = results.iter().map(|(_, result)| result.seconds).sum();
    let notes: Vec<String> =
        results.iter().filter(|(_, r)| r.verdict != worst).flat_map(|(_, r)| r.notes.clone()).collect();
    let (transport, mut result) = results.into_iter().find(|(_, result)| result.verdict == worst)?;
    result.seconds = seconds;
    result.notes.extend(notes);
    if transport != Transport::Plain {
        result.reproduce.push_str(&format!(" --transport {transport}"));
    }
    if worst <= Verdict::Skipped || better.is_empty() {
        return Some(result);
    }
    let names: Vec<&str> = as_bad.iter().map(|t| t.name()).collect();
    let note = format!("only with transport {}; {}", names.join(", "), better.join(", "));
    result.got = Some(result.got.map_or_else(|| note.clone(), |got| format!("{got} ({note})")));
    result.notes.push(note);
    if worst == Verdict::Fail && plain_passed && !result.is_only_another_transcript() {
        let joined = rules(&["MTP-16"]);
        result.violates.retain(|rule| !joined.contains(rule));
        result.violates.splice(0..0, joined);
    }
    Some(result)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;

    fn result(verdict: Verdict, violates: &[&str]) -> CaseResult {
        CaseResult {
            id: "a/b".to_owned(),
            title: String::new(),
            covers: Vec::new(),
            violates: rules(violates),
            verdict,
            evidence: None,
            seconds: 1.0,
            step: None,
            expected: None,
            got: None,
            transcript: None,
            frames: Vec::new(),
            notes: Vec::new(),
            accepted: None,
            rounds: None,
            reproduce: "mpchat run '=a/b'".to_owned(),
        }
    }

    fn ids(result: &CaseResult) -> Vec<&str> {
        result.violates.iter().map(|rule| rule.as_str()).collect()
    }

    #[test]
    fn what_fails_only_when_bytes_are_cut_is_named_so() {
        let results = vec![
            (Transport::Plain, result(Verdict::Pass, &[])),
            (Transport::Bytewise, result(Verdict::Fail, &["LOGIN-17"])),
            (Transport::Split, result(Verdict::Fail, &["LOGIN-17"])),
        ];
        let merged = merge(results, None).unwrap();
        assert_eq!((merged.verdict, merged.seconds), (Verdict::Fail, 3.0));
        assert_eq!(merged.notes, ["only with transport bytewise, split; plain: pass"]);
        assert_eq!(ids(&merged), ["MTP-16", "LOGIN-17"]);
        assert_eq!(merged.reproduce, "mpchat run '=a/b' --transport bytewise");
    }

    #[test]
    fn what_fails_in_the_plain_transport_too_has_another_cause() {
        let all = Transport::ALL.map(|t| (t, result(Verdict::Fail, &["MSG-03"]))).to_vec();
        let merged = merge(all, None).unwrap();
        assert_eq!((ids(&merged), merged.notes.len()), (vec!["MSG-03"], 0));
        assert_eq!(merged.reproduce, "mpchat run '=a/b'");
        let plain = result(Verdict::Fail, &["MSG-03"]);
        let merged = merge(vec![(Transport::Split, result(Verdict::Fail, &["MSG-03"]))], Some(&plain)).unwrap();
        assert_eq!(ids(&merged), ["MSG-03"]);
    }

    #[test]
    fn a_control_names_the_fault_and_has_no_vote() {
        let fails = || vec![(Transport::Split, result(Verdict::Fail, &["STAT-01"]))];
        let merged = merge(fails(), Some(&result(Verdict::Pass, &[]))).unwrap();
        assert_eq!(ids(&merged), ["MTP-16", "STAT-01"]);
        assert_eq!(merged.got.unwrap(), "only with transport split; plain: pass");
        let passes = vec![(Transport::Split, result(Verdict::Pass, &[]))];
        assert_eq!(merge(passes, Some(&result(Verdict::Fail, &[]))).unwrap().verdict, Verdict::Pass);
    }
}
