//! How bytes are written, and how a connection ends.

use std::time::Duration;

/// As a rule: what waits goes in one write, and the end is a FIN.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Style {
    /// One byte a write.
    pub(super) bytewise: bool,
    /// How long more frames are waited for before a write.
    pub(super) waits: Option<Duration>,
    /// Ends by RST.
    pub(super) resets: bool,
    /// Opens a connection and closes it before the one that it uses.
    pub(super) tries_first: bool,
}

impl Style {
    /// What of `bytes` is written next.
    pub(super) fn part<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        if self.bytewise { &bytes[..bytes.len().min(1)] } else { bytes }
    }
}

#[cfg(feature = "faults")]
impl From<Option<mpchat_proto::client::Quirk>> for Style {
    fn from(quirk: Option<mpchat_proto::client::Quirk>) -> Self {
        use mpchat_proto::client::Quirk;
        Self {
            bytewise: quirk == Some(Quirk::ByteAWrite),
            waits: (quirk == Some(Quirk::FramesJoined)).then_some(Duration::from_millis(5)),
            resets: quirk == Some(Quirk::EndsByReset),
            tries_first: quirk == Some(Quirk::TriesFirst),
        }
    }
}
