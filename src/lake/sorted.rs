//! Rows of a month in the order of their keys, within a bound on memory.
//!
//! Rows that fit are sorted where they are. Of more than that, the keys are counted first, the rows
//! are parted at keys between which as many lie as fit, each part on disk, and the parts are sorted
//! one after the other.
//!
//! Absent on purpose: sums. Rows of one key come one after the other, in any order among themselves.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Decimal128Builder, Int64Array, RecordBatch, UInt32Array};
use datafusion::arrow::compute::take_record_batch;
use datafusion::arrow::datatypes::{Decimal128Type, Int64Type, Schema};
use datafusion::arrow::ipc::reader::StreamReader;
use datafusion::arrow::ipc::writer::StreamWriter;

use super::import::AMOUNT_TYPE;
use super::tables::LakeError;

/// Batches of key, quantity and cost, the last two as decimals.
pub(super) type Batches = Box<dyn Iterator<Item = Result<RecordBatch, LakeError>> + Send>;

/// Bytes that a row takes while it is sorted: key, two amounts and a bit for a null, and again the
/// key with the place of the row.
const ROW_BYTES: usize = 8 + 16 + 16 + 1 + 16;

/// Rows of a batch that is given out.
const BATCH_ROWS: usize = 8 * 1024;

/// Keys are counted by what is left of them without these bits, so that parts end between two
/// subscription-days, and by at most this many counters.
const COUNTERS: usize = 1 << 16;

/// Least rows of a part, so that a small bound does not make thousands of files.
const PART_MIN_ROWS: usize = 64 * 1024;

/// What is known of rows before they are read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    pub(super) rows: usize,
    /// Every key is below it, and none below 0.
    pub(super) key_bound: i64,
}

/// The rows that `read` gives, in the order of their keys. Where they do not fit in `memory_bytes`,
/// they go to files named after `beside`.
pub(super) fn in_order(
    read: &dyn Fn() -> Result<Batches, LakeError>,
    Extent { rows, key_bound }: Extent,
    beside: &Path,
    memory_bytes: usize,
) -> Result<Batches, LakeError> {
    let fitting = (memory_bytes / ROW_BYTES).max(PART_MIN_ROWS);
    if rows <= fitting {
        return Ok(Box::new(sorted(read()?.collect::<Result<_, _>>()?)));
    }
    let parts = part(read, key_bound, beside, fitting)?;
    Ok(Box::new(parts.into_iter().flat_map(|part| -> Batches {
        match part.batches() {
            Ok(batches) => Box::new(sorted(batches)),
            Err(error) => Box::new(std::iter::once(Err(error))),
        }
    })))
}

/// A part of the rows on disk; its file goes away with it.
struct Part {
    path: PathBuf,
}

impl Part {
    fn batches(&self) -> Result<Vec<RecordBatch>, LakeError> {
        let file = File::open(&self.path).map_err(|source| LakeError::io(&self.path, source))?;
        StreamReader::try_new(BufReader::with_capacity(1 << 18, file), None)?.map(|batch| Ok(batch?)).collect()
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // What stays behind is cleared by the next import.
        let _ = fs::remove_file(&self.path);
    }
}

fn keys(batch: &RecordBatch) -> &[i64] {
    batch.column(0).as_primitive::<Int64Type>().values()
}

/// Parts the rows at keys between which at most `fitting` rows lie, where single counters allow it.
fn part(read: &dyn Fn() -> Result<Batches, LakeError>, key_bound: i64, beside: &Path, fitting: usize) -> Result<Vec<Part>, LakeError> {
    // As few bits as leave no more values than there are counters.
    let shift = (64 - key_bound.leading_zeros()).saturating_sub(COUNTERS.trailing_zeros());
    let place = |key: i64| usize::try_from(key >> shift).unwrap_or(0).min(COUNTERS - 1);
    let mut counts = vec![0_usize; COUNTERS];
    for batch in read()? {
        for key in keys(&batch?) {
            counts[place(*key)] += 1;
        }
    }
    let (mut part_of, mut number, mut filled) = (vec![0_usize; COUNTERS], 0, 0);
    for (at, count) in counts.iter().enumerate() {
        if filled > 0 && filled + count > fitting {
            number += 1;
            filled = 0;
        }
        filled += count;
        part_of[at] = number;
    }
    let mut parts: Vec<Part> = Vec::new();
    let mut writers: Vec<StreamWriter<BufWriter<File>>> = Vec::new();
    for batch in read()? {
        let batch = batch?;
        let mut chosen: Vec<Vec<u32>> = vec![Vec::new(); number + 1];
        for (row, key) in (0..).zip(keys(&batch)) {
            chosen[part_of[place(*key)]].push(row);
        }
        for at in parts.len()..=number {
            let path = beside.with_extension(format!("part-{at}"));
            let file = File::create(&path).map_err(|source| LakeError::io(&path, source))?;
            writers.push(StreamWriter::try_new(BufWriter::new(file), &batch.schema())?);
            parts.push(Part { path });
        }
        for (writer, rows) in writers.iter_mut().zip(chosen) {
            if !rows.is_empty() {
                writer.write(&take_record_batch(&batch, &UInt32Array::from(rows))?)?;
            }
        }
    }
    for mut writer in writers {
        writer.finish()?;
    }
    Ok(parts)
}

/// The rows of some batches in the order of their keys.
fn sorted(batches: Vec<RecordBatch>) -> impl Iterator<Item = Result<RecordBatch, LakeError>> + Send {
    let mut order: Vec<(i64, u32, u32)> = Vec::with_capacity(batches.iter().map(RecordBatch::num_rows).sum());
    for (number, batch) in (0..).zip(&batches) {
        order.extend((0..).zip(keys(batch)).map(|(row, key)| (*key, number, row)));
    }
    order.sort_unstable();
    let mut from = 0;
    std::iter::from_fn(move || {
        let rows = order.get(from..(from + BATCH_ROWS).min(order.len())).filter(|rows| !rows.is_empty())?;
        from += rows.len();
        Some(gathered(&batches, rows))
    })
}

/// The rows at some places as one batch.
fn gathered(batches: &[RecordBatch], rows: &[(i64, u32, u32)]) -> Result<RecordBatch, LakeError> {
    let amounts = |column: usize| -> ArrayRef {
        let arrays: Vec<_> = batches.iter().map(|batch| batch.column(column).as_primitive::<Decimal128Type>()).collect();
        let mut builder = Decimal128Builder::with_capacity(rows.len()).with_data_type(AMOUNT_TYPE);
        for (_, batch, row) in rows {
            let (array, row) = (arrays[*batch as usize], *row as usize);
            builder.append_option(array.is_valid(row).then(|| array.value(row)));
        }
        Arc::new(builder.finish())
    };
    let keys: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|(key, ..)| *key)));
    let schema = batches.first().map_or_else(|| Arc::new(Schema::empty()), RecordBatch::schema);
    Ok(RecordBatch::try_new(schema, vec![keys, amounts(1), amounts(2)])?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::datatypes::{DataType, Field};

    fn batch(rows: &[(i64, i128)]) -> RecordBatch {
        let fields = [("key", DataType::Int64, false), ("quantity", AMOUNT_TYPE, false), ("cost", AMOUNT_TYPE, true)];
        let schema = Schema::new(fields.into_iter().map(|(name, kind, null)| Field::new(name, kind, null)).collect::<Vec<_>>());
        let amounts = |value: &dyn Fn(i128) -> Option<i128>| -> ArrayRef {
            let mut builder = Decimal128Builder::new().with_data_type(AMOUNT_TYPE);
            for (_, amount) in rows {
                builder.append_option(value(*amount));
            }
            Arc::new(builder.finish())
        };
        let keys: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.0)));
        let columns = vec![keys, amounts(&Some), amounts(&|amount| (amount % 3 != 0).then_some(amount))];
        RecordBatch::try_new(Arc::new(schema), columns).expect("a batch")
    }

    /// Key, quantity and cost of every row, in the order in which they come.
    fn rows(batches: Batches) -> Vec<(i64, i128, Option<i128>)> {
        let mut rows = Vec::new();
        for batch in batches {
            let batch = batch.expect("a batch");
            let (quantity, cost) = (batch.column(1).as_primitive::<Decimal128Type>(), batch.column(2).as_primitive::<Decimal128Type>());
            for (row, key) in keys(&batch).iter().enumerate() {
                rows.push((*key, quantity.value(row), cost.is_valid(row).then(|| cost.value(row))));
            }
        }
        rows
    }

    #[test]
    fn rows_come_in_the_order_of_their_keys_whether_they_fit_or_not() {
        let dir = tempfile::tempdir().expect("a folder");
        // A fixed jumble of keys, each several times, more than the least part holds.
        let all: Vec<(i64, i128)> = (0..200_000_i64).map(|row| (((row * 7_919) % 50_021) << 21 | (row % 5), i128::from(row))).collect();
        let pieces: Vec<RecordBatch> = all.chunks(9_000).map(batch).collect();
        let read = || -> Result<Batches, LakeError> { Ok(Box::new(pieces.clone().into_iter().map(Ok))) };
        let order = |memory_bytes: usize| {
            let extent = Extent { rows: all.len(), key_bound: 50_021 << 21 };
            let mut seen = rows(in_order(&read, extent, &dir.path().join("month.arrow"), memory_bytes).expect("rows"));
            assert!(seen.is_sorted_by_key(|row| row.0), "within {memory_bytes} bytes");
            seen.sort_unstable();
            seen
        };
        let mut wanted: Vec<_> = all.iter().map(|(key, amount)| (*key, *amount, (amount % 3 != 0).then_some(*amount))).collect();
        wanted.sort_unstable();
        assert!(order(1 << 30) == wanted);
        assert!(order(1) == wanted);
        assert_eq!(fs::read_dir(dir.path()).expect("the folder").count(), 0, "parts are left behind");
    }

    #[test]
    fn no_rows_are_no_batches() {
        let read = || -> Result<Batches, LakeError> { Ok(Box::new(std::iter::empty())) };
        assert!(rows(in_order(&read, Extent { rows: 0, key_bound: 0 }, Path::new("none"), 1).expect("rows")).is_empty());
    }
}
