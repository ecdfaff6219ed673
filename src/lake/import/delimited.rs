//! Delimited text, packed or not: its header, its rows, and the lines on which they stand.
//!
//! Rows are split by simd-csv, which takes every quote for the border of a quoted cell, and each
//! row with a quote is looked at again (`quotes.rs`). From the first row on in which a quote is
//! only text, the rest of the file is split here, line by line.

use std::borrow::Cow;
use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::ops::Range;
use std::path::Path;

use simd_csv::{ZeroCopyByteRecord, ZeroCopyReader, ZeroCopyReaderBuilder};

use super::discover::InputFile;
use super::quotes::{self, Quotes};
use super::source::{Bytes, Cells, Container, Literal, Packing, Place, Seen};
use super::{ImportError, io_error};
use crate::progress::Stage;

/// Bytes that are read at a time.
const BUFFER_BYTES: usize = 1 << 20;

/// Longest row. A quote that is never closed takes the rest of the file for one cell, and the
/// rest of a file can be larger than memory.
const ROW_MAX_BYTES: u64 = 2 << 20;

/// Bytes of a cell that are quoted back.
const SHOWN_BYTES: usize = 40;

/// Bytes of a file that tell its delimiter.
const SNIFFED_BYTES: u64 = 64 << 10;

impl Cells for ZeroCopyByteRecord<'_> {
    fn len(&self) -> usize {
        ZeroCopyByteRecord::len(self)
    }

    fn cell(&self, column: usize) -> Option<Cow<'_, [u8]>> {
        self.unescape(column)
    }
}

/// A row that was split here.
struct SplitRow<'a> {
    bytes: &'a [u8],
    cells: &'a [Range<usize>],
}

impl Cells for SplitRow<'_> {
    fn len(&self) -> usize {
        self.cells.len()
    }

    fn cell(&self, column: usize) -> Option<Cow<'_, [u8]>> {
        self.cells.get(column).map(|range| quotes::text(&self.bytes[range.clone()]))
    }
}

/// The delimiter of a file and the names of its columns.
pub(super) fn header(path: &Path, packing: Packing) -> Result<(u8, Vec<String>), ImportError> {
    let fault = |reason: String| ImportError::Header { path: path.to_path_buf(), reason };
    let delimiter = delimiter(path, packing)?;
    let row = Cell::new(0);
    let mut reader = csv(guarded(unpack(path, packing, None)?, &row), delimiter, false);
    let record = reader.read_byte_record().map_err(|error| too_long(path, packing, 0, error))?;
    let Some(record) = record else { return Err(fault("the file is empty; its first line should name the columns".to_owned())) };
    let mut cells = Vec::new();
    match quotes::split(record.as_slice(), delimiter, &mut cells) {
        Quotes::Sound { in_plain_cell: false } => {}
        Quotes::Sound { in_plain_cell: true } => return Err(fault("a quote (\") stands within a column's name".to_owned())),
        wrong => return Err(quote_error(path, 1, record.as_slice(), wrong)),
    }
    let names: Vec<String> = record.unescaped_iter().map(|name| String::from_utf8_lossy(&name).trim().to_owned()).collect();
    if names.iter().any(|name| name.contains('\0')) {
        return Err(fault("its first line is no text".to_owned()));
    }
    match names.iter().find(|name| name.contains(['\r', '\n'])) {
        None => Ok((delimiter, names)),
        Some(name) => Err(fault(format!(
            "the column name `{}` runs over a line end: is a quote (\") in the first line never closed, or do its lines end in CR alone?",
            name.escape_debug().take(SHOWN_BYTES).collect::<String>()
        ))),
    }
}

/// The delimiter that the first line has most of; where it has none, the one that the name says.
fn delimiter(path: &Path, packing: Packing) -> Result<u8, ImportError> {
    let mut start = Vec::new();
    unpack(path, packing, None)?.take(SNIFFED_BYTES).read_to_end(&mut start).map_err(|source| io_error(path, source))?;
    if let [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [_, 0, _, 0, ..] | [0, _, 0, _, ..] = start.as_slice() {
        return Err(ImportError::Header { path: path.to_path_buf(), reason: "the file is UTF-16; save it as UTF-8".to_owned() });
    }
    let line = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let by_name = if path.to_string_lossy().to_lowercase().contains(".tsv") { b'\t' } else { b',' };
    let count = |delimiter: u8| memchr::memchr_iter(delimiter, line).count();
    // `max_by_key` takes the last of equals.
    Ok([b';', b'\t', b',', by_name].into_iter().max_by_key(|candidate| count(*candidate)).unwrap_or(by_name))
}

/// Gives each row after the header to `visit`; tells of quotes that were read as text.
pub(super) fn rows(
    file: &InputFile,
    (delimiter, packing): (u8, Packing),
    stage: &Stage,
    mut visit: impl FnMut(Place, Seen<'_>) -> Result<(), ImportError>,
) -> Result<Option<Literal>, ImportError> {
    let path = &file.path;
    let row = Cell::new(0);
    let mut reader = csv(guarded(unpack(path, packing, Some(stage))?, &row), delimiter, true);
    reader.byte_headers().map_err(|error| too_long(path, packing, 0, error))?;
    let mut cells = Vec::new();
    loop {
        let start = reader.position();
        row.set(start);
        let Some(record) = reader.read_byte_record().map_err(|error| too_long(path, packing, start, error))? else { return Ok(None) };
        if memchr::memchr(b'"', record.as_slice()).is_some() {
            match quotes::split(record.as_slice(), delimiter, &mut cells) {
                Quotes::Sound { in_plain_cell: false } => {}
                Quotes::Sound { in_plain_cell: true } => break,
                // What comes before the fault may be a quote that is only text.
                _ if cells.iter().any(|cell| quotes::is_plain_with_quote(&record.as_slice()[cell.clone()])) => break,
                wrong => return Err(quote_error(path, line_of(file, start)?, record.as_slice(), wrong)),
            }
        }
        visit(Place::Byte(start), Ok(&record))?;
    }
    let from = row.get();
    drop(reader);
    let mut bytes = BufReader::with_capacity(BUFFER_BYTES, unpack(path, packing, None)?);
    io::copy(&mut bytes.by_ref().take(from), &mut io::sink()).map_err(|source| io_error(path, source))?;
    rest(file, delimiter, (bytes, from), visit).map(Some)
}

/// The rows of a file from the byte `start` on, of which the first has a quote that is text.
fn rest(
    file: &InputFile,
    delimiter: u8,
    (mut bytes, mut start): (impl BufRead, u64),
    mut visit: impl FnMut(Place, Seen<'_>) -> Result<(), ImportError>,
) -> Result<Literal, ImportError> {
    let mut literal = Literal { rows: 0, first: Place::Byte(start) };
    let (mut row, mut cells) = (Vec::new(), Vec::new());
    loop {
        row.clear();
        next_line(&file.path, &mut bytes, &mut row)?;
        let mut quotes = quotes::split(without_line_end(&row), delimiter, &mut cells);
        while let Quotes::Open(at) = quotes {
            // The line end is within the cell, unless there is no more of the file. Only a line
            // with an odd number of quotes can close it.
            let known = row.len();
            if next_line(&file.path, &mut bytes, &mut row)? == 0 {
                break;
            }
            if memchr::memchr_iter(b'"', &row[known..]).count() % 2 == 1 {
                quotes = quotes::split_on(without_line_end(&row), delimiter, at, &mut cells);
            }
        }
        if row.is_empty() {
            return Ok(literal);
        }
        let whole = without_line_end(&row);
        match quotes {
            Quotes::Sound { in_plain_cell } if row.len() as u64 <= ROW_MAX_BYTES => {
                literal.rows += u64::from(in_plain_cell);
                if !whole.is_empty() {
                    visit(Place::Byte(start), Ok(&SplitRow { bytes: whole, cells: &cells }))?;
                }
            }
            Quotes::Sound { .. } => return Err(long_row(&file.path, line_of(file, start)?)),
            wrong => return Err(quote_error(&file.path, line_of(file, start)?, whole, wrong)),
        }
        start += row.len() as u64;
    }
}

/// Reads one more line onto `row`, of which there may be [`ROW_MAX_BYTES`] and no more.
fn next_line(path: &Path, bytes: &mut impl BufRead, row: &mut Vec<u8>) -> Result<usize, ImportError> {
    let room = (ROW_MAX_BYTES + 1).saturating_sub(row.len() as u64);
    bytes.take(room).read_until(b'\n', row).map_err(|source| io_error(path, source))
}

fn without_line_end(row: &[u8]) -> &[u8] {
    let row = row.strip_suffix(b"\n").unwrap_or(row);
    row.strip_suffix(b"\r").unwrap_or(row)
}

/// What is told of quotes that were read as text.
pub(super) fn told(file: &InputFile, literal: Literal) -> Result<String, ImportError> {
    let line = lines(file, &[literal.first])?.first().copied().unwrap_or(0);
    let rows = literal.rows;
    Ok(format!("{} line {line}: a quote (\") within a plain cell was read as text, in this row first and in {rows} in all", file.name))
}

fn line_of(file: &InputFile, start: u64) -> Result<u64, ImportError> {
    Ok(lines(file, &[Place::Byte(start)])?.first().copied().unwrap_or(0))
}

/// What is wrong with the quotes of the row that begins on line `first`, and what would be right.
fn quote_error(path: &Path, first: u64, row: &[u8], wrong: Quotes) -> ImportError {
    let (at, what) = match wrong {
        Quotes::TextAfter(at) => (at, "text follows its closing quote, or it was never closed"),
        Quotes::Open(at) => (at, "it is never closed"),
        Quotes::Sound { .. } => (0, "it is read as text"),
    };
    let line = first + memchr::memchr_iter(b'\n', &row[..at]).count() as u64;
    let shown = String::from_utf8_lossy(&row[at..row.len().min(at + SHOWN_BYTES)]).escape_debug().to_string();
    let reason = format!("a quote (\") opens the cell `{shown}`, and {what}; a quote within a quoted cell is written twice");
    ImportError::Quote { path: path.to_path_buf(), line, reason }
}

fn long_row(path: &Path, line: u64) -> ImportError {
    let reason =
        format!("the row that begins here is longer than {} MiB: does a quote (\") open a cell and never close it?", ROW_MAX_BYTES >> 20);
    ImportError::Quote { path: path.to_path_buf(), line, reason }
}

fn csv(bytes: Bytes<'_>, delimiter: u8, has_headers: bool) -> ZeroCopyReader<Bytes<'_>> {
    // Rows of another length are refused one by one, so the reader must not stop at them.
    ZeroCopyReaderBuilder::with_capacity(BUFFER_BYTES).delimiter(delimiter).has_headers(has_headers).flexible(true).from_reader(bytes)
}

/// Reads, and ends in an error where the row that began at `row` does not end.
struct Guarded<'a> {
    bytes: Bytes<'a>,
    read: u64,
    row: &'a Cell<u64>,
}

impl Read for Guarded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // The reader asks for more when the row does not end in the buffer that it has.
        if self.read.saturating_sub(self.row.get()) > ROW_MAX_BYTES + BUFFER_BYTES as u64 {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let read = self.bytes.read(buffer)?;
        self.read += read as u64;
        Ok(read)
    }
}

fn guarded<'a>(bytes: Bytes<'a>, row: &'a Cell<u64>) -> Bytes<'a> {
    Box::new(Guarded { bytes, read: 0, row })
}

/// The reader's failure; where the row that begins at `start` was too long, its line.
fn too_long(path: &Path, packing: Packing, start: u64, error: simd_csv::Error) -> ImportError {
    let error = match error.into_kind() {
        simd_csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    };
    if error.kind() != io::ErrorKind::FileTooLarge {
        return io_error(path, error);
    }
    match lines_of(path, packing, &[start]) {
        Ok(lines) => long_row(path, lines.first().copied().unwrap_or(0)),
        Err(error) => error,
    }
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

pub(super) fn unpack<'a>(path: &Path, packing: Packing, stage: Option<&'a Stage>) -> Result<Bytes<'a>, ImportError> {
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
    let numbers: Vec<u64> = places.iter().map(|(Place::Row(number) | Place::Byte(number) | Place::Line(number))| *number).collect();
    match file.container {
        Container::Parquet | Container::Json { .. } => Ok(numbers),
        Container::Delimited { packing, .. } => lines_of(&file.path, packing, &numbers),
    }
}

fn lines_of(path: &Path, packing: Packing, starts: &[u64]) -> Result<Vec<u64>, ImportError> {
    let mut bytes = BufReader::with_capacity(BUFFER_BYTES, unpack(path, packing, None)?).bytes();
    let (mut offset, mut line) = (0_u64, 1_u64);
    let mut found = Vec::with_capacity(starts.len());
    let mut next_byte = || bytes.next().transpose().map_err(|source| io_error(path, source));
    let mut pending = None;
    for start in starts {
        while let Some(byte) = match pending.take() {
            Some(byte) => Some(byte),
            None => next_byte()?,
        } {
            // Line ends before the row's first byte belong to empty lines above it.
            if offset >= *start && byte != b'\n' && byte != b'\r' {
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
