//! The result file: the whole result as one JSON object, when the run has ended.

use std::io::{self, Write};

use mpchat_model::{Event, Results};

use crate::Reporter;

/// Writes the result file.
pub struct Json<W>(W);

impl<W: Write> Json<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self(out)
    }
}

impl<W: Write> Reporter for Json<W> {
    fn on(&mut self, event: &Event, results: &Results) -> io::Result<()> {
        if matches!(event, Event::RunFinished { .. }) {
            serde_json::to_writer_pretty(&mut self.0, results)?;
            writeln!(self.0)?;
            self.0.flush()?;
        }
        Ok(())
    }
}
