//! What ends a command, and with which exit code.

use std::fmt::Display;

/// 0 conforms; 1 a rule is broken; 2 wrong usage, or nothing was judged; 3 the target could not be reached.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    pub(crate) text: String,
}

impl Failure {
    /// Something is found wrong: a check that failed.
    pub(crate) fn found(text: impl Display) -> Self {
        Self { code: 1, text: text.to_string() }
    }

    /// What the user gave cannot be used.
    pub(crate) fn usage(text: impl Display) -> Self {
        Self { code: 2, text: text.to_string() }
    }

    /// A run without a verdict.
    pub(crate) fn nothing_judged() -> Self {
        Self::usage("every case was skipped: nothing was judged")
    }

    /// The target cannot be reached or started.
    pub(crate) fn unreachable(text: impl Display) -> Self {
        Self { code: 3, text: text.to_string() }
    }

    /// A scenario file that cannot be read: shown with its place.
    pub(crate) fn script(error: mpchat_script::ScriptError) -> Self {
        Self { code: 2, text: format!("{:?}", miette::Report::new(error)) }
    }
}
