//! A case as it was played once, and what a second time, alone, makes of that.

use std::collections::BTreeMap;

use crate::play::Played;
use crate::stop::{Finding, Stop, rules};
use crate::transport::Transport;

/// One death of one instance.
pub(crate) type DeathId = (usize, usize);

/// A case as it was played in one transport.
pub(crate) struct Variant {
    pub(crate) transport: Transport,
    pub(crate) played: Played,
    pub(crate) seconds: f64,
    pub(crate) notes: Vec<String>,
    /// Deaths of the target while it was played, and how.
    pub(crate) deaths: BTreeMap<DeathId, String>,
    /// Whether it was played at all.
    pub(crate) began: bool,
    /// It failed with a short timer, and a longer one may say otherwise.
    pub(crate) doubted: bool,
}

impl Variant {
    /// It has to be played again, alone.
    pub(crate) fn is_unsettled(&self) -> bool {
        !self.deaths.is_empty()
            || self.doubted
            || self.is_refused()
            || matches!(self.played.end, Err(Stop::Inconclusive(_)))
    }

    /// The target has perhaps refused something for want of room, which shows alone.
    pub(crate) fn is_refused(&self) -> bool {
        matches!(self.played.end, Err(Stop::Refused { .. }))
    }

    /// It has refused what was too little to refuse.
    pub(crate) fn is_refused_in_breach(&self) -> bool {
        matches!(self.played.end, Err(Stop::Refused { breach: Some(_), .. }))
    }

    /// It was played again, alone: what that says holds, unless it could not be played.
    pub(crate) fn again(self, mut alone: Self) -> Self {
        if alone.began || !self.began {
            let before = self.deaths.values().map(|death| format!("when it ran beside others: {death}"));
            alone.notes.splice(0..0, before);
            return alone.died_alone();
        }
        let why = match &alone.played.end {
            Err(Stop::Inconclusive(why) | Stop::Skip(why)) => format!("to be run again alone: {why}"),
            _ => "to be run again alone".to_owned(),
        };
        self.not_settled(&why)
    }

    /// The target died although nothing else went on: the case does that.
    pub(crate) fn died_alone(mut self) -> Self {
        let Some(death) = self.deaths.values().next().cloned() else { return self };
        let mut finding = match std::mem::replace(&mut self.played.end, Ok(())) {
            Err(Stop::Fail(finding)) => *finding,
            other => {
                let got = match other {
                    Err(Stop::Inconclusive(why)) => why,
                    _ => String::new(),
                };
                Finding::new(Vec::new(), None, String::new(), got)
            }
        };
        finding.rules.splice(0..0, rules(&["MTP-18"]));
        let expected = "a target that goes on serving (MTP-18)";
        finding.expected = if finding.expected.is_empty() {
            expected.to_owned()
        } else {
            format!("{}, and {expected}", finding.expected)
        };
        finding.got = if finding.got.is_empty() { death } else { format!("{death}\n{}", finding.got) };
        self.played.end = Err(finding.stop());
        self
    }

    /// The target died when the case was played beside others, and not when it was played alone.
    pub(crate) fn died_once(&mut self, death: &str) {
        if !matches!(self.played.end, Err(Stop::Fail(_) | Stop::Inconclusive(_))) {
            let found = format!("{death}; not when the case ran alone");
            self.played.end = Err(Stop::Inconclusive(found));
        }
    }

    /// It cannot be told whose fault it is: what is found when others run too, or when the target dies, proves nothing.
    pub(crate) fn not_settled(mut self, why: &str) -> Self {
        let first = self.deaths.values().next().cloned();
        let first = match (&self.played.end, first) {
            (Err(Stop::Inconclusive(found) | Stop::Refused { why: found, .. }), None) => Some(found.clone()),
            (Err(Stop::Inconclusive(found)), Some(death)) => Some(format!("{death}\n{found}")),
            (Err(Stop::Fail(found)), Some(death)) => Some(format!("{death}\n{}", found.got)),
            (_, death) => death,
        };
        if let Some(first) = first {
            self.played.end = Err(Stop::Inconclusive(first));
        }
        self.notes.push(why.to_owned());
        self
    }
}
