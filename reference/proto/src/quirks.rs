//! What the faulty server and the faulty client share: the form of their lists (faults, each of which breaks one rule, and
//! habits, which are legal), and looking into
//! frames whose mac is wrong.

use std::collections::VecDeque;

use crate::crypto::BadMac;
use crate::frame::{HEADER_LEN, Header, MAC_LEN, MIN_LEN};
use crate::keys::FrameCipher;
use crate::login::Channel;

/// Makes the enumeration `Quirk` of a list: the faults by name, rule and text, then the habits by name and text.
macro_rules! quirks {
    (faults { $($name:ident $rule:literal $text:literal;)* } habits { $($habit:ident $habit_text:literal;)* }) => {
        /// A fault breaks one rule; a habit is legal, and unusual.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Quirk {
            $(#[doc = $text] $name,)*
            $(#[doc = $habit_text] $habit,)*
        }

        impl Quirk {
            /// All faults, in the order of the specification.
            pub const FAULTS: &'static [Quirk] = &[$(Quirk::$name,)*];

            /// All habits.
            pub const HABITS: &'static [Quirk] = &[$(Quirk::$habit,)*];

            /// The rule that a fault breaks; none for a habit.
            #[must_use]
            pub fn rule(self) -> Option<&'static str> {
                match self {
                    $(Quirk::$name => Some($rule),)*
                    $(Quirk::$habit => None,)*
                }
            }

            /// What the peer does: "it …".
            #[must_use]
            pub fn text(self) -> &'static str {
                match self {
                    $(Quirk::$name => $text,)*
                    $(Quirk::$habit => $habit_text,)*
                }
            }

            /// Its name in commands and reports: `gap-of-one`.
            #[must_use]
            pub fn id(self) -> String {
                $crate::quirks::id(self.name())
            }

            fn name(self) -> &'static str {
                match self {
                    $(Quirk::$name => stringify!($name),)*
                    $(Quirk::$habit => stringify!($habit),)*
                }
            }
        }
    };
}

pub(crate) use quirks;

/// `gap-of-one` for `GapOfOne`.
pub(crate) fn id(name: &str) -> String {
    let mut id = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !id.is_empty() {
            id.push('-');
        }
        id.push(c.to_ascii_lowercase());
    }
    id
}

/// What is in a frame, and the mac that it should have. Encryption is its own inverse in counter mode.
pub(crate) fn decrypt(cipher: &FrameCipher, frame: &[u8]) -> (Vec<u8>, [u8; MAC_LEN]) {
    let Some(header) = frame.first_chunk().map(Header::decode) else { return (Vec::new(), [0; MAC_LEN]) };
    let epd = frame.get(HEADER_LEN..frame.len().saturating_sub(MAC_LEN)).unwrap_or_default();
    let twice = cipher.seal(&header, epd, None);
    let plain = twice[HEADER_LEN..HEADER_LEN + epd.len()].to_vec();
    let mac = mac_as(cipher, &header, &plain);
    (plain, mac)
}

/// The mac of a payload under a header.
pub(crate) fn mac_as(cipher: &FrameCipher, header: &Header, plain: &[u8]) -> [u8; MAC_LEN] {
    cipher.seal(header, plain, None).last_chunk().copied().unwrap_or_default()
}

/// A frame's mac beside the right one, for those who compare them in their own way.
pub(crate) struct Macs<'c> {
    cipher: &'c FrameCipher,
    header: Header,
    pub(crate) plain: Vec<u8>,
    pub(crate) right: [u8; MAC_LEN],
    pub(crate) claimed: [u8; MAC_LEN],
}

impl Macs<'_> {
    /// Whether the mac is that of the same payload under another header.
    pub(crate) fn fits_under(&self, change: impl FnOnce(&mut Header)) -> bool {
        let mut header = self.header;
        change(&mut header);
        mac_as(self.cipher, &header, &self.plain) == self.claimed
    }
}

/// Opens a frame whose mac is right, or fits in the opinion of `fits`.
pub(crate) fn open_loosely<'f>(
    channel: &mut Channel,
    frame: &'f mut [u8],
    fits: impl FnOnce(&Macs<'_>) -> bool,
) -> Result<(Header, &'f [u8]), BadMac> {
    let header = Header::decode(frame.first_chunk().ok_or(BadMac)?);
    let cipher = channel.cipher_in();
    let (plain, right) = decrypt(cipher, frame);
    let claimed = frame.last_chunk().copied().unwrap_or_default();
    let macs = Macs { cipher, header, plain, right, claimed };
    if macs.right != macs.claimed && !fits(&macs) {
        return Err(BadMac);
    }
    let plain = macs.plain;
    channel.accept_number(header.sqn);
    let end = frame.len() - MAC_LEN;
    frame[HEADER_LEN..end].copy_from_slice(&plain);
    Ok((header, &frame[HEADER_LEN..end]))
}

/// Whole frames, and what is left. A header of a frame that is too short to be one is skipped, or ends what can be cut.
pub(crate) fn cut(mut bytes: &[u8], skips_short: bool) -> (VecDeque<Vec<u8>>, Vec<u8>) {
    let mut frames = VecDeque::new();
    while let Some(header) = bytes.first_chunk().map(Header::decode) {
        let len = match usize::from(header.len) {
            len if len >= MIN_LEN => len,
            _ if skips_short => {
                bytes = &bytes[HEADER_LEN..];
                continue;
            }
            // Whoever checks headers will refuse it.
            _ => bytes.len(),
        };
        if bytes.len() < len {
            break;
        }
        frames.push_back(bytes[..len].to_vec());
        bytes = &bytes[len..];
    }
    (frames, bytes.to_vec())
}
