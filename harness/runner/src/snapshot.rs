//! Golden transcripts: one file a scenario in insta's form, one section a case.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Starts a section.
const SECTION: &str = "== ";

/// Accepted transcripts, by case id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshots {
    cases: BTreeMap<String, String>,
}

impl Snapshots {
    /// Reads snapshot files: name and text of each.
    ///
    /// # Errors
    /// The file that is no snapshot, and why.
    pub fn parse<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, String> {
        let mut cases = BTreeMap::new();
        for (name, text) in files {
            let body = text
                .strip_prefix("---\n")
                .and_then(|rest| rest.split_once("\n---\n"))
                .map(|(_, body)| body)
                .ok_or_else(|| format!("{name}: no snapshot: it does not begin with metadata between `---` lines"))?;
            for section in body.split(&format!("\n{SECTION}")) {
                let section = section.trim_start_matches('\n');
                let section = section.strip_prefix(SECTION).unwrap_or(section);
                if let Some((id, transcript)) = section.split_once('\n') {
                    cases.insert(id.to_owned(), format!("{}\n", transcript.trim_end()));
                }
            }
        }
        Ok(Self { cases })
    }

    /// Reads the snapshots of a folder; a folder that is not there has none.
    ///
    /// # Errors
    /// The file that cannot be read, or is no snapshot.
    pub fn read(folder: &Path) -> Result<Self, String> {
        let mut files = Vec::new();
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(format!("{}: {error}", folder.display())),
        };
        for entry in entries {
            let path = entry.map_err(|error| format!("{}: {error}", folder.display()))?.path();
            if path.extension().is_some_and(|e| e == "snap") {
                let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
                files.push((path.display().to_string(), text));
            }
        }
        Self::parse(files.iter().map(|(name, text)| (name.as_str(), text.as_str())))
    }

    /// The transcript that was accepted for a case.
    pub fn get(&self, id: &str) -> Option<&str> {
        self.cases.get(id).map(String::as_str)
    }

    /// Accepts a transcript.
    pub fn accept(&mut self, id: &str, transcript: &str) {
        self.cases.insert(id.to_owned(), format!("{}\n", transcript.trim_end()));
    }

    /// Forgets cases that do not exist any more.
    pub fn keep_only(&mut self, exists: impl Fn(&str) -> bool) {
        self.cases.retain(|id, _| exists(id));
    }

    /// The files of the snapshots: name and text, sorted.
    pub fn files(&self) -> Vec<(String, String)> {
        let mut files: BTreeMap<String, String> = BTreeMap::new();
        for (id, transcript) in &self.cases {
            let scenario = id.split(['[', '@']).next().unwrap_or(id);
            let text = files
                .entry(format!("{}.snap", scenario.replace('/', "__")))
                .or_insert_with(|| format!("---\nsource: harness/runner\nexpression: transcripts of {scenario}\n---"));
            text.push_str(&format!("\n{SECTION}{id}\n{transcript}"));
        }
        files.into_iter().collect()
    }

    /// Writes the files, and removes snapshots of scenarios that are gone.
    ///
    /// # Errors
    /// The file that cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), String> {
        let fail = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
        std::fs::create_dir_all(folder).map_err(|error| fail(folder, error))?;
        let files = self.files();
        for (name, text) in &files {
            let path = folder.join(name);
            std::fs::write(&path, text).map_err(|error| fail(&path, error))?;
        }
        for path in stale(folder, &files) {
            std::fs::remove_file(&path).map_err(|error| fail(&path, error))?;
        }
        Ok(())
    }
}

fn stale(folder: &Path, files: &[(String, String)]) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_snapshot = |path: &PathBuf| path.extension().is_some_and(|e| e == "snap");
    let is_known = |path: &PathBuf| files.iter().any(|(name, _)| path.file_name().is_some_and(|n| n == name.as_str()));
    entries.filter(is_snapshot).filter(|path| !is_known(path)).collect()
}

/// Whether two transcripts differ in more than in what is optional: whether a target does what it may do or not can depend
/// on how the operating system shares out time, and is not what a snapshot pins down.
pub fn differs(accepted: &str, seen: &str) -> bool {
    !binding(accepted).eq(binding(seen))
}

/// The lines of a transcript outside `opt` blocks.
fn binding(transcript: &str) -> impl Iterator<Item = &str> {
    // How many blocks are open, from the outermost `opt` on.
    let mut within = 0_usize;
    transcript.trim_end().lines().filter(move |line| {
        let word = line.split_whitespace().next().unwrap_or_default();
        let was_within = within > 0;
        match word {
            "opt" => within += 1,
            "par" | "alt" | "loop" if was_within => within += 1,
            "end" if was_within => within -= 1,
            _ => {}
        }
        !was_within && within == 0
    })
}

/// The lines in which two transcripts differ, for people: `-` accepted, `+` seen.
pub fn difference(accepted: &str, seen: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (accepted.lines().collect(), seen.lines().collect());
    let same_start = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let rest = |lines: &[&str]| lines.len() - same_start;
    let same_end = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
    let same_end = same_end.min(rest(&old)).min(rest(&new));
    let middle = |lines: &[&str], sign: &str| -> Vec<String> {
        let end = lines.len() - same_end;
        lines.get(same_start..end).unwrap_or_default().iter().map(|line| format!("{sign}{line}")).collect()
    };
    [middle(&old, "-"), middle(&new, "+")].concat().join("\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut snapshots = Snapshots::default();
        snapshots.accept("a/b", "sequenceDiagram\n    x\n");
        snapshots.accept("a/b[c d=1]", "sequenceDiagram\n    == y\n");
        snapshots.accept("a/bc", "sequenceDiagram\n");
        snapshots.accept("a/bc@alice", "sequenceDiagram\n    z\n");
        let files = snapshots.files();
        assert_eq!(files.len(), 2);
        let read = Snapshots::parse(files.iter().map(|(n, t)| (n.as_str(), t.as_str()))).unwrap();
        assert_eq!(read, snapshots);
    }

    #[test]
    fn a_swap_shows() {
        assert_eq!(difference("a\nb\nc\n", "a\nc\nb\n"), "-b\n-c\n+c\n+b");
        assert_eq!(difference("a\na\n", "a\n"), "-a");
    }

    #[test]
    fn what_is_optional_makes_no_difference() {
        let plain = "sequenceDiagram\n    a\n    par\n        b\n    end\n    c\n";
        let taken =
            plain.replace("    a\n", "    a\n    opt\n        par\n            x\n        and\n        end\n    end\n");
        assert!(!differs(plain, &taken) && !differs(&taken, plain));
        assert!(differs(plain, &taken.replace("    c\n", "    d\n")));
        assert!(differs(plain, &plain.replace("        b\n", "")));
        assert!(differs(plain, "sequenceDiagram\n    a\n"));
    }

    #[test]
    fn other_files_are_refused() {
        assert!(Snapshots::parse([("x.snap", "hello")]).is_err());
    }
}
