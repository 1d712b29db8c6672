//! CLOSE-09: what an outsider is told of a session of others is what it is told of none.

use std::collections::{BTreeMap, BTreeSet};

use mpchat_script::ast::Kind;

use super::Play;
use super::world::Heard;

/// The error texts that one connection got, by the type of the answer: for a sid that nobody has, and for a session of
/// others.
#[derive(Debug, Default)]
pub(crate) struct Told {
    unknown: BTreeMap<&'static str, BTreeSet<String>>,
    of_others: BTreeMap<&'static str, BTreeSet<String>>,
}

impl Play {
    /// Compares an error text with what the same connection was told in the other case.
    pub(crate) fn compare_with_what_was_told(&mut self, number: usize, heard: &Heard) {
        let sid = heard.header.sid;
        if heard.payload == b"OK" || !matches!(heard.kind, Kind::MsgRes | Kind::CloseRes) {
            return;
        }
        let Some(conn) = self.conns.get(number) else { return };
        let others = self
            .session_by_sid(sid)
            .is_some_and(|(_, session)| session.live && !session.over && !session.roster().contains(&conn.user));
        if !others && sid != self.unknown_sid {
            return;
        }
        // The sid itself may be in the text.
        let text = String::from_utf8_lossy(&heard.payload).replace(&sid.to_string(), "$sid");
        let Some(conn) = self.conns.get_mut(number) else { return };
        let (mine, other) = match sid == self.unknown_sid {
            true => (&mut conn.told.unknown, &conn.told.of_others),
            false => (&mut conn.told.of_others, &conn.told.unknown),
        };
        let word = heard.kind.word();
        let mine = mine.entry(word).or_default();
        mine.insert(text.clone());
        // Texts that are not the same for the same question either tell nothing.
        let single = |texts: &BTreeSet<String>| texts.first().filter(|_| texts.len() == 1).cloned();
        let other = other.get(word).filter(|_| mine.len() == 1).and_then(single);
        if let Some(other) = other.filter(|other| *other != text) {
            let got = format!("\"{text}\" for {}, \"{other}\" for the other", self.session_name(sid));
            self.warn(&["CLOSE-09"], "one text for sessions of others and for unknown ones", got);
        }
    }
}
