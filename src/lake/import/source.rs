//! Rows of a file as cells of text, whether it is delimited text (`delimited.rs`) or Parquet.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BinaryArray, RecordBatch, RecordBatchReader, StringArray};
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::error::ArrowError;

use super::discover::InputFile;
use super::{ImportError, delimited, io_error};
use crate::lake::LakeError;
use crate::lake::parquet::{read_file, read_places};
use crate::progress::Stage;

/// How the bytes of a file are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    Delimited { delimiter: u8, packing: Packing },
    Parquet,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Plain,
    Gzip,
    Zstd,
}

/// Where a row stands, until someone asks for its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// Where the row (or the line ends before it) begins in the unpacked file.
    Byte(u64),
    /// The number of the row, from 1, in a file that has no lines.
    Row(u64),
}

/// The cells of a row, by the place of their column in the header.
pub(super) trait Cells {
    fn len(&self) -> usize;
    /// None where the row has no such cell, or the file says that it is null.
    fn cell(&self, column: usize) -> Option<Cow<'_, [u8]>>;
}

/// Rows in which a quote was read as text, since it stands within a plain cell.
#[derive(Debug, Clone, Copy)]
pub(super) struct Literal {
    pub(super) rows: u64,
    pub(super) first: Place,
}

/// A column of a Parquet batch that is read.
enum Column {
    Text(StringArray),
    /// Bytes that are UTF-8 or not: each row tells.
    Bytes(BinaryArray),
}

/// A row of a Parquet batch; none for columns that are not read.
struct ParquetRow<'a> {
    columns: &'a [Option<Column>],
    row: usize,
}

impl Cells for ParquetRow<'_> {
    fn len(&self) -> usize {
        self.columns.len()
    }

    fn cell(&self, column: usize) -> Option<Cow<'_, [u8]>> {
        match self.columns.get(column)?.as_ref()? {
            Column::Text(texts) => texts.is_valid(self.row).then(|| Cow::Borrowed(texts.value(self.row).as_bytes())),
            Column::Bytes(bytes) => bytes.is_valid(self.row).then(|| Cow::Borrowed(bytes.value(self.row))),
        }
    }
}

/// How a file is packed, and the names of its columns in their order.
pub(super) fn look(path: &Path) -> Result<(Container, Vec<String>), ImportError> {
    let mut start = Vec::new();
    File::open(path).and_then(|file| file.take(4).read_to_end(&mut start)).map_err(|source| io_error(path, source))?;
    let packing = match start.as_slice() {
        b"PAR1" => {
            let schema = read_file(path)?.schema();
            return Ok((Container::Parquet, schema.fields().iter().map(|field| field.name().clone()).collect()));
        }
        [0x1f, 0x8b, ..] => Packing::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd] => Packing::Zstd,
        _ => Packing::Plain,
    };
    let (delimiter, names) = delimited::header(path, packing)?;
    Ok((Container::Delimited { delimiter, packing }, names))
}

/// Gives each row after the header to `visit`; tells of quotes that were read as text.
pub(super) fn read_rows(
    file: &InputFile,
    stage: &Stage,
    visit: impl FnMut(Place, &dyn Cells) -> Result<(), ImportError>,
) -> Result<Option<Literal>, ImportError> {
    match file.container {
        Container::Parquet => read_parquet(file, stage, visit).map(|()| None),
        Container::Delimited { delimiter, packing } => delimited::rows(file, (delimiter, packing), stage, visit),
    }
}

fn read_parquet(
    file: &InputFile,
    stage: &Stage,
    mut visit: impl FnMut(Place, &dyn Cells) -> Result<(), ImportError>,
) -> Result<(), ImportError> {
    let mut number = 0;
    let unreadable = |reason: String| ImportError::Lake(LakeError::File { path: file.path.clone(), reason });
    let wanted: Vec<usize> = (0..file.columns.width()).filter(|place| file.columns.reads(*place).is_some()).collect();
    for batch in read_places(&file.path, &wanted)? {
        let batch: RecordBatch = batch.map_err(|error| unreadable(error.to_string()))?;
        let mut columns: Vec<Option<Column>> = (0..file.columns.width()).map(|_| None).collect();
        for (at, column) in wanted.iter().zip(batch.columns()) {
            let failed = |error| unreadable(format!("column {}: {error}", file.columns.reads(*at).unwrap_or_default()));
            columns[*at] = Some(as_text(column).map_err(failed)?);
        }
        for row in 0..batch.num_rows() {
            number += 1;
            visit(Place::Row(number), &ParquetRow { columns: &columns, row })?;
        }
    }
    stage.advance(file.bytes);
    Ok(())
}

/// A cast that cannot be made is an error: one that gave null instead would lose a value.
fn as_text(column: &ArrayRef) -> Result<Column, ArrowError> {
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    if matches!(column.data_type(), DataType::Binary | DataType::LargeBinary | DataType::BinaryView) {
        return Ok(Column::Bytes(cast_with_options(column, &DataType::Binary, &strict)?.as_binary::<i32>().clone()));
    }
    Ok(Column::Text(cast_with_options(column, &DataType::Utf8, &strict)?.as_string::<i32>().clone()))
}
