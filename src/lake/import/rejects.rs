//! Refused rows: kept with file, line, column, value and reason, counted by reason, written
//! beside the import's record. Nothing is dropped in silence.

use std::collections::BTreeMap;
use std::path::Path;

use super::discover::InputFile;
use super::intake::At;
use super::source::Place;
use super::{ImportError, delimited, io_error};
use crate::lake::durable::{create_dirs, replace_file};

/// Most refused rows that are kept in memory. An import with more is not nearly right.
const KEPT_MAX: usize = 1_000_000;

/// Longest value that is quoted back, in characters.
const VALUE_MAX_CHARS: usize = 120;

/// Why a row is refused, in the words of the summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Cells,
    Empty,
    Utf8,
    Id,
    Day,
    Future,
    Number,
    NotFinite,
    Negative,
    Flag,
    Event,
    Commitment,
    Currency,
    NoRate,
    TwoCustomers,
    Conflict,
    Status,
    Object,
}

impl Kind {
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Cells => "other number of cells than the header",
            Self::Empty => "value missing",
            Self::Utf8 => "not UTF-8",
            Self::Id => "not an id",
            Self::Day => "not a date",
            Self::Future => "after tomorrow",
            Self::Number => "not a number",
            Self::NotFinite => "not a finite number",
            Self::Negative => "negative quantity",
            Self::Flag => "not true or false",
            Self::Event => "unknown event",
            Self::Commitment => "unknown kind of commitment",
            Self::Currency => "not a currency",
            Self::NoRate => "currency without a rate",
            Self::TwoCustomers => "two customers for one subscription",
            Self::Conflict => "same key twice with other values",
            Self::Status => "unknown status",
            Self::Object => "not an object with each key once",
        }
    }
}

/// A row that cannot be kept, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) kind: Kind,
    /// As the file names it; empty where no single column is at fault.
    pub(super) column: String,
    pub(super) value: String,
    pub(super) reason: String,
}

/// A refused row, as a person reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    pub file: String,
    /// Line of the file, or row of a Parquet file, from 1.
    pub line: u64,
    pub column: String,
    pub value: String,
    pub reason: String,
}

impl std::fmt::Display for Reject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} line {}", self.file, self.line)?;
        if !self.column.is_empty() {
            write!(f, ", column {}", self.column)?;
        }
        if !self.value.is_empty() {
            write!(f, ", value `{}`", self.value)?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// The refused rows of an import.
#[derive(Debug, Default)]
pub(super) struct Rejects {
    rows: Vec<(usize, Place, Refusal)>,
}

impl Rejects {
    /// Keeps a refused row.
    pub(super) fn push(&mut self, At { file, place }: At, mut refusal: Refusal) -> Result<(), ImportError> {
        if self.rows.len() == KEPT_MAX {
            return Err(ImportError::TooManyToList { kept: KEPT_MAX });
        }
        if refusal.value.chars().count() > VALUE_MAX_CHARS {
            refusal.value = refusal.value.chars().take(VALUE_MAX_CHARS).chain(['…']).collect();
        }
        self.rows.push((file, place, refusal));
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Refused rows of one file.
    pub(super) fn of_file(&self, file: usize) -> u64 {
        self.rows.iter().filter(|(number, ..)| *number == file).count() as u64
    }

    /// Refused rows by reason.
    pub(super) fn by_reason(&self) -> BTreeMap<&'static str, u64> {
        let mut counts = BTreeMap::new();
        for (_, _, refusal) in &self.rows {
            *counts.entry(refusal.kind.words()).or_default() += 1;
        }
        counts
    }

    /// The rows with their lines, by file and line.
    pub(super) fn resolve(&self, files: &[InputFile]) -> Result<Vec<Reject>, ImportError> {
        let mut resolved = Vec::with_capacity(self.rows.len());
        for (number, file) in files.iter().enumerate() {
            let mut rows: Vec<_> = self.rows.iter().filter(|(of, ..)| *of == number).collect();
            if rows.is_empty() {
                continue;
            }
            rows.sort_by_key(|(_, place, _)| *place);
            let places: Vec<Place> = rows.iter().map(|(_, place, _)| *place).collect();
            for (line, (_, _, refusal)) in delimited::lines(file, &places)?.into_iter().zip(rows) {
                resolved.push(Reject {
                    file: file.name.clone(),
                    line,
                    column: refusal.column.clone(),
                    value: refusal.value.clone(),
                    reason: refusal.reason.clone(),
                });
            }
        }
        Ok(resolved)
    }
}

/// Writes rejects as CSV.
pub(super) fn write(path: &Path, rejects: &[Reject]) -> Result<(), ImportError> {
    let failed = |source| io_error(path, source);
    if let Some(dir) = path.parent() {
        create_dirs(dir).map_err(failed)?;
    }
    let mut writer = simd_csv::Writer::from_writer(Vec::new());
    writer.write_record(["file", "line", "column", "value", "reason"]).map_err(|error| failed(error.into()))?;
    for reject in rejects {
        let line = reject.line.to_string();
        let record = [reject.file.as_str(), &line, &reject.column, &reject.value, &reject.reason];
        writer.write_record(record).map_err(|error| failed(error.into()))?;
    }
    let bytes = writer.into_inner().map_err(|error| failed(error.into_error()))?;
    replace_file(path, &bytes).map_err(failed)
}
