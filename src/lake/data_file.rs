//! A Parquet file of a table version: the one way in which rows of the tables are read, so that
//! no reader can leave its checksum out.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use datafusion::arrow::array::RecordBatch;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use deltalake::kernel::Add;
use serde_json::Value;

use super::checksum;
use super::parquet::{Wanted, read_from};
use super::remote::Remote;
use super::schema::{MONTH, Table};
use super::tables::LakeError;

/// Files up to this size are read whole, so that what is hashed and what is decoded are the very
/// same bytes. Longer ones are hashed in a pass of their own; the bound keeps memory flat.
const WHOLE_MAX_BYTES: usize = 8 << 20;

/// A Parquet file that a table's log names.
#[derive(Debug, Clone)]
pub(crate) struct DataFile {
    pub(crate) table: Table,
    /// Below the table's folder.
    pub(crate) relative: String,
    pub(crate) path: PathBuf,
    /// `2026-01` for `usage_daily`.
    pub(crate) month: Option<String>,
    pub(super) add: Add,
    /// Whether its bytes were compared with its checksum. Clones share it: a file that is read in
    /// several passes is hashed in the first.
    is_checked: Arc<AtomicBool>,
    /// Where it is fetched from when it is opened first; none where it is nowhere else.
    remote: Option<Arc<Remote>>,
}

impl DataFile {
    /// The file that an entry of the log adds to the table in `table_dir`.
    pub(super) fn new(table: Table, table_dir: &Path, add: Add) -> Self {
        let month = add.partition_values.get(MONTH).cloned().flatten();
        let is_checked = Arc::new(AtomicBool::new(false));
        Self { table, relative: add.path.clone(), path: table_dir.join(&add.path), month, add, is_checked, remote: None }
    }

    /// The same of the copy of a lake.
    pub(super) fn of(self, remote: Option<&Arc<Remote>>) -> Self {
        Self { remote: remote.cloned(), ..self }
    }

    /// Fetches the file where it is not here yet.
    pub(super) fn bring(&self) -> Result<(), LakeError> {
        self.remote.as_ref().map_or(Ok(()), |remote| remote.bring(self.table, &self.relative, &self.path))
    }

    fn open(&self) -> Result<File, LakeError> {
        self.bring()?;
        File::open(&self.path).map_err(|source| LakeError::io(&self.path, source))
    }

    /// What `read` makes of the file. Where it is damaged and only a copy, once more of another.
    fn mended<T>(&self, read: impl Fn() -> Result<T, LakeError>) -> Result<T, LakeError> {
        match (read(), &self.remote) {
            (Err(LakeError::Checksum { .. }), Some(remote)) => {
                remote.discard(self.table, &self.relative, &self.path);
                read()
            }
            (read, _) => read,
        }
    }

    /// What the digest of a table's files takes of it.
    pub(super) fn in_digest(&self) -> (&str, String, i64) {
        let partition = self.table.partition_text(|name| self.partition(name));
        (&self.relative, partition, self.add.size)
    }

    /// The value of a partition column, as the log writes it.
    pub(super) fn partition(&self, name: &str) -> Option<&str> {
        self.add.partition_values.get(name)?.as_deref()
    }

    /// The rows that the log says it has; none where it says nothing of that.
    pub(super) fn rows_told(&self) -> Option<u64> {
        serde_json::from_str::<Value>(self.add.stats.as_deref()?).ok()?.get("numRecords")?.as_u64()
    }

    /// The bytes that the log says it has.
    pub(super) fn bytes_told(&self) -> u64 {
        u64::try_from(self.add.size).unwrap_or(0)
    }

    /// Whether its name tells the SHA-256 of its bytes; not so for files of earlier releases.
    pub(crate) fn has_checksum(&self) -> bool {
        checksum::told_by(&self.relative).is_some()
    }

    /// The batches of the file; of `columns` alone where given. Where it has a checksum, all of its
    /// bytes are compared with that first, once for each opening of the tables.
    pub(crate) fn read(&self, columns: Option<&[&str]>) -> Result<FileBatches, LakeError> {
        self.read_wanted(columns.map_or(Wanted::All, Wanted::Columns))
    }

    /// The batches of the row groups that may hold a text in a column. All of the file is compared
    /// with its checksum first, as in [`DataFile::read`].
    pub(super) fn read_groups_with(&self, column: &str, text: &str) -> Result<FileBatches, LakeError> {
        self.read_wanted(Wanted::GroupsWith { column, text })
    }

    fn read_wanted(&self, wanted: Wanted<'_>) -> Result<FileBatches, LakeError> {
        self.mended(|| self.read_once(wanted))
    }

    fn read_once(&self, wanted: Wanted<'_>) -> Result<FileBatches, LakeError> {
        let mut file = self.open()?;
        let reader = if !self.has_checksum() || self.is_checked.load(Ordering::Relaxed) {
            read_from(file, &self.path, wanted)?
        } else if let Some(length) = self.length(&file)?.filter(|length| *length <= WHOLE_MAX_BYTES) {
            let mut bytes = Vec::with_capacity(length);
            file.read_to_end(&mut bytes).map_err(|source| LakeError::io(&self.path, source))?;
            self.compare(&checksum::of_bytes(&bytes))?;
            read_from(Bytes::from(bytes), &self.path, wanted)?
        } else {
            // The same open file is read again: another that takes its name meanwhile is not it.
            self.compare_file(&file)?;
            file.rewind().map_err(|source| LakeError::io(&self.path, source))?;
            read_from(file, &self.path, wanted)?
        };
        Ok(FileBatches { path: self.path.clone(), reader })
    }

    /// Compares the bytes with the checksum, even if that was done before.
    pub(crate) fn check(&self) -> Result<(), LakeError> {
        if !self.has_checksum() {
            return Ok(());
        }
        self.mended(|| self.compare_file(&self.open()?))
    }

    /// Whether it was compared with its checksum before, by whoever shares this.
    pub(super) fn was_checked(&self) -> bool {
        self.is_checked.load(Ordering::Relaxed)
    }

    /// Its length in bytes, where memory could have as many.
    fn length(&self, file: &File) -> Result<Option<usize>, LakeError> {
        let metadata = file.metadata().map_err(|source| LakeError::io(&self.path, source))?;
        Ok(usize::try_from(metadata.len()).ok())
    }

    fn compare_file(&self, file: &File) -> Result<(), LakeError> {
        self.compare(&checksum::of_file(file).map_err(|source| LakeError::io(&self.path, source))?)
    }

    fn compare(&self, found: &str) -> Result<(), LakeError> {
        let Some(wanted) = checksum::told_by(&self.relative).filter(|wanted| *wanted != found) else {
            self.is_checked.store(true, Ordering::Relaxed);
            return Ok(());
        };
        let month = self.month.as_ref().map_or_else(String::new, |month| format!(", month {month}"));
        let part = format!("{}{month}", self.table.name());
        Err(LakeError::Checksum { path: self.path.clone(), part, wanted: wanted.to_owned(), found: found.to_owned() })
    }
}

/// The batches of a file. Errors name it.
pub(crate) struct FileBatches {
    path: PathBuf,
    reader: ParquetRecordBatchReader,
}

impl std::fmt::Debug for FileBatches {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileBatches").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Iterator for FileBatches {
    type Item = Result<RecordBatch, LakeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.reader.next()?;
        Some(batch.map_err(|error| LakeError::File { path: self.path.clone(), reason: error.to_string() }))
    }
}
