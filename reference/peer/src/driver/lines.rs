//! Lines of bounded length.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// The longest line that is taken. The longest command that can be carried out has a text of less than 32 KiB, six bytes a
/// byte where JSON escapes it.
pub(super) const MAX_LINE: usize = 1 << 20;

/// A line without its LF.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Whole(Vec<u8>),
    /// It has more than [`MAX_LINE`] bytes, which were read and forgotten.
    TooLong,
}

/// Cuts a stream into lines.
pub(super) struct Lines<R> {
    input: R,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input }
    }

    /// The next line; the last one may lack its LF. `None` at the end.
    pub(super) async fn next(&mut self) -> io::Result<Option<Line>> {
        let (mut line, mut length) = (Vec::new(), 0_usize);
        loop {
            let bytes = self.input.fill_buf().await?;
            if bytes.is_empty() && length == 0 {
                return Ok(None);
            }
            let end = bytes.iter().position(|&byte| byte == b'\n');
            let part = &bytes[..end.unwrap_or(bytes.len())];
            let is_last = end.is_some() || bytes.is_empty();
            length = length.saturating_add(part.len());
            if length <= MAX_LINE {
                line.extend_from_slice(part);
            } else {
                line = Vec::new();
            }
            let taken = part.len() + usize::from(end.is_some());
            self.input.consume(taken);
            if is_last {
                return Ok(Some(if length <= MAX_LINE { Line::Whole(line) } else { Line::TooLong }));
            }
        }
    }
}
