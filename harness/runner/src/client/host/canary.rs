//! What the server must never read in a frame: texts, and the keys that open them (MSG-02).

use std::collections::BTreeMap;

use memchr::memmem::Finder;

/// The shortest text that is looked for: a shorter one is found by chance.
const LEAST: usize = 5;

/// How much of what a connection has sent is kept: a leak may be split over frames, and what is looked for may come up later.
const TAIL: usize = 4096;

/// Words that payloads consist of: a text that is part of one tells nothing.
const WORDS: [&str; 5] = ["OK", "Accept", "Deny", "Online", "Offline"];

/// The texts and keys of a case, and the end of what each connection has sent.
#[derive(Debug, Default)]
pub(super) struct Canaries {
    /// What is looked for, and its name.
    wanted: Vec<(Finder<'static>, String)>,
    tails: BTreeMap<usize, Tail>,
}

/// The end of what a connection has sent.
#[derive(Debug, Default)]
struct Tail {
    bytes: Vec<u8>,
    /// How many of what is wanted are surely not in it.
    cleared: usize,
}

impl Canaries {
    /// A text of the case.
    pub(super) fn text(&mut self, text: &str) {
        let shown = text.chars().take(40).collect::<String>();
        if text.len() < LEAST || WORDS.iter().any(|word| word.contains(text)) {
            return;
        }
        // What is all hexadecimal digits may stand in any envelope.
        if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            self.add(text.as_bytes(), &format!("the text {shown:?}"));
        }
        self.in_hex(text.as_bytes(), &format!("the text {shown:?}"));
    }

    /// Bytes that nobody else may know.
    pub(super) fn secret(&mut self, name: &str, bytes: &[u8]) {
        self.add(bytes, name);
        self.in_hex(bytes, name);
    }

    fn in_hex(&mut self, bytes: &[u8], name: &str) {
        self.add(hex::encode(bytes).as_bytes(), &format!("{name}, in hexadecimal"));
        self.add(hex::encode_upper(bytes).as_bytes(), &format!("{name}, in hexadecimal"));
    }

    fn add(&mut self, bytes: &[u8], name: &str) {
        if !self.wanted.iter().any(|(known, _)| known.needle() == bytes) {
            self.wanted.push((Finder::new(bytes).into_owned(), name.to_owned()));
        }
    }

    /// What the next payload of a connection gives away, alone or together with those before it.
    pub(super) fn leak(&mut self, conn: usize, payload: &[u8]) -> Option<String> {
        let tail = self.tails.entry(conn).or_default();
        let before = tail.bytes.len();
        tail.bytes.extend_from_slice(payload);
        let found = self.wanted.iter().enumerate().find(|(n, (finder, _))| {
            // What was looked for before can only be there if it ends in the new payload.
            let overlap = finder.needle().len().saturating_sub(1);
            let from = if *n < tail.cleared { before.saturating_sub(overlap) } else { 0 };
            tail.bytes.get(from..).is_some_and(|bytes| finder.find(bytes).is_some())
        });
        tail.cleared = self.wanted.len();
        tail.bytes.drain(..tail.bytes.len().saturating_sub(TAIL));
        found.map(|(_, (_, name))| format!("{name} in the payloads that the client sent"))
    }
}

#[cfg(test)]
mod tests {
    use super::Canaries;

    #[test]
    fn finds_a_text_in_clear_in_hexadecimal_and_over_two_frames() {
        let mut canaries = Canaries::default();
        canaries.text("attack at dawn");
        assert_eq!(canaries.leak(0, b"OK"), None);
        assert!(canaries.leak(0, b"cannot open 'attack at dawn'").is_some());
        assert!(canaries.leak(1, hex::encode("attack at dawn").as_bytes()).is_some());
        assert_eq!(canaries.leak(2, b"attack a"), None);
        assert!(canaries.leak(2, b"t dawn").is_some());
        assert_eq!(canaries.leak(3, b"attack at noon"), None);
    }

    #[test]
    fn finds_what_comes_up_after_it_was_sent() {
        let mut canaries = Canaries::default();
        canaries.text("another text");
        assert_eq!(canaries.leak(0, b"attack at dawn"), None);
        canaries.text("attack at dawn");
        assert!(canaries.leak(0, b"OK").is_some());
        assert_eq!(canaries.leak(1, b"OK"), None);
    }
}
