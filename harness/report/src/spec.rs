//! `--report FORMAT[=FILE]`.

use std::path::PathBuf;
use std::str::FromStr;

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
    #[error("`{0}` is no report format: terminal, json, junit or tap")]
    Format(String),
    /// `FORMAT=` without a file.
    #[error("`{0}` names no file after `=`")]
    NoFile(String),
}

impl FromStr for ReportSpec {
    type Err = ReportSpecError;

    fn from_str(text: &str) -> Result<Self, ReportSpecError> {
        let (format, file) = match text.split_once('=') {
            Some((_, "")) => return Err(ReportSpecError::NoFile(text.to_owned())),
            Some((format, file)) => (format, Some(PathBuf::from(file))),
            None => (text, None),
        };
        let format = match format {
            "terminal" => Format::Terminal,
            "json" => Format::Json,
            "junit" => Format::Junit,
            "tap" => Format::Tap,
            other => return Err(ReportSpecError::Format(other.to_owned())),
        };
        Ok(Self { format, file })
    }
}
