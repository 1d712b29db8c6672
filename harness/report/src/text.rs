//! Text of a peer made harmless.

/// Control characters, and what turns the direction of writing, as visible escapes; line breaks stay.
pub(crate) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}');
        if c == '\n' || !c.is_control() && !turns {
            shown.push(c);
        } else {
            shown.extend(c.escape_unicode());
        }
    }
    shown
}

/// One line of it.
pub(crate) fn one_line(text: &str) -> String {
    visible(text).replace('\n', "\\n")
}
