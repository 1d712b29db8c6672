//! What proved nothing when others ran too is run again, alone; what failed with a short timer, with a longer one.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use crate::attempt::{DeathId, Variant};
use crate::stop::Stop;
use crate::transport::Transport;

use super::{Run, Turn, Unsettled};

/// So many refusals of so little, each repeated by an instance that had served nobody before, show what the target is
/// like: further ones are believed at once.
const BELIEVED: usize = 10;

/// So many cases of a timer that fail with a longer one as well show that the target fails: further ones are believed at once.
const BELIEVED_TIMERS: usize = 4;

impl Run {
    /// Runs again, alone, what proved nothing when others ran, or failed with a short timer. A death that no case repeats alone is a finding all the
    /// same: the first case that ran when it happened cannot pass.
    pub(super) async fn again(&self, cases: Vec<Unsettled>) {
        let mut died: BTreeMap<DeathId, String> = BTreeMap::new();
        let mut suspects = Vec::new();
        for (turn, first) in cases {
            if self.stopped.load(Ordering::Relaxed) && !self.is_given_up() {
                break;
            }
            let (mut variants, mut deaths, mut repeats) = (Vec::new(), BTreeMap::new(), false);
            for variant in first {
                deaths.extend(variant.deaths.clone());
                let is_believed = variant.doubted && variant.deaths.is_empty() && self.is_believed(&turn);
                if !variant.is_unsettled() || is_believed {
                    variants.push(variant);
                } else if self.is_given_up() {
                    variants.push(variant.not_settled("not run again alone: the run could not go on"));
                } else {
                    let patient = Turn { patient: true, ..Turn::clone(&turn) };
                    deaths.extend(self.died_before(&patient).await);
                    let alone = self.play_alone(&patient, variant.transport).await;
                    if variant.doubted && matches!(alone.played.end, Err(Stop::Fail(_))) {
                        self.note_believed(&turn);
                    }
                    repeats |= !alone.deaths.is_empty();
                    variants.push(variant.again(alone));
                }
            }
            if deaths.is_empty() {
                self.finish(&turn, variants).await;
            } else {
                suspects.push((turn, variants, deaths, repeats));
            }
        }
        for (_, _, deaths, _) in &suspects {
            died.extend(deaths.clone());
        }
        for (_, _, deaths, _) in suspects.iter().filter(|(_, _, _, repeats)| *repeats) {
            died.retain(|id, _| !deaths.contains_key(id));
        }
        for (turn, mut variants, deaths, _) in suspects {
            for id in deaths.keys() {
                if let (Some(death), Some(variant)) = (died.remove(id), variants.first_mut()) {
                    variant.died_once(&death);
                }
            }
            self.finish(&turn, variants).await;
        }
    }

    /// Whether so many other cases of its timer failed with a longer one, too, that a failure with a short one is believed.
    fn is_believed(&self, turn: &Turn) -> bool {
        let failed = self.failed_patiently.lock().unwrap_or_else(PoisonError::into_inner);
        let of_timer = turn.case.timers.first().and_then(|timer| failed.get(timer));
        of_timer.is_some_and(|cases| cases.len() >= BELIEVED_TIMERS)
    }

    fn note_believed(&self, turn: &Turn) {
        let mut failed = self.failed_patiently.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(timer) = turn.case.timers.first() {
            failed.entry(*timer).or_default().insert(turn.number);
        }
    }

    /// A death that nobody saw before the case begins.
    async fn died_before(&self, turn: &Turn) -> Option<(DeathId, String)> {
        let instance = self.instance(turn).await.ok()?;
        match instance.revive(false).await {
            Ok(death) => death.map(|death| ((instance.number(), instance.deaths().len().saturating_sub(1)), death)),
            Err(error) => {
                self.give_up(error);
                None
            }
        }
    }

    /// A refusal of so little is a breach only if nothing else is in the way: a session that another case could not end may
    /// be, so an instance of its own is asked, too.
    async fn play_alone(&self, turn: &Turn, transport: Transport) -> Variant {
        let alone = self.play(turn, transport).await;
        if !alone.is_refused_in_breach()
            || !alone.deaths.is_empty()
            || self.refused_apart.load(Ordering::Relaxed) >= BELIEVED
        {
            return alone;
        }
        let apart = self.play(&Turn { apart: true, ..turn.clone() }, transport).await;
        if apart.is_refused_in_breach() {
            self.refused_apart.fetch_add(1, Ordering::Relaxed);
        }
        if apart.began { apart } else { alone }
    }
}
