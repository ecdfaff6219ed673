//! From files to tables: files -> source recognised by header -> typed rows, rejects aside ->
//! daily roll-up -> each table's commit, the `imports` row last -> acknowledged.
//!
//! Absent on purpose: a clock. Today is an argument, and so is the memory that may be used.

mod aliases;
mod analytics;
mod calendar;
mod cost;
mod daily_rated;
mod dates;
mod delimited;
mod discover;
mod flow;
mod focus;
mod form;
#[doc(hidden)]
pub mod fuzz;
mod generic;
mod insights;
mod intake;
mod json;
mod manifest;
mod merge;
mod money;
mod numbers;
mod quotes;
mod rejects;
mod report;
mod rest;
mod row;
mod source;
mod sources;
mod staging;
mod states;
mod taken;
mod told;
mod units;
mod untrusted;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use thiserror::Error;

pub use flow::import;
#[cfg(test)]
pub(in crate::lake) use flow::import_into;
pub(crate) use numbers::{Ids, SeriesNumbers};
pub use rejects::Reject;
pub use report::{FileReport, ImportReport, Outcome};
pub use sources::source_names;
pub(crate) use staging::StagedMonth;
pub use untrusted::{COMMAND as PARQUET_COMMAND, ParquetReader, serve as serve_parquet};

use super::{LakeAt, LakeError};
use crate::domain::{Currency, Day, Rate};
use crate::progress::Progress;

/// What to import, where to, and within which bounds.
#[derive(Debug, Clone)]
pub struct ImportRequest {
    /// Files, folders and globs; also URLs of them in an object store.
    pub paths: Vec<PathBuf>,
    pub lake: LakeAt,
    /// The operator's day; usage dated after tomorrow is refused.
    pub today: Day,
    /// Refused rows that are borne, as a share of the rows read. Ten rows are always borne.
    pub max_rejects: f64,
    /// What the import may take in all, in bytes; beyond its share of that, rows go to disk.
    pub memory_bytes: usize,
    /// The currency in which the lake keeps costs. None takes the lake's own; where it has none
    /// yet, the one that the files carry, if that is one.
    pub currency: Option<Currency>,
    /// What one unit of another currency is worth in it.
    pub rates: BTreeMap<Currency, Rate>,
    pub reading: Reading,
    pub progress: Progress,
}

/// What an import takes beside the rows that it sorts and adds: the program, ids, what is written.
const BESIDE_ROWS_BYTES: usize = 192 << 20;

/// Room for rows without which the engine does not begin.
const ROWS_MIN_BYTES: usize = 32 << 20;

impl ImportRequest {
    /// The share of the memory that is for rows.
    pub(crate) fn rows_bytes(&self) -> usize {
        self.memory_bytes.saturating_sub(BESIDE_ROWS_BYTES).max(ROWS_MIN_BYTES)
    }
}

/// How files are read where they leave it open.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// The source of all of the files, by its name; none tells it by their headers.
    pub format: Option<String>,
    /// The day of exports that do not say theirs; none is the operator's day.
    pub exported_on: Option<Day>,
    /// Whether a subscription that an export of all of them shows no more has ended.
    pub missing_means_ended: bool,
    pub cost_basis: CostBasis,
    /// Whether the files are the parts of one export: then those too are read that an earlier import
    /// has read, unless it has read all of them. A newer file replaces a subscription-day whole, and
    /// would take away what a known part says of it.
    pub together: bool,
    /// Who reads Parquet files; none reads them in this process.
    pub parquet_reader: Option<ParquetReader>,
}

/// Which of the costs of FOCUS is the cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CostBasis {
    /// Purchases of commitments spread over what they cover: the one for trends.
    #[default]
    Effective,
    /// What is charged, when it is charged.
    Billed,
}

/// Refused rows that every import may have, however small.
pub(crate) const REJECTS_ALWAYS_BORNE: u64 = 10;

/// Why an import did not happen. Nothing of it is in the tables then.
#[derive(Debug, Error)]
pub enum ImportError {
    #[error("{path} cannot be read or written")]
    Io { path: PathBuf, source: std::io::Error },
    #[error("there is no file {path}, and nothing that it matches as a pattern")]
    NoSuchFile { path: PathBuf },
    #[error("{path} is a pipe or a device, and an import reads its files more than once: save it as a file")]
    NoPlainFile { path: PathBuf },
    #[error("`{pattern}` is no pattern: {reason}")]
    Pattern { pattern: String, reason: &'static str },
    #[error("nothing to import: none of {passed_over} files there is CSV, TSV, JSON, JSON Lines (also .gz, .zst) or Parquet")]
    NoTables { passed_over: usize },
    #[error("{one} and {other} are the same table in two forms; name the one to read")]
    Twins { one: PathBuf, other: PathBuf },
    #[error("{path}: {reason}")]
    Header { path: PathBuf, reason: String },
    #[error("{path} line {line}, column {column}: {reason}")]
    Json { path: PathBuf, line: u64, column: u64, reason: String },
    #[error("the manifest {path}: {reason}")]
    Manifest { path: PathBuf, reason: String },
    #[error("no source is called `{name}`; there are {known}")]
    Format { name: String, known: String },
    #[error("{path} line {line}: {reason}")]
    Quote { path: PathBuf, line: u64, reason: String },
    #[error(
        "{kept} rows are refused and more, which cannot be listed within {mebibytes} MiB: are these the files that they seem? (a larger --memory lists more)"
    )]
    TooManyToList { kept: usize, mebibytes: usize },
    #[error("{refused} of {read} rows refused, more than the {allowed} that --max-rejects allows; all of them are in {rejects}\n{first}")]
    TooManyRejects { refused: u64, read: u64, allowed: u64, rejects: PathBuf, first: String },
    #[error("{0} different (category, unit) pairs are more than 65,536: was a column of ids taken for the category?")]
    TooManySeries(usize),
    #[error("the costs of this lake are in {lake}, not in {told}: leave --currency out, or import into another lake")]
    OtherCurrency { lake: Currency, told: Currency },
    #[error(
        "the files carry costs in {one} and in {other}: tell with --currency in which the lake keeps them, and the rates of others with --rate"
    )]
    SeveralCurrencies { one: Currency, other: Currency },
    #[error("the lake keeps costs in {reporting}, so --rate {reporting} can be nothing but 1")]
    OwnRate { reporting: Currency },
    #[error(transparent)]
    Lake(#[from] LakeError),
}

impl ImportError {
    /// The same, with each file by the name that `name` gives it: one that was fetched is called by
    /// where it came from.
    pub(crate) fn renamed(mut self, name: impl Fn(&Path) -> Option<PathBuf>) -> Self {
        let rename = |path: &mut PathBuf| {
            if let Some(named) = name(path) {
                *path = named;
            }
        };
        match &mut self {
            Self::Io { path, .. }
            | Self::NoSuchFile { path }
            | Self::NoPlainFile { path }
            | Self::Header { path, .. }
            | Self::Json { path, .. }
            | Self::Manifest { path, .. }
            | Self::Quote { path, .. } => rename(path),
            Self::Twins { one, other } => {
                rename(one);
                rename(other);
            }
            _ => {}
        }
        self
    }
}

pub(crate) fn io_error(path: &Path, source: std::io::Error) -> ImportError {
    ImportError::Io { path: path.to_path_buf(), source }
}
