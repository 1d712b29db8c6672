//! Words and strings of the scenario language.

/// The type words.
pub(super) const KINDS: &[&str] = &[
    "init_req",
    "init_res",
    "close_req",
    "close_res",
    "msg_req",
    "msg_res",
    "invite_req",
    "invite_res",
    "status_req",
    "status_res",
    "login_req",
    "login_res",
];

/// Payloads that are one word.
pub(super) const WORDS: &[&str] = &["OK", "Accept", "Deny", "Online", "Offline"];

/// Users that vectors speak of.
pub(super) const USERS: &[&str] = &["alice", "bob", "carol"];

/// What else a value may be, besides a way to make a key, an etk or a mac.
pub(super) const VALUES: &[&str] = &[
    "stranger",
    "server",
    "session",
    "unknown",
    "last",
    "last-1",
    "last-2",
    "next+1",
    "next+2",
    "flipped-0",
    "flipped-1",
    "flipped-2",
    "flipped-3",
    "flipped-4",
    "flipped-5",
    "flipped-6",
    "flipped-7",
];

/// A JSON string in which nothing has a meaning to Mermaid: no `#`, `;`, `<`, `%`, and nothing outside of ASCII.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(c);
            }
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            ' '..='~' if !matches!(c, '#' | ';' | '<' | '%') => quoted.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    quoted.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    quoted.push('"');
    quoted
}

/// Whether these are pairs of lower-case hexadecimal digits.
pub(super) fn is_hex(text: &str) -> bool {
    text.len().is_multiple_of(2) && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn strings_hold_nothing_that_mermaid_would_take() {
        assert_eq!(
            quoted("a#b;c<d%%e\"\\\n\u{feff}\u{1f600}\0"),
            r#""a\u0023b\u003bc\u003cd\u0025\u0025e\"\\\n\ufeff\ud83d\ude00\u0000""#
        );
    }
}
