//! The folder that a client under test gets (`docs/driver.md`): made for a case, removed behind it.

use std::path::{Path, PathBuf};

use mpchat_peer::kit::{Kit, SERVER_PUBLIC, private_file, public_file};
use mpchat_proto::ids::Uid;

/// A kit of a case's users alone: a client reads all of its kit when it connects, and starts for every case.
pub(crate) struct KitFolder {
    path: PathBuf,
    written: bool,
}

impl KitFolder {
    /// Nothing is written yet.
    pub(crate) fn new() -> Self {
        let name = format!("mpchat-client-kit-{}-{:016x}", std::process::id(), rand::random::<u64>());
        Self { path: std::env::temp_dir().join(name), written: false }
    }

    /// Where it is, or would be.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the private key of `own` and the public keys of `users` and the server, once.
    ///
    /// # Errors
    /// The folder or file that cannot be written.
    pub(crate) fn write(&mut self, kit: &Kit, own: Uid, users: impl Iterator<Item = Uid>) -> Result<(), String> {
        if !self.written {
            let mut wanted = vec![SERVER_PUBLIC.to_owned(), private_file(own)];
            wanted.extend(users.map(public_file));
            let is_wanted = |name: &str| wanted.iter().any(|wanted| wanted == name);
            self.written = true;
            kit.files().write(&self.path, is_wanted).map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

impl Drop for KitFolder {
    fn drop(&mut self) {
        if self.written {
            // Best effort: a folder that cannot be removed is the operating system's to clean up.
            let _left = std::fs::remove_dir_all(&self.path);
        }
    }
}
