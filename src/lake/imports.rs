//! The rows of `imports`: what came in when, and which version of each table holds it.
//!
//! Delta commits one table at a time, so this table is the commit point (`tables.rs`). Its log is
//! also what tells a running service, at the cost of two looks at the file system, whether
//! something came in.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch};
use datafusion::arrow::error::ArrowError;
use deltalake::kernel::Add;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::data_file::DataFile;
use super::log::{Mark, entries, entry_path};
use super::parquet::{Columns, days, texts, write_file};
use super::schema::{Partition, Table};
use super::tables::{Lake, LakeError};
use crate::domain::{Currency, Day};

/// A file that an import has read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportedFile {
    /// Its name, without the folder it lay in.
    pub name: String,
    /// SHA-256 of its bytes as they lay there, in hexadecimal.
    pub sha256: String,
    /// The table it was read as.
    pub table: String,
    /// The source that it was recognised as.
    #[serde(default = "generic")]
    pub source: String,
}

/// The one source of releases that did not name it.
fn generic() -> String {
    "generic".to_owned()
}

/// One row of `imports`: what came in, and the version of each table that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportRecord {
    /// 1 for the first import; also the number of the table version that readers name.
    pub import_id: u64,
    /// The sources of its files, such as `generic`, with commas between them.
    pub source: String,
    /// The day that the operator's clock showed.
    pub imported_on: Day,
    pub files: Vec<ImportedFile>,
    /// `rows_kept + rows_refused + rows_set_aside`, of all tables together.
    pub rows_read: u64,
    pub rows_kept: u64,
    pub rows_refused: u64,
    /// Rows that are read and rightly in no table, as a purchase or a tax among usage.
    pub rows_set_aside: u64,
    /// First and last day with a usage row in the import; none where it had no usage.
    pub first_day: Option<Day>,
    pub last_day: Option<Day>,
    /// The last usage day (quantity above 0) of the whole lake, this import included. None where
    /// there is none, and in records of releases that did not keep it.
    pub as_of: Option<Day>,
    /// The currency of every cost in the lake; none where no import has told it.
    pub currency: Option<Currency>,
    /// What a person should know of it, a sentence each.
    pub warnings: Vec<String>,
    /// Delta version by table name. A table that nothing was ever imported into has none.
    pub table_versions: BTreeMap<String, u64>,
    /// The usage days of the import by source, as first and last day of each run of days. Empty in
    /// records of releases that did not keep it.
    pub source_days: BTreeMap<String, Vec<(Day, Day)>>,
}

/// Runs of consecutive days, each by its first and last day.
pub(super) fn ranges(days: &BTreeSet<Day>) -> Vec<(Day, Day)> {
    let mut ranges: Vec<(Day, Day)> = Vec::new();
    for day in days {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == *day => *last = *day,
            _ => ranges.push((*day, *day)),
        }
    }
    ranges
}

/// `2026-05-01..2026-05-31` for each run, by source.
type WrittenRanges = BTreeMap<String, Vec<String>>;

fn write_ranges(source_days: &BTreeMap<String, Vec<(Day, Day)>>) -> WrittenRanges {
    let text = |(first, last): &(Day, Day)| format!("{first}..{last}");
    source_days.iter().map(|(source, ranges)| (source.clone(), ranges.iter().map(text).collect())).collect()
}

fn read_ranges(text: &str) -> Result<BTreeMap<String, Vec<(Day, Day)>>, String> {
    let written: WrittenRanges = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let range = |text: String| {
        let (first, last) = text.split_once("..").ok_or_else(|| format!("`{text}` is no range of days"))?;
        Ok((Day::parse(first).map_err(|error| error.to_string())?, Day::parse(last).map_err(|error| error.to_string())?))
    };
    written.into_iter().map(|(source, ranges)| Ok((source, ranges.into_iter().map(range).collect::<Result<_, String>>()?))).collect()
}

impl Lake {
    /// Every row of `imports`, oldest first.
    ///
    /// # Errors
    /// Where the table cannot be read.
    pub fn imports(&self) -> Result<Vec<ImportRecord>, LakeError> {
        self.read_newest(Table::Imports, |files| self.records_in(files))
    }

    /// The rows of files of the table, oldest first.
    pub(super) fn records_in(&self, files: &[DataFile]) -> Result<Vec<ImportRecord>, LakeError> {
        let mut records = Vec::new();
        for file in files {
            for batch in file.read(None)? {
                let columns = Columns::new(batch?);
                for row in 0..columns.rows() {
                    records.push(self.record(&columns, row)?);
                }
            }
        }
        records.sort_by_key(|record| record.import_id);
        Ok(records)
    }

    /// The number of the newest import; none where nothing was ever imported. It is what
    /// [`Lake::snapshot`] would open, told without opening anything: where nothing has come in
    /// since the last call, at the cost of two looks at the file system.
    ///
    /// An import counts from the moment at which its row is committed, never before. An entry of
    /// the log whose row cannot be read is no version yet; the one before it still is the newest.
    ///
    /// # Errors
    /// Where the log is there and cannot be read.
    pub fn newest_version(&self) -> Result<Option<u64>, LakeError> {
        if let Some(remote) = self.written_through() {
            remote.look()?;
        }
        let log = self.table_dir(Table::Imports).join("_delta_log");
        let seen = *self.newest_seen.lock();
        if let Some(seen) = seen
            && seen.mark.is_newest(&log)?
        {
            return Ok(Some(seen.version));
        }
        let (entries, checkpoint) = entries(&log)?;
        // Looked at before it is read: what lands in between is found by the next call.
        let newest = entries.last().map(|entry| Mark::of(&log, *entry)).transpose()?.flatten();
        for entry in entries.iter().rev() {
            let Some(version) = self.version_named_by(&log, *entry)? else { continue };
            let is_newest = newest.filter(|mark| mark.entry == *entry);
            *self.newest_seen.lock() = is_newest.map(|mark| SeenEntry { mark, version });
            return Ok(Some(version));
        }
        // Another program may have cleaned the log up behind a checkpoint.
        if checkpoint.is_some() { Ok(self.imports()?.last().map(|record| record.import_id)) } else { Ok(None) }
    }

    /// The moment at which the import of this number was committed, as the log of `imports` tells
    /// it; none where the log tells none, or where another program has cleaned it up.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn imported_at(&self, version: u64) -> Result<Option<DateTime<Utc>>, LakeError> {
        let log = self.table_dir(Table::Imports).join("_delta_log");
        for entry in entries(&log)?.0.into_iter().rev() {
            if self.version_named_by(&log, entry)? == Some(version) {
                let path = entry_path(&log, entry);
                let text = fs::read_to_string(&path).map_err(|source| LakeError::io(&path, source))?;
                let mut actions = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
                let told = actions.find_map(|action| action.pointer("/commitInfo/timestamp").and_then(Value::as_i64));
                return Ok(told.and_then(DateTime::from_timestamp_millis));
            }
        }
        Ok(None)
    }

    /// The newest import among the rows that an entry of the log adds; none where it adds none,
    /// or where entry or rows cannot be read.
    fn version_named_by(&self, log: &Path, entry: u64) -> Result<Option<u64>, LakeError> {
        let path = entry_path(log, entry);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData) => return Ok(None),
            Err(source) => return Err(LakeError::io(&path, source)),
        };
        let mut newest = None;
        for line in text.lines() {
            let Ok(action) = serde_json::from_str::<Value>(line) else { return Ok(None) };
            let Some(file) = action.pointer("/add/path").and_then(Value::as_str) else { continue };
            let add = Add { path: file.to_owned(), ..Add::default() };
            match newest_in(&DataFile::new(Table::Imports, &self.table_dir(Table::Imports), add).of(self.remote())) {
                Ok(version) => newest = newest.max(version),
                Err(LakeError::File { .. } | LakeError::Checksum { .. } | LakeError::Arrow(_)) => return Ok(None),
                Err(LakeError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        Ok(newest)
    }

    /// Writes the row that makes an import visible, after those of the imports before it: the
    /// commit point.
    pub(crate) fn commit_import(&self, mut records: Vec<ImportRecord>, record: &ImportRecord) -> Result<(), LakeError> {
        records.push(record.clone());
        let batch = imports_batch(&records)?;
        let file = write_file(&self.table_dir(Table::Imports), &format!("imports-{:08}", record.import_id), &batch)?;
        self.commit(Table::Imports, &[], &[(Partition::new(), file)])?;
        Ok(())
    }

    fn record(&self, columns: &Columns, row: usize) -> Result<ImportRecord, LakeError> {
        let import_id = columns.long("import_id", row)?;
        let damaged = |reason: String| LakeError::Imports { lake: self.named(), import_id, reason };
        let text = |name: &str| -> Result<String, LakeError> { Ok(columns.text(name, row)?.unwrap_or_default()) };
        let count = |name: &str| -> Result<u64, LakeError> {
            u64::try_from(columns.long(name, row)?).map_err(|_| damaged(format!("{name} is negative")))
        };
        // Releases before the two columns wrote files without them.
        let currency = columns.later_text("currency", row)?;
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
            as_of: columns.later_day("as_of", row)?,
            currency: currency.map(|text| Currency::parse(&text)).transpose().map_err(|error| damaged(error.to_string()))?,
            warnings: serde_json::from_str(&text("warnings")?).map_err(|error| damaged(error.to_string()))?,
            table_versions: serde_json::from_str(&text("table_versions")?).map_err(|error| damaged(error.to_string()))?,
            rows_set_aside: if columns.has("rows_set_aside") { count("rows_set_aside")? } else { 0 },
            source_days: columns.later_text("source_days", row)?.map_or(Ok(BTreeMap::new()), |text| read_ranges(&text)).map_err(damaged)?,
        })
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
    let source_days =
        records.iter().map(|record| json(serde_json::to_string(&write_ranges(&record.source_days)))).collect::<Result<Vec<_>, _>>()?;
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
        days(records.iter().map(|record| record.as_of)),
        texts(records.iter().map(|record| record.currency.as_ref().map(Currency::as_str))),
        long(&|record| record.rows_set_aside),
        text(source_days),
    ];
    Ok(RecordBatch::try_new(Table::Imports.arrow_schema(), columns)?)
}

/// The newest entry of the log, and the version that it names.
#[derive(Debug, Clone, Copy)]
pub(super) struct SeenEntry {
    mark: Mark,
    version: u64,
}

/// The newest import that a file of the table has a row of.
fn newest_in(file: &DataFile) -> Result<Option<u64>, LakeError> {
    let mut newest = None;
    for batch in file.read(Some(&["import_id"]))? {
        let columns = Columns::new(batch?);
        for row in 0..columns.rows() {
            newest = newest.max(u64::try_from(columns.long("import_id", row)?).ok());
        }
    }
    Ok(newest)
}

#[cfg(test)]
impl ImportRecord {
    /// An import that tests give what they need.
    pub(super) fn of_test(import_id: u64, imported_on: Day) -> Self {
        Self {
            import_id,
            source: "generic".to_owned(),
            imported_on,
            files: Vec::new(),
            rows_read: 0,
            rows_kept: 0,
            rows_refused: 0,
            rows_set_aside: 0,
            first_day: None,
            last_day: None,
            as_of: None,
            currency: None,
            warnings: Vec::new(),
            table_versions: BTreeMap::new(),
            source_days: BTreeMap::new(),
        }
    }
}
