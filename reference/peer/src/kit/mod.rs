//! Identity kits: the key files of section 9 of the specification, from a folder or from memory.
//!
//! ```text
//!   folder --read--> KitFiles --+--> ServerKit   server.key.pem, every <uid text>.pub.pem
//!   binary --list--> KitFiles --+--> ClientKit   one <uid text>.key.pem, server.pub.pem, every <uid text>.pub.pem
//!                               +--> Kit         all of them, private keys read when first asked for
//! ```
//!
//! A kit is wholly checked when it is loaded, apart from private keys that nobody has asked for yet.

mod error;
mod files;
mod names;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use mpchat_proto::crypto::{PrivateKey, Provider, PublicKey};
use mpchat_proto::ids::Uid;

pub use error::{Fault, KitError};
pub use files::KitFiles;

/// Everyone's public keys.
pub type Directory = BTreeMap<Uid, PublicKey>;

/// File name of the server's public key.
pub const SERVER_PUBLIC: &str = "server.pub.pem";
/// File name of the server's private key.
pub const SERVER_PRIVATE: &str = "server.key.pem";
/// File name of the map from names to uid texts; not part of the specification, and optional.
pub const NAMES: &str = "names.toml";
/// File name of the list of uid texts, in the order in which a crowd is drawn; not part of the specification, optional.
pub const CAST: &str = "cast.txt";

const PUBLIC_SUFFIX: &str = ".pub.pem";
const PRIVATE_SUFFIX: &str = ".key.pem";

/// What a server needs.
#[derive(Clone, Debug)]
pub struct ServerKit {
    /// The server's private key.
    pub key: PrivateKey,
    /// The users that may log in.
    pub directory: Arc<Directory>,
}

/// What the client of one user needs.
#[derive(Clone, Debug)]
pub struct ClientKit {
    /// The user.
    pub uid: Uid,
    /// The user's private key.
    pub key: PrivateKey,
    /// The server's public key.
    pub server: PublicKey,
    /// Everyone whom the user can write to.
    pub directory: Arc<Directory>,
}

/// What someone needs who plays everybody: all public keys, and all private ones on demand.
pub struct Kit {
    provider: &'static dyn Provider,
    files: KitFiles,
    directory: Arc<Directory>,
    /// One cell a user of the directory: reading a private key takes about as long as using it.
    keys: BTreeMap<Uid, OnceLock<PrivateKey>>,
    server: PublicKey,
    server_key: OnceLock<PrivateKey>,
    names: BTreeMap<String, Uid>,
    cast: Vec<Uid>,
}

impl ServerKit {
    /// Takes the server's side of a kit. If `server.pub.pem` is there as well, it must belong to the private key.
    ///
    /// # Errors
    /// The first file that is missing or wrong.
    pub fn load(files: &KitFiles, provider: &dyn Provider) -> Result<Self, KitError> {
        let key = read_private(files, provider, SERVER_PRIVATE)?;
        if files.text(SERVER_PUBLIC).is_some() {
            matches(SERVER_PRIVATE, &key, &read_public(files, provider, SERVER_PUBLIC)?, SERVER_PUBLIC)?;
        }
        Ok(Self { key, directory: read_directory(files, provider)?.into() })
    }
}

impl ClientKit {
    /// Takes the side of user `uid`. If the directory has the user's public key, it must belong to the private one.
    ///
    /// # Errors
    /// The first file that is missing or wrong.
    pub fn load(files: &KitFiles, provider: &dyn Provider, uid: Uid) -> Result<Self, KitError> {
        let directory = read_directory(files, provider)?;
        let key = read_user_key(files, provider, &directory, uid)?;
        Ok(Self { uid, key, server: read_public(files, provider, SERVER_PUBLIC)?, directory: directory.into() })
    }
}

impl Kit {
    /// Takes a whole kit. Private keys are not read yet.
    ///
    /// # Errors
    /// The first file that is missing or wrong, among `server.pub.pem`, `server.key.pem` (only its presence), the
    /// directory, `names.toml` and `cast.txt`.
    pub fn load(files: KitFiles, provider: &'static dyn Provider) -> Result<Self, KitError> {
        let server = read_public(&files, provider, SERVER_PUBLIC)?;
        present(&files, SERVER_PRIVATE)?;
        let directory = read_directory(&files, provider)?;
        let names = match files.text(NAMES) {
            Some(text) => names::parse_names(text).map_err(|fault| KitError::new(NAMES, fault))?,
            None => BTreeMap::new(),
        };
        let cast = match files.text(CAST) {
            Some(text) => names::parse_cast(text).map_err(|fault| KitError::new(CAST, fault))?,
            None => directory.keys().copied().collect(),
        };
        for (file, uid) in names.values().map(|uid| (NAMES, uid)).chain(cast.iter().map(|uid| (CAST, uid))) {
            if !directory.contains_key(uid) {
                return Err(KitError::new(file, Fault::NotInDirectory(*uid)));
            }
        }
        let keys = directory.keys().map(|&uid| (uid, OnceLock::new())).collect();
        let directory = Arc::new(directory);
        Ok(Self { provider, files, directory, keys, server, server_key: OnceLock::new(), names, cast })
    }

    /// Everyone's public keys.
    #[must_use]
    pub fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }

    /// The server's public key.
    #[must_use]
    pub fn server_public(&self) -> &PublicKey {
        &self.server
    }

    /// The server's private key, read when first asked for.
    ///
    /// # Errors
    /// What is wrong with `server.key.pem`, or that it does not belong to `server.pub.pem`.
    pub fn server_private(&self) -> Result<PrivateKey, KitError> {
        lazily(&self.server_key, || {
            let key = read_private(&self.files, self.provider, SERVER_PRIVATE)?;
            matches(SERVER_PRIVATE, &key, &self.server, SERVER_PUBLIC)?;
            Ok(key)
        })
    }

    /// The private key of a user, read when first asked for.
    ///
    /// # Errors
    /// That there is none, what is wrong with it, or that it does not belong to the user's public key.
    pub fn private(&self, uid: Uid) -> Result<PrivateKey, KitError> {
        let read = || read_user_key(&self.files, self.provider, &self.directory, uid);
        match self.keys.get(&uid) {
            Some(cell) => lazily(cell, read),
            None => read(),
        }
    }

    /// The server's side of it.
    ///
    /// # Errors
    /// As [`server_private`](Self::server_private).
    pub fn server(&self) -> Result<ServerKit, KitError> {
        Ok(ServerKit { key: self.server_private()?, directory: Arc::clone(&self.directory) })
    }

    /// A user's side of it.
    ///
    /// # Errors
    /// As [`private`](Self::private).
    pub fn client(&self, uid: Uid) -> Result<ClientKit, KitError> {
        let directory = Arc::clone(&self.directory);
        Ok(ClientKit { uid, key: self.private(uid)?, server: self.server.clone(), directory })
    }

    /// The uid of a name in `names.toml`.
    #[must_use]
    pub fn uid(&self, name: &str) -> Option<Uid> {
        self.names.get(name).copied()
    }

    /// The names in `names.toml`, sorted.
    #[must_use]
    pub fn names(&self) -> &BTreeMap<String, Uid> {
        &self.names
    }

    /// All users in the order of `cast.txt`; sorted, if there is none.
    #[must_use]
    pub fn cast(&self) -> &[Uid] {
        &self.cast
    }

    /// The files that it was loaded from.
    #[must_use]
    pub fn files(&self) -> &KitFiles {
        &self.files
    }
}

impl std::fmt::Debug for Kit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kit").field("users", &self.directory.len()).field("names", &self.names).finish_non_exhaustive()
    }
}

/// The name of a user's public key file.
#[must_use]
pub fn public_file(uid: Uid) -> String {
    format!("{uid}{PUBLIC_SUFFIX}")
}

/// The name of a user's private key file.
#[must_use]
pub fn private_file(uid: Uid) -> String {
    format!("{uid}{PRIVATE_SUFFIX}")
}

fn lazily(
    cell: &OnceLock<PrivateKey>,
    read: impl FnOnce() -> Result<PrivateKey, KitError>,
) -> Result<PrivateKey, KitError> {
    if let Some(key) = cell.get() {
        return Ok(key.clone());
    }
    // Two threads may both read it; either result will do.
    Ok(cell
        .get_or_init({
            let key = read()?;
            || key
        })
        .clone())
}

/// Every `<uid text>.pub.pem`. A `*.pub.pem` or `*.key.pem` with any other name (but the server's) is an error: a user
/// whose file is misspelt would otherwise just be unknown.
fn read_directory(files: &KitFiles, provider: &dyn Provider) -> Result<Directory, KitError> {
    let mut directory = Directory::new();
    for name in files.names() {
        if name == SERVER_PUBLIC || name == SERVER_PRIVATE {
            continue;
        }
        let public = name.strip_suffix(PUBLIC_SUFFIX);
        let Some(stem) = public.or_else(|| name.strip_suffix(PRIVATE_SUFFIX)) else { continue };
        let uid: Uid = stem.parse().map_err(|error| KitError::new(name, Fault::Name(error)))?;
        if uid == Uid::SERVER {
            return Err(KitError::new(name, Fault::ServerUid));
        }
        if public.is_some() {
            directory.insert(uid, read_public(files, provider, name)?);
        }
    }
    if directory.is_empty() { Err(KitError::new("*.pub.pem", Fault::NoUsers)) } else { Ok(directory) }
}

fn read_user_key(
    files: &KitFiles,
    provider: &dyn Provider,
    directory: &Directory,
    uid: Uid,
) -> Result<PrivateKey, KitError> {
    let file = private_file(uid);
    let key = read_private(files, provider, &file)?;
    if let Some(public) = directory.get(&uid) {
        matches(&file, &key, public, &public_file(uid))?;
    }
    Ok(key)
}

fn read_private(files: &KitFiles, provider: &dyn Provider, name: &str) -> Result<PrivateKey, KitError> {
    provider.private_key(present(files, name)?).map_err(|error| KitError::new(name, Fault::Key(error)))
}

fn read_public(files: &KitFiles, provider: &dyn Provider, name: &str) -> Result<PublicKey, KitError> {
    provider.public_key(present(files, name)?).map_err(|error| KitError::new(name, Fault::Key(error)))
}

fn present<'f>(files: &'f KitFiles, name: &str) -> Result<&'f str, KitError> {
    files.text(name).ok_or_else(|| KitError::new(name, Fault::Missing))
}

fn matches(file: &str, key: &PrivateKey, public: &PublicKey, public_file: &str) -> Result<(), KitError> {
    if key.public() == *public {
        return Ok(());
    }
    Err(KitError::new(file, Fault::Mismatch { public: public_file.to_owned() }))
}
