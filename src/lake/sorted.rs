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
    /// Every key is below it, and none below 0.
    pub(super) key_bound: i64,
    /// What the rows in memory may take.
    pub(super) memory_bytes: usize,
    /// That of the batches.
    pub(super) schema: SchemaRef,
}

/// The staged rows of a month in the order of the keys that `renumbered` makes of theirs. What does
/// not fit goes to files beside the month's.
pub(super) fn in_order(month: &StagedMonth, renumbered: impl Fn(i64) -> i64, order: Order) -> Result<Batches, LakeError> {
    let whole = |visit: Visitor<'_, i64>| {
        month.micros.each(|rows| {
            for row in rows.iter_mut() {
                row[0] = renumbered(row[0]);
            }
            visit(rows)
        })
    };
    if month.attos.rows() == 0 {
        return ordered(&whole, month.micros.rows(), month.micros.path(), order);
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
    ordered(&finest, month.micros.rows() + month.attos.rows(), month.attos.path(), order)
}

fn ordered<A: Amount>(rows: Rows<'_, A>, count: usize, beside: &Path, order: Order) -> Result<Batches, LakeError> {
    let fitting = (order.memory_bytes / size_of::<SpillRow<A>>()).max(PART_MIN_ROWS);
    let places = Places::count(rows, order.key_bound)?;
    if count <= fitting {
        return Ok(Box::new(batches(places.arrange(rows)?, order.schema)));
    }
    let parts = part(rows, &places, beside, fitting)?;
    Ok(Box::new(parts.into_iter().flat_map(move |part| -> Batches {
        let rows = |visit: Visitor<'_, A>| part.0.each(|rows| visit(rows));
        match Places::count(&rows, order.key_bound).and_then(|places| places.arrange(&rows)) {
            Ok(rows) => Box::new(batches(rows, Arc::clone(&order.schema))),
            Err(error) => Box::new(std::iter::once(Err(error))),
        }
    })))
}

/// Rows by the upper bits of their keys, as many bits as there may be places.
struct Places {
    /// Bits of a key below those.
    lower_bits: u32,
    counts: Vec<usize>,
}

impl Places {
    fn count<A: Amount>(rows: Rows<'_, A>, key_bound: i64) -> Result<Self, LakeError> {
        let lower_bits = (i64::BITS - key_bound.leading_zeros()).saturating_sub(PLACES_MAX.trailing_zeros());
        let mut places = Self { lower_bits, counts: vec![0; PLACES_MAX] };
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
        usize::try_from(row[0].key() >> self.lower_bits).unwrap_or(0).min(PLACES_MAX - 1)
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
struct Part<A: Amount>(Spilled<A>);

impl<A: Amount> Drop for Part<A> {
    fn drop(&mut self) {
        // What stays behind is cleared by the next import.
        let _ = fs::remove_file(self.0.path());
    }
}

/// Parts the rows between places, so that at most `fitting` are in each where single places allow it.
fn part<A: Amount>(rows: Rows<'_, A>, places: &Places, beside: &Path, fitting: usize) -> Result<Vec<Part<A>>, LakeError> {
    let (mut part_of, mut number, mut filled) = (vec![0_usize; PLACES_MAX], 0, 0);
    for (of, count) in part_of.iter_mut().zip(&places.counts) {
        if filled > 0 && filled + count > fitting {
            number += 1;
            filled = 0;
        }
        filled += count;
        *of = number;
    }
    let mut parts: Vec<Spill<A>> = (0..=number).map(|part| Spill::new(beside.with_extension(format!("part-{part}")))).collect();
    rows(&mut |rows| {
        for row in rows {
            let part = &mut parts[part_of[places.of(row)]];
            if part.push(*row) >= BATCH_ROWS {
                part.write()?;
            }
        }
        Ok(())
    })?;
    parts.into_iter().map(|part| part.seal().map(Part)).collect()
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
        Order { key_bound: 100_042 << 21, memory_bytes, schema: Arc::new(schema) }
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

    /// Of a fixed jumble of keys, each several times, more rows than the least part holds.
    fn check(in_micros: i64, in_attos: i64) {
        let dir = tempfile::tempdir().expect("a folder");
        let key = |row: i64| ((row * 7_919) % 50_021) << 21 | (row % 5);
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
            let mut seen = rows(in_order(&month, |key| 2 * key, order(memory_bytes)).expect("rows"));
            assert!(seen.is_sorted_by_key(|row| row.0), "within {memory_bytes} bytes");
            seen.sort_unstable();
            assert!(seen == wanted, "within {memory_bytes} bytes");
        }
        let left = fs::read_dir(dir.path()).expect("the folder").count();
        assert_eq!(left, usize::from(in_micros > 0) + usize::from(in_attos > 0), "parts are left behind");
    }

    #[test]
    fn rows_come_in_the_order_of_their_keys_whether_they_fit_or_not() {
        check(200_000, 0);
        check(0, 200_000);
        check(100_000, 100_000);
    }

    #[test]
    fn no_rows_are_no_batches() {
        check(0, 0);
    }
}
