//! Parquet files of others, read in a process of their own with a limit on its memory.
//!
//! A footer of a few hundred bytes can ask for gigabytes before a single row is read (arrow-rs
//! issue 9874), and memory that cannot be had ends a process. So a child reads the file and
//! writes its rows as text to a pipe; where it dies, that is a sentence about the file. Whoever
//! embeds the library without the program reads such files in their own process.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchReader};
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::ipc::reader::StreamReader;
use datafusion::arrow::ipc::writer::StreamWriter;

use crate::lake::LakeError;
use crate::lake::parquet::{read_file, read_places};

/// The command of the program that [`serve`] stands behind.
pub const COMMAND: &str = "read-parquet";

/// The program that reads Parquet files of others, and the memory that it may use for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParquetReader {
    /// This very program; it is called with [`COMMAND`].
    pub program: PathBuf,
    /// Address space beyond what the program takes before it reads, in bytes.
    pub memory_bytes: u64,
}

/// Longest line of names: a million columns of 60 bytes.
const NAMES_MAX_BYTES: u64 = 64 << 20;

fn unreadable(path: &Path, reason: impl std::fmt::Display) -> LakeError {
    LakeError::File { path: path.to_path_buf(), reason: reason.to_string() }
}

/// The names of the columns of a file.
pub(super) fn names(reader: Option<&ParquetReader>, path: &Path) -> Result<Vec<String>, LakeError> {
    match reader {
        None => names_here(path),
        Some(reader) => {
            let mut child = Reading::start(reader, path, &[])?;
            let names = child.names()?;
            child.end()?;
            Ok(names)
        }
    }
}

fn names_here(path: &Path) -> Result<Vec<String>, LakeError> {
    Ok(read_file(path)?.schema().fields().iter().map(|field| field.name().clone()).collect())
}

/// Gives the rows of the columns at `places`, as text or bytes, to `visit`, batch by batch.
pub(super) fn batches<E: From<LakeError>>(
    reader: Option<&ParquetReader>,
    path: &Path,
    places: &[usize],
    mut visit: impl FnMut(&RecordBatch) -> Result<(), E>,
) -> Result<(), E> {
    let Some(reader) = reader else {
        for batch in texts(path, places)? {
            visit(&batch?)?;
        }
        return Ok(());
    };
    let mut child = Reading::start(reader, path, places)?;
    child.names()?;
    let stream = match child.stdout.take().map(|output| StreamReader::try_new(output, None)) {
        Some(Ok(stream)) => stream,
        Some(Err(error)) => return Err(child.end().err().unwrap_or_else(|| unreadable(path, error)).into()),
        None => return Err(unreadable(path, "its reader has no output").into()),
    };
    for batch in stream {
        match batch {
            Ok(batch) => visit(&batch)?,
            Err(error) => return Err(child.end().err().unwrap_or_else(|| unreadable(path, error)).into()),
        }
    }
    Ok(child.end()?)
}

/// A child that reads one file.
struct Reading<'a> {
    reader: &'a ParquetReader,
    path: &'a Path,
    child: Child,
    stdout: Option<BufReader<ChildStdout>>,
}

impl<'a> Reading<'a> {
    fn start(reader: &'a ParquetReader, path: &'a Path, places: &[usize]) -> Result<Self, LakeError> {
        let list = places.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
        let mut command = Command::new(&reader.program);
        command.arg(COMMAND).arg("--memory-bytes").arg(reader.memory_bytes.to_string()).arg("--columns").arg(list).arg("--").arg(path);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|source| LakeError::io(&reader.program, source))?;
        let stdout = child.stdout.take().map(|output| BufReader::with_capacity(1 << 18, output));
        Ok(Self { reader, path, child, stdout })
    }

    /// The first line of the output.
    fn names(&mut self) -> Result<Vec<String>, LakeError> {
        let mut line = Vec::new();
        let read = match &mut self.stdout {
            Some(output) => output.take(NAMES_MAX_BYTES).read_until(b'\n', &mut line),
            None => Ok(0),
        };
        match read
            .map_err(ArrowError::from)
            .and_then(|_| serde_json::from_slice(&line).map_err(|error| ArrowError::JsonError(error.to_string())))
        {
            Ok(names) => Ok(names),
            Err(error) => Err(self.end().err().unwrap_or_else(|| unreadable(self.path, error))),
        }
    }

    /// Waits for the child, and makes a sentence of how it ended.
    fn end(&mut self) -> Result<(), LakeError> {
        // What it has not written yet, nobody wants.
        self.stdout = None;
        let mut said = String::new();
        if let Some(stderr) = &mut self.child.stderr {
            // Not UTF-8, or torn: then it said nothing.
            let _ = stderr.take(1 << 16).read_to_string(&mut said);
        }
        let status = self.child.wait().map_err(|source| LakeError::io(&self.reader.program, source))?;
        if status.success() {
            return Ok(());
        }
        let said = said.trim();
        if said.contains("memory allocation") || said.contains("capacity overflow") || status.code().is_none() {
            let mebibytes = self.reader.memory_bytes >> 20;
            return Err(unreadable(
                self.path,
                format!(
                    "reading it asks for more than {mebibytes} MiB of memory; it is damaged or made to do harm, or --memory is too little"
                ),
            ));
        }
        // The child's own sentence begins as this one does.
        let begins = format!("error: {}", unreadable(self.path, ""));
        Err(unreadable(self.path, said.strip_prefix(&begins).unwrap_or(said)))
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        // Whoever stopped in between wants no more of it. It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The batches of a file, its columns as text or bytes.
fn texts(path: &Path, places: &[usize]) -> Result<impl Iterator<Item = Result<RecordBatch, LakeError>> + use<>, LakeError> {
    let reader = read_places(path, places)?;
    let schema = text_schema(&reader.schema());
    let path = path.to_path_buf();
    Ok(reader.map(move |batch| {
        let batch = batch.map_err(|error| unreadable(&path, error))?;
        let text = |(at, column): (usize, &ArrayRef)| {
            as_text(column).map_err(|error| unreadable(&path, format!("column {}: {error}", schema.field(at).name())))
        };
        let columns = batch.columns().iter().enumerate().map(text).collect::<Result<Vec<_>, _>>()?;
        RecordBatch::try_new(Arc::clone(&schema), columns).map_err(|error| unreadable(&path, error))
    }))
}

fn is_bytes(kind: &DataType) -> bool {
    matches!(kind, DataType::Binary | DataType::LargeBinary | DataType::BinaryView)
}

fn text_schema(schema: &Schema) -> SchemaRef {
    let kind = |field: &Field| if is_bytes(field.data_type()) { DataType::Binary } else { DataType::Utf8 };
    Arc::new(Schema::new(schema.fields().iter().map(|field| Field::new(field.name(), kind(field), true)).collect::<Vec<_>>()))
}

/// A cast that cannot be made is an error: one that gave null instead would lose a value.
fn as_text(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    let kind = if is_bytes(column.data_type()) { DataType::Binary } else { DataType::Utf8 };
    cast_with_options(column, &kind, &strict)
}

/// A cell of a batch that [`batches`] gave.
pub(super) fn cell(column: &ArrayRef, row: usize) -> Option<&[u8]> {
    if column.is_null(row) {
        return None;
    }
    match column.as_string_opt::<i32>() {
        Some(texts) => Some(texts.value(row).as_bytes()),
        None => column.as_binary_opt::<i32>().map(|bytes| bytes.value(row)),
    }
}

/// What the child does: limits its own memory, and writes the names of the columns as one line of
/// JSON, then the batches of those at `places` as a stream of Arrow.
///
/// # Errors
/// Where the file cannot be read or the output not be written.
pub fn serve(path: &Path, places: &[usize], memory_bytes: u64, output: &mut impl Write) -> Result<(), LakeError> {
    limit_memory(memory_bytes).map_err(|source| LakeError::io(path, source))?;
    let write_error = |source| LakeError::io(Path::new("the pipe"), source);
    let names = serde_json::to_vec(&names_here(path)?).map_err(|error| unreadable(path, error))?;
    output.write_all(&names).and_then(|()| output.write_all(b"\n")).map_err(write_error)?;
    if !places.is_empty() {
        let schema = text_schema(&read_places(path, places)?.schema());
        let mut writer = StreamWriter::try_new(&mut *output, &schema)?;
        for batch in texts(path, places)? {
            writer.write(&batch?)?;
        }
        writer.finish()?;
    }
    output.flush().map_err(write_error)
}

/// Lets the process have no more than `memory_bytes` of address space beyond what it has.
fn limit_memory(memory_bytes: u64) -> io::Result<()> {
    // Systems without /proc have no limit; there the child still keeps a crash from its parent.
    let Ok(status) = fs::read_to_string("/proc/self/status") else { return Ok(()) };
    let kibibytes = status.lines().find_map(|line| line.strip_prefix("VmSize:")?.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    let Some(kibibytes) = kibibytes else { return Ok(()) };
    let limit = kibibytes.saturating_mul(1024).saturating_add(memory_bytes);
    rlimit::setrlimit(rlimit::Resource::AS, limit, limit)
}
