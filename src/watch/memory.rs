//! What is remembered of a watched folder between two rounds and two runs: which files were read,
//! told by size and time of change, and the bytes of those that were refused.
//!
//! Absent on purpose: which bytes were imported. The table `imports` holds that, and the same bytes
//! are no work there.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::WatchError;
use crate::domain::hex;
use crate::durable::{create_dirs, lock_at_once, parent_of, replace_file};

/// Of the file's form. One of another number is refused.
const FORMAT: u32 = 1;

/// Refused contents that are remembered, newest last. Beyond them the oldest is forgotten, and
/// its bytes would be read once more.
const REFUSALS_MAX: usize = 10_000;

/// One state of a file, told without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Print {
    pub(super) bytes: u64,
    /// Nanoseconds from 1970-01-01 UTC.
    pub(super) modified_nanos: u64,
}

/// Bytes that were refused, and under which settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Refusal {
    /// The first file that held them.
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) sha256: String,
    pub(super) settings: String,
}

/// A file that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    print: Print,
    /// The settings under which it was refused; none where it was imported.
    refused_under: Option<String>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    format: u32,
    dir: String,
    files: BTreeMap<String, Known>,
    refusals: Vec<Refusal>,
}

/// The memory of one folder.
#[derive(Debug)]
pub(super) struct Memory {
    path: PathBuf,
    kept: Kept,
    /// Of files whose names are no Unicode, and which no JSON can hold: remembered by this run.
    unnamable: BTreeMap<OsString, Known>,
    _lock: File,
}

impl Memory {
    /// The memory that `folder` holds of `dir`; an empty one where it holds none. One watch at a
    /// time has it.
    pub(super) fn open(folder: &Path, dir: &Path) -> Result<Self, WatchError> {
        let digest = hex(&Sha256::digest(dir.as_os_str().as_encoded_bytes()));
        let path = folder.join(format!("{}.json", &digest[..16]));
        let lock_path = path.with_extension("lock");
        let lock_error = |source| WatchError::Io { path: lock_path.clone(), source };
        create_dirs(folder).map_err(lock_error)?;
        let lock = lock_at_once(&lock_path).map_err(lock_error)?.ok_or_else(|| WatchError::Busy { dir: dir.to_path_buf() })?;
        let kept = match fs::read(&path) {
            Ok(bytes) => {
                let refuse = |reason: String| WatchError::Memory { path: path.clone(), reason };
                let kept: Kept = serde_json::from_slice(&bytes).map_err(|error| refuse(error.to_string()))?;
                if kept.format != FORMAT {
                    return Err(refuse(format!("it is of format {}, and this release reads {FORMAT}", kept.format)));
                }
                kept
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Kept { format: FORMAT, dir: dir.display().to_string(), ..Kept::default() }
            }
            Err(source) => return Err(WatchError::Io { path, source }),
        };
        Ok(Self { path, kept, unnamable: BTreeMap::new(), _lock: lock })
    }

    /// Whether this state of a file was read, so that reading it again could end no other way.
    pub(super) fn knows(&self, name: &OsStr, print: Print, settings: &str) -> bool {
        let known = name.to_str().map_or_else(|| self.unnamable.get(name), |name| self.kept.files.get(name));
        known.is_some_and(|known| known.print == print && known.refused_under.as_ref().is_none_or(|under| under == settings))
    }

    /// Contents of this length that were refused under these settings.
    pub(super) fn refused_of<'a>(&'a self, bytes: u64, settings: &'a str) -> impl Iterator<Item = &'a Refusal> {
        self.kept.refusals.iter().filter(move |refusal| refusal.bytes == bytes && refusal.settings == settings)
    }

    /// Forgets files that are not in the folder any longer. Refused bytes stay known. Written
    /// with whatever is remembered next.
    pub(super) fn keep_only(&mut self, seen: &BTreeMap<OsString, Print>) {
        self.kept.files.retain(|name, _| seen.contains_key(OsStr::new(name)));
        self.unnamable.retain(|name, _| seen.contains_key(name));
    }

    pub(super) fn imported(&mut self, name: &OsStr, print: Print) -> Result<(), WatchError> {
        self.remember(name, Known { print, refused_under: None })
    }

    pub(super) fn refused(&mut self, name: &OsStr, print: Print, refusal: Refusal) -> Result<(), WatchError> {
        let refused_under = Some(refusal.settings.clone());
        if !self.kept.refusals.contains(&refusal) {
            self.kept.refusals.push(refusal);
            let beyond = self.kept.refusals.len().saturating_sub(REFUSALS_MAX);
            self.kept.refusals.drain(..beyond);
        }
        self.remember(name, Known { print, refused_under })
    }

    fn remember(&mut self, name: &OsStr, known: Known) -> Result<(), WatchError> {
        match name.to_str() {
            Some(name) => self.kept.files.insert(name.to_owned(), known),
            None => self.unnamable.insert(name.to_owned(), known),
        };
        let io_error = |source| WatchError::Io { path: self.path.clone(), source };
        let text = serde_json::to_vec_pretty(&self.kept).map_err(|error| io_error(error.into()))?;
        // Whoever removes the lake under a watch gets a new one.
        create_dirs(parent_of(&self.path)).map_err(io_error)?;
        replace_file(&self.path, &text).map_err(io_error)
    }
}
