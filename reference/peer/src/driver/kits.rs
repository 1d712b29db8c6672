//! Where the identities of driven clients come from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use mpchat_proto::client::Identity;
use mpchat_proto::crypto::Provider;
use mpchat_proto::ids::Uid;

use crate::kit::{ClientKit, Kit, KitError, KitFiles};

/// Makes the identity of a user of what a `connect` calls its kit.
pub trait KitSource: Send + Sync {
    /// The identity of `uid` with the keys of `kit`.
    ///
    /// # Errors
    /// The first file that is missing or wrong.
    fn identity(&self, kit: &Path, uid: Uid) -> Result<Identity, KitError>;
}

/// Kits are folders. What was read once is not read again.
#[derive(Debug)]
pub struct Folders {
    provider: &'static dyn Provider,
    known: Mutex<BTreeMap<(PathBuf, Uid), Identity>>,
}

impl Folders {
    /// Nothing is read yet.
    #[must_use]
    pub fn new(provider: &'static dyn Provider) -> Self {
        Self { provider, known: Mutex::default() }
    }
}

impl KitSource for Folders {
    fn identity(&self, kit: &Path, uid: Uid) -> Result<Identity, KitError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (kit.to_owned(), uid);
        if let Some(identity) = known.get(&key) {
            return Ok(identity.clone());
        }
        let identity: Identity = ClientKit::load(&KitFiles::read(kit)?, self.provider, uid)?.into();
        known.insert(key, identity.clone());
        Ok(identity)
    }
}

/// One kit in memory, whatever it is called.
impl KitSource for Kit {
    fn identity(&self, _kit: &Path, uid: Uid) -> Result<Identity, KitError> {
        let (server, directory) = (self.server_public().clone(), self.directory().clone());
        Ok(Identity { uid, key: self.private(uid)?, server, directory })
    }
}
