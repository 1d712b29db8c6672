//! Folders for a run: removed when they are dropped.

use std::io;

use tempfile::TempDir;

/// Makes one whose name begins with `prefix`. A target may run as another user, so everybody may look into it.
///
/// # Errors
/// The operating system's.
pub fn temporary_folder(prefix: &str) -> io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(std::fs::Permissions::from_mode(0o755));
    }
    builder.tempdir()
}
