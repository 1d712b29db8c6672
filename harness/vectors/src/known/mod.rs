//! Known-answer vectors: `vectors/*.json`.
//!
//! [`write`] makes all of them with provider `rustcrypto`, byte for byte the same each time: what is random in the protocol
//! is SHA-256 of a label here. [`check`] runs every one through every provider. What is right was written down from the
//! specification, and `vectors/check.py` verifies all files without any code of this crate.

mod data;
mod encoding;
mod envelopes;
mod file;
mod frames;
mod headers;
mod keys;
mod kit;
mod logins;
mod notes;
mod oaep;
mod payloads;
mod refusals;

use thiserror::Error;

use file::Made;

/// A test that does not come out as its file says, or a file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{file}{}: {message}", test.as_ref().map(|t| format!(" test {t}")).unwrap_or_default())]
pub struct Failure {
    /// The file.
    pub file: String,
    /// Number and comment of the test, if it is about one.
    pub test: Option<String>,
    /// What came out, and with which providers.
    pub message: String,
}

/// Checks one file: its path and its text.
type Check = fn(&str, &str) -> Vec<Failure>;

/// All files: name below `vectors/`, and text.
///
/// # Panics
/// Never, for any reason outside of this crate's own data: keys and files are part of it.
#[must_use]
pub fn write() -> Vec<(String, String)> {
    let made: [(&str, Box<dyn Made>); 8] = [
        ("headers.json", Box::new(headers::make())),
        ("frames.json", Box::new(frames::make())),
        ("keys.json", Box::new(keys::make())),
        ("oaep.json", Box::new(oaep::make())),
        ("logins.json", Box::new(logins::make())),
        ("login-refusals.json", Box::new(refusals::make())),
        ("envelopes.json", Box::new(envelopes::make())),
        ("payloads.json", Box::new(payloads::make())),
    ];
    made.into_iter().map(|(name, file)| (name.to_owned(), file.text())).collect()
}

/// Runs every test of the files through every pair of providers: what one seals the other opens. Files that are no
/// known-answer vectors are left alone; one that is missing is a failure.
#[must_use]
pub fn check<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<Failure> {
    let files: Vec<(&str, &str)> = files.into_iter().collect();
    let checks: [(&str, Check); 8] = [
        ("headers.json", file::check::<headers::Header>),
        ("frames.json", file::check::<frames::Frame>),
        ("keys.json", file::check::<keys::Schedule>),
        ("oaep.json", file::check::<oaep::Ciphertext>),
        ("logins.json", file::check::<logins::Transcript>),
        ("login-refusals.json", file::check::<refusals::Refusal>),
        ("envelopes.json", file::check::<envelopes::Envelope>),
        ("payloads.json", file::check::<payloads::Payload>),
    ];
    let mut failures = Vec::new();
    for (name, check) in checks {
        match files.iter().find(|(path, _)| path.rsplit('/').next() == Some(name) && !path.contains("malformed/")) {
            Some((path, text)) => failures.extend(check(path, text)),
            None => failures.push(Failure { file: name.to_owned(), test: None, message: "is missing".to_owned() }),
        }
    }
    failures
}
