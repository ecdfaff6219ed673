//! A lake in an object store, through a copy of it on this machine.
//!
//! The tables are read and written as files of a folder, with its locks and syncs, so all other
//! code of the lake stays what it is. This layer takes down what is new before a read (`down.rs`),
//! data files when they are first opened, and gives up what a write has added (`up.rs`):
//! data files first, then the entries of the logs, the entry of `imports` last. Each entry goes
//! up only where there is none of its number; the last one is the commit point, for everybody.
//!
//! Two folders of a copy never mix. `tables` holds nothing but what the store has. A write begins
//! in a folder of its own, linked from it (`scratch.rs`), which is thrown away: whatever fails,
//! the store and `tables` are what they were.
//!
//! Absent on purpose: a clock. A lease that nobody renews is told by watching it.

mod down;
mod inputs;
mod lease;
mod place;
mod scratch;
mod session;
mod sweep;
#[cfg(test)]
mod tests;
mod up;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

pub(super) use inputs::{fetch, is_url};
use lease::Pace;
use place::Place;

use super::at::RemoteAt;
use super::durable::{create_dirs, lock, replace_file};
use super::tables::{Lake, LakeError};
use crate::domain::hex;

/// Why a lake in an object store cannot be read or written.
#[derive(Debug, Error)]
pub enum RemoteError {
    #[error(
        "{url} names no place of an object store: write s3://BUCKET/PATH, az://CONTAINER/PATH or abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PATH"
    )]
    Scheme { url: String },
    #[error(
        "the URL {url} carries credentials; leave them out, and put them into the environment (AZURE_STORAGE_ACCOUNT_KEY, AWS_SECRET_ACCESS_KEY and the like)"
    )]
    Credentials { url: String },
    #[error("there is no lake at {url}; `churn-risk import PATH... --lake {url}` makes one")]
    NoLake { url: String },
    #[error("there is nothing at {url}: no object of that name, and none below it")]
    NoObject { url: String },
    #[error("the store of {url} failed while {doing}: {reason}")]
    Store { url: String, doing: String, reason: String },
    #[error("{key} of {url} arrived damaged: its SHA-256 should be {wanted} and is {found}")]
    Arrived { url: String, key: String, wanted: String, found: String },
    #[error("{key} of {url} is not what it should be: {reason}")]
    Strange { url: String, key: String, reason: String },
    #[error("another writer has taken over {url}; nothing of this import is in its tables, and the same command tries again")]
    TakenOver { url: String },
    #[error("the store of {url} stopped to answer, so it is not known whether this is in its tables; the same command again tells")]
    Unknown { url: String, source: Box<RemoteError> },
    #[error("the copy of {url} on this machine is damaged, {path}: {reason}; remove the folder {copy}, and it is made anew")]
    Copy { url: String, copy: PathBuf, path: PathBuf, reason: String },
    #[error("others write to {url} all the time; nothing was added")]
    Contended { url: String },
}

/// A lake in an object store.
pub(super) struct Remote {
    place: Place,
    home: PathBuf,
    /// Tells this copy from others: a lease of ours that a dead process held is ours to take back.
    holder: String,
    pace: Pace,
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The store's client would tell its credentials.
        f.debug_struct("Remote").field("url", &self.place.url()).field("home", &self.home).finish_non_exhaustive()
    }
}

/// What a lake that is a copy knows of where it comes from.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) remote: Arc<Remote>,
    /// Whether this is the folder of a write, whose commits go up when they are all there.
    pub(super) is_scratch: bool,
}

impl Remote {
    /// Reaches for nothing yet.
    pub(super) fn connect(at: &RemoteAt) -> Result<Self, LakeError> {
        if at.carries_credentials() {
            return Err(RemoteError::Credentials { url: at.url().to_owned() }.into());
        }
        Self::over(Place::connect(at.url())?, at, Pace::of_leases())
    }

    fn over(place: Place, at: &RemoteAt, timing: Pace) -> Result<Self, LakeError> {
        let home = at.home().to_path_buf();
        create_dirs(&home).map_err(|source| LakeError::io(&home, source))?;
        let holder = holder(&home.join("id")).map_err(|source| LakeError::io(&home, source))?;
        Ok(Self { place, home, holder, pace: timing })
    }

    /// The lake as it is in the store by now.
    pub(super) fn open(self: &Arc<Self>) -> Result<Lake, LakeError> {
        self.take_down()?;
        self.tables()
    }

    /// The same, where there is a lake.
    pub(super) fn open_existing(self: &Arc<Self>) -> Result<Lake, LakeError> {
        if self.take_down()? { self.tables() } else { Err(RemoteError::NoLake { url: self.place.url().to_owned() }.into()) }
    }

    fn tables(self: &Arc<Self>) -> Result<Lake, LakeError> {
        Lake::over(&self.tables_dir(), Some(Source { remote: Arc::clone(self), is_scratch: false }))
    }

    pub(super) fn url(&self) -> &str {
        self.place.url()
    }

    /// What is damaged in the copy is no damage of the lake: how to be rid of it.
    pub(super) fn of_copy(&self, error: LakeError) -> LakeError {
        match error {
            LakeError::Log { path, reason, .. } => {
                RemoteError::Copy { url: self.url().to_owned(), copy: self.home.clone(), path, reason }.into()
            }
            other => other,
        }
    }

    /// The folder that holds what the store has.
    fn tables_dir(&self) -> PathBuf {
        self.home.join("tables")
    }

    /// A lock among the processes of this machine.
    fn lock(&self, name: &str, waiting: impl FnOnce()) -> Result<File, LakeError> {
        let path = self.home.join(name);
        lock(&path, waiting).map_err(|source| LakeError::io(&path, source))
    }
}

/// What this copy calls itself, drawn when it is made.
fn holder(path: &Path) -> io::Result<String> {
    match fs::read_to_string(path) {
        Ok(holder) if !holder.trim().is_empty() => Ok(holder.trim().to_owned()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => {
            let holder = drawn()?;
            replace_file(path, holder.as_bytes())?;
            Ok(holder)
        }
    }
}

/// A name that nobody else draws.
fn drawn() -> io::Result<String> {
    let mut drawn = [0; 12];
    getrandom::fill(&mut drawn).map_err(io::Error::other)?;
    Ok(hex(&drawn))
}
