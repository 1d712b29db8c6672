//! `--report FORMAT[=FILE]`.

use std::io::Write;
use std::path::PathBuf;
use std::str::FromStr;

use mpchat_model::Ledger;

use crate::Reporter;
use crate::{html::Html, json::Json, junit::Junit, markdown::Markdown, tap::Tap, terminal::Terminal};

/// A format of reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Terminal,
    /// The result file.
    Json,
    /// JUnit XML.
    Junit,
    /// TAP 14.
    Tap,
    /// Markdown, for a job summary.
    Markdown,
    /// One HTML file.
    Html,
}

/// A report that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportSpec {
    /// The format.
    pub format: Format,
    /// The file; standard output, if there is none.
    pub file: Option<PathBuf>,
}

/// A text that names no report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReportSpecError {
    /// No such format.
    #[error("`{0}` is no report format: terminal, json, junit, tap, markdown or html")]
    Format(String),
    /// `FORMAT=` without a file.
    #[error("`{0}` names no file after `=`")]
    NoFile(String),
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Terminal, Self::Json, Self::Junit, Self::Tap, Self::Markdown, Self::Html];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::Json => "json",
            Self::Junit => "junit",
            Self::Tap => "tap",
            Self::Markdown => "markdown",
            Self::Html => "html",
        }
    }

    /// A reporter of this format, without a progress bar.
    pub fn reporter<'a>(self, out: impl Write + 'a, ledger: &'a Ledger) -> Box<dyn Reporter + 'a> {
        match self {
            Self::Terminal => Box::new(Terminal::new(out, ledger, false)),
            Self::Json => Box::new(Json::new(out)),
            Self::Junit => Box::new(Junit::new(out)),
            Self::Tap => Box::new(Tap::new(out)),
            Self::Markdown => Box::new(Markdown::new(out, ledger)),
            Self::Html => Box::new(Html::new(out, ledger)),
        }
    }
}

impl FromStr for ReportSpec {
    type Err = ReportSpecError;

    fn from_str(text: &str) -> Result<Self, ReportSpecError> {
        let (name, file) = match text.split_once('=') {
            Some((_, "")) => return Err(ReportSpecError::NoFile(text.to_owned())),
            Some((name, file)) => (name, Some(PathBuf::from(file))),
            None => (text, None),
        };
        let format = Format::ALL.into_iter().find(|format| format.name() == name);
        Ok(Self { format: format.ok_or_else(|| ReportSpecError::Format(name.to_owned()))?, file })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;

    #[test]
    fn report_words_are_strict() {
        for format in Format::ALL {
            let plain: ReportSpec = format.name().parse().unwrap();
            assert_eq!(plain, ReportSpec { format, file: None });
            let filed: ReportSpec = format!("{}=a=b", format.name()).parse().unwrap();
            assert_eq!(filed, ReportSpec { format, file: Some(PathBuf::from("a=b")) });
        }
        let error = |text: &str| text.parse::<ReportSpec>().unwrap_err();
        assert_eq!(error("yaml=x"), ReportSpecError::Format("yaml".to_owned()));
        assert_eq!(error("JSON"), ReportSpecError::Format("JSON".to_owned()));
        assert_eq!(error(""), ReportSpecError::Format(String::new()));
        assert_eq!(error("json="), ReportSpecError::NoFile("json=".to_owned()));
        for format in Format::ALL {
            assert!(error("x").to_string().contains(format.name()), "the message names every format");
        }
    }
}
