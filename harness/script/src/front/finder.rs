//! Where in the front matter something stands.

use std::ops::Range;

/// A YAML anchor, with which a small file can make a large one.
pub(super) fn anchor(yaml: &str) -> Option<Range<usize>> {
    yaml.match_indices('&').find_map(|(at, _)| {
        let before = yaml[..at].trim_end_matches(' ').chars().next_back();
        let begins_value = before.is_none_or(|c| ":-[{,\n".contains(c));
        let named = yaml[at + 1..].starts_with(|c: char| c.is_alphanumeric() || c == '_');
        (begins_value && named).then(|| at..at + 1)
    })
}

/// Where in the YAML something stands. The reader's values have no places, so they are looked for.
pub(super) struct Finder<'a> {
    pub(super) yaml: &'a str,
}

impl Finder<'_> {
    /// The first place of `key:`.
    pub(super) fn key(&self, key: &str) -> Range<usize> {
        self.keys(key).next().unwrap_or(0..0)
    }

    /// The last place of `key:`.
    pub(super) fn last_key(&self, key: &str) -> Range<usize> {
        self.keys(key).last().unwrap_or(0..0)
    }

    fn keys<'s>(&'s self, key: &'s str) -> impl Iterator<Item = Range<usize>> + 's {
        self.yaml.match_indices(key).filter_map(move |(at, _)| {
            let starts = self.yaml[..at].chars().next_back().is_none_or(|c| " \n{,\"'".contains(c));
            let after = self.yaml[at + key.len()..].trim_start_matches(['"', '\'', ' ']);
            (!key.is_empty() && starts && after.starts_with(':')).then(|| at..at + key.len())
        })
    }

    /// The first place of `word` after the key `under`; the key itself if the word is written in another way.
    pub(super) fn word(&self, under: &str, word: &str) -> Range<usize> {
        let key = self.key(under);
        let after = key.end;
        let found = self.yaml[after..].match_indices(word).find(|(at, _)| {
            let at = after + at;
            let edge = |c: Option<char>| c.is_none_or(|c| !(c.is_alphanumeric() || c == '_' || c == '-'));
            edge(self.yaml[..at].chars().next_back()) && edge(self.yaml[at + word.len()..].chars().next())
        });
        match found {
            Some((at, _)) if !word.is_empty() => after + at..after + at + word.len(),
            _ => key,
        }
    }

    /// From `at` to the end of its line.
    pub(super) fn rest_of_line(&self, at: usize) -> Range<usize> {
        let mut at = at.min(self.yaml.len());
        while !self.yaml.is_char_boundary(at) {
            at -= 1;
        }
        let length = self.yaml[at..].find('\n').unwrap_or(self.yaml.len() - at);
        at..at + length
    }
}
