//! From the store to the copy: the logs whole, data files one by one when they are opened.
//!
//! Names in a log are never given twice, so what is there under a name need not be fetched again,
//! and data files carry the SHA-256 of their bytes in theirs. Where the two disagree, the store holds
//! another lake than the copy is of: the copy's logs go, and come anew.
//!
//! Absent on purpose: taking away data files that no log names any more. They cost room and nothing
//! else; the folder may be removed at any time.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::future::join_all;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path as Key;
use object_store::{ObjectMeta, ObjectStoreExt};
use sha2::{Digest, Sha256};

use super::place::Place;
use super::{Remote, RemoteError, drawn};
use crate::domain::hex;
use crate::lake::checksum;
use crate::lake::durable::{create_dirs, replace_file, sync_dir};
use crate::lake::log::{entries, entry_of, entry_path, is_absent};
use crate::lake::retention;
use crate::lake::schema::Table;
use crate::lake::seal::{self, NEWEST_CHECKPOINT};
use crate::lake::tables::LakeError;

/// Small objects that are asked for at once: what takes time is the way, not the bytes.
pub(super) const AT_ONCE: usize = 16;

/// The tables that grow one entry at a time, and are looked at between two imports.
const WATCHED: [Table; 3] = [Table::Imports, Table::Feedback, Table::Scores];

/// What the store has of one log.
#[derive(Debug)]
struct Listed {
    table: Table,
    /// Bytes by number.
    entries: BTreeMap<u64, u64>,
    /// Checkpoints, and the digests beside files; bytes by name.
    beside: BTreeMap<String, u64>,
}

impl Remote {
    /// Takes down what the store has that the copy has not. Whether there is a lake.
    pub(super) fn take_down(&self) -> Result<bool, LakeError> {
        let _turn = self.lock("down.lock", || ())?;
        clear(&self.arrivals());
        self.place.run(self.down())?
    }

    /// Looks for entries after the newest ones here, three requests, and takes down what is new.
    pub(in crate::lake) fn look(&self) -> Result<(), LakeError> {
        let mut keys = Vec::new();
        for table in WATCHED {
            let (numbers, _) = entries(&self.log_dir(table))?;
            keys.push(self.entry_key(table, numbers.last().map_or(0, |newest| newest + 1))?);
        }
        let is_new = self.place.run(async {
            let found = join_all(keys.iter().map(|key| self.place.store.head(key))).await;
            let mut is_new = false;
            for found in found {
                match found {
                    Ok(_) => is_new = true,
                    Err(object_store::Error::NotFound { .. }) => {}
                    Err(error) => return Err(self.place.error("looking for what is new", &error)),
                }
            }
            Ok(is_new)
        })??;
        if is_new {
            self.take_down()?;
        }
        Ok(())
    }

    /// Puts a data file where a reader looks for it, from the copy or from the store.
    pub(in crate::lake) fn bring(&self, table: Table, relative: &str, path: &Path) -> Result<(), LakeError> {
        if path.is_file() {
            return Ok(());
        }
        let kept = self.tables_dir().join(table.name()).join(relative);
        if !kept.is_file() {
            let name = format!("{}/{relative}", table.name());
            let key = self.place.key(&name)?;
            self.place.run(arrive(&self.place, &key, &self.arrivals(), &kept))??;
        }
        if path == kept { Ok(()) } else { link(&kept, path).map_err(|source| LakeError::io(path, source)) }
    }

    /// Takes a damaged file out of the copy, so that it is fetched again.
    pub(in crate::lake) fn discard(&self, table: Table, relative: &str, path: &Path) {
        // One that stays is found damaged once more.
        let _ = fs::remove_file(path);
        let _ = fs::remove_file(self.tables_dir().join(table.name()).join(relative));
    }

    pub(super) fn log_dir(&self, table: Table) -> PathBuf {
        self.tables_dir().join(table.name()).join("_delta_log")
    }

    pub(super) fn arrivals(&self) -> PathBuf {
        self.home.join("arriving")
    }

    pub(super) fn log_key(&self, table: Table, name: &str) -> Result<Key, RemoteError> {
        self.place.key(&format!("{}/_delta_log/{name}", table.name()))
    }

    pub(super) fn entry_key(&self, table: Table, entry: u64) -> Result<Key, RemoteError> {
        let path = entry_path(Path::new(""), entry);
        self.log_key(table, &path.to_string_lossy())
    }

    async fn down(&self) -> Result<bool, LakeError> {
        // The imports first: what the other logs hold later is never too little for them.
        let imports = self.listed(Table::Imports).await?;
        let others = Table::BESIDE.into_iter().chain(Table::VERSIONED);
        let mut listed: Vec<Listed> = stream::iter(others).map(|table| self.listed(table)).buffered(AT_ONCE).try_collect().await?;
        let is_there = !imports.entries.is_empty();
        listed.push(imports);
        if !self.is_of_the_same_lake(&listed).await? {
            tracing::warn!(url = self.place.url(), "the store holds another lake than the copy is of; the copy is made anew");
            for log in listed.iter().rev() {
                remove_folder(&self.log_dir(log.table))?;
            }
        }
        self.vacuum_record().await?;
        for log in &listed {
            self.take_entries(log).await?;
            self.take_checkpoints(log).await?;
        }
        Ok(is_there)
    }

    async fn listed(&self, table: Table) -> Result<Listed, RemoteError> {
        let prefix = self.place.key(&format!("{}/_delta_log", table.name()))?;
        let doing = || format!("listing the log of {}", table.name());
        let objects: Vec<ObjectMeta> =
            self.place.store.list(Some(&prefix)).try_collect().await.map_err(|error| self.place.error(&doing(), &error))?;
        let mut listed = Listed { table, entries: BTreeMap::new(), beside: BTreeMap::new() };
        for object in objects {
            let Some(name) = object.location.filename() else { continue };
            match entry_of(name) {
                Some((number, "json")) => drop(listed.entries.insert(number, object.size)),
                Some((_, ending)) if ending.contains("checkpoint") => drop(listed.beside.insert(name.to_owned(), object.size)),
                _ if name == NEWEST_CHECKPOINT || name.ends_with(".sha256") => drop(listed.beside.insert(name.to_owned(), object.size)),
                _ => {}
            }
        }
        Ok(listed)
    }

    /// Whether every entry here is one of the store's, and the newest import here is the very same
    /// there.
    async fn is_of_the_same_lake(&self, listed: &[Listed]) -> Result<bool, LakeError> {
        for log in listed {
            for number in entries(&self.log_dir(log.table))?.0 {
                let path = entry_path(&self.log_dir(log.table), number);
                let bytes = fs::metadata(&path).map_err(|source| LakeError::io(&path, source))?.len();
                if log.entries.get(&number) != Some(&bytes) {
                    return Ok(false);
                }
            }
        }
        let Some(newest) = entries(&self.log_dir(Table::Imports))?.0.pop() else { return Ok(true) };
        let path = entry_path(&self.log_dir(Table::Imports), newest);
        let here = fs::read(&path).map_err(|source| LakeError::io(&path, source))?;
        let there = self.get(&self.entry_key(Table::Imports, newest)?).await?;
        Ok(there.is_some_and(|there| there == here))
    }

    async fn take_entries(&self, log: &Listed) -> Result<(), LakeError> {
        let dir = self.log_dir(log.table);
        let here = entries(&dir)?.0;
        let missing: Vec<u64> = log.entries.keys().copied().filter(|number| here.binary_search(number).is_err()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        create_dirs(&dir).map_err(|source| LakeError::io(&dir, source))?;
        // In their order: whoever reads here meanwhile finds a log without a hole.
        let mut arriving = stream::iter(missing)
            .map(async |number| {
                let key = self.entry_key(log.table, number)?;
                Ok::<_, LakeError>((number, self.needed(&key).await?))
            })
            .buffered(AT_ONCE);
        while let Some((number, bytes)) = arriving.try_next().await? {
            if let Some(reason) = seal::breach(&bytes) {
                let key = self.place.named(&self.entry_key(log.table, number)?);
                return Err(RemoteError::Strange { url: self.place.url().to_owned(), key, reason }.into());
            }
            let path = entry_path(&dir, number);
            replace_file(&path, &bytes).map_err(|source| LakeError::io(&path, source))?;
        }
        Ok(())
    }

    /// Takes the checkpoints of a log, which only spare reading. One that is being replaced is left
    /// for the next time.
    async fn take_checkpoints(&self, log: &Listed) -> Result<(), LakeError> {
        let dir = self.log_dir(log.table);
        let is_new = |name: &str, bytes: u64| fs::metadata(dir.join(name)).is_ok_and(|here| here.len() == bytes);
        let of_entry = |name: &String| entry_of(name).is_some();
        let new: Vec<&String> =
            log.beside.iter().filter(|(name, bytes)| of_entry(name) && !is_new(name, **bytes)).map(|(name, _)| name).collect();
        if new.is_empty() && dir.join(NEWEST_CHECKPOINT).is_file() {
            return Ok(());
        }
        let newest = log.beside.keys().filter(|name| *name == NEWEST_CHECKPOINT);
        for name in new.into_iter().chain(newest) {
            let path = dir.join(name);
            let io_error = |source| LakeError::io(&path, source);
            let Some(bytes) = self.get(&self.log_key(log.table, name)?).await? else { continue };
            let seal = seal::name_beside(name);
            let told = if log.beside.contains_key(&seal) { self.get(&self.log_key(log.table, &seal)?).await? } else { None };
            if told.as_ref().is_some_and(|told| !seal::tells(told, name, &bytes)) {
                continue;
            }
            seal::unseal_file(&path).map_err(io_error)?;
            replace_file(&path, &bytes).map_err(io_error)?;
            if told.is_some() {
                seal::seal_file(&path).map_err(io_error)?;
            }
        }
        Ok(())
    }

    /// Which versions are gone (`retention.rs`).
    async fn vacuum_record(&self) -> Result<(), LakeError> {
        let path = self.tables_dir().join(retention::RECORD);
        let io_error = |source| LakeError::io(&path, source);
        create_dirs(&self.tables_dir()).map_err(io_error)?;
        match (self.get(&self.place.key(retention::RECORD)?).await?, fs::read(&path)) {
            (Some(there), Ok(here)) if there == here => Ok(()),
            (Some(there), _) => replace_file(&path, &there).map_err(io_error),
            (None, Ok(_)) => fs::remove_file(&path).map_err(io_error),
            (None, Err(_)) => Ok(()),
        }
    }

    pub(super) async fn get(&self, key: &Key) -> Result<Option<Bytes>, RemoteError> {
        let got = self.place.get(key).await;
        Ok(got.map_err(|error| self.place.error(&format!("reading {}", self.place.named(key)), &error))?.map(|(bytes, _)| bytes))
    }

    async fn needed(&self, key: &Key) -> Result<Bytes, RemoteError> {
        self.get(key).await?.ok_or_else(|| RemoteError::NoObject { url: self.place.named(key) })
    }
}

/// Fetches an object into a file that has its name when all of it is there: another name first,
/// synced, compared with the digest that its name tells.
pub(super) async fn arrive(place: &Place, key: &Key, arrivals: &Path, path: &Path) -> Result<(), LakeError> {
    let io_error = |source| LakeError::io(path, source);
    create_dirs(arrivals).map_err(io_error)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    create_dirs(folder).map_err(io_error)?;
    let staged = arrivals.join(drawn().map_err(io_error)?);
    let file = OpenOptions::new().write(true).create_new(true).open(&staged).map_err(io_error)?;
    // Held while it grows: what is not held was left by a process that died.
    file.lock().map_err(io_error)?;
    let named = async {
        let found = write(place, key, &file).await?;
        let wanted = key.filename().and_then(checksum::told_by);
        if let Some(wanted) = wanted.filter(|wanted| *wanted != found) {
            let (url, key) = (place.url().to_owned(), key.filename().unwrap_or_default().to_owned());
            return Err(RemoteError::Arrived { url, key, wanted: wanted.to_owned(), found }.into());
        }
        file.sync_all().and_then(|()| fs::rename(&staged, path)).and_then(|()| sync_dir(folder)).map_err(io_error)
    };
    let named = named.await;
    if named.is_err() {
        let _ = fs::remove_file(&staged);
    }
    named
}

/// Writes an object's bytes as they come; their SHA-256. Memory is one piece.
async fn write(place: &Place, key: &Key, mut file: &File) -> Result<String, LakeError> {
    let doing = || format!("reading {}", place.named(key));
    let absent = |error: &object_store::Error| matches!(error, object_store::Error::NotFound { .. });
    let found = place.store.get(key).await.map_err(|error| match error {
        error if absent(&error) => {
            let url = place.named(key);
            LakeError::io(Path::new(&url), io::Error::new(io::ErrorKind::NotFound, "the store has no such object"))
        }
        error => place.error(&doing(), &error).into(),
    })?;
    let (mut pieces, mut hasher) = (found.into_stream(), Sha256::new());
    while let Some(piece) = pieces.try_next().await.map_err(|error| place.error(&doing(), &error))? {
        hasher.update(&piece);
        file.write_all(&piece).map_err(|source| LakeError::io(Path::new(&place.named(key)), source))?;
    }
    Ok(hex(&hasher.finalize()))
}

/// Gives a file a second name; a copy of it where the file system cannot.
pub(super) fn link(from: &Path, to: &Path) -> io::Result<()> {
    if let Some(folder) = to.parent() {
        create_dirs(folder)?;
    }
    match fs::hard_link(from, to) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(_) => fs::copy(from, to).map(drop),
        Ok(()) => Ok(()),
    }
}

pub(super) fn remove_folder(dir: &Path) -> Result<(), LakeError> {
    match fs::remove_dir_all(dir) {
        Err(error) if !is_absent(&error) => Err(LakeError::io(dir, error)),
        _ => Ok(()),
    }
}

/// Removes what dead processes left of files that were on their way.
fn clear(arrivals: &Path) {
    let left = fs::read_dir(arrivals).into_iter().flatten().filter_map(Result::ok);
    for entry in left {
        if File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}
