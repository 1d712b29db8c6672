//! A panic of the suite itself in a case: no verdict about the target, and none in its favour.

use std::sync::atomic::{AtomicBool, Ordering};

use mpchat_model::{CaseResult, Event, Verdict};
use mpchat_proto::crypto::{Aead, KeyError, PrivateKey, Provider, default_provider};
use mpchat_runner::{Embedding, Subject, plan, run};

use crate::support;

const CASE: &str = "---
title: A question
covers: [STAT-01]
why: A case that passes.
---
sequenceDiagram
    alice->>server: status_req
    server->>alice: status_res Online in none
";

/// Primitives that panic once a case has begun.
struct Panicking(AtomicBool);

static PANICKING: Panicking = Panicking(AtomicBool::new(false));

impl Provider for Panicking {
    fn name(&self) -> &'static str {
        "panicking"
    }

    fn aead(&self, key: &[u8; 32]) -> Box<dyn Aead> {
        assert!(!self.0.load(Ordering::SeqCst), "no primitives today");
        default_provider().aead(key)
    }

    fn hkdf_sha256(&self, salt: &[u8], ikm: &[&[u8]], info: &[&[u8]], okm: &mut [u8]) {
        default_provider().hkdf_sha256(salt, ikm, info, okm);
    }

    fn sha256(&self, parts: &[&[u8]]) -> [u8; 32] {
        default_provider().sha256(parts)
    }

    fn private_key(&self, pkcs8_pem: &str) -> Result<PrivateKey, KeyError> {
        default_provider().private_key(pkcs8_pem)
    }
}

/// The results of the one case. `panics`: with primitives that panic as soon as the run takes the case.
async fn results(panics: bool) -> Vec<CaseResult> {
    let options = support::options(&PANICKING);
    let case = plan(&[support::scenario("stat/question", CASE)], &options.ledger).remove(0);
    let (sender, mut events) = tokio::sync::mpsc::unbounded_channel();
    let cases = std::iter::once_with(|| {
        PANICKING.0.store(panics, Ordering::SeqCst);
        case
    });
    run(Subject::Embedded(Embedding::default()), cases, options, sender).await.unwrap();
    let mut results = Vec::new();
    while let Some(event) = events.recv().await {
        if let Event::CaseFinished(result) = event {
            results.push(*result);
        }
    }
    results
}

#[tokio::test]
async fn a_panic_of_the_suite_proves_nothing() {
    let passes = results(false).await;
    assert_eq!(passes.iter().map(|r| r.verdict).collect::<Vec<_>>(), [Verdict::Pass], "{passes:?}");
    let panics = results(true).await;
    assert_eq!(panics.iter().map(|r| r.verdict).collect::<Vec<_>>(), [Verdict::Inconclusive], "{panics:?}");
    let got = panics[0].got.as_deref().unwrap();
    assert!(got.contains("the suite itself failed") && got.contains("no primitives today"), "{got}");
}
