//! Text of a peer made harmless.

/// Control characters, and those that nobody sees or that turn the direction of writing, as visible escapes; line
/// breaks stay. The outcome is also valid XML once `<`, `>`, `&` and quotes are escaped.
pub(crate) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\n' || is_harmless(c) {
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

/// At most `most` characters of a text, with a word about the rest: a peer may send 64 KiB where a word is due.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => {
            let (kept, rest) = text.split_at(end);
            format!("{kept}… ({} characters more; the result file has all)", rest.chars().count())
        }
    }
}

/// Escapes what HTML and XML give a meaning.
pub(crate) fn html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in visible(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// No control character, none of Unicode's format characters (category Cf: directions, joiners, tags), no line or
/// paragraph separator, no noncharacter (XML forbids two of them).
pub(crate) fn is_harmless(c: char) -> bool {
    let is_format = matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    let is_no_character = matches!(c, '\u{fdd0}'..='\u{fdef}') || u32::from(c) & 0xfffe == 0xfffe;
    !c.is_control() && !is_format && !is_no_character
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_would_see_is_shown() {
        assert_eq!(visible("a\u{0}\u{1b}[2J\u{9b}\t\r\nb"), "a\\u{0}\\u{1b}[2J\\u{9b}\\u{9}\\u{d}\nb");
        assert_eq!(
            visible("\u{202e}\u{2067}\u{200b}\u{feff}\u{ffff}\u{1fffe}"),
            concat!("\\u{202e}\\u{2067}\\u{200b}\\u{feff}", "\\u{ffff}\\u{1fffe}")
        );
        assert_eq!(visible("é 你 🙂 \\"), "é 你 🙂 \\");
        assert_eq!(one_line("a\nb"), "a\\nb");
        assert_eq!(html("<a href='x'>&\"\u{7}"), "&lt;a href=&#39;x&#39;&gt;&amp;&quot;\\u{7}");
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(shortened("éé", 2), "éé");
        assert_eq!(shortened("ééé", 1), "é… (2 characters more; the result file has all)");
    }
}
