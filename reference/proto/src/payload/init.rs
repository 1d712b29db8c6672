//! init_req: uid texts, each ended by LF.

use super::PayloadError;
use super::error::text;
use super::message::lines;
use crate::ids::Uid;

/// Reads the payload of an init_req. The form alone: nobody, uid 0, doubles and the like are for INIT-02.
///
/// # Errors
/// The first offence: [`PayloadError::NotUtf8`], else [`PayloadError::NotUid`] or [`PayloadError::NoLineEnd`].
pub fn parse_init_req(payload: &[u8]) -> Result<Vec<Uid>, PayloadError> {
    let uid = |line: Result<(usize, &str), PayloadError>| {
        let (at, line) = line?;
        line.parse().map_err(|_| PayloadError::NotUid { at })
    };
    lines(text(payload)?).map(uid).collect()
}

/// The payload of an init_req that names `invited` (INIT-01).
#[must_use]
pub fn write_init_req(invited: &[Uid]) -> Vec<u8> {
    invited.iter().flat_map(|uid| format!("{uid}\n").into_bytes()).collect()
}
