//! The log of a Delta table as files: what they are called, and whether they still add up to what
//! was committed.
//!
//! An entry carries no checksum, and one that was cut at the end of a line reads well and names
//! fewer files. So each of our commits says in its entry which files the table holds after it,
//! and whoever opens the table compares. Entries of other programs, and of earlier releases, say
//! nothing of that and are taken as they are.
//!
//! Absent on purpose: what the entries mean. That is deltalake's.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use deltalake::DeltaTableError;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::data_file::DataFile;
use super::schema::Table;
use super::seal::{self, NEWEST_CHECKPOINT};
use super::tables::LakeError;
use crate::domain::hex;

/// The key of the digest of [`files_digest`] in `commitInfo`.
pub(super) const FILES_KEY: &str = "churnRiskFiles";

/// Digits of an entry's number in its name.
const ENTRY_DIGITS: usize = 20;

/// An entry's number as names have it.
fn digits(entry: u64) -> String {
    format!("{entry:0ENTRY_DIGITS$}")
}

/// The number that a name in a log begins with, and what comes after it; none of other names.
pub(super) fn entry_of(name: &str) -> Option<(u64, &str)> {
    let (number, ending) = name.split_once('.')?;
    Some((number.parse().ok().filter(|_| number.len() == ENTRY_DIGITS)?, ending))
}

pub(super) fn entry_path(log: &Path, entry: u64) -> PathBuf {
    log.join(format!("{}.json", digits(entry)))
}

/// The numbers of the entries, ascending, and that of the newest checkpoint.
pub(super) fn entries(log: &Path) -> Result<(Vec<u64>, Option<u64>), LakeError> {
    let (mut entries, mut checkpoint) = (Vec::new(), None);
    let listed = match fs::read_dir(log) {
        Ok(listed) => listed,
        Err(error) if is_absent(&error) => return Ok((entries, checkpoint)),
        Err(source) => return Err(LakeError::io(log, source)),
    };
    for entry in listed {
        let name = entry.map_err(|source| LakeError::io(log, source))?.file_name();
        let Some((number, ending)) = name.to_str().and_then(entry_of) else { continue };
        if ending == "json" {
            entries.push(number);
        } else if ending.contains("checkpoint") {
            checkpoint = checkpoint.max(Some(number));
        }
    }
    entries.sort_unstable();
    Ok((entries, checkpoint))
}

pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// An entry of the log as it lay there: another under the same number is another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) entry: u64,
    bytes: u64,
    modified: Option<SystemTime>,
}

impl Mark {
    /// None where there is no such entry.
    pub(super) fn of(log: &Path, entry: u64) -> Result<Option<Self>, LakeError> {
        let path = entry_path(log, entry);
        match fs::metadata(&path) {
            Ok(metadata) => Ok(Some(Self { entry, bytes: metadata.len(), modified: metadata.modified().ok() })),
            Err(error) if is_absent(&error) => Ok(None),
            Err(source) => Err(LakeError::io(&path, source)),
        }
    }

    /// Whether the entry is still what it was, and none has come after it: two looks at the file
    /// system.
    pub(super) fn is_newest(self, log: &Path) -> Result<bool, LakeError> {
        Ok(Self::of(log, self.entry)? == Some(self) && Self::of(log, self.entry + 1)?.is_none())
    }
}

/// SHA-256, in hexadecimal, of the files that a table holds: path, partition and bytes of each.
pub(super) fn files_digest<'a>(files: impl Iterator<Item = (&'a str, String, i64)>) -> String {
    let mut files: Vec<_> = files.collect();
    files.sort_unstable();
    let mut hasher = Sha256::new();
    for (path, partition, bytes) in files {
        // Lengths first, so that no two lists of files make the same text.
        hasher.update(format!("{} {} {bytes}\n{path}{partition}\n", path.len(), partition.len()));
    }
    hex(&hasher.finalize())
}

/// The log of one table.
#[derive(Debug)]
pub(super) struct Log {
    table: Table,
    dir: PathBuf,
}

impl Log {
    pub(super) fn new(table: Table, table_dir: &Path) -> Self {
        Self { table, dir: table_dir.join("_delta_log") }
    }

    pub(super) fn is_there(&self) -> bool {
        self.dir.is_dir()
    }

    fn damaged(&self, path: PathBuf, reason: String) -> LakeError {
        LakeError::Log { table: self.table.name(), path, reason }
    }

    /// The log is not there at all, although an import names a version of the table.
    pub(super) fn missing(&self) -> LakeError {
        self.damaged(self.dir.clone(), "it is not there, and an import names it".to_owned())
    }

    /// The log reads file by file and still cannot be opened.
    pub(super) fn unopened(&self, source: Box<DeltaTableError>) -> LakeError {
        LakeError::Unopened { log: self.dir.clone(), source }
    }

    /// What an entry says of the files that the table holds after it; none where it says nothing,
    /// or where another program has cleaned it up.
    fn told(&self, entry: u64) -> Result<Option<String>, LakeError> {
        let path = entry_path(&self.dir, entry);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(source) => return Err(LakeError::io(&path, source)),
        };
        if let Some(breach) = seal::breach(&bytes) {
            return Err(self.damaged(path, breach));
        }
        let text = std::str::from_utf8(&bytes).map_err(|error| self.damaged(path.clone(), error.to_string()))?;
        let mut commit = None;
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
            let action: Value =
                serde_json::from_str(line).map_err(|error| self.damaged(path.clone(), format!("line {number} is no action: {error}")))?;
            commit = commit.or_else(|| action.get("commitInfo").cloned());
        }
        let commit = commit.ok_or_else(|| self.damaged(path, "it has no `commitInfo`".to_owned()))?;
        Ok(commit.get(FILES_KEY).and_then(Value::as_str).map(str::to_owned))
    }

    /// Compares the files that the log was read to hold at `entry` with what that entry says.
    pub(super) fn check(&self, entry: u64, files: &[DataFile]) -> Result<(), LakeError> {
        let Some(told) = self.told(entry)? else { return Ok(()) };
        if told == files_digest(files.iter().map(DataFile::in_digest)) {
            return Ok(());
        }
        let (_, checkpoint) = entries(&self.dir)?;
        let path = match checkpoint {
            Some(number) if number == entry => self.checkpoint_path(number)?,
            _ => entry_path(&self.dir, entry),
        };
        Err(self.damaged(path, format!("the {} files that it comes to are not those that were committed", files.len())))
    }

    /// The first file of the log up to `entry` (the newest without one) that cannot be read as what
    /// it is; none where all of them can.
    pub(super) fn first_unreadable(&self, entry: Option<u64>) -> Result<Option<LakeError>, LakeError> {
        for number in self.since_checkpoint(entry)? {
            if let Err(error) = self.told(number) {
                return Ok(Some(error));
            }
        }
        let path = self.dir.join(NEWEST_CHECKPOINT);
        let is_json = |bytes: Vec<u8>| serde_json::from_slice::<Value>(&bytes).is_ok();
        if fs::read(&path).is_ok_and(|bytes| !is_json(bytes)) {
            return Ok(Some(self.damaged(path, "it is no JSON".to_owned())));
        }
        Ok(None)
    }

    /// Every file of the log that cannot be read as what it is.
    pub(super) fn unreadable(&self) -> Result<Vec<LakeError>, LakeError> {
        let (numbers, _) = entries(&self.dir)?;
        let mut found: Vec<LakeError> = numbers.into_iter().filter_map(|number| self.told(number).err()).collect();
        for path in self.beside_entries()? {
            match seal::breach_of_file(&path) {
                Ok(breach) => found.extend(breach.map(|breach| self.damaged(path, breach))),
                Err(source) => found.push(LakeError::io(&path, source)),
            }
        }
        Ok(found)
    }

    /// The checkpoints, and the file that names the newest.
    fn beside_entries(&self) -> Result<Vec<PathBuf>, LakeError> {
        let listed = match fs::read_dir(&self.dir) {
            Ok(listed) => listed,
            Err(error) if is_absent(&error) => return Ok(Vec::new()),
            Err(source) => return Err(LakeError::io(&self.dir, source)),
        };
        let names = listed.filter_map(Result::ok).map(|entry| entry.file_name().to_string_lossy().into_owned());
        let is_wanted = |name: &String| name == NEWEST_CHECKPOINT || (!name.starts_with('.') && name.contains(".checkpoint."));
        let mut paths: Vec<PathBuf> = names.filter(is_wanted).map(|name| self.dir.join(name)).collect();
        paths.sort();
        Ok(paths)
    }

    /// Makes a checkpoint by `make`, and writes its digest beside it.
    pub(super) async fn seal_checkpoint(
        &self,
        number: u64,
        make: impl Future<Output = Result<(), DeltaTableError>>,
    ) -> Result<(), LakeError> {
        let newest = self.dir.join(NEWEST_CHECKPOINT);
        seal::unseal_file(&newest).map_err(|source| LakeError::io(&newest, source))?;
        make.await?;
        for path in [self.checkpoint_path(number)?, newest] {
            seal::seal_file(&path).map_err(|source| LakeError::io(&path, source))?;
        }
        Ok(())
    }

    /// The entries that opening the table at `entry` reads: from the newest checkpoint on.
    pub(super) fn since_checkpoint(&self, entry: Option<u64>) -> Result<Vec<u64>, LakeError> {
        let (mut entries, checkpoint) = entries(&self.dir)?;
        let last = entry.unwrap_or(u64::MAX);
        let first = checkpoint.filter(|number| *number <= last).unwrap_or(0);
        entries.retain(|number| (first..=last).contains(number));
        Ok(entries)
    }

    /// The first file of a checkpoint; its folder where it has none.
    fn checkpoint_path(&self, number: u64) -> Result<PathBuf, LakeError> {
        let start = format!("{}.checkpoint", digits(number));
        let listed = fs::read_dir(&self.dir).map_err(|source| LakeError::io(&self.dir, source))?;
        let paths = listed.filter_map(Result::ok).map(|entry| entry.path());
        let is_part = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&start));
        Ok(paths.filter(is_part).min().unwrap_or_else(|| self.dir.clone()))
    }
}
