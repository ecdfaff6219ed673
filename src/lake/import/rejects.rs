//! Refused rows: kept with file, line, column, value and reason, counted by reason, written
//! beside the import's record. Nothing is dropped in silence.

use std::collections::BTreeMap;
use std::path::Path;

use super::discover::InputFile;
use super::intake::At;
use super::source::Place;
use super::{ImportError, delimited, io_error};
use crate::lake::durable::{create_dirs, replace_file};

/// Longest value and reason that are quoted back, in characters.
const VALUE_MAX_CHARS: usize = 120;
const REASON_MAX_CHARS: usize = 480;

/// Bytes of a kept row beside its text: itself, and what the allocator adds.
const KEPT_BYTES: usize = size_of::<Kept>() + 16;

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

/// The refused rows of an import, in as little memory as they may be.
#[derive(Debug)]
pub(super) struct Rejects {
    rows: Vec<Kept>,
    /// The columns at fault, in order of appearance.
    columns: Vec<String>,
    counts: BTreeMap<(usize, Kind), u64>,
    bytes: usize,
    bytes_max: usize,
}

#[derive(Debug)]
struct Kept {
    at: At,
    column: usize,
    /// The value, `value_bytes` of it, and the reason.
    text: Box<str>,
    value_bytes: usize,
}

impl Rejects {
    /// What may be kept: beyond that the import ends, since more could not be listed.
    pub(super) const fn within(bytes_max: usize) -> Self {
        Self { rows: Vec::new(), columns: Vec::new(), counts: BTreeMap::new(), bytes: 0, bytes_max }
    }

    /// Keeps a refused row.
    pub(super) fn push(&mut self, at: At, refusal: Refusal) -> Result<(), ImportError> {
        let Refusal { kind, column, value, reason } = refusal;
        let value = shortened(value, VALUE_MAX_CHARS);
        let text = format!("{value}{}", shortened(reason, REASON_MAX_CHARS)).into_boxed_str();
        self.bytes += KEPT_BYTES + text.len();
        if self.bytes > self.bytes_max {
            return Err(ImportError::TooManyToList { kept: self.rows.len(), mebibytes: self.bytes_max >> 20 });
        }
        let known = self.columns.iter().position(|known| *known == column);
        let column = known.unwrap_or_else(|| {
            self.columns.push(column);
            self.columns.len() - 1
        });
        *self.counts.entry((at.file, kind)).or_default() += 1;
        self.rows.push(Kept { at, column, text, value_bytes: value.len() });
        Ok(())
    }

    pub(super) const fn len(&self) -> usize {
        self.rows.len()
    }

    /// Refused rows of one file.
    pub(super) fn of_file(&self, file: usize) -> u64 {
        self.counts.iter().filter(|((number, _), _)| *number == file).map(|(_, rows)| rows).sum()
    }

    /// Refused rows by reason.
    pub(super) fn by_reason(&self) -> BTreeMap<&'static str, u64> {
        let mut counts = BTreeMap::new();
        for ((_, kind), rows) in &self.counts {
            *counts.entry(kind.words()).or_default() += rows;
        }
        counts
    }

    /// Gives each of them to `visit`, with its line, by file and line.
    pub(super) fn each(&self, files: &[InputFile], mut visit: impl FnMut(Reject) -> Result<(), ImportError>) -> Result<(), ImportError> {
        for (number, file) in files.iter().enumerate() {
            let mut rows: Vec<&Kept> = self.rows.iter().filter(|kept| kept.at.file == number).collect();
            if rows.is_empty() {
                continue;
            }
            rows.sort_by_key(|kept| kept.at.place);
            let places: Vec<Place> = rows.iter().map(|kept| kept.at.place).collect();
            for (line, kept) in delimited::lines(file, &places)?.into_iter().zip(rows) {
                let (value, reason) = kept.text.split_at(kept.value_bytes);
                let (file, column) = (file.name.clone(), self.columns[kept.column].clone());
                visit(Reject { file, line, column, value: value.to_owned(), reason: reason.to_owned() })?;
            }
        }
        Ok(())
    }

    /// Writes all of them as CSV; the first `quoted`.
    pub(super) fn write(&self, path: &Path, files: &[InputFile], quoted: usize) -> Result<Vec<Reject>, ImportError> {
        let failed = |source| io_error(path, source);
        if let Some(dir) = path.parent() {
            create_dirs(dir).map_err(failed)?;
        }
        let mut first = Vec::new();
        let mut writer = simd_csv::Writer::from_writer(Vec::new());
        writer.write_record(["file", "line", "column", "value", "reason"]).map_err(|error| failed(error.into()))?;
        self.each(files, |reject| {
            let Reject { file, line, column, value, reason } = &reject;
            writer.write_record([file, &line.to_string(), column, value, reason]).map_err(|error| failed(error.into()))?;
            if first.len() < quoted {
                first.push(reject);
            }
            Ok(())
        })?;
        let bytes = writer.into_inner().map_err(|error| failed(error.into_error()))?;
        replace_file(path, &bytes).map_err(failed)?;
        Ok(first)
    }
}

fn shortened(text: String, max_chars: usize) -> String {
    match text.char_indices().nth(max_chars) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
