//! What can be wrong with a vector file.

use thiserror::Error;

/// A vector file that cannot be used: which, where in it, and why.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{file}: {}{path}: {offence}", vector.as_ref().map(|v| format!("vector `{v}`: ")).unwrap_or_default())]
pub struct LoadError {
    /// The path of the file, as it was given.
    pub file: String,
    /// The name of the vector, if it is about one.
    pub vector: Option<String>,
    /// The place, such as `$.vectors[3].send[0]`.
    pub path: String,
    /// What is wrong there.
    pub offence: Offence,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Offence {
    /// No JSON.
    #[error("not JSON: {0}")]
    Json(String),
    /// JSON of another shape: a key that is unknown or missing, a value of another type.
    #[error("{0}")]
    Shape(String),
    /// Another `schema`.
    #[error("schema `{0}` instead of `{expected}`", expected = super::SCHEMA)]
    Schema(String),
    /// The theme is not the file's name.
    #[error("theme `{0}` is not the name of the file")]
    Theme(String),
    /// Two vectors with one name.
    #[error("the name is taken by an earlier vector of this file")]
    Duplicate,
    /// A name with other characters than `a-z`, `0-9`, `-`.
    #[error("`{0}` is no name (lower case, digits, hyphens)")]
    Name(String),
    /// A flag that the dictionary lacks.
    #[error("flag `{0}` is not in the dictionary of the file")]
    Flag(String),
    /// A flag in the dictionary that no vector has.
    #[error("flag `{0}` is in the dictionary, but no vector has it")]
    UnusedFlag(String),
    /// A list that must have something in it.
    #[error("must not be empty")]
    Empty,
    /// A word outside of the vocabulary.
    #[error("`{0}` is not a word of the vocabulary: {1}")]
    Word(String, &'static str),
    /// No hexadecimal bytes.
    #[error("`{0}` is not pairs of lower-case hexadecimal digits")]
    Hex(String),
    /// A reaction that the phase or the frames do not allow.
    #[error("{0}")]
    Reaction(&'static str),
}
