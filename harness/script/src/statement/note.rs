//! `Note over NAME: …`: a closed vocabulary of acts and checks.

use crate::ast::{NoteKind, Refused, Timer};
use crate::error::{Flaw, Problem};
use crate::near::near;

use super::cursor::{Cursor, Next};
use super::mentioned;

/// All notes, as they are written.
pub(crate) const VOCABULARY: &[&str] = &[
    "logs in",
    "connects",
    "restarts",
    "stops reading",
    "reads again",
    "the invite timeout passes",
    "the answer timeout passes",
    "the login timeout passes",
    "the status timeout passes",
    "half the invite timeout passes",
    "half the answer timeout passes",
    "half the login timeout passes",
    "half the status timeout passes",
    "claims roster NAME NAME … in NAME",
    "closes when asked for the roster in NAME",
    "hears nothing",
    "is still served",
    "stays away",
    "stays away for good",
    "shows nothing",
    "shows \"…\"",
    "refuses to send \"…\" in NAME",
    "refuses to accept in NAME",
    "refuses to close in NAME",
];

/// The longest text that a client can be asked to send, in bytes.
const LONGEST: u64 = 1 << 20;

/// Reads what a note over `over` says.
pub(super) fn note(cursor: &mut Cursor<'_>, over: &str) -> Result<NoteKind, Flaw> {
    let (rest, start) = cursor.rest();
    let words = rest.split(" [").next().unwrap_or_default().trim_end();
    let whole = start..start + words.len();
    let kind = read(cursor)?.ok_or_else(|| Flaw::at(whole.clone(), unknown(words)))?;
    let about_server = match kind {
        NoteKind::Restarts | NoteKind::ClaimsRoster { .. } | NoteKind::ClosesWhenAsked { .. } => true,
        // A timer may be the server's or a client's.
        NoteKind::TimeoutPasses { .. } => return Ok(kind),
        _ => false,
    };
    if about_server == (over == "server") {
        Ok(kind)
    } else {
        Err(Flaw::at(whole, Problem::NoteOverOther(over.to_owned())))
    }
}

/// `None`: the vocabulary has no such note.
fn read(cursor: &mut Cursor<'_>) -> Result<Option<NoteKind>, Flaw> {
    const FIXED: &[(&str, NoteKind)] = &[
        ("logs in", NoteKind::LogsIn),
        ("connects", NoteKind::Connects),
        ("restarts", NoteKind::Restarts),
        ("stops reading", NoteKind::StopsReading),
        ("reads again", NoteKind::ReadsAgain),
        ("hears nothing", NoteKind::HearsNothing),
        ("is still served", NoteKind::StillServed),
        ("stays away", NoteKind::StaysAway { for_good: false }),
        ("stays away for good", NoteKind::StaysAway { for_good: true }),
        ("shows nothing", NoteKind::ShowsNothing),
    ];
    let (rest, _) = cursor.rest();
    let says = rest.split(" [").next().unwrap_or_default().trim_end();
    if let Some((words, kind)) = FIXED.iter().find(|(words, _)| *words == says) {
        for word in words.split(' ') {
            cursor.expect(word, words)?;
        }
        return Ok(Some(kind.clone()));
    }
    if cursor.take("shows") {
        return Ok(Some(NoteKind::Shows(cursor.string("`nothing` or a text")?.0)));
    }
    if says.starts_with("refuses to send ") {
        for word in ["refuses", "to", "send"] {
            cursor.expect(word, "refuses to send \"…\"")?;
        }
        let text = cursor.string("the text that is refused")?.0;
        let times = if cursor.take("times") { usize::try_from(cursor.number(1, LONGEST)?).unwrap_or(1) } else { 1 };
        let bytes = text.len().saturating_mul(times) as u64;
        if bytes > LONGEST {
            return Ok(None);
        }
        return Ok(Some(NoteKind::RefusesToSend { text: text.repeat(times), session: session(cursor)? }));
    }
    type OfSession = fn(Option<String>) -> NoteKind;
    const OF_SESSIONS: [(&str, OfSession); 3] = [
        ("refuses to accept", |session| NoteKind::Refuses { what: Refused::Accept, session }),
        ("refuses to close", |session| NoteKind::Refuses { what: Refused::Close, session }),
        ("closes when asked for the roster", |session| NoteKind::ClosesWhenAsked { session }),
    ];
    for (words, kind) in OF_SESSIONS {
        if says == words || says.starts_with(&format!("{words} in ")) {
            for word in words.split(' ') {
                cursor.expect(word, words)?;
            }
            return Ok(Some(kind(session(cursor)?)));
        }
    }
    if says.starts_with("claims roster ") {
        for word in ["claims", "roster"] {
            cursor.expect(word, "claims roster NAME")?;
        }
        let mut roster = vec![mentioned(cursor, "a name")?];
        while matches!(cursor.peek().0, Next::Word(word) if word != "in") {
            roster.push(mentioned(cursor, "a name")?);
        }
        return Ok(Some(NoteKind::ClaimsRoster { roster, session: session(cursor)? }));
    }
    timeout(cursor)
}

/// `[half] the TIMER timeout passes`.
fn timeout(cursor: &mut Cursor<'_>) -> Result<Option<NoteKind>, Flaw> {
    let half = cursor.take("half");
    if !cursor.take("the") {
        return Ok(None);
    }
    let Next::Word(word) = cursor.peek().0 else { return Ok(None) };
    let timer = match word {
        "invite" => Timer::Invite,
        "answer" => Timer::Answer,
        "login" => Timer::Login,
        "status" => Timer::Status,
        _ => return Ok(None),
    };
    cursor.take(word);
    let complete = cursor.take("timeout") && cursor.take("passes");
    Ok(complete.then_some(NoteKind::TimeoutPasses { timer, half }))
}

/// `in NAME`, or nothing.
fn session(cursor: &mut Cursor<'_>) -> Result<Option<String>, Flaw> {
    if cursor.take("in") { mentioned(cursor, "a session").map(Some) } else { Ok(None) }
}

fn unknown(words: &str) -> Problem {
    let near: Vec<String> = near(words, VOCABULARY.iter().copied());
    Problem::UnknownNote { near: near.into_iter().map(|note| format!("`{note}`")).collect() }
}
