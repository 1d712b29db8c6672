//! msg_req: lines, each ended by LF.

use super::PayloadError;
use super::error::text;

/// Reads the payload of a msg_req. No line at all is no offence of the form; how many there must be is for MSG-05.
///
/// # Errors
/// The first offence: [`PayloadError::NotUtf8`], else [`PayloadError::EmptyLine`] or [`PayloadError::NoLineEnd`].
pub fn parse_lines(payload: &[u8]) -> Result<Vec<&str>, PayloadError> {
    let filled = |line: Result<(usize, _), PayloadError>| match line? {
        (at, "") => Err(PayloadError::EmptyLine { at }),
        (_, line) => Ok(line),
    };
    lines(text(payload)?).map(filled).collect()
}

/// The payload of a msg_req with these lines. They must not hold an LF, which would make two of one.
#[must_use]
pub fn write_lines<L: AsRef<str>>(lines: impl IntoIterator<Item = L>) -> Vec<u8> {
    let mut payload = Vec::new();
    for line in lines {
        payload.extend_from_slice(line.as_ref().as_bytes());
        payload.push(b'\n');
    }
    payload
}

/// Lines without their LF, and where they begin (PAY-02). Only LF ends a line.
pub(super) fn lines(text: &str) -> impl Iterator<Item = Result<(usize, &str), PayloadError>> {
    text.split_inclusive('\n').scan(0, |next, line| {
        let at = *next;
        *next += line.len();
        Some(line.strip_suffix('\n').map(|line| (at, line)).ok_or(PayloadError::NoLineEnd { at }))
    })
}
