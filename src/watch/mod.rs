//! Imports what lands in a folder: which files have stopped growing, in which order they are
//! read, and which of them need not be read again.
//!
//! A file is read once its size and its time of change are the same in two looks. Files are
//! imported one by one, oldest first, so a newer one takes the place of the days that an older
//! one told; what tells of one day belongs in one file. What was imported, and what was refused,
//! is remembered beside the tables.
//!
//! Absent on purpose: a clock, waiting, signals (the command owns them), folders below the
//! folder, and any change to the files themselves.

mod memory;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use thiserror::Error;

use crate::durable::content_hash;
use crate::lake::{ImportError, ImportReport};
use memory::{Memory, Print, Refusal};

/// Endings of files that a program is still writing: browsers, `curl`, `rsync` and `azcopy` name
/// them so.
const UNFINISHED: [&str; 3] = [".tmp", ".part", ".crdownload"];

/// Why the folder cannot be watched any longer.
#[derive(Debug, Error)]
pub enum WatchError {
    #[error("{path} cannot be read or written")]
    Io { path: PathBuf, source: io::Error },
    #[error("{path} is no memory of a watched folder: {reason}; remove it, and every file is looked at once more")]
    Memory { path: PathBuf, reason: String },
    #[error("{dir} is watched for this lake already")]
    Busy { dir: PathBuf },
    #[error("{dir} is the lake itself, whose files are no exports")]
    OwnLake { dir: PathBuf },
}

/// A folder under watch.
#[derive(Debug)]
pub struct Watch {
    dir: PathBuf,
    /// What decides, besides the bytes, whether a file is refused: flags and release. A refused
    /// file is tried again under others.
    settings: String,
    memory: Memory,
    /// What the look before saw.
    looks: BTreeMap<OsString, Print>,
    absent: bool,
    /// The last thing told of a file that could not be imported through no fault of its own.
    troubles: BTreeMap<OsString, String>,
}

/// What one look at the folder has found.
#[derive(Debug)]
pub enum Look {
    /// The folder is not there. `first` in the first of such looks in a row.
    Absent { first: bool },
    Present {
        /// It was absent in the look before.
        back: bool,
        /// Files to import, in this order.
        landed: Vec<Landed>,
        /// New files that may still grow.
        growing: usize,
    },
}

/// A file that has stopped growing and was not read yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Landed {
    path: PathBuf,
    name: OsString,
    print: Print,
}

/// What became of a file.
#[derive(Debug)]
pub enum Taken {
    /// In the tables; or there before, which the report says.
    Imported(Box<ImportReport>),
    /// Not in the tables, and not read again before its bytes, the flags or the release change.
    Refused(Box<ImportError>),
    /// The bytes of `twin`, which was refused. It was not read as a table.
    RefusedBefore { twin: String },
    /// Not imported through no fault of its own; tried again. `told` where the look before has
    /// ended in the same words.
    Later { error: Box<ImportError>, told: bool },
    /// Changed or gone since the look; looked at again.
    MovedOn,
}

impl Landed {
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its name, as it can be shown.
    #[must_use]
    pub fn name(&self) -> String {
        self.name.to_string_lossy().into_owned()
    }
}

impl Watch {
    /// Watches `dir`, which need not be there yet, with the memory that the folder `lake` keeps
    /// of it. `settings` names what decides besides the bytes whether a file is refused.
    ///
    /// # Errors
    /// Where the memory cannot be read, where `dir` is watched already, and where it is the lake.
    pub fn open(dir: &Path, lake: &Path, settings: &str) -> Result<Self, WatchError> {
        let absolute = |path: &Path| std::path::absolute(path).map_err(|source| WatchError::Io { path: path.to_path_buf(), source });
        // Two names of one folder have one memory, and it outlives the folder's absence.
        let named = fs::canonicalize(dir).or_else(|_| absolute(dir))?;
        if fs::canonicalize(lake).is_ok_and(|lake| lake == named) {
            return Err(WatchError::OwnLake { dir: dir.to_path_buf() });
        }
        let settings = format!("{}/{settings}", env!("CARGO_PKG_VERSION"));
        let memory = Memory::open(&absolute(lake)?.join("_watch"), &named)?;
        Ok(Self { dir: dir.to_path_buf(), settings, memory, looks: BTreeMap::new(), absent: false, troubles: BTreeMap::new() })
    }

    /// Looks at the folder once.
    ///
    /// # Errors
    /// Where it is there and cannot be listed.
    pub fn look(&mut self) -> Result<Look, WatchError> {
        let seen = match list(&self.dir) {
            Ok(seen) => seen,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                // What comes back may be another disk: everything on it settles anew.
                self.looks.clear();
                return Ok(Look::Absent { first: !std::mem::replace(&mut self.absent, true) });
            }
            Err(source) => return Err(WatchError::Io { path: self.dir.clone(), source }),
        };
        let back = std::mem::replace(&mut self.absent, false);
        self.memory.keep_only(&seen);
        self.troubles.retain(|name, _| seen.contains_key(name));
        let (mut landed, mut growing) = (Vec::new(), 0);
        for (name, print) in &seen {
            if self.memory.knows(name, *print, &self.settings) {
                continue;
            }
            if self.looks.get(name) == Some(print) {
                landed.push(Landed { path: self.dir.join(name), name: name.clone(), print: *print });
            } else {
                growing += 1;
            }
        }
        landed.sort_by(|one, other| (one.print.modified_nanos, &one.name).cmp(&(other.print.modified_nanos, &other.name)));
        self.looks = seen;
        Ok(Look::Present { back, landed, growing })
    }

    /// Has a file imported by `import`, and remembers what became of it.
    ///
    /// # Errors
    /// Where that cannot be remembered.
    pub fn take(&mut self, file: &Landed, import: impl FnOnce(&Path) -> Result<ImportReport, ImportError>) -> Result<Taken, WatchError> {
        if print(&file.path).ok().flatten() != Some(file.print) {
            return Ok(Taken::MovedOn);
        }
        // Only a file as long as a refused one can hold the same bytes.
        if self.memory.refused_of(file.print.bytes, &self.settings).next().is_some() {
            let Ok(sha256) = content_hash(&file.path) else { return Ok(Taken::MovedOn) };
            let twin = self.memory.refused_of(file.print.bytes, &self.settings).find(|refusal| refusal.sha256 == sha256);
            if let Some(twin) = twin.map(|refusal| refusal.name.clone()) {
                let refusal = Refusal { name: twin.clone(), bytes: file.print.bytes, sha256, settings: self.settings.clone() };
                self.memory.refused(&file.name, file.print, refusal)?;
                return Ok(Taken::RefusedBefore { twin });
            }
        }
        match import(&file.path) {
            Ok(report) => {
                self.troubles.remove(&file.name);
                self.memory.imported(&file.name, file.print)?;
                Ok(Taken::Imported(Box::new(report)))
            }
            Err(error) if is_of_the_file(&error) => self.refuse(file, error),
            Err(_) if print(&file.path).ok().flatten() != Some(file.print) => Ok(Taken::MovedOn),
            Err(error) => {
                let words = error.to_string();
                let told = self.troubles.insert(file.name.clone(), words.clone()).is_some_and(|before| before == words);
                Ok(Taken::Later { error: Box::new(error), told })
            }
        }
    }

    fn refuse(&mut self, file: &Landed, error: ImportError) -> Result<Taken, WatchError> {
        let hashed = content_hash(&file.path);
        // Whatever was written while it was read was not judged.
        let (Ok(sha256), Some(_)) = (hashed, print(&file.path).ok().flatten().filter(|print| *print == file.print)) else {
            return Ok(Taken::MovedOn);
        };
        self.troubles.remove(&file.name);
        let refusal = Refusal { name: file.name(), bytes: file.print.bytes, sha256, settings: self.settings.clone() };
        self.memory.refused(&file.name, file.print, refusal)?;
        Ok(Taken::Refused(Box::new(error)))
    }
}

/// Whether the file is at fault, and not the lake, the disk or another program.
const fn is_of_the_file(error: &ImportError) -> bool {
    !matches!(error, ImportError::Lake(_) | ImportError::Io { .. } | ImportError::NoSuchFile { .. })
}

/// The files of a folder that may be exports, by name.
fn list(dir: &Path) -> io::Result<BTreeMap<OsString, Print>> {
    let mut seen = BTreeMap::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if is_passed_over(&entry.file_name()) {
            continue;
        }
        // What is gone between the listing and this is seen by the next look.
        if let Ok(Some(print)) = print(&entry.path()) {
            seen.insert(entry.file_name(), print);
        }
    }
    Ok(seen)
}

fn is_passed_over(name: &OsStr) -> bool {
    let name = name.to_string_lossy().to_lowercase();
    name.starts_with(['.', '_']) || UNFINISHED.iter().any(|ending| name.ends_with(ending))
}

/// What tells one state of a file from another without reading it; none where it is no file.
fn print(path: &Path) -> io::Result<Option<Print>> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Ok(None);
    }
    // A file from before 1970 is as old as files get.
    let modified = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(Some(Print { bytes: metadata.len(), modified_nanos: u64::try_from(modified.as_nanos()).unwrap_or(u64::MAX) }))
}
