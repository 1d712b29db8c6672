//! The folder that a client under test gets (`docs/driver.md`): made for a case, removed behind it.

use mpchat_peer::kit::{Kit, SERVER_PUBLIC, private_file, public_file};
use mpchat_proto::ids::Uid;
use tempfile::TempDir;

use crate::folder::temporary_folder;

/// A folder with the private key of `own` and the public keys of `users` and the server: a client reads all of its kit when
/// it connects, and starts for every case.
///
/// # Errors
/// The folder or file that cannot be written.
pub(crate) fn kit_folder(kit: &Kit, own: Uid, users: impl Iterator<Item = Uid>) -> Result<TempDir, String> {
    let folder = temporary_folder("mpchat-client-kit-").map_err(|error| error.to_string())?;
    let mut wanted = vec![SERVER_PUBLIC.to_owned(), private_file(own)];
    wanted.extend(users.map(public_file));
    let is_wanted = |name: &str| wanted.iter().any(|wanted| wanted == name);
    kit.files().write(folder.path(), is_wanted).map_err(|error| error.to_string())?;
    Ok(folder)
}
