//! Rows of a file as cells of text, whether it is CSV, compressed CSV or Parquet.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::DataType;
use simd_csv::{ZeroCopyByteRecord, ZeroCopyReader, ZeroCopyReaderBuilder};

use super::discover::InputFile;
use super::{ImportError, io_error};
use crate::lake::parquet::read_file;
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

impl Cells for ZeroCopyByteRecord<'_> {
    fn len(&self) -> usize {
        ZeroCopyByteRecord::len(self)
    }

    fn cell(&self, column: usize) -> Option<Cow<'_, [u8]>> {
        self.unescape(column)
    }
}

/// A row of a Parquet batch, every column cast to text.
struct ParquetRow<'a> {
    columns: &'a [Option<StringArray>],
    row: usize,
}

impl Cells for ParquetRow<'_> {
    fn len(&self) -> usize {
        self.columns.len()
    }

    fn cell(&self, column: usize) -> Option<Cow<'_, [u8]>> {
        let column = self.columns.get(column)?.as_ref()?;
        column.is_valid(self.row).then(|| Cow::Borrowed(column.value(self.row).as_bytes()))
    }
}

/// Told by the first bytes, and by the name where those say nothing.
pub(super) fn container(path: &Path) -> io::Result<Container> {
    let mut start = [0; 4];
    let mut file = File::open(path)?;
    let mut filled = 0;
    while filled < start.len() {
        let read = file.read(&mut start[filled..])?;
        if read == 0 {
            break;
        }
        filled += read;
    }
    let packing = match start {
        [b'P', b'A', b'R', b'1'] => return Ok(Container::Parquet),
        [0x1f, 0x8b, ..] => Packing::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd] => Packing::Zstd,
        _ => Packing::Plain,
    };
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let delimiter = if name.contains(".tsv") { b'\t' } else { b',' };
    Ok(Container::Delimited { delimiter, packing })
}

/// The names of the columns, in their order.
pub(super) fn header(path: &Path, container: Container) -> Result<Vec<String>, ImportError> {
    match container {
        Container::Parquet => {
            let reader = read_file(path, None)?;
            let schema = datafusion::arrow::array::RecordBatchReader::schema(&reader);
            Ok(schema.fields().iter().map(|field| field.name().clone()).collect())
        }
        Container::Delimited { delimiter, packing } => {
            let mut reader = csv(unpack(path, packing, None)?, delimiter);
            let record = reader.byte_headers().map_err(|error| csv_error(path, error))?;
            Ok(record.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect())
        }
    }
}

/// Gives each row after the header to `visit`.
pub(super) fn read_rows(
    file: &InputFile,
    stage: &Stage,
    mut visit: impl FnMut(Place, &dyn Cells) -> Result<(), ImportError>,
) -> Result<(), ImportError> {
    match file.container {
        Container::Parquet => read_parquet(file, stage, visit),
        Container::Delimited { delimiter, packing } => {
            let mut reader = csv(unpack(&file.path, packing, Some(stage))?, delimiter);
            reader.byte_headers().map_err(|error| csv_error(&file.path, error))?;
            loop {
                let place = Place::Byte(reader.position());
                match reader.read_byte_record().map_err(|error| csv_error(&file.path, error))? {
                    Some(record) => {
                        if let Some(reason) = stray_quote(&record) {
                            let line = lines(file, &[place])?.first().copied().unwrap_or(0);
                            return Err(ImportError::Quote { path: file.path.clone(), line, reason });
                        }
                        visit(place, &record)?;
                    }
                    None => return Ok(()),
                }
            }
        }
    }
}

/// Why the quotes of a record cannot be trusted. A quote that opens no cell, or one that is never
/// closed, makes the reader take the rows after it for a part of this one: rows would be lost
/// without a word.
fn stray_quote(record: &ZeroCopyByteRecord<'_>) -> Option<&'static str> {
    let bytes = record.as_slice();
    let quotes = memchr::memchr_iter(b'"', bytes).count();
    if quotes == 0 {
        return None;
    }
    if quotes % 2 == 1 {
        return Some("a quote (\") opens here and is never closed; a quote inside a cell is written twice, and the cell put in quotes");
    }
    let spans_lines = |cell: &&[u8]| memchr::memchr(b'\n', cell).is_some() && !cell.trim_ascii_start().starts_with(b"\"");
    record.iter().any(|cell| spans_lines(&cell)).then_some(
        "a quote (\") inside a cell that does not begin with one swallows the lines after it; write it twice, and put the cell in quotes",
    )
}

fn read_parquet(
    file: &InputFile,
    stage: &Stage,
    mut visit: impl FnMut(Place, &dyn Cells) -> Result<(), ImportError>,
) -> Result<(), ImportError> {
    let mut number = 0;
    let unreadable = |reason: String| ImportError::Lake(crate::lake::LakeError::File { path: file.path.clone(), reason });
    // A cast that cannot be made is an error: one that gave null instead would lose a value.
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    for batch in read_file(&file.path, None)? {
        let batch: RecordBatch = batch.map_err(|error| unreadable(error.to_string()))?;
        let text = |(at, column): (usize, &ArrayRef)| -> Result<Option<StringArray>, ImportError> {
            if !file.columns.reads(at) {
                return Ok(None);
            }
            let cast = cast_with_options(column, &DataType::Utf8, &strict);
            let cast = cast.map_err(|error| unreadable(format!("column {}: {error}", batch.schema().field(at).name())))?;
            Ok(Some(cast.as_string::<i32>().clone()))
        };
        let columns = batch.columns().iter().enumerate().map(text).collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            number += 1;
            visit(Place::Row(number), &ParquetRow { columns: &columns, row })?;
        }
    }
    stage.advance(file.bytes);
    Ok(())
}

type Bytes<'a> = Box<dyn Read + 'a>;

fn csv(bytes: Bytes<'_>, delimiter: u8) -> ZeroCopyReader<Bytes<'_>> {
    // Rows of another length are refused one by one, so the reader must not stop at them.
    ZeroCopyReaderBuilder::with_capacity(1 << 20).delimiter(delimiter).flexible(true).from_reader(bytes)
}

fn csv_error(path: &Path, error: simd_csv::Error) -> ImportError {
    io_error(path, error.into())
}

/// Reads, and tells how far it is.
struct Counted<'a> {
    file: File,
    stage: Option<&'a Stage>,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        if let Some(stage) = self.stage {
            stage.advance(read as u64);
        }
        Ok(read)
    }
}

fn unpack<'a>(path: &Path, packing: Packing, stage: Option<&'a Stage>) -> Result<Bytes<'a>, ImportError> {
    let file = Counted { file: File::open(path).map_err(|source| io_error(path, source))?, stage };
    Ok(match packing {
        Packing::Plain => Box::new(file),
        Packing::Gzip => Box::new(flate2::read::MultiGzDecoder::new(BufReader::with_capacity(1 << 17, file))),
        Packing::Zstd => Box::new(zstd::Decoder::new(file).map_err(|source| io_error(path, source))?),
    })
}

/// The line (from 1) on which each of `places` begins, in the order given, which must ascend.
/// The file is read once more: only files with refused rows pay for their line numbers.
pub(super) fn lines(file: &InputFile, places: &[Place]) -> Result<Vec<u64>, ImportError> {
    let Container::Delimited { packing, .. } = file.container else {
        return Ok(places.iter().map(|(Place::Row(row) | Place::Byte(row))| *row).collect());
    };
    let mut bytes = BufReader::with_capacity(1 << 20, unpack(&file.path, packing, None)?).bytes();
    let (mut offset, mut line) = (0_u64, 1_u64);
    let mut found = Vec::with_capacity(places.len());
    let mut next_byte = || bytes.next().transpose().map_err(|source| io_error(&file.path, source));
    let mut pending = None;
    for place in places {
        let (Place::Byte(start) | Place::Row(start)) = *place;
        while let Some(byte) = match pending.take() {
            Some(byte) => Some(byte),
            None => next_byte()?,
        } {
            // Line ends before the row's first byte belong to empty lines above it.
            if offset >= start && byte != b'\n' && byte != b'\r' {
                pending = Some(byte);
                break;
            }
            offset += 1;
            line += u64::from(byte == b'\n');
        }
        found.push(line);
    }
    Ok(found)
}
