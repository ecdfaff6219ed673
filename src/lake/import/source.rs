//! Rows of a file as cells of text, whether it is delimited text (`delimited.rs`) or Parquet.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use datafusion::arrow::array::RecordBatch;

use super::discover::InputFile;
use super::json::{self, Stop, Unread};
use super::untrusted::{self, ParquetReader};
use super::{ImportError, delimited, io_error};
use crate::progress::Stage;

/// How the bytes of a file are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    Delimited { delimiter: u8, packing: Packing },
    Json { packing: Packing },
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
    /// The line on which the row begins.
    Line(u64),
}

/// The bytes of a file, unpacked.
pub(super) type Bytes<'a> = Box<dyn Read + 'a>;

/// The cells of a row, by the place of their column in the header.
pub(super) trait Cells {
    fn len(&self) -> usize;
    /// None where the row has no such cell, or the file says that it is null.
    fn cell(&self, column: usize) -> Option<Cow<'_, [u8]>>;
}

/// A row, or what stands in its place and is none.
pub(super) type Seen<'a> = Result<&'a dyn Cells, String>;

/// Rows in which a quote was read as text, since it stands within a plain cell.
#[derive(Debug, Clone, Copy)]
pub(super) struct Literal {
    pub(super) rows: u64,
    pub(super) first: Place,
}

/// A row of a Parquet batch.
struct ParquetRow<'a> {
    /// The column of the batch that each column of the file is; none for those that are not read.
    places: &'a [Option<usize>],
    batch: &'a RecordBatch,
    row: usize,
}

impl Cells for ParquetRow<'_> {
    fn len(&self) -> usize {
        self.places.len()
    }

    fn cell(&self, column: usize) -> Option<Cow<'_, [u8]>> {
        untrusted::cell(self.batch.columns().get((*self.places.get(column)?)?)?, self.row).map(Cow::Borrowed)
    }
}

/// How a file is packed, and the names of its columns in their order.
pub(super) fn look(path: &Path, parquet: Option<&ParquetReader>) -> Result<(Container, Vec<String>), ImportError> {
    let mut start = Vec::new();
    File::open(path).and_then(|file| file.take(4).read_to_end(&mut start)).map_err(|source| io_error(path, source))?;
    let packing = match start.as_slice() {
        b"PAR1" => {
            return Ok((Container::Parquet, untrusted::names(parquet, path)?));
        }
        [0x1f, 0x8b, ..] => Packing::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd] => Packing::Zstd,
        _ => Packing::Plain,
    };
    if is_json(path, packing)? {
        let names = json::header(delimited::unpack(path, packing, None)?).map_err(|unread| json_error(path, unread))?;
        return Ok((Container::Json { packing }, names));
    }
    let (delimiter, names) = delimited::header(path, packing)?;
    Ok((Container::Delimited { delimiter, packing }, names))
}

/// Whether a file's first character is one that opens a list or an object.
fn is_json(path: &Path, packing: Packing) -> Result<bool, ImportError> {
    let mut start = Vec::new();
    delimited::unpack(path, packing, None)?.take(4096).read_to_end(&mut start).map_err(|source| io_error(path, source))?;
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&start);
    Ok(matches!(start.trim_ascii_start().first(), Some(b'{' | b'[')))
}

fn json_error(path: &Path, unread: Unread) -> ImportError {
    let path = path.to_path_buf();
    match unread {
        Unread::Malformed { line, column, reason } => ImportError::Json { path, line, column, reason },
        Unread::TooLong { line } => {
            let reason = "one value is longer than 2 MiB: does a quote or a bracket before it never close?".to_owned();
            ImportError::Json { path, line, column: 0, reason }
        }
        Unread::Io(source) => io_error(&path, source),
        Unread::Stopped(Stop::Import(error)) => *error,
        Unread::Stopped(Stop::Enough) => ImportError::Header { path, reason: "it could not be looked at".to_owned() },
    }
}

/// Gives each row after the header to `visit`, and what stands in the place of one; tells of quotes
/// that were read as text.
pub(super) fn read_rows(
    file: &InputFile,
    stage: &Stage,
    visit: impl FnMut(Place, Seen<'_>) -> Result<(), ImportError>,
) -> Result<Option<Literal>, ImportError> {
    match file.container {
        Container::Json { packing } => {
            let bytes = delimited::unpack(&file.path, packing, Some(stage))?;
            json::rows(file, bytes, visit).map(|()| None).map_err(|unread| json_error(&file.path, unread))
        }
        Container::Parquet => read_parquet(file, stage, visit).map(|()| None),
        Container::Delimited { delimiter, packing } => delimited::rows(file, (delimiter, packing), stage, visit),
    }
}

fn read_parquet(
    file: &InputFile,
    stage: &Stage,
    mut visit: impl FnMut(Place, Seen<'_>) -> Result<(), ImportError>,
) -> Result<(), ImportError> {
    let wanted: Vec<usize> = (0..file.columns.width()).filter(|place| file.columns.reads(*place)).collect();
    let mut places = vec![None; file.columns.width()];
    for (number, at) in wanted.iter().enumerate() {
        places[*at] = Some(number);
    }
    let mut number = 0;
    untrusted::batches(file.parquet.as_ref(), &file.path, &wanted, |batch| {
        for row in 0..batch.num_rows() {
            number += 1;
            visit(Place::Row(number), Ok(&ParquetRow { places: &places, batch, row }))?;
        }
        Ok::<(), ImportError>(())
    })?;
    stage.advance(file.bytes);
    Ok(())
}
