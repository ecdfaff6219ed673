//! Parquet files of the tables: how they are written, synced, and read back.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanBuilder, Date32Builder, Float64Builder, Int64Builder, RecordBatch, StringBuilder,
};
use datafusion::arrow::datatypes::{Date32Type, Float64Type, Int64Type, SchemaRef};
use datafusion::arrow::error::ArrowError;
use datafusion::parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use datafusion::parquet::arrow::{ArrowWriter, ProjectionMask};
use datafusion::parquet::basic::{Compression, Encoding, ZstdLevel};
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use datafusion::parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use datafusion::parquet::file::reader::ChunkReader;
use datafusion::parquet::file::statistics::Statistics;
use datafusion::parquet::schema::types::ColumnPath;

use super::checksum::{self, Hashing};
use super::durable::{create_dirs, sync_dir};
use super::tables::LakeError;
use crate::domain::{Day, Micros};

/// Rows of one batch on reading: large enough to hide per-batch cost, small enough that the
/// batches of six columns stay in the second-level cache.
const BATCH_ROWS: usize = 32 * 1024;

/// Parquet's default of 1 MiB overflows at about 26,000 GUIDs and then writes every id in
/// full; 16 MiB holds 400,000 of them (HOUSE.md).
const DICTIONARY_PAGE_MAX_BYTES: usize = 16 << 20;

/// Rows of a row group: a month of 100,000 subscriptions is two of them.
const ROW_GROUP_MAX_ROWS: usize = 1 << 20;

fn properties() -> WriterProperties {
    let (amounts, series) = (["quantity_micros", "cost_micros"], ["category", "unit"]);
    let builder = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_dictionary_page_size_limit(DICTIONARY_PAGE_MAX_BYTES)
        .set_max_row_group_row_count(Some(ROW_GROUP_MAX_ROWS));
    // The bytes of a risk that stand for its size repeat, those of its fraction do not: apart from
    // each other, the former compress.
    let risk = ColumnPath::from("risk");
    let builder = builder.set_column_dictionary_enabled(risk.clone(), false).set_column_encoding(risk, Encoding::BYTE_STREAM_SPLIT);
    // Amounts hardly repeat: a dictionary of them would be built, overflow and be thrown away.
    let builder = amounts.into_iter().fold(builder, |builder, name| builder.set_column_dictionary_enabled(ColumnPath::from(name), false));
    // Every page has nearly every category and unit: their least and greatest rule nothing out.
    let none = EnabledStatistics::None;
    series.into_iter().fold(builder, |builder, name| builder.set_column_statistics_enabled(ColumnPath::from(name), none)).build()
}

/// A Parquet file that is on disk, synced, and named nowhere yet.
#[derive(Debug, Clone)]
pub(crate) struct WrittenFile {
    /// Below the table's folder, with `/` between parts.
    pub(crate) relative: String,
    pub(crate) bytes: u64,
    pub(crate) rows: u64,
    /// When the file system says it was written, in milliseconds since 1970.
    pub(crate) modified_ms: i64,
}

/// What a file is called while it is written: hidden, so no reader takes it for one of the table,
/// and always the same, so that what a dead import left is written over by the next one. One
/// writer at a time holds the lease, and it writes one file of a folder after the other.
const UNNAMED: &str = ".new.parquet.tmp";

/// Writes one Parquet file of a table, which gets its name when its checksum is known.
pub(crate) struct FileWriter {
    unnamed: Unnamed,
    folder: Option<String>,
    stem: String,
    writer: ArrowWriter<BufWriter<Hashing<File>>>,
    rows: u64,
}

/// A file without its name yet; it goes away with whoever gives up writing it.
#[derive(Debug)]
struct Unnamed {
    dir: PathBuf,
    path: PathBuf,
}

impl Drop for Unnamed {
    fn drop(&mut self) {
        // Gone already where it got its name; a leftover is a hidden file that nobody reads.
        let _ = fs::remove_file(&self.path);
    }
}

impl std::fmt::Debug for FileWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileWriter").field("stem", &self.stem).field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl FileWriter {
    /// Begins `folder/<stem>-<n>-sha256-<digest>.parquet` below `table_dir`.
    pub(crate) fn create(table_dir: &Path, folder: Option<&str>, stem: &str, schema: SchemaRef) -> Result<Self, LakeError> {
        let dir = folder.map_or_else(|| table_dir.to_path_buf(), |folder| table_dir.join(folder));
        create_dirs(&dir).map_err(|source| LakeError::io(&dir, source))?;
        let unnamed = Unnamed { path: dir.join(UNNAMED), dir };
        let file = File::create(&unnamed.path).map_err(|source| LakeError::io(&unnamed.path, source))?;
        let buffered = BufWriter::with_capacity(1 << 20, Hashing::new(file));
        let writer = ArrowWriter::try_new(buffered, schema, Some(properties()))?;
        Ok(Self { unnamed, folder: folder.map(str::to_owned), stem: stem.to_owned(), writer, rows: 0 })
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), LakeError> {
        self.rows += batch.num_rows() as u64;
        Ok(self.writer.write(batch)?)
    }

    /// Ends the row group, so that the rows to come can be read without those before.
    pub(crate) fn end_row_group(&mut self) -> Result<(), LakeError> {
        Ok(self.writer.flush()?)
    }

    /// Closes and syncs the file, gives it its name, and syncs its folder.
    pub(crate) fn finish(self) -> Result<WrittenFile, LakeError> {
        let Self { unnamed, folder, stem, writer, rows } = self;
        let io_error = |source| LakeError::io(&unnamed.path, source);
        let (file, digest) = writer.into_inner()?.into_inner().map_err(|error| io_error(error.into_error()))?.finish();
        file.sync_all().map_err(io_error)?;
        let metadata = file.metadata().map_err(io_error)?;
        let since_1970 = metadata.modified().map_err(io_error)?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let modified_ms = i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX);
        let name = name_it(&unnamed, &stem, &digest).map_err(io_error)?;
        let relative = folder.map_or_else(|| name.clone(), |folder| format!("{folder}/{name}"));
        Ok(WrittenFile { relative, bytes: metadata.len(), rows, modified_ms })
    }
}

/// Gives a synced file the first free name for its digest, durably: a dead import may have left
/// the same bytes under an earlier one, which its log entry adds and the next one takes back.
fn name_it(unnamed: &Unnamed, stem: &str, digest: &str) -> io::Result<String> {
    for number in 1.. {
        let name = checksum::file_name(stem, number, digest);
        let path = unnamed.dir.join(&name);
        if !path.try_exists()? {
            fs::rename(&unnamed.path, path)?;
            sync_dir(&unnamed.dir)?;
            return Ok(name);
        }
    }
    Err(io::Error::other("no free file name"))
}

/// Writes rows of a small table as one file.
pub(crate) fn write_file(table_dir: &Path, stem: &str, batch: &RecordBatch) -> Result<WrittenFile, LakeError> {
    let mut writer = FileWriter::create(table_dir, None, stem, batch.schema())?;
    writer.write(batch)?;
    writer.finish()
}

/// The batches of a file of any make. Those of the tables are read as a `DataFile`, which looks
/// at their checksums.
pub(crate) fn read_file(path: &Path) -> Result<ParquetRecordBatchReader, LakeError> {
    read_from(File::open(path).map_err(|source| LakeError::io(path, source))?, path, Wanted::All)
}

/// What is decoded of a file.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted<'a> {
    All,
    Columns(&'a [&'a str]),
    /// The row groups that may hold a text in a column, by the bounds that the footer tells.
    GroupsWith {
        column: &'a str,
        text: &'a str,
    },
}

/// The batches in the bytes of the file at `path`.
pub(super) fn read_from(bytes: impl ChunkReader + 'static, path: &Path, wanted: Wanted<'_>) -> Result<ParquetRecordBatchReader, LakeError> {
    let named = |source: ParquetError| LakeError::File { path: path.to_path_buf(), reason: source.to_string() };
    let mut builder = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(named)?.with_batch_size(BATCH_ROWS);
    builder = match wanted {
        Wanted::All => builder,
        Wanted::Columns(columns) => {
            let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
            builder.with_projection(mask)
        }
        Wanted::GroupsWith { column, text } => {
            let groups = builder.metadata().row_groups().iter().enumerate();
            let groups = groups.filter(|(_, group)| may_hold(group, column, text)).map(|(number, _)| number).collect();
            builder.with_row_groups(groups)
        }
    };
    builder.build().map_err(named)
}

/// Whether a text lies between the bounds of a column. Those of long texts are cut, but outwards.
fn may_hold(group: &RowGroupMetaData, column: &str, text: &str) -> bool {
    let chunk = group.columns().iter().find(|chunk| chunk.column_path().string() == column);
    let Some(Statistics::ByteArray(bounds)) = chunk.and_then(ColumnChunkMetaData::statistics) else { return true };
    let (least, greatest) = (bounds.min_bytes_opt(), bounds.max_bytes_opt());
    least.is_none_or(|least| least <= text.as_bytes()) && greatest.is_none_or(|greatest| text.as_bytes() <= greatest)
}

/// The batches of a file of any make; of the columns at `places` of its schema alone.
pub(crate) fn read_places(path: &Path, places: &[usize]) -> Result<ParquetRecordBatchReader, LakeError> {
    let file = File::open(path).map_err(|source| LakeError::io(path, source))?;
    let named = |source: ParquetError| LakeError::File { path: path.to_path_buf(), reason: source.to_string() };
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(named)?.with_batch_size(BATCH_ROWS);
    let mask = ProjectionMask::roots(builder.parquet_schema(), places.iter().copied());
    builder.with_projection(mask).build().map_err(named)
}

/// What the end of a file says of all its rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Footer {
    pub(crate) rows: u64,
    /// The first and the last day in the column that was asked for.
    pub(crate) days: Option<(Day, Day)>,
}

/// The footer of a file, with the bounds of its column `day_column`. No row is read.
pub(crate) fn footer(path: &Path, day_column: Option<&str>) -> Result<Footer, LakeError> {
    let file = File::open(path).map_err(|source| LakeError::io(path, source))?;
    let named = |source: ParquetError| LakeError::File { path: path.to_path_buf(), reason: source.to_string() };
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(named)?;
    let rows = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
    let chunks = builder.metadata().row_groups().iter().flat_map(RowGroupMetaData::columns);
    let of_column = chunks.filter(|chunk| day_column.is_some_and(|name| chunk.column_path().string() == name));
    let bounds = of_column.filter_map(|chunk| match chunk.statistics() {
        Some(Statistics::Int32(bounds)) => Some((*bounds.min_opt()?, *bounds.max_opt()?)),
        _ => None,
    });
    let days = bounds.reduce(|(first, last), (min, max)| (first.min(min), last.max(max)));
    Ok(Footer { rows, days: days.map(|(first, last)| (Day::from_epoch_days(first), Day::from_epoch_days(last))) })
}

/// Builds a column of text.
pub(crate) fn texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    let mut builder = StringBuilder::new();
    values.for_each(|value| builder.append_option(value));
    Arc::new(builder.finish())
}

/// Builds a column of days.
pub(crate) fn days(values: impl Iterator<Item = Option<Day>>) -> ArrayRef {
    let mut builder = Date32Builder::new();
    values.for_each(|value| builder.append_option(value.map(Day::epoch_days)));
    Arc::new(builder.finish())
}

/// Builds a column of amounts.
pub(crate) fn micros(values: impl Iterator<Item = Option<Micros>>) -> ArrayRef {
    let mut builder = Int64Builder::new();
    values.for_each(|value| builder.append_option(value.map(|amount| amount.0)));
    Arc::new(builder.finish())
}

/// Builds a column of numbers that are no amounts.
pub(crate) fn numbers(values: impl Iterator<Item = Option<f64>>) -> ArrayRef {
    let mut builder = Float64Builder::new();
    values.for_each(|value| builder.append_option(value));
    Arc::new(builder.finish())
}

/// Builds a column of flags.
pub(crate) fn flags(values: impl Iterator<Item = Option<bool>>) -> ArrayRef {
    let mut builder = BooleanBuilder::new();
    values.for_each(|value| builder.append_option(value));
    Arc::new(builder.finish())
}

/// One batch of a table, read by column name.
#[derive(Debug)]
pub(crate) struct Columns {
    batch: RecordBatch,
}

impl Columns {
    pub(crate) fn new(batch: RecordBatch) -> Self {
        Self { batch }
    }

    pub(crate) fn rows(&self) -> usize {
        self.batch.num_rows()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.batch.column_by_name(name).is_some()
    }

    fn column(&self, name: &str) -> Result<&ArrayRef, LakeError> {
        self.batch.column_by_name(name).ok_or_else(|| ArrowError::SchemaError(format!("no column `{name}`")).into())
    }

    pub(crate) fn wrong_type(name: &str) -> LakeError {
        ArrowError::SchemaError(format!("column `{name}` has another type")).into()
    }

    pub(crate) fn text(&self, name: &str, row: usize) -> Result<Option<String>, LakeError> {
        Ok(self.text_at(name, row)?.map(str::to_owned))
    }

    pub(crate) fn text_at(&self, name: &str, row: usize) -> Result<Option<&str>, LakeError> {
        let column = self.column(name)?.as_string_opt::<i32>().ok_or_else(|| Self::wrong_type(name))?;
        Ok(column.is_valid(row).then(|| column.value(row)))
    }

    pub(crate) fn day(&self, name: &str, row: usize) -> Result<Option<Day>, LakeError> {
        let column = self.column(name)?.as_primitive_opt::<Date32Type>().ok_or_else(|| Self::wrong_type(name))?;
        Ok(column.is_valid(row).then(|| Day::from_epoch_days(column.value(row))))
    }

    /// A column that files of earlier releases do not have.
    pub(crate) fn later_day(&self, name: &str, row: usize) -> Result<Option<Day>, LakeError> {
        if self.has(name) { self.day(name, row) } else { Ok(None) }
    }

    /// The same of a flag.
    pub(crate) fn later_flag(&self, name: &str, row: usize) -> Result<Option<bool>, LakeError> {
        if self.has(name) { self.flag(name, row) } else { Ok(None) }
    }

    /// The same of text.
    pub(crate) fn later_text(&self, name: &str, row: usize) -> Result<Option<String>, LakeError> {
        if self.has(name) { self.text(name, row) } else { Ok(None) }
    }

    pub(crate) fn flag(&self, name: &str, row: usize) -> Result<Option<bool>, LakeError> {
        let column = self.column(name)?.as_boolean_opt().ok_or_else(|| Self::wrong_type(name))?;
        Ok(column.is_valid(row).then(|| column.value(row)))
    }

    pub(crate) fn long(&self, name: &str, row: usize) -> Result<i64, LakeError> {
        let column = self.column(name)?.as_primitive_opt::<Int64Type>().ok_or_else(|| Self::wrong_type(name))?;
        Ok(column.value(row))
    }

    pub(crate) fn number(&self, name: &str, row: usize) -> Result<Option<f64>, LakeError> {
        let column = self.column(name)?.as_primitive_opt::<Float64Type>().ok_or_else(|| Self::wrong_type(name))?;
        Ok(column.is_valid(row).then(|| column.value(row)))
    }

    pub(crate) fn micros(&self, name: &str, row: usize) -> Result<Option<Micros>, LakeError> {
        let column = self.column(name)?.as_primitive_opt::<Int64Type>().ok_or_else(|| Self::wrong_type(name))?;
        Ok(column.is_valid(row).then(|| Micros(column.value(row))))
    }
}
