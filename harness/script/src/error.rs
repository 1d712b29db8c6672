//! What can be wrong with a scenario file, and how that is shown.

use std::fmt;
use std::ops::Range;

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};

/// What is wrong, where, and what was expected instead.
///
/// As a [`Diagnostic`] it shows the line of the file with the offending text marked.
#[derive(Debug)]
pub struct ScriptError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    problem: Problem,
    place: Place,
    span: Range<usize>,
    expansion: Option<String>,
    reads: Option<String>,
    source: NamedSource<String>,
}

/// Where something stands in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The path of the file, as the caller gave it.
    pub path: String,
    /// 1-based line.
    pub line: usize,
    /// 1-based column, in characters.
    pub column: usize,
    /// The offending text, as it stands in the file.
    pub text: String,
}

impl ScriptError {
    pub(crate) fn new(
        path: &str,
        source: &str,
        span: Range<usize>,
        problem: Problem,
        expansion: Option<String>,
        reads: Option<String>,
    ) -> Self {
        let start = floor(source, span.start);
        let end = floor(source, span.end).max(start);
        let before = &source[..start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let place = Place {
            path: path.to_owned(),
            line: before.matches('\n').count() + 1,
            column: source[line_start..start].chars().count() + 1,
            text: source[start..end].to_owned(),
        };
        let source = NamedSource::new(path, source.to_owned());
        Self(Box::new(Inner { problem, place, span: start..end, expansion, reads, source }))
    }

    /// What is wrong.
    pub fn problem(&self) -> &Problem {
        &self.0.problem
    }

    /// Where.
    pub fn place(&self) -> &Place {
        &self.0.place
    }

    /// The expansion that shows it, where the file has several.
    pub fn expansion(&self) -> Option<&str> {
        self.0.expansion.as_deref()
    }
}

/// The nearest character boundary at or below `at`.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { path, line, column, .. } = &self.0.place;
        write!(f, "{path}:{line}:{column}: {}", self.0.problem)
    }
}

impl std::error::Error for ScriptError {}

impl Diagnostic for ScriptError {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let mut lines: Vec<String> = self.0.problem.expected().into_iter().collect();
        if let Some(expansion) = &self.0.expansion {
            lines.push(format!("in {expansion}"));
        }
        if let Some(reads) = &self.0.reads {
            lines.push(format!("with its variables filled in, the line reads: {reads}"));
        }
        (!lines.is_empty()).then(|| Box::new(lines.join("\n")) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.0.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let Range { start, end } = self.0.span;
        Some(Box::new(std::iter::once(LabeledSpan::new(Some("here".to_owned()), start, end - start))))
    }
}

/// A problem and its place in the text that was being read (not yet in the file).
#[derive(Debug)]
pub(crate) struct Flaw {
    pub(crate) problem: Problem,
    /// Bytes of that text; `None` is all of it.
    pub(crate) range: Option<Range<usize>>,
}

impl Flaw {
    pub(crate) fn at(range: Range<usize>, problem: Problem) -> Self {
        Self { problem, range: Some(range) }
    }

    pub(crate) fn whole(problem: Problem) -> Self {
        Self { problem, range: None }
    }
}

/// The offences. Fields named `near` hold known words that may have been meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what each is about")]
pub enum Problem {
    // The file.
    #[error("a scenario has at most {0} bytes")]
    FileTooLong(usize),
    #[error("a carriage return: lines end with LF alone")]
    CarriageReturn,
    #[error("a control character")]
    ControlCharacter,
    #[error("a scenario begins with `---`, as its first bytes")]
    NoFrontMatter,
    #[error("the front matter is not ended by a line `---`")]
    FrontMatterNotEnded,
    #[error("the front matter is followed by the line `sequenceDiagram`")]
    NoDiagram,

    // The front matter.
    #[error("the front matter is no YAML map of the expected form: {0}")]
    Yaml(String),
    #[error("YAML anchors are not part of the language")]
    Anchor,
    #[error("unknown key `{key}`")]
    UnknownKey { key: String, near: Vec<String>, known: &'static [&'static str] },
    #[error("the key `{0}` stands here twice")]
    DuplicateKey(String),
    #[error("`{0}` is a setting of Mermaid's and would change the picture")]
    MermaidKey(String),
    #[error("the key `{0}` is missing")]
    MissingKey(&'static str),
    #[error("`{0}` is empty")]
    EmptyValue(String),
    #[error("`{0}` has more than one line")]
    SeveralLines(String),
    #[error("`{0}` is no rule identifier")]
    NotARule(String),
    #[error("the rule {0} stands here twice")]
    RuleTwice(String),
    #[error("`{0}` is nothing that a name of the cast can stand for")]
    BadCast(String),
    #[error("one name stands for at most {0} users")]
    TooManyUsers(usize),
    #[error("`{0}` is the name of a connection or of a crowd, where a user is needed")]
    NotAUser(String),
    #[error("`{0}` is no state to start in")]
    BadStart(String),
    #[error("`{0}` is nothing that a scenario can need")]
    BadNeed(String),
    #[error("`{0}` is no level")]
    BadLevel(String),
    #[error("`{0}` is no id of a case")]
    BadCaseId(String),
    #[error("`{0}` is no name of a variable")]
    BadVariable(String),
    #[error("the variable `{0}` has two meanings")]
    VariableTwice(String),
    #[error("the variable `{0}` is used nowhere")]
    VariableUnused(String),
    #[error("a value with a `$` or a line break in it")]
    BadVariableValue,
    #[error("`{0}` is no range")]
    BadRange(String),
    #[error("the value `{0}` stands here twice")]
    ValueTwice(String),
    #[error("{count} expansions are too many")]
    TooManyExpansions { count: usize, limit: usize },

    // Lines and blocks.
    #[error("nothing gives `${0}` a value")]
    Unbound(String),
    #[error("a `$` that names no variable")]
    LoneDollar,
    #[error("with its variables filled in, a line has at most {0} bytes")]
    LineTooLong(usize),
    #[error("all rounds of all expansions have more than {0} lines")]
    TooManyLines(usize),
    #[error("all expansions have more than {0} bytes of text")]
    TooMuchText(usize),
    #[error("more than {0} blocks within each other")]
    TooDeep(usize),
    #[error("`{0}` does not survive Mermaid")]
    LostByMermaid(&'static str),
    #[error("`%%{{` is an instruction to Mermaid")]
    Directive,
    #[error("a comment stands on a line of its own and is not empty")]
    Comment,
    #[error("a tab")]
    Tab,
    #[error("`{0}` belongs to Mermaid and not to this language")]
    OutsideSubset(String),
    #[error("this is no line of the language")]
    NoStatement,
    #[error("`{0}` outside of its block")]
    Stray(String),
    #[error("`{0}` has no `end`")]
    NotEnded(String),
    #[error("`{0}` takes no label")]
    Label(String),
    #[error("an empty block")]
    EmptyBlock,
    #[error("an empty diagram")]
    EmptyDiagram,
    #[error("this is no count")]
    BadCount,

    // Statements.
    #[error("`{0}` is no name")]
    BadName(String),
    #[error("`{0}` means something else and cannot be a name")]
    ReservedName(String),
    #[error("neither `{0}` nor `{1}` is the server")]
    WithoutServer(String, String),
    #[error("the server sends itself nothing")]
    ServerToItself,
    #[error("unknown type `{word}`")]
    UnknownKind { word: String, near: Vec<String> },
    #[error("unexpected {found}")]
    Unexpected { found: String, expected: String },
    #[error("`{0}` changes the frame, which only an arrow `-x` may carry")]
    FaultOnHonest(String),
    #[error("`{0}` stands here twice")]
    Repeated(String),
    #[error("`{word}` is no payload of {kind}")]
    PayloadOfOther { word: String, kind: &'static str, allowed: &'static str },
    #[error("no string: {0}")]
    BadString(String),
    #[error("`{field}` cannot be this")]
    BadFieldValue { field: &'static str, allowed: &'static str },
    #[error("the {field} has bytes 0 to {last} only")]
    BeyondField { field: &'static str, last: usize },
    #[error("{0} belongs to frames from the server")]
    OnlyFromServer(&'static str),
    #[error("`to` belongs to msg_res")]
    OnlyInMsgRes,
    #[error("an unknown note")]
    UnknownNote { near: Vec<String> },
    #[error("this note is not one over {0}")]
    NoteOverOther(String),
    #[error("a number out of its range")]
    OutOfRange { from: u64, to: u64 },

    // What lines mean together.
    #[error("there is no session `{name}`")]
    UnknownSession { name: String, known: Vec<String> },
    #[error("which session?")]
    WhichSession { known: Vec<String> },
    #[error("nobody here is called `{name}`")]
    UnknownName { name: String, near: Vec<String> },
    #[error("no msg_req of a client has the text {text}")]
    UnknownText { text: String, near: Vec<String> },
    #[error("the text {0} belongs to an earlier msg_req")]
    TextTwice(String),
    #[error("bytes are kept as `{0}` twice")]
    KeptTwice(String),
    #[error("no earlier line keeps its bytes as `{0}`")]
    NotKept(String),
    #[error("a branch of `{0}` begins with a line that is nobody's choice")]
    NobodysChoice(&'static str),
    #[error("the branches begin with lines of `{0}` and of `{1}`")]
    SeveralDeciders(String, String),
    #[error("two branches begin with the same line")]
    SameBeginning,
    #[error("`joined` is followed by no line of `{0}`")]
    JoinedToNothing(String),
    #[error("the name `{0}` is used nowhere")]
    NameUnused(String),
    #[error("`{0}` is a name that only lists have, so it does nothing by itself")]
    NoLifeline(String),
}

impl Problem {
    /// What was expected, where the message does not say it.
    pub fn expected(&self) -> Option<String> {
        Some(match self {
            Self::NoFrontMatter => {
                "front matter comes first: ---, then title, covers, why, then --- and sequenceDiagram".into()
            }
            Self::Yaml(_) => "title: one line of text\ncovers: [MSG-03]\nwhy: one line of text\n\
                              A value with `: ` or ` #` in it, or with a quote or bracket at its start, needs quotes."
                .into(),
            Self::Anchor => "write the value out".into(),
            Self::UnknownKey { near, known, .. } => suggest(near, || format!("known are {}", known.join(", "))),
            Self::NotARule(_) => "an area, a hyphen, two digits: MSG-03".into(),
            Self::BadCast(_) => {
                "`connection of NAME`, `connection of nobody`, `same as NAME`, `N users` or `unknown user`".into()
            }
            Self::BadStart(_) => "`offline` or `half logged in`".into(),
            Self::BadNeed(_) => "`restart` or `alone`".into(),
            Self::BadLevel(_) => "`must`, `should` or `may`".into(),
            Self::BadCaseId(_) => "small letters, digits and hyphens: mac-last-byte".into(),
            Self::BadVariable(_) => "a small letter, then small letters, digits and underscores".into(),
            Self::BadRange(_) => "a range `1..35`, the lower number first, or a list `[a, b]`".into(),
            Self::BadVariableValue => {
                "one line; a dollar sign in a string is `\\u0024`, and values are not filled in twice".into()
            }
            Self::TooManyExpansions { limit, .. } => format!("at most {limit}"),
            Self::Unbound(_) => "a variable of `cases` or `each`, or of the loop around the line".into(),
            Self::LoneDollar => "a name after it; a dollar sign in a string is `\\u0024`".into(),
            Self::LostByMermaid(what) => match *what {
                "#" => "in a string, `\\u0023`".into(),
                ";" => "in a string, `\\u003b`".into(),
                "<" => "in a string, `\\u003c`".into(),
                _ => "in a string, `\\u0025\\u0025`; a comment stands on a line of its own".into(),
            },
            Self::Comment => "%% text".into(),
            Self::Tab => "spaces; in a string, `\\t`".into(),
            Self::OutsideSubset(_) => "frames, endings, notes, par, alt, opt, loop".into(),
            Self::NoStatement => "`alice->>server: …`, `alice-xserver: …`, `server--xalice: closes`, \
                                  `Note over alice: …`, par, alt, opt, loop or end, with no space around the arrow"
                .into(),
            Self::BadCount => {
                "`loop 3 times`, `loop n from 1 to 20`, `par n from 1 to 20` or `loop until server to alice reaches sqn 65535`".into()
            }
            Self::BadName(_) => "a small letter, then small letters, digits and underscores".into(),
            Self::WithoutServer(..) => "clients speak to the server only".into(),
            Self::UnknownKind { near, .. } => suggest(near, || {
                let words: Vec<&str> = crate::statement::KINDS.iter().map(|kind| kind.word()).collect();
                words.join(", ")
            }),
            Self::Unexpected { expected, .. } => expected.clone(),
            Self::FaultOnHonest(_) => "write `-x` for `->>`, so that the violation shows in the picture".into(),
            Self::PayloadOfOther { allowed, .. } | Self::BadFieldValue { allowed, .. } => (*allowed).into(),
            Self::UnknownNote { near } => suggest(near, || crate::statement::VOCABULARY.join("\n")),
            Self::OutOfRange { from, to } => format!("{from} to {to}"),
            Self::UnknownSession { known, .. } | Self::WhichSession { known } if known.is_empty() => {
                "`sessions` in the front matter or an init_req makes one".into()
            }
            Self::UnknownSession { known, .. } => format!("known are {}", known.join(", ")),
            Self::WhichSession { known } => format!("`in` and one of {}", known.join(", ")),
            Self::UnknownName { near, .. } => {
                suggest(near, || "a name with a lifeline, of an init_req, of a roster or of the cast".into())
            }
            Self::UnknownText { near, .. } => suggest(near, || "a text that a client sends".into()),
            Self::TextTwice(_) => "a text identifies one message: its author, its session and its bytes".into(),
            Self::KeptTwice(_) => "another name".into(),
            Self::NotKept(_) => "`… as NAME` on a line that surely comes before".into(),
            Self::NobodysChoice(_) => "a frame, an ending or an act: its sender decides".into(),
            Self::SeveralDeciders(..) => "first lines of one sender".into(),
            Self::SameBeginning => "first lines by which the branches can be told apart".into(),
            Self::JoinedToNothing(_) => "a line of the same sender, whose bytes go into the same write".into(),
            _ => return None,
        })
    }
}

/// "did you mean", or what else there is.
fn suggest(near: &[String], otherwise: impl FnOnce() -> String) -> String {
    if near.is_empty() { otherwise() } else { format!("did you mean {}?", near.join(", or ")) }
}
