//! What a file may ask for, so that none can exhaust memory or time.

use crate::error::{Flaw, Problem};

/// Bytes of a file. The longest honest ones have two thousand.
pub(crate) const FILE: usize = 64 * 1024;
/// Expansions of a file: cases times the values of each `each`.
pub(crate) const EXPANSIONS: usize = 10_000;
/// Lines of a file, all rounds of all loops in all expansions together.
pub(crate) const LINES: usize = 200_000;
/// Bytes of text of a file, all expansions together; `times` counts with what it makes.
pub(crate) const BYTES: usize = 64 * 1024 * 1024;
/// Bytes of a line after substitution.
pub(crate) const LINE: usize = 8 * 1024;
/// Blocks within blocks.
pub(crate) const DEPTH: usize = 8;
/// Users behind one name of the cast.
pub(crate) const USERS: usize = 1000;
/// `times`: a frame has no room for more bytes.
pub(crate) const TIMES: u64 = 65_535;

/// What is left of [`LINES`] and [`BYTES`].
pub(crate) struct Budget {
    lines: usize,
    bytes: usize,
}

impl Budget {
    pub(crate) fn new() -> Self {
        Self { lines: LINES, bytes: BYTES }
    }

    /// Pays for a line of `bytes` bytes.
    pub(crate) fn line(&mut self, bytes: usize) -> Result<(), Flaw> {
        let Some(lines) = self.lines.checked_sub(1) else {
            return Err(Flaw::whole(Problem::TooManyLines(LINES)));
        };
        self.lines = lines;
        self.bytes(bytes)
    }

    /// Pays for so many bytes.
    pub(crate) fn bytes(&mut self, bytes: usize) -> Result<(), Flaw> {
        let Some(left) = self.bytes.checked_sub(bytes) else {
            return Err(Flaw::whole(Problem::TooMuchText(BYTES)));
        };
        self.bytes = left;
        Ok(())
    }
}
