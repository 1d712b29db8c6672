//! Bytes in JSON, and bytes that are random nowhere but in the protocol.

use core::convert::Infallible;

use mpchat_proto::crypto::{Provider, provider};
use rand_core::{TryCryptoRng, TryRng};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Bytes as lower-case hexadecimal digits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hex(pub(crate) Vec<u8>);

/// Bytes, or what they are made of where they are many.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Bytes {
    Hex(Hex),
    Repeat(Repeat),
}

/// `repeat`, `times` times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Repeat {
    repeat: Hex,
    times: usize,
}

/// A result, or its SHA-256 where it is long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Output {
    Hex(Hex),
    Digest(Digest),
}

/// Length in bytes and SHA-256.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Digest {
    length: usize,
    sha256: Hex,
}

/// Results longer than this stand as their digest.
const LONG: usize = 2048;

/// No frame and no line is longer than this; a file cannot ask for more.
const MOST: usize = 1 << 17;

impl Hex {
    /// As many bytes as are wanted, if there are so many.
    pub(crate) fn array<const N: usize>(&self) -> Result<[u8; N], String> {
        self.0[..].try_into().map_err(|_| format!("{} bytes instead of {N}", self.0.len()))
    }
}

impl From<&[u8]> for Hex {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl<const N: usize> From<[u8; N]> for Hex {
    fn from(bytes: [u8; N]) -> Self {
        Self(bytes.to_vec())
    }
}

impl From<Vec<u8>> for Hex {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(de::Error::custom("capital hexadecimal digits"));
        }
        hex::decode(&text).map(Self).map_err(de::Error::custom)
    }
}

impl Bytes {
    pub(crate) fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self::Hex(bytes.as_ref().into())
    }

    pub(crate) fn repeat(bytes: impl AsRef<[u8]>, times: usize) -> Self {
        Self::Repeat(Repeat { repeat: bytes.as_ref().into(), times })
    }

    pub(crate) fn get(&self) -> Result<Vec<u8>, String> {
        match self {
            Self::Hex(hex) => Ok(hex.0.clone()),
            Self::Repeat(Repeat { repeat, times }) => match repeat.0.len().checked_mul(*times) {
                Some(len) if len <= MOST => Ok(repeat.0.repeat(*times)),
                _ => Err(format!("{times} times {} bytes are too many", repeat.0.len())),
            },
        }
    }
}

impl Output {
    pub(crate) fn of(bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        if bytes.len() <= LONG {
            Self::Hex(bytes.into())
        } else {
            Self::Digest(Digest { length: bytes.len(), sha256: maker().sha256(&[bytes]).into() })
        }
    }

    /// Whether these bytes are what is meant.
    pub(crate) fn is(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Hex(hex) => hex.0 == bytes,
            Self::Digest(digest) => digest.length == bytes.len() && digest.sha256.0 == maker().sha256(&[bytes]),
        }
    }

    /// The bytes, where they are there.
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Hex(hex) => Some(&hex.0),
            Self::Digest(_) => None,
        }
    }
}

/// The provider that makes the vectors.
pub(crate) fn maker() -> &'static dyn Provider {
    provider("rustcrypto").expect("this crate asks for feature `rustcrypto` of mpchat-proto")
}

/// 32 bytes that look random: SHA-256 of the label.
pub(crate) fn bytes32(label: &str) -> [u8; 32] {
    maker().sha256(&[b"mpchat vectors ", label.as_bytes()])
}

/// The first 12 of them.
pub(crate) fn bytes12(label: &str) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes.copy_from_slice(&bytes32(label)[..12]);
    bytes
}

/// The first 8 of them, as a number.
pub(crate) fn number(label: &str) -> u64 {
    bytes32(label)[..8].iter().fold(0, |n, b| n << 8 | u64::from(*b))
}

/// Gives out just these bytes, and zeros behind them.
pub(crate) struct Fixed(Vec<u8>);

impl Fixed {
    pub(crate) fn new(parts: &[&[u8]]) -> Self {
        Self(parts.concat())
    }
}

impl TryRng for Fixed {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, target: &mut [u8]) -> Result<(), Infallible> {
        let n = target.len().min(self.0.len());
        target.fill(0);
        for (to, from) in target.iter_mut().zip(self.0.drain(..n)) {
            *to = from;
        }
        Ok(())
    }
}

impl TryCryptoRng for Fixed {}
