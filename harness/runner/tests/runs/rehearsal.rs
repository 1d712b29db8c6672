//! A rehearsal tells which faults make a difference to a case, whatever the peer is told, and whoever it is.

use std::sync::Arc;

use mpchat_model::Ledger;
use mpchat_proto::crypto::{default_provider, shortcut};
use mpchat_proto::{client, server};
use mpchat_runner::mutants::{Quirk, rehearse};
use mpchat_runner::{PlannedCase, plan, plan_for_clients};
use rstest::rstest;

use crate::support;

/// With the stand-ins for RSA that a kill matrix is made with: they must not hide anything.
fn differs(case: PlannedCase, fault: Quirk) -> bool {
    shortcut::enable();
    let case = Arc::new(case);
    let rehearsal = rehearse(&[Arc::clone(&case)], &[fault], support::options(default_provider())).unwrap();
    assert!(rehearsal.is_taped(&case), "the case does not pass with a right peer");
    rehearsal.may_differ(&case, fault)
}

#[rstest]
#[case::bytes("status/of-the-server", server::Quirk::StatusTwice, true)]
#[case::the_key_that_something_is_encrypted_under("status/of-the-server", server::Quirk::SkUnderServerKey, true)]
#[case::what_the_case_is_not_about("status/of-the-server", server::Quirk::GapOfOne, false)]
#[case::a_timer("init/nobody-answers", server::Quirk::NoInviteTimeout, true)]
#[case::another_timer("init/nobody-answers", server::Quirk::NoAnswerTimeout, false)]
#[case::a_store("restart/stored-lines", server::Quirk::ForgetsOnRestart, true)]
#[case::what_the_store_does_not_forget("restart/stored-lines", server::Quirk::ReopenedByRestart, false)]
fn servers(#[case] scenario: &str, #[case] fault: server::Quirk, #[case] expected: bool) {
    let case = plan(&[support::scenario_of_the_suite(scenario)], &Ledger::embedded().unwrap()).remove(0);
    assert_eq!(differs(case, Quirk::Server(fault)), expected);
}

#[rstest]
#[case::bytes(client::Quirk::SidBackwards, true)]
#[case::what_the_case_is_not_about(client::Quirk::RefusedTextNumbered, false)]
fn clients(#[case] fault: client::Quirk, #[case] expected: bool) {
    let scenario = support::scenario_of_the_suite("init/denied-and-back");
    let carol = plan_for_clients(&[scenario], &Ledger::embedded().unwrap(), Some("carol")).remove(0);
    assert_eq!(differs(carol, Quirk::Client(fault)), expected);
}
