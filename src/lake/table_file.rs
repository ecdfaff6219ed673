//! A plain table as one Parquet file, for readers outside the lake: predictions and the like.
//!
//! Absent on purpose: atomicity and fsync. Such a file is a copy of what can be made again.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Date32Array, Float64Array, Int8Array, RecordBatch, StringArray};
use datafusion::arrow::error::ArrowError;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::errors::ParquetError;
use thiserror::Error;

use crate::domain::Day;

/// Rows that are made into arrays at once, so that text columns are never copied whole.
const BATCH_ROWS: usize = 65_536;

/// Why a table file was not written.
#[derive(Debug, Error)]
pub enum TableFileError {
    #[error("cannot create the file")]
    Create(#[from] io::Error),
    #[error("the columns do not form a table")]
    Columns(#[from] ArrowError),
    #[error("cannot write the file")]
    Write(#[from] ParquetError),
}

/// One column of a table, borrowed from its owner.
#[derive(Debug, Clone)]
pub enum PlainColumn<'a> {
    Text(Vec<&'a str>),
    Days(Vec<Day>),
    Numbers(&'a [f64]),
    /// Stored as 0 and 1.
    Flags(Vec<bool>),
}

impl PlainColumn<'_> {
    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Text(values) => values.len(),
            Self::Days(values) => values.len(),
            Self::Numbers(values) => values.len(),
            Self::Flags(values) => values.len(),
        }
    }

    /// Whether it has no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn array(&self, rows: std::ops::Range<usize>) -> ArrayRef {
        match self {
            Self::Text(values) => Arc::new(StringArray::from_iter_values(&values[rows])),
            Self::Days(values) => Arc::new(Date32Array::from_iter_values(values[rows].iter().map(|day| day.epoch_days()))),
            Self::Numbers(values) => Arc::new(Float64Array::from_iter_values(values[rows].iter().copied())),
            Self::Flags(values) => Arc::new(Int8Array::from_iter_values(values[rows].iter().map(|flag| i8::from(*flag)))),
        }
    }
}

/// Writes named columns of equal length as one Parquet file.
///
/// # Errors
/// Where the file cannot be written, or there is no column.
pub fn write_parquet(path: &Path, columns: &[(&str, PlainColumn<'_>)]) -> Result<(), TableFileError> {
    let rows = columns.iter().map(|(_, column)| column.len()).min().unwrap_or(0);
    let batch = |from: usize| {
        let part = from..(from + BATCH_ROWS).min(rows);
        RecordBatch::try_from_iter(columns.iter().map(|(name, column)| (*name, column.array(part.clone()))))
    };
    let first = batch(0)?;
    let mut writer = ArrowWriter::try_new(File::create(path)?, first.schema(), None)?;
    writer.write(&first)?;
    for from in (BATCH_ROWS..rows).step_by(BATCH_ROWS) {
        writer.write(&batch(from)?)?;
    }
    writer.close()?;
    Ok(())
}
