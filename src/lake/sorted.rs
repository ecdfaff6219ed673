//! Rows of a month in the order of their keys, within a bound on memory.
//!
//! Rows are counted by the upper bits of their keys, then each goes to its place among those with the
//! same, and the few that share a place are sorted. Of more than fit, parts of neighbouring keys are
//! put on disk first, and arranged one after the other.
//!
//! Absent on purpose: sums. Rows of one key come one after the other, in any order among themselves.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Decimal128Builder, Int64Array, RecordBatch};
use datafusion::arrow::datatypes::{DataType, SchemaRef};

use super::import::StagedMonth;
use super::spill::{Amount, Spill, SpillRow, Spilled};
use super::tables::LakeError;

/// Decimal digits of an amount that is to be added, and those after the point: those of `Exact`.
pub(super) const AMOUNT_TYPE: DataType = DataType::Decimal128(38, 18);

/// Batches of key, quantity and cost, the last two as decimals.
pub(super) type Batches = Box<dyn Iterator<Item = Result<RecordBatch, LakeError>> + Send>;

/// Gives rows with their keys to a visitor, some at a time; the same rows whenever it is called.
type Rows<'a, A> = &'a dyn Fn(Visitor<'_, A>) -> Result<(), LakeError>;
type Visitor<'a, A> = &'a mut dyn FnMut(&[SpillRow<A>]) -> Result<(), LakeError>;

/// Rows of a batch that is given out.
const BATCH_ROWS: usize = 8 * 1024;

/// Most places that rows are counted for: 512 KiB of counters.
const PLACES_MAX: usize = 1 << 16;

/// Least rows of a part, so that a small bound does not make thousands of files.
const PART_MIN_ROWS: usize = 64 * 1024;

/// How rows are brought into order.
#[derive(Debug, Clone)]
pub(super) struct Order {
    /// What the rows in memory may take.
    pub(super) memory_bytes: usize,
    /// That of the batches.
    pub(super) schema: SchemaRef,
}

/// The staged rows of a month in the order of the keys that `renumbered` makes of theirs, all of them
/// below `key_bound` and none below 0. What does not fit goes to files beside the month's.
pub(super) fn in_order(
    month: &StagedMonth,
    (renumbered, key_bound): (impl Fn(i64) -> i64, i64),
    order: Order,
) -> Result<Batches, LakeError> {
    let stretch = Stretch { first: 0, bits: i64::BITS - key_bound.leading_zeros() };
    let whole = |visit: Visitor<'_, i64>| {
        month.micros.each(|rows| {
            for row in rows.iter_mut() {
                row[0] = renumbered(row[0]);
            }
            visit(rows)
        })
    };
    if month.attos.rows() == 0 {
        return ordered(&whole, month.micros.rows(), stretch, month.micros.path(), order);
    }
    let finest = |visit: Visitor<'_, i128>| {
        let mut finer = Vec::new();
        whole(&mut |rows| {
            finer.clear();
            finer.extend(rows.iter().map(|[key, quantity, cost]| {
                let cost = if *cost == i64::NONE { i128::NONE } else { cost.exact().attos() };
                [i128::from_key(*key), quantity.exact().attos(), cost]
            }));
            visit(&finer)
        })?;
        month.attos.each(|rows| {
            for row in rows.iter_mut() {
                row[0] = i128::from_key(renumbered(row[0].key()));
            }
            visit(rows)
        })
    };
    ordered(&finest, month.micros.rows() + month.attos.rows(), stretch, month.attos.path(), order)
}

/// Keys that begin with the same bits.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    first: i64,
    /// The bits in which they differ.
    bits: u32,
}

/// The rows of a stretch, `count` of them, in the order of their keys.
fn ordered<A: Amount>(rows: Rows<'_, A>, count: usize, stretch: Stretch, beside: &Path, order: Order) -> Result<Batches, LakeError> {
    let fitting = (order.memory_bytes / size_of::<SpillRow<A>>()).max(PART_MIN_ROWS);
    let places = Places::count(rows, stretch)?;
    if count <= fitting {
        return Ok(Box::new(batches(places.arrange(rows)?, order.schema)));
    }
    let parts = part(rows, &places, beside, fitting)?;
    Ok(Box::new(parts.into_iter().flat_map(move |part| -> Batches {
        in_part(part, fitting, order.clone()).unwrap_or_else(|error| Box::new(std::iter::once(Err(error))))
    })))
}

/// The rows of a part: the few that fit are arranged, more of one place are parted once more, and
/// rows of one key are in order as they are.
fn in_part<A: Amount>(part: Part<A>, fitting: usize, order: Order) -> Result<Batches, LakeError> {
    if part.rows.rows() > fitting && part.stretch.bits == 0 {
        let mut pieces = part.rows.pieces();
        return Ok(Box::new(std::iter::from_fn(move || {
            let _file = &part;
            pieces.next().and_then(|rows| rows.map(|rows| batch(rows, Arc::clone(&order.schema))).transpose()).transpose()
        })));
    }
    let rows = |visit: Visitor<'_, A>| part.rows.each(|rows| visit(rows));
    ordered(&rows, part.rows.rows(), part.stretch, part.rows.path(), order)
}

/// Rows by the upper bits in which their keys differ, as many bits as there may be places.
struct Places {
    stretch: Stretch,
    /// Bits of a key below those.
    lower_bits: u32,
    counts: Vec<usize>,
}

impl Places {
    fn count<A: Amount>(rows: Rows<'_, A>, stretch: Stretch) -> Result<Self, LakeError> {
        let lower_bits = stretch.bits.saturating_sub(PLACES_MAX.trailing_zeros());
        let mut places = Self { stretch, lower_bits, counts: vec![0; 1 << (stretch.bits - lower_bits)] };
        rows(&mut |rows| {
            for row in rows {
                let place = places.of(row);
                places.counts[place] += 1;
            }
            Ok(())
        })?;
        Ok(places)
    }

    fn of<A: Amount>(&self, row: &SpillRow<A>) -> usize {
        usize::try_from((row[0].key() - self.stretch.first) >> self.lower_bits).unwrap_or(0).min(self.counts.len() - 1)
    }

    /// The keys of one place.
    fn stretch_of(&self, place: usize) -> Stretch {
        Stretch { first: self.stretch.first + (i64::try_from(place).unwrap_or(0) << self.lower_bits), bits: self.lower_bits }
    }

    /// All the rows, which are those that were counted, in the order of their keys.
    fn arrange<A: Amount>(&self, rows: Rows<'_, A>) -> Result<Vec<SpillRow<A>>, LakeError> {
        let mut next: Vec<usize> = Vec::with_capacity(self.counts.len());
        let all = self.counts.iter().fold(0, |start, count| {
            next.push(start);
            start + count
        });
        let mut arranged = vec![[A::zeroed(); 3]; all];
        rows(&mut |rows| {
            for row in rows {
                let next = &mut next[self.of(row)];
                arranged[*next] = *row;
                *next += 1;
            }
            Ok(())
        })?;
        // What was next in a place is past its end when it is full.
        let mut start = 0;
        for end in next {
            arranged[start..end].sort_unstable_by_key(|row| row[0]);
            start = end;
        }
        Ok(arranged)
    }
}

/// A part of the rows on disk; its file goes away with it.
struct Part<A: Amount> {
    rows: Spilled<A>,
    stretch: Stretch,
}

impl<A: Amount> Drop for Part<A> {
    fn drop(&mut self) {
        // What stays behind is cleared by the next import.
        let _ = fs::remove_file(self.rows.path());
    }
}

/// Parts the rows between places: at most `fitting` rows of several places, or all rows of one.
fn part<A: Amount>(rows: Rows<'_, A>, places: &Places, beside: &Path, fitting: usize) -> Result<Vec<Part<A>>, LakeError> {
    let mut parts: Vec<(Spill<A>, Stretch)> = Vec::new();
    let (mut part_of, mut filled) = (vec![0_usize; places.counts.len()], 0);
    for (place, count) in places.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        match parts.last_mut() {
            Some((_, stretch)) if filled + count <= fitting => (filled, *stretch) = (filled + count, places.stretch),
            _ => {
                let mut path = beside.as_os_str().to_owned();
                path.push(format!("-{}", parts.len()));
                parts.push((Spill::new(path.into()), places.stretch_of(place)));
                filled = *count;
            }
        }
        part_of[place] = parts.len() - 1;
    }
    rows(&mut |rows| {
        for row in rows {
            let part = &mut parts[part_of[places.of(row)]].0;
            if part.push(*row) >= BATCH_ROWS {
                part.write()?;
            }
        }
        Ok(())
    })?;
    parts.into_iter().map(|(part, stretch)| Ok(Part { rows: part.seal()?, stretch })).collect()
}

/// Rows as batches.
fn batches<A: Amount>(rows: Vec<SpillRow<A>>, schema: SchemaRef) -> impl Iterator<Item = Result<RecordBatch, LakeError>> + Send {
    let mut from = 0;
    std::iter::from_fn(move || {
        let rows = rows.get(from..(from + BATCH_ROWS).min(rows.len())).filter(|rows| !rows.is_empty())?;
        from += rows.len();
        Some(batch(rows, Arc::clone(&schema)))
    })
}

fn batch<A: Amount>(rows: &[SpillRow<A>], schema: SchemaRef) -> Result<RecordBatch, LakeError> {
    let amounts = |of: &dyn Fn(&SpillRow<A>) -> Option<A>| -> ArrayRef {
        let mut builder = Decimal128Builder::with_capacity(rows.len()).with_data_type(AMOUNT_TYPE);
        for row in rows {
            builder.append_option(of(row).map(|amount| amount.exact().attos()));
        }
        Arc::new(builder.finish())
    };
    let keys: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row[0].key())));
    let (quantities, costs) = (amounts(&|row| Some(row[1])), amounts(&|row| Some(row[2]).filter(|cost| *cost != A::NONE)));
    Ok(RecordBatch::try_new(schema, vec![keys, quantities, costs])?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::{Array, AsArray};
    use datafusion::arrow::datatypes::{DataType, Decimal128Type, Field, Int64Type, Schema};

    fn order(memory_bytes: usize) -> Order {
        let fields = [("key", DataType::Int64, false), ("quantity", AMOUNT_TYPE, false), ("cost", AMOUNT_TYPE, true)];
        let schema = Schema::new(fields.into_iter().map(|(name, kind, null)| Field::new(name, kind, null)).collect::<Vec<_>>());
        Order { memory_bytes, schema: Arc::new(schema) }
    }

    fn spilled<A: Amount>(path: std::path::PathBuf, rows: impl Iterator<Item = SpillRow<A>>) -> Spilled<A> {
        let mut spill = Spill::new(path);
        for row in rows {
            spill.push(row);
        }
        spill.seal().expect("a spill")
    }

    /// Key, quantity and cost of every row, in the order in which they come.
    fn rows(batches: Batches) -> Vec<(i64, i128, Option<i128>)> {
        let mut rows = Vec::new();
        for batch in batches {
            let batch = batch.expect("a batch");
            let (quantity, cost) = (batch.column(1).as_primitive::<Decimal128Type>(), batch.column(2).as_primitive::<Decimal128Type>());
            for (row, key) in batch.column(0).as_primitive::<Int64Type>().values().iter().enumerate() {
                rows.push((*key, quantity.value(row), cost.is_valid(row).then(|| cost.value(row))));
            }
        }
        rows
    }

    fn check(key: impl Fn(i64) -> i64, in_micros: i64, in_attos: i64) {
        let dir = tempfile::tempdir().expect("a folder");
        let cost = |row: i64| (row % 3 != 0).then_some(row);
        let micros = (0..in_micros).map(|row| [key(row), row, cost(row).unwrap_or(i64::NONE)]);
        let attos = (0..in_attos).map(|row| [i128::from(key(row)), row.into(), cost(row).map_or(i128::NONE, i128::from)]);
        let month = StagedMonth {
            month: crate::domain::Day::from_epoch_days(20_000),
            micros: spilled(dir.path().join("micros"), micros),
            attos: spilled(dir.path().join("attos"), attos),
        };
        let wanted =
            |of: &dyn Fn(i64) -> i128, count: i64| (0..count).map(|row| (2 * key(row), of(row), cost(row).map(of))).collect::<Vec<_>>();
        let mut wanted = [wanted(&|row| i128::from(row) * 1_000_000_000_000, in_micros), wanted(&i128::from, in_attos)].concat();
        wanted.sort_unstable();
        for memory_bytes in [1 << 30, 1] {
            let mut seen = rows(in_order(&month, (|key| 2 * key, 100_042 << 21), order(memory_bytes)).expect("rows"));
            assert!(seen.is_sorted_by_key(|row| row.0), "within {memory_bytes} bytes");
            seen.sort_unstable();
            assert!(seen == wanted, "within {memory_bytes} bytes");
        }
        let left = fs::read_dir(dir.path()).expect("the folder").count();
        assert_eq!(left, usize::from(in_micros > 0) + usize::from(in_attos > 0), "parts are left behind");
    }

    #[test]
    fn rows_come_in_the_order_of_their_keys_whether_they_fit_or_not() {
        // A fixed jumble of keys, each several times, more rows than the least part holds.
        let jumble = |row: i64| ((row * 7_919) % 50_021) << 21 | (row % 5);
        check(jumble, 200_000, 0);
        check(jumble, 0, 200_000);
        check(jumble, 100_000, 100_000);
    }

    #[test]
    fn rows_of_one_key_or_of_a_few_close_together_take_no_more_memory_than_others() {
        check(|_| 7 << 21, 200_000, 0);
        check(|row| (50_020 << 21) | ((row % 2) << 20) | (row % 3), 300_000, 0);
        check(|row| if row < 10 { row } else { 7 << 21 }, 100_000, 100_000);
    }

    #[test]
    fn no_rows_are_no_batches() {
        check(|key| key, 0, 0);
    }
}
