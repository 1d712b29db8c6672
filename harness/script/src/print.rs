//! Items back into the language.

use std::fmt::{self, Write as _};

use crate::ast::{
    Branch, Delivery, Ending, EndingKind, Fault, Field, Frame, Item, Line, Loop, Message, Note, NoteKind, Payload,
    Refused, SessionRef, Timer, Value, What,
};

/// Items as lines of the language, from [`unparse`].
#[derive(Clone, Copy, Debug)]
pub struct PrintedItems<'a>(&'a [Item]);

/// Prints items as they would be written: each block's lines indented by four spaces more than the block.
///
/// Parsed again they are the same items, except that a counted loop whose rounds differ is printed as its rounds.
pub fn unparse(items: &[Item]) -> PrintedItems<'_> {
    PrintedItems(items)
}

impl fmt::Display for PrintedItems<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        items(f, self.0, 1)
    }
}

fn items(f: &mut fmt::Formatter<'_>, list: &[Item], depth: usize) -> fmt::Result {
    let pad = "    ".repeat(depth);
    for item in list {
        match item {
            Item::Frame(frame) => writeln!(f, "{pad}{frame}{}", Rules(&frame.line))?,
            Item::Ending(ending) => writeln!(f, "{pad}{ending}{}", Rules(&ending.line))?,
            Item::Note(note) => writeln!(f, "{pad}{note}{}", Rules(&note.line))?,
            Item::Par(branches) => block(f, branches, ("par", "and"), depth)?,
            Item::Alt(branches) => block(f, branches, ("alt", "else"), depth)?,
            Item::Opt(branch) => block(f, std::slice::from_ref(branch), ("opt", ""), depth)?,
            Item::Loop(Loop::Until { from, to, sqn, body, .. }) => {
                writeln!(f, "{pad}loop until {from} to {to} reaches sqn {sqn}")?;
                items(f, body, depth + 1)?;
                writeln!(f, "{pad}end")?;
            }
            Item::Loop(Loop::Rounds { rounds, .. }) => rounds_of(f, rounds, depth)?,
        }
    }
    Ok(())
}

fn rounds_of(f: &mut fmt::Formatter<'_>, rounds: &[Vec<Item>], depth: usize) -> fmt::Result {
    let Some((first, others)) = rounds.split_first() else { return Ok(()) };
    if others.iter().any(|round| round != first) {
        return rounds.iter().try_for_each(|round| items(f, round, depth));
    }
    let pad = "    ".repeat(depth);
    writeln!(f, "{pad}loop {} times", rounds.len())?;
    items(f, first, depth + 1)?;
    writeln!(f, "{pad}end")
}

fn block(f: &mut fmt::Formatter<'_>, branches: &[Branch], words: (&str, &str), depth: usize) -> fmt::Result {
    let pad = "    ".repeat(depth);
    for (index, branch) in branches.iter().enumerate() {
        let word = if index == 0 { words.0 } else { words.1 };
        // The branches of a counted `par` are printed one by one.
        let label = if words.0 == "par" { "" } else { branch.label.as_str() };
        let space = if label.is_empty() { "" } else { " " };
        writeln!(f, "{pad}{word}{space}{label}")?;
        items(f, &branch.items, depth + 1)?;
    }
    writeln!(f, "{pad}end")
}

struct Rules<'a>(&'a Line);

impl fmt::Display for Rules<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules: Vec<&str> = self.0.rules.iter().map(|rule| rule.as_str()).collect();
        if rules.is_empty() { Ok(()) } else { write!(f, " [{}]", rules.join(", ")) }
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arrow = if self.faulty { "-x" } else { "->>" };
        write!(f, "{}{arrow}{}: {}", self.from, self.to, self.what)?;
        self.keep_as.as_ref().map_or(Ok(()), |name| write!(f, " as {name}"))
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(message) => message.fmt(f),
            Self::BytesOf(name) => write!(f, "bytes of {name}"),
            Self::Bytes(bytes) => write!(f, "bytes 0x{}", hex::encode(bytes)),
        }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.word())?;
        if let Some(payload) = &self.payload {
            write!(f, " {payload}")?;
        }
        if let Some(session) = &self.session {
            write!(f, " in {session}")?;
        }
        if let Some(of) = &self.of {
            write!(f, " of {of}")?;
        }
        if let Some(text) = &self.about {
            write!(f, " to {}", string(text))?;
        }
        self.faults.iter().try_for_each(|fault| write!(f, " {fault}"))?;
        self.delivery.iter().try_for_each(|delivery| write!(f, " {delivery}"))
    }
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody => f.write_str("nobody"),
            Self::Names(names) => f.write_str(&names.join(" ")),
            Self::Word(word) => f.write_str(word),
            Self::Error => f.write_str("error"),
            Self::Text(text) => repeated(f, text),
            Self::Lines(lines) => {
                let (period, times) = repetition(lines);
                f.write_str("lines")?;
                period.iter().try_for_each(|line| write!(f, " {}", string(line)))?;
                if times > 1 { write!(f, " times {times}") } else { Ok(()) }
            }
        }
    }
}

/// The shortest beginning of which a long list is a repetition, and how often it comes. Short lists stay as they are.
fn repetition<T: PartialEq>(list: &[T]) -> (&[T], usize) {
    const LONG: usize = 40;
    const PERIOD: usize = 16;
    if list.len() >= LONG {
        for length in (1..=PERIOD).filter(|length| list.len().is_multiple_of(*length)) {
            let (period, rest) = list.split_at(length);
            if rest.chunks(length).all(|chunk| chunk == period) {
                return (period, list.len() / length);
            }
        }
    }
    (list, 1)
}

impl fmt::Display for SessionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::None => f.write_str("none"),
            Self::Unknown => f.write_str("unknown"),
            Self::Sid(sid) => write!(f, "{sid:016x}"),
        }
    }
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SplitAt(at) => write!(f, "split at {at}"),
            Self::ByteByByte => f.write_str("byte by byte"),
            Self::Joined => f.write_str("joined"),
            Self::HeldAt(at) => write!(f, "held at {at}"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::With(field, value) => write!(f, "with {} {value}", field.word()),
            Self::After(field, value) => write!(f, "after sealing {} {value}", field.word()),
            Self::Flip(field, Some(index)) => write!(f, "after sealing flip {} {index}", field.word()),
            Self::Flip(field, None) => write!(f, "after sealing flip {} last", field.word()),
            Self::SealedIn(name) => write!(f, "sealed in {name}"),
            Self::SealedBy(name) => write!(f, "sealed by {name}"),
            Self::SealedFor(name) => write!(f, "sealed for {name}"),
            Self::SealedTo(name) => write!(f, "sealed to {name}"),
            Self::SealedWith(way) => write!(f, "sealed with {way}"),
            Self::SealedAnew => f.write_str("sealed anew"),
            Self::Only(bytes) => write!(f, "only {bytes} bytes"),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Hex(bytes) => write!(f, "0x{}", hex::encode(bytes)),
            Self::Text(text) => f.write_str(&string(text)),
            Self::Name(name) | Self::Way(name) => f.write_str(name),
            Self::Kind(kind) => f.write_str(kind.word()),
            Self::Last(0) => f.write_str("last"),
            Self::Last(back) => write!(f, "last-{back}"),
            Self::Next(ahead) => write!(f, "next+{ahead}"),
            Self::Flipped(byte) => write!(f, "flipped-{byte}"),
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}--x{}: {}", self.from, self.to, self.how.word())
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Note over {}: {}", self.over, self.what)
    }
}

impl fmt::Display for NoteKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let within = |f: &mut fmt::Formatter<'_>, session: &Option<String>| {
            session.as_ref().map_or(Ok(()), |session| write!(f, " in {session}"))
        };
        match self {
            Self::LogsIn => f.write_str("logs in"),
            Self::Connects => f.write_str("connects"),
            Self::Restarts => f.write_str("restarts"),
            Self::StopsReading => f.write_str("stops reading"),
            Self::ReadsAgain => f.write_str("reads again"),
            Self::TimeoutPasses { timer, half } => {
                write!(f, "{}the {} timeout passes", if *half { "half " } else { "" }, timer.word())
            }
            Self::ClaimsRoster { roster, session } => {
                write!(f, "claims roster {}", roster.join(" "))?;
                within(f, session)
            }
            Self::ClosesWhenAsked { session } => {
                f.write_str("closes when asked for the roster")?;
                within(f, session)
            }
            Self::HearsNothing => f.write_str("hears nothing"),
            Self::StillServed => f.write_str("is still served"),
            Self::StaysAway { for_good: false } => f.write_str("stays away"),
            Self::StaysAway { for_good: true } => f.write_str("stays away for good"),
            Self::ShowsNothing => f.write_str("shows nothing"),
            Self::Shows(text) => write!(f, "shows {}", string(text)),
            Self::Refuses { what, session } => {
                f.write_str(match what {
                    Refused::Accept => "refuses to accept",
                    Refused::Close => "refuses to close",
                })?;
                within(f, session)
            }
            Self::RefusesToSend { text, session } => {
                f.write_str("refuses to send ")?;
                repeated(f, text)?;
                within(f, session)
            }
        }
    }
}

/// A text, one that repeats itself as `"x" times 500`.
fn repeated(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let characters: Vec<char> = text.chars().collect();
    let (period, times) = repetition(&characters);
    let period: String = period.iter().collect();
    f.write_str(&string(&period))?;
    if times > 1 { write!(f, " times {times}") } else { Ok(()) }
}

impl Field {
    /// The word in a diagram.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ver => "ver",
            Self::Typ => "typ",
            Self::Len => "len",
            Self::Sqn => "sqn",
            Self::Sid => "sid",
            Self::Uid => "uid",
            Self::Payload => "payload",
            Self::Etk => "etk",
            Self::Key => "key",
            Self::Epd => "epd",
            Self::Mac => "mac",
        }
    }
}

impl EndingKind {
    /// The word in a diagram.
    pub fn word(self) -> &'static str {
        match self {
            Self::Closes => "closes",
            Self::HalfCloses => "half-closes",
            Self::Resets => "resets",
        }
    }
}

impl Timer {
    /// The word in a diagram.
    pub fn word(self) -> &'static str {
        match self {
            Self::Invite => "invite",
            Self::Answer => "answer",
            Self::Login => "login",
            Self::Status => "status",
        }
    }
}

/// A text as a JSON string that survives Mermaid and the filling in of variables.
pub(crate) fn string(text: &str) -> String {
    let mut written = String::with_capacity(text.len() + 2);
    written.push('"');
    for c in text.chars() {
        match c {
            '"' => written.push_str("\\\""),
            '\\' => written.push_str("\\\\"),
            '\n' => written.push_str("\\n"),
            '\r' => written.push_str("\\r"),
            '\t' => written.push_str("\\t"),
            '#' | ';' | '%' | '<' | '$' | '\u{feff}' => escape(&mut written, c),
            c if c.is_control() => escape(&mut written, c),
            c => written.push(c),
        }
    }
    written.push('"');
    written
}

/// `\u0023`, as one or two UTF-16 units.
fn escape(written: &mut String, c: char) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        // Writing to a String cannot fail.
        let _ = write!(written, "\\u{unit:04x}");
    }
}
