//! The Delta tables of a lake, and the row of `imports` that names one version of each.
//!
//! Delta commits one table at a time, so `imports` is the commit point: a reader opens exactly
//! the versions that its newest row names. What a dead import left in another table's log is
//! named by no row, and the next commit to that table takes it back in the same step in which
//! it adds its own.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch};
use datafusion::arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use datafusion::parquet::errors::ParquetError;
use deltalake::checkpoints::create_checkpoint;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties};
use deltalake::kernel::{Action, Add};
use deltalake::operations::create::CreateBuilder;
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::{DeltaTable, DeltaTableBuilder, DeltaTableError};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::runtime::Runtime;
use url::Url;

use super::durable::{DurableLocal, create_dirs};
use super::parquet::{Columns, WrittenFile, days, read_file, texts, write_file};
use super::schema::{MONTH, Table};
use crate::domain::Day;

/// Commits of a table between two checkpoints of its log. Measured on an import of one row: at
/// the 10th commit after a checkpoint it takes 0.2 s, at the 99th 1.1 s, most of it in reading
/// the log.
const CHECKPOINT_INTERVAL: u64 = 10;

/// Why the tables cannot be read or written.
#[derive(Debug, Error)]
pub enum LakeError {
    #[error("cannot use {path}")]
    Io { path: PathBuf, source: io::Error },
    #[error("the table file {path} cannot be read: {reason}")]
    File { path: PathBuf, reason: String },
    #[error("the table log refused")]
    Delta(#[from] Box<DeltaTableError>),
    #[error("a table file could not be written")]
    Parquet(#[from] Box<ParquetError>),
    #[error("a table column is not what it should be")]
    Arrow(#[from] Box<ArrowError>),
    #[error("the engine stopped")]
    Engine(#[from] Box<DataFusionError>),
    #[error("the `imports` row {import_id} of {lake} is damaged: {reason}")]
    Imports { lake: PathBuf, import_id: i64, reason: String },
    #[error("{lake} has no table version {version}; the newest is {newest}")]
    NoSuchVersion { lake: PathBuf, version: u64, newest: u64 },
}

macro_rules! from_boxed {
    ($($error:ty => $variant:ident),*) => {$(
        impl From<$error> for LakeError {
            fn from(source: $error) -> Self {
                Self::$variant(Box::new(source))
            }
        }
    )*};
}

from_boxed!(DeltaTableError => Delta, ParquetError => Parquet, ArrowError => Arrow, DataFusionError => Engine);

impl LakeError {
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_path_buf(), source }
    }
}

/// A file that an import has read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportedFile {
    /// Its name, without the folder it lay in.
    pub name: String,
    /// SHA-256 of its bytes as they lay there, in hexadecimal.
    pub sha256: String,
    /// The table it was read as.
    pub table: String,
}

/// One row of `imports`: what came in, and the version of each table that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportRecord {
    /// 1 for the first import; also the number of the table version that readers name.
    pub import_id: u64,
    pub source: String,
    /// The day that the operator's clock showed.
    pub imported_on: Day,
    pub files: Vec<ImportedFile>,
    pub rows_read: u64,
    pub rows_kept: u64,
    pub rows_refused: u64,
    /// First and last day with a usage row in the import; none where it had no usage.
    pub first_day: Option<Day>,
    pub last_day: Option<Day>,
    pub warnings: Vec<String>,
    /// Delta version by table name. A table that nothing was ever imported into has none.
    pub table_versions: BTreeMap<String, u64>,
}

/// A folder of tables.
#[derive(Debug)]
pub struct Lake {
    dir: PathBuf,
    runtime: Runtime,
    store: Arc<DurableLocal>,
}

/// Exactly one version of every table.
#[derive(Debug)]
pub struct Snapshot {
    pub(crate) record: ImportRecord,
    pub(crate) files: BTreeMap<Table, Vec<DataFile>>,
}

/// A Parquet file of a table version.
#[derive(Debug, Clone)]
pub(crate) struct DataFile {
    /// Below the table's folder.
    pub(crate) relative: String,
    pub(crate) path: PathBuf,
    /// `2026-01` for `usage_daily`.
    pub(crate) month: Option<String>,
    add: Add,
}

/// The right to write, held by one process at a time. Dropping it, or dying, gives it back.
#[derive(Debug)]
pub(crate) struct WriterLease {
    _lock: File,
}

impl Snapshot {
    /// The number of the import that named this version.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.record.import_id
    }

    /// The import that named this version.
    #[must_use]
    pub const fn record(&self) -> &ImportRecord {
        &self.record
    }

    pub(crate) fn files(&self, table: Table) -> &[DataFile] {
        self.files.get(&table).map_or(&[], Vec::as_slice)
    }
}

impl Lake {
    /// Opens the folder `dir`, which need not exist yet.
    ///
    /// # Errors
    /// Where the engine's threads cannot be started.
    pub fn open(dir: &Path) -> Result<Self, LakeError> {
        let io_error = |source| LakeError::io(dir, source);
        let dir = std::path::absolute(dir).map_err(io_error)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().map_err(io_error)?;
        Ok(Self { dir, runtime, store: Arc::new(DurableLocal::new()) })
    }

    /// The folder, as an absolute path.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) const fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    pub(crate) fn table_dir(&self, table: Table) -> PathBuf {
        self.dir.join(table.name())
    }

    /// Takes the right to write; calls `waiting` once if another process holds it. The system
    /// gives the lock of a dead process back by itself.
    pub(crate) fn lease(&self, waiting: impl FnOnce()) -> Result<WriterLease, LakeError> {
        create_dirs(&self.dir).map_err(|source| LakeError::io(&self.dir, source))?;
        let path = self.dir.join("_writer.lock");
        let io_error = |source| LakeError::io(&path, source);
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(io_error)?;
        if lock.try_lock().is_err() {
            waiting();
            lock.lock().map_err(io_error)?;
        }
        Ok(WriterLease { _lock: lock })
    }

    fn delta(&self, table: Table) -> Result<DeltaTable, LakeError> {
        let dir = self.table_dir(table);
        let url = Url::from_directory_path(&dir)
            .map_err(|()| LakeError::io(&dir, io::Error::new(io::ErrorKind::InvalidInput, "the path is no URL")))?;
        Ok(DeltaTableBuilder::from_url(url.clone())?.with_storage_backend(self.store.clone(), url).build()?)
    }

    /// The table at a version, at its newest without one; none where it does not exist yet.
    async fn load(&self, table: Table, version: Option<u64>) -> Result<Option<DeltaTable>, LakeError> {
        if !self.table_dir(table).join("_delta_log").is_dir() {
            return Ok(None);
        }
        let mut delta = self.delta(table)?;
        if !delta.verify_deltatable_existence().await? {
            return Ok(None);
        }
        match version {
            Some(version) => delta.load_version(version).await?,
            None => delta.load().await?,
        }
        Ok(Some(delta))
    }

    fn data_files(&self, table: Table, delta: &DeltaTable) -> Result<Vec<DataFile>, LakeError> {
        let dir = self.table_dir(table);
        let mut files: Vec<DataFile> = delta
            .snapshot()?
            .log_data()
            .iter()
            .map(|view| {
                let add = Add {
                    path: view.path().into_owned(),
                    partition_values: view.partition_values_map(),
                    size: view.size(),
                    modification_time: view.modification_time(),
                    data_change: true,
                    stats: view.stats(),
                    ..Add::default()
                };
                let month = add.partition_values.get(MONTH).cloned().flatten();
                DataFile { relative: add.path.clone(), path: dir.join(&add.path), month, add }
            })
            .collect();
        files.sort_by(|a, b| (&a.month, &a.relative).cmp(&(&b.month, &b.relative)));
        Ok(files)
    }

    /// Every row of `imports`, oldest first.
    ///
    /// # Errors
    /// Where the table cannot be read.
    pub fn imports(&self) -> Result<Vec<ImportRecord>, LakeError> {
        let files = self.runtime.block_on(async {
            match self.load(Table::Imports, None).await? {
                Some(delta) => self.data_files(Table::Imports, &delta),
                None => Ok(Vec::new()),
            }
        })?;
        let mut records = Vec::new();
        for file in files {
            for batch in read_file(&file.path, None)? {
                let columns = Columns::new(batch?);
                for row in 0..columns.rows() {
                    records.push(self.record(&columns, row)?);
                }
            }
        }
        records.sort_by_key(|record| record.import_id);
        Ok(records)
    }

    /// The number of the newest import; none where nothing was ever imported.
    ///
    /// # Errors
    /// Where the table of imports cannot be read.
    pub fn newest_version(&self) -> Result<Option<u64>, LakeError> {
        Ok(self.imports()?.last().map(|record| record.import_id))
    }

    /// The tables at `version`, or at the newest; none where nothing was ever imported.
    ///
    /// # Errors
    /// Where the version does not exist or its files cannot be listed.
    pub fn snapshot(&self, version: Option<u64>) -> Result<Option<Snapshot>, LakeError> {
        let mut records = self.imports()?;
        if let (Some(wanted), Some(newest)) = (version, records.last().map(|record| record.import_id)) {
            records.retain(|record| record.import_id == wanted);
            if records.is_empty() {
                return Err(LakeError::NoSuchVersion { lake: self.dir.clone(), version: wanted, newest });
            }
        }
        self.newest(&records)
    }

    /// The tables that the last of `records` names; none where there is no record.
    pub(crate) fn newest(&self, records: &[ImportRecord]) -> Result<Option<Snapshot>, LakeError> {
        let Some(record) = records.last().cloned() else { return Ok(None) };
        let files = self.runtime.block_on(async {
            let mut files = BTreeMap::new();
            for table in Table::ALL {
                let Some(version) = record.table_versions.get(table.name()) else { continue };
                if let Some(delta) = self.load(table, Some(*version)).await? {
                    files.insert(table, self.data_files(table, &delta)?);
                }
            }
            Ok::<_, LakeError>(files)
        })?;
        Ok(Some(Snapshot { record, files }))
    }

    /// Makes the table's newest version hold exactly `kept` (files of an earlier version) and
    /// `new`, whatever a dead import left there. Returns that version.
    pub(crate) fn commit(&self, table: Table, kept: &[DataFile], new: &[(Option<String>, WrittenFile)]) -> Result<u64, LakeError> {
        self.runtime.block_on(async {
            let delta = match self.load(table, None).await? {
                Some(delta) => delta,
                None => self.create(table).await?,
            };
            let present = self.data_files(table, &delta)?;
            let wanted: BTreeSet<&str> = kept.iter().map(|file| file.relative.as_str()).collect();
            let there: BTreeSet<&str> = present.iter().map(|file| file.relative.as_str()).collect();
            let state = delta.snapshot()?;
            let mut actions: Vec<Action> = state
                .log_data()
                .iter()
                .filter(|view| !wanted.contains(view.path().as_ref()))
                .map(|view| Action::Remove(view.remove_action(true)))
                .collect();
            actions.extend(kept.iter().filter(|file| !there.contains(file.relative.as_str())).map(|file| Action::Add(file.add.clone())));
            actions.extend(new.iter().map(|(month, file)| Action::Add(add(table, month.as_deref(), file))));
            let operation = DeltaOperation::Write {
                mode: SaveMode::Append,
                partition_by: Some(table.partitions().iter().map(ToString::to_string).collect()),
                predicate: None,
            };
            // One writer at a time holds the lease, so a conflict means that somebody else
            // writes to the lake: give up rather than merge with the unknown.
            let properties =
                CommitProperties::default().with_max_retries(0).with_cleanup_expired_logs(Some(false)).with_create_checkpoint(false);
            let commit = CommitBuilder::from(properties).with_actions(actions).build(Some(state), delta.log_store(), operation).await?;
            let version = commit.version();
            if (version + 1).is_multiple_of(CHECKPOINT_INTERVAL)
                && let Err(error) = self.checkpoint(table, version).await
            {
                // The commit stands: a failure here must not make an import that readers see
                // look refused. The log is only longer to read.
                tracing::warn!(%error, table = table.name(), version, "the table log has no checkpoint at this version");
            }
            Ok(version)
        })
    }

    /// Sums the log up to `version` in one file, so that opening the table need not read it all.
    async fn checkpoint(&self, table: Table, version: u64) -> Result<(), LakeError> {
        if let Some(delta) = self.load(table, Some(version)).await? {
            create_checkpoint(&delta, None).await?;
        }
        Ok(())
    }

    async fn create(&self, table: Table) -> Result<DeltaTable, LakeError> {
        let dir = self.table_dir(table);
        create_dirs(&dir).map_err(|source| LakeError::io(&dir, source))?;
        let builder = CreateBuilder::new()
            .with_log_store(self.delta(table)?.log_store())
            .with_table_name(table.name())
            .with_columns(table.delta_columns())
            .with_partition_columns(table.partitions().iter().map(ToString::to_string));
        Ok(builder.await?)
    }

    /// Writes the row that makes an import visible, after those of the imports before it: the
    /// commit point.
    pub(crate) fn commit_import(&self, mut records: Vec<ImportRecord>, record: &ImportRecord) -> Result<(), LakeError> {
        records.push(record.clone());
        let batch = imports_batch(&records)?;
        let file = write_file(&self.table_dir(Table::Imports), &format!("imports-{:08}", record.import_id), &batch)?;
        self.commit(Table::Imports, &[], &[(None, file)])?;
        Ok(())
    }

    fn record(&self, columns: &Columns, row: usize) -> Result<ImportRecord, LakeError> {
        let import_id = columns.long("import_id", row)?;
        let damaged = |reason: String| LakeError::Imports { lake: self.dir.clone(), import_id, reason };
        let text = |name: &str| -> Result<String, LakeError> { Ok(columns.text(name, row)?.unwrap_or_default()) };
        let count = |name: &str| -> Result<u64, LakeError> {
            u64::try_from(columns.long(name, row)?).map_err(|_| damaged(format!("{name} is negative")))
        };
        Ok(ImportRecord {
            import_id: count("import_id")?,
            source: text("source")?,
            imported_on: columns.day("imported_on", row)?.ok_or_else(|| damaged("no imported_on".to_owned()))?,
            files: serde_json::from_str(&text("files")?).map_err(|error| damaged(error.to_string()))?,
            rows_read: count("rows_read")?,
            rows_kept: count("rows_kept")?,
            rows_refused: count("rows_refused")?,
            first_day: columns.day("first_day", row)?,
            last_day: columns.day("last_day", row)?,
            warnings: serde_json::from_str(&text("warnings")?).map_err(|error| damaged(error.to_string()))?,
            table_versions: serde_json::from_str(&text("table_versions")?).map_err(|error| damaged(error.to_string()))?,
        })
    }
}

fn add(table: Table, month: Option<&str>, file: &WrittenFile) -> Add {
    let partition_values: HashMap<String, Option<String>> =
        table.partitions().iter().map(|name| ((*name).to_owned(), month.map(str::to_owned))).collect();
    Add {
        path: file.relative.clone(),
        partition_values,
        size: i64::try_from(file.bytes).unwrap_or(i64::MAX),
        modification_time: file.modified_ms,
        data_change: true,
        stats: Some(format!("{{\"numRecords\":{}}}", file.rows)),
        ..Add::default()
    }
}

fn imports_batch(records: &[ImportRecord]) -> Result<RecordBatch, LakeError> {
    let json = |value: serde_json::Result<String>| value.map_err(|error| ArrowError::JsonError(error.to_string()));
    let long = |value: &dyn Fn(&ImportRecord) -> u64| -> ArrayRef {
        Arc::new(records.iter().map(|record| i64::try_from(value(record)).unwrap_or(i64::MAX)).collect::<Int64Array>())
    };
    let text = |values: Vec<String>| texts(values.iter().map(|value| Some(value.as_str())));
    let files = records.iter().map(|record| json(serde_json::to_string(&record.files))).collect::<Result<Vec<_>, _>>()?;
    let warnings = records.iter().map(|record| json(serde_json::to_string(&record.warnings))).collect::<Result<Vec<_>, _>>()?;
    let versions = records.iter().map(|record| json(serde_json::to_string(&record.table_versions))).collect::<Result<Vec<_>, _>>()?;
    let columns: Vec<ArrayRef> = vec![
        long(&|record| record.import_id),
        texts(records.iter().map(|record| Some(record.source.as_str()))),
        days(records.iter().map(|record| Some(record.imported_on))),
        text(files),
        long(&|record| record.rows_read),
        long(&|record| record.rows_kept),
        long(&|record| record.rows_refused),
        days(records.iter().map(|record| record.first_day)),
        days(records.iter().map(|record| record.last_day)),
        text(warnings),
        text(versions),
    ];
    Ok(RecordBatch::try_new(Table::Imports.arrow_schema(), columns)?)
}
