//! What the unit tests share: keys, known answers (see `testdata/make.py`), and random numbers that are not.

#![allow(clippy::unwrap_used, reason = "test support")]

use core::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};

use crate::crypto::{PROVIDERS, PrivateKey, Provider, PublicKey, provider};
use crate::ids::Uid;

pub(crate) const ALICE: Uid = Uid(0xa11ce);
pub(crate) const BOB: Uid = Uid(0xb0b);

pub(crate) const SERVER_KEY: &str = include_str!("../testdata/server.key.pem");
pub(crate) const SERVER_PUB: &str = include_str!("../testdata/server.pub.pem");
pub(crate) const ALICE_KEY: &str = include_str!("../testdata/alice.key.pem");
pub(crate) const ALICE_PUB: &str = include_str!("../testdata/alice.pub.pem");

/// Every provider that is built in.
pub(crate) fn providers() -> impl Iterator<Item = &'static dyn Provider> + Clone {
    PROVIDERS.iter().map(|name| provider(name).unwrap())
}

/// Every pair of providers, each with itself too: who writes, who reads.
pub(crate) fn pairs() -> impl Iterator<Item = (&'static dyn Provider, &'static dyn Provider)> {
    providers().flat_map(|writer| providers().map(move |reader| (writer, reader)))
}

pub(crate) fn private(provider: &dyn Provider, pem: &str) -> PrivateKey {
    provider.private_key(pem).unwrap()
}

pub(crate) fn public(provider: &dyn Provider, pem: &str) -> PublicKey {
    provider.public_key(pem).unwrap()
}

/// A known answer by its name in `testdata/known.txt`.
pub(crate) fn known(name: &str) -> Vec<u8> {
    let line =
        include_str!("../testdata/known.txt").lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    hex::decode(line.unwrap_or_else(|| panic!("no known answer {name:?}"))).unwrap()
}

/// Gives out exactly the bytes that it was made with, and panics when asked for more.
pub(crate) struct Script(Vec<u8>);

impl Script {
    /// 32 times each of these values.
    pub(crate) fn of(values: &[u8]) -> Self {
        Self(values.iter().flat_map(|&value| [value; 32]).collect())
    }

    pub(crate) fn is_used_up(&self) -> bool {
        self.0.is_empty()
    }
}

impl TryRng for Script {
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
        target.copy_from_slice(&self.0[..target.len()]);
        self.0.drain(..target.len());
        Ok(())
    }
}

impl TryCryptoRng for Script {}
