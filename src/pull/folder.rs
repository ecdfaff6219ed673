//! The folder of one question: its state, which is replaced whole, and names for what is put there.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{PullError, PulledFile, io_error};
use crate::domain::hex;
use crate::durable::{content_hash, create_dirs, lock_at_once, replace_file};

/// Of the state file. One of another number is refused.
const FORMAT: u32 = 1;

/// Characters of a foreign name that a file here keeps: with the rest of the name below the 255
/// bytes that file systems bear.
const NAME_MAX_CHARS: usize = 120;

/// Held by one pull at a time.
#[derive(Debug)]
pub(super) struct Folder {
    dir: PathBuf,
    _lock: File,
}

/// A file that was downloaded whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// Its path below the folder.
    pub(super) file: String,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

#[derive(Serialize, Deserialize)]
struct Stored<T> {
    format: u32,
    state: T,
}

impl Folder {
    /// The folder named `key` in `into`, for this pull alone.
    pub(super) fn open(into: &Path, key: &str) -> Result<Self, PullError> {
        let dir = into.join(key);
        create_dirs(&dir).map_err(|source| io_error(&dir, source))?;
        let path = dir.join(".lock");
        let lock = lock_at_once(&path).map_err(|source| io_error(&path, source))?;
        let lock = lock.ok_or_else(|| PullError::Busy { path: dir.clone() })?;
        Ok(Self { dir, _lock: lock })
    }

    /// A file of this folder, for whoever reads it.
    pub(super) fn pulled(&self, kept: &Kept) -> PulledFile {
        PulledFile { path: self.path(&kept.file), sha256: kept.sha256.clone() }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// A folder below this one, made where it is absent.
    pub(super) fn make(&self, name: &str) -> Result<(), PullError> {
        let path = self.path(name);
        create_dirs(&path).map_err(|source| io_error(&path, source))
    }

    /// The state that the pull before has left; the first one where there was none.
    pub(super) fn load<T: DeserializeOwned + Default>(&self) -> Result<T, PullError> {
        let path = self.path("state.json");
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(T::default()),
            read => read.map_err(|source| io_error(&path, source))?,
        };
        let stored: Stored<T> =
            serde_json::from_slice(&bytes).map_err(|error| PullError::State { path: path.clone(), reason: error.to_string() })?;
        if stored.format != FORMAT {
            return Err(PullError::State { path, reason: format!("it is of format {}, and this release reads {FORMAT}", stored.format) });
        }
        Ok(stored.state)
    }

    /// Replaces the state; it is on disk when this returns.
    pub(super) fn save<T: Serialize>(&self, state: &T) -> Result<(), PullError> {
        self.write("state.json", &Stored { format: FORMAT, state })
    }

    /// Writes a JSON file, which is on disk when this returns.
    pub(super) fn write(&self, name: &str, value: &impl Serialize) -> Result<(), PullError> {
        let path = self.path(name);
        let text = serde_json::to_vec_pretty(value).map_err(|error| io_error(&path, error.into()))?;
        replace_file(&path, &text).map_err(|source| io_error(&path, source))
    }

    /// Whether a file is still here as it was downloaded, byte for byte.
    pub(super) fn has(&self, kept: &Kept) -> bool {
        let path = self.path(&kept.file);
        let long = fs::metadata(&path).is_ok_and(|metadata| metadata.is_file() && metadata.len() == kept.bytes);
        long && content_hash(&path).is_ok_and(|sha256| sha256 == kept.sha256)
    }
}

/// A name of ours for something that the network has named: ASCII letters, digits, `.`, `-` and
/// `_`, and no dot at its head, so that it is neither a path nor hidden.
pub(super) fn clean_name(foreign: &str) -> String {
    let last = foreign.rsplit(['/', '\\']).next().unwrap_or("");
    let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_');
    let clean: String = last.chars().map(|letter| if fits(letter) { letter } else { '_' }).collect();
    let clean = clean.trim_start_matches('.');
    // The ending says what the file is.
    let beyond = clean.len().saturating_sub(NAME_MAX_CHARS);
    clean[beyond..].trim_start_matches('.').to_owned()
}

/// A name for a value that may hold anything: no two values have the same.
pub(super) fn named(value: &str) -> String {
    let digest = hex(&Sha256::digest(value.as_bytes()));
    let clean: String = clean_name(value).chars().take(40).collect();
    format!("{clean}-{}", &digest[..12])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_name_becomes_one_of_ours() {
        for (foreign, wanted) in [
            ("part-00123-5a93.c000.json.gz", "part-00123-5a93.c000.json.gz"),
            ("../../etc/passwd", "passwd"),
            ("/etc/passwd", "passwd"),
            ("C:\\x\\y.json.gz", "y.json.gz"),
            ("..", ""),
            (".hidden", "hidden"),
            ("été 1\n.json.gz", "_t__1_.json.gz"),
            ("a\0b", "a_b"),
            ("", ""),
        ] {
            assert_eq!(clean_name(foreign), wanted, "{foreign:?}");
        }
        let long = clean_name(&format!("{}.json.gz", "x".repeat(400)));
        assert!(long.len() == NAME_MAX_CHARS && long.ends_with("x.json.gz"));
        assert_ne!(named("a/b"), named("b"));
    }
}
