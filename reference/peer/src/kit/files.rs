//! The files of a kit, before anybody looks into them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use super::{CAST, Fault, KitError, NAMES};

/// The longest file that is taken, in bytes: a key file has less than 2 KiB, a list of uids 17 bytes a user.
const MAX_FILE: u64 = 1 << 20;
/// The most files that are taken.
const MAX_FILES: usize = 1 << 16;

/// Names and texts of a kit's files. Printing shows names only.
#[derive(Clone, Default)]
pub struct KitFiles(BTreeMap<String, String>);

impl KitFiles {
    /// Reads `*.pem`, `names.toml` and `cast.txt` of a folder; other files are left alone.
    ///
    /// # Errors
    /// The folder or the file that cannot be read, is too long or no text.
    pub fn read(folder: &Path) -> Result<Self, KitError> {
        let unreadable = |error| KitError::new(folder, Fault::Read(error));
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            // A name that is no UTF-8 is none of a kit's.
            let Ok(name) = entry.file_name().into_string() else { continue };
            if !belongs(&name) {
                continue;
            }
            if files.len() == MAX_FILES {
                return Err(KitError::new(folder, Fault::TooMany { limit: MAX_FILES }));
            }
            let path = entry.path();
            let text = read_text(&path).map_err(|fault| KitError::new(&path, fault))?;
            files.insert(name, text);
        }
        Ok(Self(files))
    }

    /// Takes files from memory, say from inside of the program.
    #[must_use]
    pub fn from_list<N: Into<String>, T: Into<String>>(files: impl IntoIterator<Item = (N, T)>) -> Self {
        let files = files.into_iter().map(|(name, text)| (name.into(), text.into()));
        Self(files.filter(|(name, _)| belongs(name)).collect())
    }

    /// The text of a file, if it is there.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The names of all files, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Names and texts of all files, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// Writes the files that `wanted` picks into a folder, which it makes if need be.
    ///
    /// # Errors
    /// The folder or file that cannot be written.
    pub fn write(&self, folder: &Path, wanted: impl Fn(&str) -> bool) -> Result<(), KitError> {
        fs::create_dir_all(folder).map_err(|error| KitError::new(folder, Fault::Read(error)))?;
        for (name, text) in self.iter().filter(|(name, _)| wanted(name)) {
            let path = folder.join(name);
            fs::write(&path, text).map_err(|error| KitError::new(&path, Fault::Read(error)))?;
        }
        Ok(())
    }
}

impl std::fmt::Debug for KitFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

fn belongs(name: &str) -> bool {
    name.ends_with(".pem") || name == NAMES || name == CAST
}

fn read_text(path: &Path) -> Result<String, Fault> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(Fault::Read)?;
    // A pipe would never end.
    if !file.metadata().map_err(Fault::Read)?.is_file() {
        return Err(Fault::Read(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")));
    }
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(Fault::Read)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(Fault::TooLong { limit: MAX_FILE });
    }
    String::from_utf8(bytes).map_err(|_| Fault::NotText)
}
