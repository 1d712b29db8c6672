//! `mpchat kit`.

use std::path::Path;

use mpchat_proto::ids::Uid;

use super::{crypto, print};
use crate::embedded;
use crate::failure::Failure;

/// Writes the suite's kit, or the part of it that is about some users.
pub(crate) fn kit(dir: &Path, users: &[String]) -> Result<u8, Failure> {
    let files = embedded::kit_files();
    let kit = embedded::kit(None, crypto(None)?)?;
    let mut wanted = Vec::new();
    for user in users {
        let uid = user.parse::<Uid>().ok().or_else(|| kit.uid(user));
        let uid = uid.filter(|uid| kit.directory().contains_key(uid));
        wanted.push(uid.ok_or_else(|| Failure::usage(format!("`{user}` is no user of the kit")))?.to_string());
    }
    let is_wanted = |name: &str| {
        let is_private_key = name.ends_with(".key.pem") && !name.starts_with("server");
        wanted.is_empty() || !is_private_key || wanted.iter().any(|uid| name.starts_with(uid.as_str()))
    };
    files.write(dir, is_wanted).map_err(Failure::usage)?;
    let written = files.names().filter(|name| is_wanted(name)).count();
    print(&format!("{written} files in {}: test-only keys, known to everybody\n", dir.display()))?;
    Ok(0)
}
