//! Which words may be names.

/// Words that Mermaid reads as its own, in any case. As a name they end a diagram or change its meaning.
pub(crate) const MERMAID: &[&str] = &[
    "end",
    "par",
    "and",
    "opt",
    "loop",
    "box",
    "note",
    "over",
    "actor",
    "off",
    "details",
    "alt",
    "else",
    "participant",
    "create",
    "destroy",
    "activate",
    "deactivate",
    "autonumber",
    "critical",
    "option",
    "break",
    "rect",
    "link",
    "links",
    "properties",
    "title",
    "acctitle",
    "accdescr",
];

/// Words that mean something in a line of the language.
pub(crate) const OWN: &[&str] = &[
    "server", "nobody", "none", "unknown", "in", "of", "to", "as", "with", "after", "sealed", "by", "for", "only",
    "split", "byte", "bytes", "joined", "held", "lines", "times", "flip", "last", "next", "random", "short", "long",
    "sha1", "pkcs1", "login", "s2c", "c2s", "zero", "until", "from", "error",
];

/// Whether `word` has the form of a name: `[a-z][a-z0-9_]*`.
pub(crate) fn is_name(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_lowercase())
        && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Whether a name would be read as something else.
pub(crate) fn is_reserved(word: &str) -> bool {
    MERMAID.contains(&word) || OWN.contains(&word) || crate::statement::KINDS.iter().any(|kind| kind.word() == word)
}

/// Whether `word` has the form of a case's id: small letters, digits, hyphens.
pub(crate) fn is_case_id(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
        && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}
