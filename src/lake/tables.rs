//! The Delta tables of a lake, and the row of `imports` that names one version of each.
//!
//! Delta commits one table at a time, so `imports` is the commit point: a reader opens exactly
//! the versions that its newest row names. What a dead import left in another table's log is
//! named by no row, and the next commit to that table takes it back in the same step in which
//! it adds its own.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use datafusion::parquet::errors::ParquetError;
use deltalake::checkpoints::create_checkpoint;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties};
use deltalake::kernel::{Action, Add, Metadata, MetadataExt, StructType};
use deltalake::operations::create::CreateBuilder;
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::table::state::DeltaTableState;
use deltalake::{DeltaTable, DeltaTableBuilder, DeltaTableError};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use thiserror::Error;
use tokio::runtime::Runtime;
use url::Url;

use super::data_file::DataFile;
use super::durable::{DurableLocal, create_dirs, lock};
use super::imports::{ImportRecord, SeenEntry};
use super::log::{FILES_KEY, Log, files_digest};
use super::parquet::WrittenFile;
use super::remote::{Remote, RemoteError, Source};
use super::schema::{Partition, Table};
use super::scores::SeenScores;
use super::seal;
use crate::domain::Currency;

/// Commits of a table between two checkpoints of its log. Measured on an import of one row: at
/// the 10th commit after a checkpoint it takes 0.2 s, at the 99th 1.1 s, most of it in reading
/// the log.
const CHECKPOINT_INTERVAL: u64 = 10;

/// Why the tables cannot be read or written.
#[derive(Debug, Error)]
pub enum LakeError {
    #[error("there is no folder {path}; `churn-risk import PATH... --lake {path}` makes a lake")]
    NoSuchLake { path: PathBuf },
    #[error("cannot use {path}")]
    Io { path: PathBuf, source: io::Error },
    #[error("the table file {path} cannot be read: {reason}")]
    File { path: PathBuf, reason: String },
    #[error(
        "{path} of {part} is damaged: its SHA-256 should be {wanted} and is {found}; \
         restore the file from a copy of the lake, or import the source files again into a new lake"
    )]
    Checksum { path: PathBuf, part: String, wanted: String, found: String },
    #[error(
        "{path} in the log of {table} is damaged: {reason}; \
         restore the file from a copy of the lake, or import the source files again into a new lake"
    )]
    Log { table: &'static str, path: PathBuf, reason: String },
    #[error("the log {log} cannot be read")]
    Unopened { log: PathBuf, source: Box<DeltaTableError> },
    #[error("the table log refused")]
    Delta(#[from] Box<DeltaTableError>),
    #[error("a table file could not be written")]
    Parquet(#[from] Box<ParquetError>),
    #[error("a table column is not what it should be")]
    Arrow(#[from] Box<ArrowError>),
    #[error("the {amounts} of {of} add up to more than 9.2e12: is there a row with a value of another row's kind?")]
    Beyond { amounts: &'static str, of: String },
    #[error("the engine stopped")]
    Engine(#[from] Box<DataFusionError>),
    #[error("the `imports` row {import_id} of {lake} is damaged: {reason}")]
    Imports { lake: PathBuf, import_id: i64, reason: String },
    #[error("{lake} has no table version {version}; the newest is {newest}")]
    NoSuchVersion { lake: PathBuf, version: u64, newest: u64 },
    #[error("table version {version} of {lake} was vacuumed, and the oldest that is kept is {oldest}")]
    Vacuumed { lake: PathBuf, version: u64, oldest: u64 },
    #[error(
        "{path}, which says which versions were vacuumed, is damaged; restore it from a copy of the lake, or remove it \
         and run `churn-risk vacuum` again with as few --keep-days as before"
    )]
    VacuumRecord { path: PathBuf },
    #[error(transparent)]
    Remote(#[from] RemoteError),
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

/// A folder of tables.
#[derive(Debug)]
pub struct Lake {
    dir: PathBuf,
    /// Where it is a copy from; none of a folder that is the lake itself.
    source: Option<Source>,
    runtime: Runtime,
    store: Arc<DurableLocal>,
    /// What [`Lake::newest_version`] saw last, so that it need not read the same entry again.
    pub(super) newest_seen: Mutex<Option<SeenEntry>>,
    /// The files of `scores` as they were listed last, so that none is compared with its checksum
    /// twice.
    pub(super) scores_seen: Mutex<Option<SeenScores>>,
}

/// Exactly one version of every table.
#[derive(Debug)]
pub struct Snapshot {
    pub(crate) record: ImportRecord,
    pub(crate) files: BTreeMap<Table, Vec<DataFile>>,
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

    /// The currency of every cost; none where no import has told it.
    #[must_use]
    pub fn currency(&self) -> Option<&str> {
        self.record.currency.as_ref().map(Currency::as_str)
    }

    /// The import that named this version.
    #[must_use]
    pub const fn record(&self) -> &ImportRecord {
        &self.record
    }

    /// SHA-256 of what makes this version what it is: two versions of any two lakes share it only
    /// where they name the same files, written at the same moments.
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        let mut text = |part: &str| {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        };
        text(&self.record.import_id.to_string());
        self.record.files.iter().for_each(|file| text(&file.sha256));
        for (table, file) in self.files.iter().flat_map(|(table, files)| files.iter().map(move |file| (table, file))) {
            text(table.name());
            text(&file.relative);
            text(&format!("{} {}", file.add.size, file.add.modification_time));
        }
        hasher.finalize().into()
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
        Self::over(dir, None)
    }

    pub(super) fn over(dir: &Path, source: Option<Source>) -> Result<Self, LakeError> {
        let io_error = |source| LakeError::io(dir, source);
        let dir = std::path::absolute(dir).map_err(io_error)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().map_err(io_error)?;
        let store = Arc::new(DurableLocal::new());
        Ok(Self { dir, source, runtime, store, newest_seen: Mutex::new(None), scores_seen: Mutex::new(None) })
    }

    /// Opens the folder `dir` for whoever only reads, to whom a folder that is not there is
    /// a name that was spelt wrong.
    ///
    /// # Errors
    /// As [`Lake::open`], and where there is no such folder.
    pub fn open_existing(dir: &Path) -> Result<Self, LakeError> {
        if dir.is_dir() { Self::open(dir) } else { Err(LakeError::NoSuchLake { path: dir.to_path_buf() }) }
    }

    /// The folder, as an absolute path.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where this is the copy of a lake in an object store, that lake.
    pub(super) fn remote(&self) -> Option<&Arc<Remote>> {
        self.source.as_ref().map(|source| &source.remote)
    }

    /// That lake where what is written has to go there first, and comes back by itself.
    pub(super) fn written_through(&self) -> Option<&Arc<Remote>> {
        self.source.as_ref().filter(|source| !source.is_scratch).map(|source| &source.remote)
    }

    pub(crate) const fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    pub(crate) fn table_dir(&self, table: Table) -> PathBuf {
        self.dir.join(table.name())
    }

    /// Takes the right to import; calls `waiting` once if another process holds it.
    pub(crate) fn lease(&self, waiting: impl FnOnce()) -> Result<WriterLease, LakeError> {
        self.lock("_writer.lock", waiting)
    }

    /// Takes the right to append feedback, which no import ever holds.
    pub(crate) fn feedback_lease(&self) -> Result<WriterLease, LakeError> {
        self.lock("_feedback.lock", || ())
    }

    /// Takes the right to append scores, which neither imports nor feedback hold.
    pub(crate) fn scores_lease(&self) -> Result<WriterLease, LakeError> {
        self.lock("_scores.lock", || ())
    }

    fn lock(&self, name: &str, waiting: impl FnOnce()) -> Result<WriterLease, LakeError> {
        create_dirs(&self.dir).map_err(|source| LakeError::io(&self.dir, source))?;
        let path = self.dir.join(name);
        let lock = lock(&path, waiting).map_err(|source| LakeError::io(&path, source))?;
        Ok(WriterLease { _lock: lock })
    }

    fn delta(&self, table: Table) -> Result<DeltaTable, LakeError> {
        let dir = self.table_dir(table);
        let url = Url::from_directory_path(&dir)
            .map_err(|()| LakeError::io(&dir, io::Error::new(io::ErrorKind::InvalidInput, "the path is no URL")))?;
        Ok(DeltaTableBuilder::from_url(url.clone())?.with_storage_backend(self.store.clone(), url).build()?)
    }

    /// The table at a version, at its newest without one, and its files, which are those that were
    /// committed; none where it does not exist yet.
    pub(super) async fn load(&self, table: Table, version: Option<u64>) -> Result<Option<(DeltaTable, Vec<DataFile>)>, LakeError> {
        self.load_checked(table, version).await.map_err(|error| self.told(error))
    }

    async fn load_checked(&self, table: Table, version: Option<u64>) -> Result<Option<(DeltaTable, Vec<DataFile>)>, LakeError> {
        let log = Log::new(table, &self.table_dir(table));
        let Some((delta, files)) = self.read_log(table, &log, version).await? else { return Ok(None) };
        let Some(version) = delta.version() else { return Ok(Some((delta, files))) };
        if let Err(error) = log.check(version, &files) {
            // It may be an earlier entry, or the checkpoint, that does not say what it said.
            for entry in log.since_checkpoint(Some(version))? {
                let Ok(Some((_, files))) = self.read_log(table, &log, Some(entry)).await else { break };
                log.check(entry, &files)?;
            }
            return Err(error);
        }
        Ok(Some((delta, files)))
    }

    async fn read_log(&self, table: Table, log: &Log, version: Option<u64>) -> Result<Option<(DeltaTable, Vec<DataFile>)>, LakeError> {
        if !log.is_there() {
            return Ok(None);
        }
        let mut delta = self.delta(table)?;
        if !delta.verify_deltatable_existence().await? {
            return Ok(None);
        }
        let loaded = match version {
            Some(version) => delta.load_version(version).await,
            None => delta.load().await,
        };
        match loaded.map_err(LakeError::from).and_then(|()| self.data_files(table, &delta)) {
            Ok(files) => Ok(Some((delta, files))),
            Err(LakeError::Delta(source)) => Err(log.first_unreadable(version)?.unwrap_or_else(|| log.unopened(source))),
            Err(error) => Err(error),
        }
    }

    /// The files of a table at its newest version.
    pub(super) fn newest_files(&self, table: Table) -> Result<Vec<DataFile>, LakeError> {
        Ok(self.newest_listed(table)?.1)
    }

    /// The newest version of a table's log, none where there is no table yet, and its files.
    pub(super) fn newest_listed(&self, table: Table) -> Result<(Option<u64>, Vec<DataFile>), LakeError> {
        Ok(self.runtime.block_on(self.load(table, None))?.map_or((None, Vec::new()), |(delta, files)| (delta.version(), files)))
    }

    pub(super) fn data_files(&self, table: Table, delta: &DeltaTable) -> Result<Vec<DataFile>, LakeError> {
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
                DataFile::new(table, &dir, add).of(self.remote())
            })
            .collect();
        files.sort_by(|a, b| (&a.month, &a.relative).cmp(&(&b.month, &b.relative)));
        Ok(files)
    }

    /// The tables at `version`, or at the newest; none where nothing was ever imported.
    ///
    /// # Errors
    /// Where the version does not exist, was vacuumed, or its files cannot be listed.
    pub fn snapshot(&self, version: Option<u64>) -> Result<Option<Snapshot>, LakeError> {
        let mut records = self.imports()?;
        if let Some(wanted) = version {
            let newest = records.last().map_or(0, |record| record.import_id);
            records.retain(|record| record.import_id == wanted);
            // Version 0 is that of a lake into which nothing was imported.
            if records.is_empty() && wanted != newest {
                return Err(LakeError::NoSuchVersion { lake: self.named(), version: wanted, newest });
            }
            if wanted != newest {
                self.check_kept(wanted)?;
            }
        }
        self.newest(&records)
    }

    /// The tables that the last of `records` names; none where there is no record.
    pub(crate) fn newest(&self, records: &[ImportRecord]) -> Result<Option<Snapshot>, LakeError> {
        let Some(record) = records.last().cloned() else { return Ok(None) };
        let files = self.runtime.block_on(async {
            let mut files = BTreeMap::new();
            for table in Table::imported() {
                let Some(version) = record.table_versions.get(table.name()) else { continue };
                match self.load(table, Some(*version)).await? {
                    Some((_, listed)) => files.insert(table, listed),
                    None => return Err(Log::new(table, &self.table_dir(table)).missing()),
                };
            }
            Ok::<_, LakeError>(files)
        })?;
        Ok(Some(Snapshot { record, files }))
    }

    /// Makes the table's newest version hold exactly `kept` (files of an earlier version) and
    /// `new`, whatever a dead import left there. Returns that version.
    pub(crate) fn commit(&self, table: Table, kept: &[DataFile], new: &[(Partition, WrittenFile)]) -> Result<u64, LakeError> {
        self.runtime.block_on(async {
            let (delta, present) = match self.load(table, None).await? {
                Some(loaded) => loaded,
                None => (self.create(table).await?, Vec::new()),
            };
            // A file of a dead import may have been deleted, and then the same bytes get the same name:
            // one that is added is never removed in the same entry, which would leave neither.
            let added = new.iter().map(|(_, file)| file.relative.as_str());
            let wanted: BTreeSet<&str> = kept.iter().map(|file| file.relative.as_str()).chain(added).collect();
            let there: BTreeSet<&str> = present.iter().map(|file| file.relative.as_str()).collect();
            let state = delta.snapshot()?;
            let mut actions: Vec<Action> = state
                .log_data()
                .iter()
                .filter(|view| !wanted.contains(view.path().as_ref()))
                .map(|view| Action::Remove(view.remove_action(true)))
                .collect();
            actions.extend(evolved(table, state)?.map(Action::Metadata));
            actions.extend(kept.iter().filter(|file| !there.contains(file.relative.as_str())).map(|file| Action::Add(file.add.clone())));
            actions.extend(new.iter().map(|(partition, file)| Action::Add(add(table, partition, file))));
            let text = |partition: &Partition| table.partition_text(|name| partition.get(name).map(String::as_str));
            let added = new.iter().map(|(partition, file)| (file.relative.as_str(), text(partition), size(file)));
            let held = files_digest(kept.iter().map(DataFile::in_digest).chain(added));
            let operation = DeltaOperation::Write {
                mode: SaveMode::Append,
                partition_by: Some(table.partitions().map(str::to_owned).collect()),
                predicate: None,
            };
            // One writer at a time holds the lease, so a conflict means that somebody else
            // writes to the lake: give up rather than merge with the unknown.
            let properties = CommitProperties::default()
                .with_metadata(seal::blank().into_iter().chain([(FILES_KEY.to_owned(), held.into())]))
                .with_max_retries(0)
                .with_cleanup_expired_logs(Some(false))
                .with_create_checkpoint(false);
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
        if let Some((delta, _)) = self.load(table, Some(version)).await? {
            let log = Log::new(table, &self.table_dir(table));
            log.seal_checkpoint(version, create_checkpoint(&delta, None)).await?;
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
            .with_partition_columns(table.partitions())
            .with_commit_properties(CommitProperties::default().with_metadata(seal::blank()));
        Ok(builder.await?)
    }
}

/// The description of a table that an earlier release has made without some column of today's;
/// none where it lacks nothing. Its files go on without the column, which Delta reads as null.
fn evolved(table: Table, state: &DeltaTableState) -> Result<Option<Metadata>, LakeError> {
    let schema = state.schema();
    let columns = table.delta_columns();
    if columns.iter().all(|column| schema.contains(column.name())) {
        return Ok(None);
    }
    let schema = StructType::try_new(columns).map_err(DeltaTableError::from)?;
    Ok(Some(state.metadata().clone().with_schema(&schema).map_err(DeltaTableError::from)?))
}

fn size(file: &WrittenFile) -> i64 {
    i64::try_from(file.bytes).unwrap_or(i64::MAX)
}

fn add(table: Table, partition: &Partition, file: &WrittenFile) -> Add {
    let partition_values: HashMap<String, Option<String>> =
        table.partitions().map(|name| (name.to_owned(), partition.get(name).cloned())).collect();
    Add {
        path: file.relative.clone(),
        partition_values,
        size: size(file),
        modification_time: file.modified_ms,
        data_change: true,
        stats: Some(format!("{{\"numRecords\":{}}}", file.rows)),
        ..Add::default()
    }
}
