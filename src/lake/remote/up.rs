//! From a write to the store, in the order that leaves it whole at every moment: data files, which
//! nobody looks for yet; the entries of the logs that an import names; last the entry of the log
//! that everybody reads. Each entry goes up only where the store has none of its number, and that
//! decides between two writers.
//!
//! Absent on purpose: taking back. What a dead writer left in the store is named by nobody, and
//! the next commit to that table takes it back, as on a local disk.

use std::fs::{self, File};
use std::io::Read;

use object_store::path::Path as Key;
use object_store::{ObjectStoreExt, PutMode, PutPayload, WriteMultipart};

use super::down::link;
use super::lease::Held;
use super::scratch::{NewEntry, Scratch};
use super::{Remote, RemoteError};
use crate::lake::log::entry_of;
use crate::lake::schema::Table;
use crate::lake::seal::{NEWEST_CHECKPOINT, name_beside};
use crate::lake::tables::LakeError;

/// Files up to this size go up in one request, larger ones in parts of it.
const PART_BYTES: usize = 8 << 20;

/// What came of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Went {
    /// It is in the store, for everybody.
    Up,
    /// Another writer was first; the store's newest version is not this one.
    Beaten,
}

impl Remote {
    /// Gives the store what a write has added, the log of `last` last; with a lease, only while it
    /// is held.
    pub(super) async fn give_up(&self, scratch: &Scratch, last: Table, held: Option<&Held>) -> Result<Went, LakeError> {
        let mut added = Vec::new();
        for table in scratch.tables().filter(|table| *table != last).chain([last]) {
            added.extend(scratch.added(table)?);
        }
        for entry in &added {
            for file in &entry.files {
                self.put_data(scratch, entry.table, file).await?;
            }
        }
        for entry in &added {
            if entry.table == last
                && let Some(held) = held
                && !held.is_held().await.map_err(|trouble| self.trouble(trouble))?
            {
                return Ok(Went::Beaten);
            }
            if self.put_entry(entry).await? == Went::Beaten {
                return Ok(Went::Beaten);
            }
        }
        if !added.is_empty() {
            self.keep(scratch, &added);
            self.put_checkpoints(scratch).await;
        }
        Ok(Went::Up)
    }

    /// A file that the copy has came from the store, and one that is not here was never needed.
    async fn put_data(&self, scratch: &Scratch, table: Table, relative: &str) -> Result<(), LakeError> {
        let name = format!("{}/{relative}", table.name());
        let path = scratch.dir.join(&name);
        if self.tables_dir().join(&name).is_file() || !path.is_file() {
            return Ok(());
        }
        let key = self.place.key(&name)?;
        let io_error = |source| LakeError::io(&path, source);
        let mut file = File::open(&path).map_err(io_error)?;
        let put = if file.metadata().map_err(io_error)?.len() <= PART_BYTES as u64 {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).map_err(io_error)?;
            // Its name holds the SHA-256 of its bytes: what is there under it is it.
            match self.place.store.put_opts(&key, PutPayload::from(bytes), PutMode::Create.into()).await {
                Ok(_) | Err(object_store::Error::AlreadyExists { .. }) => Ok(()),
                Err(error) => Err(error),
            }
        } else {
            self.put_parts(&key, file, &path).await?
        };
        put.map_err(|error| self.place.error(&format!("writing {}", self.place.named(&key)), &error).into())
    }

    pub(super) async fn put_parts(&self, key: &Key, mut file: File, path: &std::path::Path) -> Result<object_store::Result<()>, LakeError> {
        let upload = match self.place.store.put_multipart(key).await {
            Ok(upload) => upload,
            Err(error) => return Ok(Err(error)),
        };
        let mut writing = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
        let mut piece = vec![0; 1 << 20];
        loop {
            let read = file.read(&mut piece).map_err(|source| LakeError::io(path, source))?;
            if read == 0 {
                break;
            }
            // Memory is a few parts, however long the file.
            if let Err(error) = writing.wait_for_capacity(2).await {
                return Ok(Err(error));
            }
            writing.write(&piece[..read]);
        }
        Ok(writing.finish().await.map(drop))
    }

    /// Puts an entry where there is none. One whose answer was lost is looked for.
    async fn put_entry(&self, entry: &NewEntry) -> Result<Went, LakeError> {
        let key = self.entry_key(entry.table, entry.number)?;
        let put = self.place.store.put_opts(&key, PutPayload::from(entry.bytes.clone()), PutMode::Create.into()).await;
        let Err(error) = put else { return Ok(Went::Up) };
        let failed = self.place.error(&format!("writing {}", self.place.named(&key)), &error);
        match self.get(&key).await {
            Ok(Some(there)) if there == entry.bytes => Ok(Went::Up),
            Ok(Some(_)) => Ok(Went::Beaten),
            Ok(None) => Err(failed.into()),
            Err(_) => Err(RemoteError::Unknown { url: self.place.url().to_owned(), source: Box::new(failed) }.into()),
        }
    }

    /// Leaves the new data files in the copy, so that they need not come back. What fails costs a
    /// download.
    fn keep(&self, scratch: &Scratch, added: &[NewEntry]) {
        for (table, file) in added.iter().flat_map(|entry| entry.files.iter().map(|file| (entry.table, file))) {
            let name = format!("{}/{file}", table.name());
            if scratch.dir.join(&name).is_file() {
                let _ = link(&scratch.dir.join(&name), &self.tables_dir().join(&name));
            }
        }
    }

    /// Gives the store the checkpoints that were made. They only spare reading: what fails here is
    /// told, and the write stands.
    async fn put_checkpoints(&self, scratch: &Scratch) {
        for table in scratch.tables() {
            let names = |dir| -> Vec<String> {
                let listed = fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok);
                listed.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
            };
            let here = names(self.log_dir(table));
            let is_checkpoint = |name: &&String| entry_of(name).is_some_and(|(_, ending)| ending.contains("checkpoint"));
            let new: Vec<String> =
                names(scratch.log_dir(table)).iter().filter(is_checkpoint).filter(|name| !here.contains(name)).cloned().collect();
            if new.is_empty() {
                continue;
            }
            let newest = NEWEST_CHECKPOINT.to_owned();
            for name in new.into_iter().chain([newest]).flat_map(|name| [name_beside(&name), name]) {
                if let Err(error) = self.put_beside(scratch, table, &name).await {
                    tracing::warn!(%error, table = table.name(), "the table log has no new checkpoint in the store");
                    break;
                }
            }
        }
    }

    async fn put_beside(&self, scratch: &Scratch, table: Table, name: &str) -> Result<(), LakeError> {
        self.put_file(&scratch.log_dir(table).join(name), &self.log_key(table, name)?).await
    }

    /// Puts a small file, in the place of what is there.
    pub(super) async fn put_file(&self, path: &std::path::Path, key: &Key) -> Result<(), LakeError> {
        let bytes = fs::read(path).map_err(|source| LakeError::io(path, source))?;
        let put = self.place.store.put(key, PutPayload::from(bytes)).await;
        put.map(drop).map_err(|error| self.place.error(&format!("writing {}", self.place.named(key)), &error).into())
    }

    pub(super) fn trouble(&self, trouble: super::lease::Trouble) -> LakeError {
        use super::lease::{NAME, Trouble};
        match trouble {
            Trouble::Store(error) => self.place.error("taking the lease of writers", &error).into(),
            Trouble::Strange(reason) => RemoteError::Strange { url: self.place.url().to_owned(), key: NAME.to_owned(), reason }.into(),
            Trouble::Chance(source) => LakeError::io(&self.home, source),
        }
    }
}
