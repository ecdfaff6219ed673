//! A plain table as one Parquet file, for readers outside the lake: predictions and the like.
//!
//! Absent on purpose: atomicity and fsync. Such a file is a copy of what can be made again.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::types::{Float64Type, Int8Type};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, Date32Array, Float64Array, Int8Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::error::ArrowError;
use datafusion::parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use datafusion::parquet::arrow::{ArrowWriter, ProjectionMask};
use datafusion::parquet::errors::ParquetError;
use thiserror::Error;

use crate::domain::Day;

/// Rows that are made into arrays at once, so that text columns are never copied whole.
const BATCH_ROWS: usize = 65_536;

/// Why a table file was not written, or not read.
#[derive(Debug, Error)]
pub enum TableFileError {
    #[error("cannot create the file")]
    Create(#[source] io::Error),
    #[error("cannot open the file")]
    Open(#[source] io::Error),
    #[error("cannot read the file")]
    Read(#[source] ParquetError),
    #[error("column `{name}` holds {of}, and no numbers or flags")]
    NoNumbers { name: String, of: String },
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
    let mut writer = ArrowWriter::try_new(File::create(path).map_err(TableFileError::Create)?, first.schema(), None)?;
    writer.write(&first)?;
    for from in (BATCH_ROWS..rows).step_by(BATCH_ROWS) {
        writer.write(&batch(from)?)?;
    }
    writer.close()?;
    Ok(())
}

/// A Parquet file of plain columns, opened to be read a column at a time: the memory is that of
/// one column's pages, however many there are.
#[derive(Debug)]
pub struct ParquetColumns {
    file: File,
    metadata: ArrowReaderMetadata,
}

impl ParquetColumns {
    /// Opens a file as [`write_parquet`] writes it.
    ///
    /// # Errors
    /// Where there is no such file, or it is no Parquet file.
    pub fn open(path: &Path) -> Result<Self, TableFileError> {
        let file = File::open(path).map_err(TableFileError::Open)?;
        let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).map_err(TableFileError::Read)?;
        Ok(Self { file, metadata })
    }

    /// The names of the columns, in their order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.metadata.schema().fields().iter().map(|field| field.name().as_str())
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.metadata.metadata().row_groups().iter().map(|group| usize::try_from(group.num_rows()).unwrap_or(0)).sum()
    }

    /// Puts the numbers of the `column`-th column at the end of `values`; flags are 0 and 1.
    ///
    /// # Errors
    /// Where the column holds anything else, or a row of it nothing, and where the file does not read.
    pub fn read_numbers(&self, column: usize, values: &mut Vec<f64>) -> Result<(), TableFileError> {
        let file = self.file.try_clone().map_err(TableFileError::Open)?;
        let columns = ProjectionMask::roots(self.metadata.parquet_schema(), [column]);
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone())
            .with_projection(columns)
            .with_batch_size(BATCH_ROWS)
            .build()
            .map_err(TableFileError::Read)?;
        let refused = |of: String| TableFileError::NoNumbers { name: self.names().nth(column).unwrap_or_default().to_owned(), of };
        for batch in reader {
            let batch = batch?;
            let array = batch.columns().first().ok_or_else(|| refused("nothing".to_owned()))?;
            match array.data_type() {
                _ if array.null_count() > 0 => return Err(refused("rows without a value".to_owned())),
                DataType::Float64 => values.extend_from_slice(array.as_primitive::<Float64Type>().values()),
                DataType::Int8 => values.extend(array.as_primitive::<Int8Type>().values().iter().map(|value| f64::from(*value))),
                other => return Err(refused(other.to_string())),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_flags_are_read_as_they_were_written() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("table.parquet");
        // More than a batch, and values that a dictionary and a plain page hold.
        let numbers: Vec<f64> = (0..2 * BATCH_ROWS + 7).map(|at| if at % 3 == 0 { 0.5 } else { 1.0 / (at as f64 + 0.1) }).collect();
        let flags: Vec<bool> = (0..numbers.len()).map(|at| at % 7 == 0).collect();
        let names = vec!["a"; numbers.len()];
        let columns =
            [("name", PlainColumn::Text(names)), ("flag", PlainColumn::Flags(flags.clone())), ("number", PlainColumn::Numbers(&numbers))];
        write_parquet(&path, &columns).expect("a folder to write to");
        let table = ParquetColumns::open(&path).expect("a Parquet file");
        assert_eq!(table.names().collect::<Vec<_>>(), ["name", "flag", "number"]);
        assert_eq!(table.rows(), numbers.len());
        let mut read = vec![-1.0];
        table.read_numbers(2, &mut read).expect("numbers");
        assert_eq!(read.len(), numbers.len() + 1);
        assert!(read[1..].iter().zip(&numbers).all(|(read, written)| read.to_bits() == written.to_bits()));
        let mut read = Vec::new();
        table.read_numbers(1, &mut read).expect("flags");
        assert!(read.iter().zip(&flags).all(|(read, flag)| (*read > 0.5) == *flag));
        let refused = table.read_numbers(0, &mut read).expect_err("a text is no number");
        assert_eq!(refused.to_string(), "column `name` holds Utf8, and no numbers or flags");
        assert!(matches!(ParquetColumns::open(&folder.path().join("none")), Err(TableFileError::Open(_))));
    }
}
