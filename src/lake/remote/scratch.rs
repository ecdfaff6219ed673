//! The folder of one write: the logs of some tables as the store has them, linked from the copy,
//! and what the write adds.
//!
//! Absent on purpose: any use of what an earlier write left here, except its lists of refused
//! rows, which people were told of.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use super::down::{link, remove_folder};
use super::{Remote, Source};
use crate::lake::durable::create_dirs;
use crate::lake::log::{entries, entry_path, is_absent};
use crate::lake::retention::RECORD;
use crate::lake::schema::Table;
use crate::lake::tables::{Lake, LakeError};

/// What stays when the folder is cleared.
const KEPT: &str = "rejects";

/// A folder to write in.
#[derive(Debug)]
pub(super) struct Scratch {
    pub(super) dir: PathBuf,
    /// The newest entry that each log began with.
    began: BTreeMap<Table, Option<u64>>,
}

/// An entry that a write has added to a log.
#[derive(Debug)]
pub(super) struct NewEntry {
    pub(super) table: Table,
    pub(super) number: u64,
    pub(super) bytes: Vec<u8>,
    /// The data files that it adds, below the table.
    pub(super) files: Vec<String>,
}

impl Scratch {
    /// Makes the folder `name` anew, with the logs of `tables`. The caller holds the lock of its
    /// name.
    pub(super) fn of(remote: &Remote, name: &str, tables: &[Table]) -> Result<Self, LakeError> {
        let scratch = Self { dir: remote.home.join(name), began: BTreeMap::new() };
        scratch.clear()?;
        create_dirs(&scratch.dir).map_err(|source| LakeError::io(&scratch.dir, source))?;
        // Nobody takes down entries between the logs of two tables.
        let _turn = remote.lock("down.lock", || ())?;
        scratch.take_record(remote)?;
        let mut began = BTreeMap::new();
        for table in tables {
            let log = remote.log_dir(*table);
            let to = scratch.log_dir(*table);
            let listed = match fs::read_dir(&log) {
                Ok(listed) => listed,
                Err(error) if is_absent(&error) => {
                    began.insert(*table, None);
                    continue;
                }
                Err(source) => return Err(LakeError::io(&log, source)),
            };
            for entry in listed {
                let path = entry.map_err(|source| LakeError::io(&log, source))?.path();
                let Some(name) = path.file_name().filter(|_| path.is_file()) else { continue };
                link(&path, &to.join(name)).map_err(|source| LakeError::io(&path, source))?;
            }
            began.insert(*table, entries(&to)?.0.last().copied());
        }
        Ok(Self { began, ..scratch })
    }

    /// The record of the versions that are gone, as the copy has it.
    fn take_record(&self, remote: &Remote) -> Result<(), LakeError> {
        let (from, to) = (remote.tables_dir().join(RECORD), self.dir.join(RECORD));
        match fs::remove_file(&to) {
            Err(source) if !is_absent(&source) => return Err(LakeError::io(&to, source)),
            _ => {}
        }
        if from.is_file() { link(&from, &to).map_err(|source| LakeError::io(&from, source)) } else { Ok(()) }
    }

    /// The lake of this folder, which takes data files from where the copy takes them.
    pub(super) fn lake(&self, remote: &Arc<Remote>) -> Result<Lake, LakeError> {
        Lake::over(&self.dir, Some(Source { remote: Arc::clone(remote), is_scratch: true }))
    }

    pub(super) fn log_dir(&self, table: Table) -> PathBuf {
        self.dir.join(table.name()).join("_delta_log")
    }

    pub(super) fn tables(&self) -> impl Iterator<Item = Table> {
        self.began.keys().copied()
    }

    /// What was added to a log since, ascending.
    pub(super) fn added(&self, table: Table) -> Result<Vec<NewEntry>, LakeError> {
        let log = self.log_dir(table);
        let began = self.began.get(&table).copied().flatten();
        let numbers = entries(&log)?.0.into_iter().filter(|number| began.is_none_or(|began| *number > began));
        let read = |number| {
            let path = entry_path(&log, number);
            let bytes = fs::read(&path).map_err(|source| LakeError::io(&path, source))?;
            let files = added_by(&bytes);
            Ok(NewEntry { table, number, bytes, files })
        };
        numbers.map(read).collect()
    }

    /// Leaves nothing here that the next write could take for its own.
    pub(super) fn clear(&self) -> Result<(), LakeError> {
        let listed = match fs::read_dir(&self.dir) {
            Ok(listed) => listed,
            Err(error) if is_absent(&error) => return Ok(()),
            Err(source) => return Err(LakeError::io(&self.dir, source)),
        };
        for entry in listed {
            let entry = entry.map_err(|source| LakeError::io(&self.dir, source))?;
            if entry.path().is_dir() && entry.file_name() != KEPT {
                remove_folder(&entry.path())?;
            }
        }
        Ok(())
    }
}

/// The files that an entry of a log adds.
fn added_by(entry: &[u8]) -> Vec<String> {
    let lines = entry.split(|byte| *byte == b'\n');
    let actions = lines.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    actions.filter_map(|action| Some(action.pointer("/add/path")?.as_str()?.to_owned())).collect()
}
