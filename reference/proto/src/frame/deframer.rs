//! Finds frames in a byte stream, however it was cut (MTP-16).

use super::{HEADER_LEN, Header, HeaderError, MIN_LEN};

/// Collects the bytes of one frame at a time.
///
/// **Call [`feed`](Self::feed) again and again until it returns `None`: then the input is used up.**
///
/// ```text
///            24 bytes, check passed             len bytes
///  Header ---------------------------> Body -------------> Whole (lent to the caller)
///    ^  |                                                    |
///    |  | check failed                                       |
///    |  +-------------> Broken (takes everything, forever)   |
///    +-------------------------------------------------------+  next feed
/// ```
///
/// Its memory never exceeds the longest frame, 65535 bytes, and grows with what arrived, not with what was promised.
#[derive(Debug, Default)]
pub struct Deframer {
    /// The frame so far: never more than `len` of its header.
    frame: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Header,
    Body {
        len: usize,
    },
    Whole,
    Broken,
}

impl Deframer {
    /// At the start of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes from the front of `input`, at most to the end of the current frame, and returns that frame once it is
    /// whole: header, epd, mac, and etk if `len` covers one; mutable, to be opened in place.
    ///
    /// `check` judges the header as soon as its 24 bytes are there (MTP-17), once a frame.
    ///
    /// # Errors
    /// What `check` returned; or [`HeaderError::Length`] if it accepted a `len` below 36, which no frame can have. Since
    /// nothing after a bad header can be trusted, all later input is taken and dropped without a word.
    pub fn feed<E: From<HeaderError>>(
        &mut self,
        input: &mut &[u8],
        check: impl FnOnce(&Header) -> Result<(), E>,
    ) -> Result<Option<&mut [u8]>, E> {
        if self.state == State::Whole {
            self.frame.clear();
            self.state = State::Header;
        }
        if self.state == State::Header {
            self.take(input, HEADER_LEN);
            let Ok(bytes) = <&[u8; HEADER_LEN]>::try_from(self.frame.as_slice()) else { return Ok(None) };
            let header = Header::decode(bytes);
            match check(&header).and_then(|()| body_len(&header).map_err(E::from)) {
                Ok(len) => self.state = State::Body { len },
                Err(error) => {
                    self.state = State::Broken;
                    self.frame = Vec::new();
                    *input = &[];
                    return Err(error);
                }
            }
        }
        match self.state {
            State::Body { len } => {
                self.take(input, len);
                if self.frame.len() < len {
                    return Ok(None);
                }
                self.state = State::Whole;
                Ok(Some(&mut self.frame))
            }
            State::Header | State::Whole | State::Broken => {
                *input = &[];
                Ok(None)
            }
        }
    }

    /// Bytes of a frame that has begun but is not whole. 0 between frames, and after an error.
    #[must_use]
    pub fn partial(&self) -> usize {
        match self.state {
            State::Header | State::Body { .. } => self.frame.len(),
            State::Whole | State::Broken => 0,
        }
    }

    /// The header of a frame that has begun, passed its check, and is not whole.
    #[must_use]
    pub fn header(&self) -> Option<Header> {
        match self.state {
            State::Body { .. } => self.frame.first_chunk().map(Header::decode),
            State::Header | State::Whole | State::Broken => None,
        }
    }

    /// The bytes of a frame that is not whole.
    #[cfg(feature = "faults")]
    pub(crate) fn so_far(&self) -> &[u8] {
        &self.frame
    }

    /// Bytes of memory held.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.frame.capacity()
    }

    /// Moves bytes over until the frame has `goal` of them or the input is empty.
    fn take(&mut self, input: &mut &[u8], goal: usize) {
        let count = goal.saturating_sub(self.frame.len()).min(input.len());
        let (taken, rest) = input.split_at(count);
        let needed = self.frame.len() + count;
        if needed > self.frame.capacity() {
            // Doubling, as a Vec would, but never beyond the frame.
            let capacity = goal.min(needed.max(2 * self.frame.capacity()));
            self.frame.reserve_exact(capacity - self.frame.len());
        }
        self.frame.extend_from_slice(taken);
        *input = rest;
    }
}

/// The guard of [`Deframer::feed`]: without it a `len` below 24 would make a frame that ends before its header does.
fn body_len(header: &Header) -> Result<usize, HeaderError> {
    match usize::from(header.len) {
        len if len < MIN_LEN => Err(HeaderError::Length { len: header.len, least: MIN_LEN as u16 }),
        len => Ok(len),
    }
}
