//! The roll-up of one month of usage, in SQL on the embedded DataFusion, over rows that come in the
//! order of their keys: sums are then made on the way, and nothing is held.
//!
//! Within a month, a row's subscription, day, category and unit are packed into one `Int64`:
//! place of the subscription among all ids ascending (32 bits), day of the month (5), place of
//! the (category, unit) among all ascending (16). One partition and one order of rows: the
//! same input gives the same file on any machine.

use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, Date32Array, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Date32Type, Decimal128Type, Field, Int32Type, Int64Type, Schema, SchemaRef, UInt32Type};
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::cast::as_decimal128_array;
use datafusion::error::DataFusionError;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{ColumnarValue, Volatility, col, create_udf};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::StreamExt;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use thiserror::Error;

use super::data_file::DataFile;
use super::import::{AMOUNT_TYPE, Ids, SeriesNumbers, StagedMonth, read_staged};
use super::parquet::{FileWriter, WrittenFile};
use super::restated::{KeyedRow, Merge, Replaced};
use super::schema::{Table, month_of};
use super::sorted::{Batches, Extent, in_order};
use super::tables::LakeError;
use crate::domain::{Day, Exact, Micros};

const ROLLUP: &str = include_str!("rollup.sql");

const SERIES_BITS: u32 = 16;
const DAY_BITS: u32 = 5;

/// Rows of a batch that is written.
const BATCH_ROWS: usize = 8 * 1024;

/// (category, unit) pairs that fit in a key.
pub(crate) const SERIES_MAX: usize = 1 << SERIES_BITS;

/// Every id and (category, unit) of an import, in the order in which rows are stored.
#[derive(Debug)]
pub(crate) struct Numbering {
    ids: ArrayRef,
    id_texts: Vec<String>,
    id_places: Vec<u32>,
    categories: ArrayRef,
    units: ArrayRef,
    series: Vec<(String, String)>,
    series_places: Vec<u32>,
}

impl Numbering {
    pub(crate) fn new(ids: &Ids, series: &SeriesNumbers) -> Self {
        let (id_texts, id_places) = ids.ranked();
        let (series, series_places) = series.ranked();
        Self {
            ids: Arc::new(StringArray::from_iter_values(&id_texts)),
            id_texts,
            id_places,
            categories: Arc::new(StringArray::from_iter_values(series.iter().map(|(category, _)| category))),
            units: Arc::new(StringArray::from_iter_values(series.iter().map(|(_, unit)| unit))),
            series,
            series_places,
        }
    }

    pub(crate) fn series_count(&self) -> usize {
        self.series.len()
    }

    /// What every key is below.
    fn key_bound(&self) -> i64 {
        pack(u32::try_from(self.id_texts.len()).unwrap_or(u32::MAX), 0, 0)
    }

    /// What a key of `month` is of, in words.
    fn describe(&self, key: i64, month: Day) -> String {
        let (id, day, series) = unpack(key);
        let place = |number: i32| usize::try_from(number).unwrap_or(usize::MAX);
        let id = self.id_texts.get(place(id)).map_or("", String::as_str);
        let (category, unit) = self.series.get(place(series)).map_or(("", ""), |(category, unit)| (category, unit));
        format!("subscription {id} on {}, category `{category}`, unit `{unit}`", month + day)
    }

    /// The engine's failure, in words of the tables where it can be.
    fn engine_error(&self, error: DataFusionError, month: Day) -> LakeError {
        if let DataFusionError::External(cause) = error.find_root()
            && let Some(Beyond { amounts, key }) = cause.downcast_ref()
        {
            return LakeError::Beyond { amounts, of: self.describe(*key, month) };
        }
        error.into()
    }
}

const fn pack(subscription: u32, day_of_month: i32, series: u32) -> i64 {
    ((subscription as i64) << (DAY_BITS + SERIES_BITS)) | ((day_of_month as i64) << SERIES_BITS) | series as i64
}

/// (place of the subscription, day of the month from 0, place of the series).
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the masks leave 32, 5 and 16 bits")]
const fn unpack(key: i64) -> (i32, i32, i32) {
    let day = (key >> SERIES_BITS) & ((1 << DAY_BITS) - 1);
    (((key >> (DAY_BITS + SERIES_BITS)) as u32).cast_signed(), day as i32, (key & ((1 << SERIES_BITS) - 1)) as i32)
}

/// What came of one month.
#[derive(Debug)]
pub(crate) struct RolledMonth {
    pub(crate) month: String,
    pub(crate) file: WrittenFile,
    /// Days that have a row, a bit each, the first of the month the lowest.
    pub(crate) days: u32,
    /// Of those, the days that have a row with a quantity above 0.
    pub(crate) used_days: u32,
    pub(crate) replaced: Replaced,
    /// The first stored row whose place nothing took.
    pub(crate) first_gone: Option<String>,
}

/// A month to roll up.
#[derive(Debug)]
pub(crate) struct MonthJob<'a> {
    pub(crate) staged: &'a StagedMonth,
    /// Files of the month that the lake holds.
    pub(crate) stored: Vec<DataFile>,
    pub(crate) table_dir: &'a Path,
    pub(crate) import_id: u64,
    /// What sorting its rows may take before they go to disk.
    pub(crate) memory_bytes: usize,
}

/// DataFusion with a bound on its memory, beyond which it spills to `spill_dir`.
pub(crate) fn session(memory_bytes: usize, spill_dir: &Path) -> Result<SessionContext, LakeError> {
    let disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Directories(vec![spill_dir.to_path_buf()]));
    let environment = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(memory_bytes)))
        .with_disk_manager_builder(disk)
        .build_arc()?;
    let config = SessionConfig::new().with_target_partitions(1);
    let context = SessionContext::new_with_config_rt(config, environment);
    let functions =
        [("quantity_micros", "quantities", Exact::round_quantity as fn(Exact) -> Option<Micros>), ("cost_micros", "costs", Exact::round)];
    for (name, amounts, round) in functions {
        let fun = Arc::new(move |arguments: &[ColumnarValue]| rounded(amounts, arguments, round));
        context.register_udf(create_udf(name, vec![AMOUNT_TYPE, DataType::Int64], DataType::Int64, Volatility::Immutable, fun));
    }
    Ok(context)
}

/// A sum that is no `Micros`, with its key.
#[derive(Debug, Error)]
#[error("the {amounts} of the key {key} pass 9.2e12")]
struct Beyond {
    amounts: &'static str,
    key: i64,
}

/// Sums, and the keys that they are of, to micro-units.
fn rounded(
    amounts: &'static str,
    arguments: &[ColumnarValue],
    round: fn(Exact) -> Option<Micros>,
) -> Result<ColumnarValue, DataFusionError> {
    let arrays = ColumnarValue::values_to_arrays(arguments)?;
    let [sums, keys] = arrays.as_slice() else { return Err(DataFusionError::Execution("a sum and its key are needed".to_owned())) };
    let micros = as_decimal128_array(sums)?
        .iter()
        .zip(keys.as_primitive::<Int64Type>().values())
        .map(|(sum, key)| {
            let Some(sum) = sum else { return Ok(None) };
            let beyond = || DataFusionError::External(Box::new(Beyond { amounts, key: *key }));
            round(Exact::from_attos(sum)).map(|micros| Some(micros.0)).ok_or_else(beyond)
        })
        .collect::<Result<Int64Array, DataFusionError>>()?;
    Ok(ColumnarValue::Array(Arc::new(micros)))
}

/// Rolls one month up into one file.
pub(crate) async fn roll_up(context: &SessionContext, numbering: &Arc<Numbering>, job: MonthJob<'_>) -> Result<RolledMonth, LakeError> {
    let month = job.staged.month;
    let staged = MonthRows::new(Rows::Staged { month: job.staged.clone(), memory_bytes: job.memory_bytes }, numbering, month);
    let stored = MonthRows::new(Rows::Stored(job.stored.clone()), numbering, month);
    context.deregister_table("staged")?;
    let table = StreamingTable::try_new(Arc::clone(&staged.schema), vec![Arc::new(staged)])?;
    context.register_table("staged", Arc::new(table.with_sort_order(vec![col("key").sort(true, false)])))?;
    let folder = format!("month={}", month_of(month));
    let stem = format!("usage-{:08}", job.import_id);
    let mut writer = FileWriter::create(job.table_dir, Some(&folder), &stem, Table::UsageDaily.arrow_schema())?;
    let mut stream = context.sql(ROLLUP).await?.execute_stream().await?;
    let mut merge = Merge::new(stored.rows()?, SERIES_BITS);
    let (mut days, mut used_days) = (0_u32, 0_u32);
    let mut merged = Vec::new();
    loop {
        let batch = stream.next().await.transpose().map_err(|error| numbering.engine_error(error, month))?;
        merged.clear();
        match &batch {
            Some(batch) => keyed_rows(batch).try_for_each(|row| merge.new_row(row, &mut merged))?,
            None => merge.rest(&mut merged)?,
        }
        for (key, quantity, _) in &merged {
            let bit = 1 << unpack(*key).1;
            days |= bit;
            used_days |= if *quantity > 0 { bit } else { 0 };
        }
        for rows in merged.chunks(BATCH_ROWS) {
            writer.write(&usage_batch(rows, numbering, month)?)?;
        }
        if batch.is_none() {
            break;
        }
    }
    let (replaced, first_gone) = merge.counted();
    let first_gone = first_gone.map(|key| numbering.describe(key, month));
    Ok(RolledMonth { month: month_of(month), file: writer.finish()?, days, used_days, replaced, first_gone })
}

/// Key, quantity and cost of each row of a batch.
fn keyed_rows(batch: &RecordBatch) -> impl Iterator<Item = KeyedRow> {
    let keys = batch.column(0).as_primitive::<Int64Type>().values();
    let quantities = batch.column(1).as_primitive::<Int64Type>().values();
    let costs = batch.column(2).as_primitive::<Int64Type>();
    keys.iter().zip(quantities).zip(costs).map(|((key, quantity), cost)| (*key, *quantity, cost))
}

/// Keys back to columns.
fn usage_batch(rows: &[KeyedRow], numbering: &Numbering, month: Day) -> Result<RecordBatch, LakeError> {
    let mut subscription = Vec::with_capacity(rows.len());
    let mut on = Vec::with_capacity(rows.len());
    let mut series = Vec::with_capacity(rows.len());
    for (key, ..) in rows {
        let (id, day, pair) = unpack(*key);
        subscription.push(id);
        on.push(month.epoch_days() + day);
        series.push(pair);
    }
    let named = |keys: Vec<i32>, values: &ArrayRef| -> Result<ArrayRef, LakeError> {
        Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(Int32Array::from(keys), Arc::clone(values))?))
    };
    let columns: Vec<ArrayRef> = vec![
        named(subscription, &numbering.ids)?,
        Arc::new(Date32Array::from(on)),
        named(series.clone(), &numbering.categories)?,
        named(series, &numbering.units)?,
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.1))),
        Arc::new(rows.iter().map(|row| row.2).collect::<Int64Array>()),
    ];
    Ok(RecordBatch::try_new(Table::UsageDaily.arrow_schema(), columns)?)
}

/// Where the rows of a month come from.
#[derive(Debug, Clone)]
enum Rows {
    /// In any order; sorted within this much memory.
    Staged { month: StagedMonth, memory_bytes: usize },
    /// In the order of their keys: so an earlier roll-up has written them.
    Stored(Vec<DataFile>),
}

impl Rows {
    fn schema(&self) -> SchemaRef {
        let amount = if matches!(self, Self::Staged { .. }) { AMOUNT_TYPE } else { DataType::Int64 };
        Arc::new(Schema::new(vec![
            Field::new("key", DataType::Int64, false),
            Field::new("quantity", amount.clone(), false),
            Field::new("cost", amount, true),
        ]))
    }
}

/// The rows of a month as the engine sees them.
#[derive(Debug)]
struct MonthRows {
    schema: SchemaRef,
    numbering: Arc<Numbering>,
    month: Day,
    rows: Rows,
}

impl PartitionStream for MonthRows {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let batches = self.batches().unwrap_or_else(|error| Box::new(std::iter::once(Err(error))));
        let stream = futures::stream::iter(batches.map(|batch| batch.map_err(|error| DataFusionError::External(Box::new(error)))));
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), stream))
    }
}

impl MonthRows {
    fn new(rows: Rows, numbering: &Arc<Numbering>, month: Day) -> Self {
        Self { schema: rows.schema(), numbering: Arc::clone(numbering), month, rows }
    }

    /// The stored rows, in the order of their keys: so the roll-up has written them.
    fn rows(&self) -> Result<impl Iterator<Item = Result<KeyedRow, LakeError>> + use<>, LakeError> {
        let rows = |batch: Result<RecordBatch, LakeError>| match batch {
            Ok(batch) => keyed_rows(&batch).map(Ok).collect(),
            Err(error) => vec![Err(error)],
        };
        Ok(self.batches()?.flat_map(rows))
    }

    fn batches(&self) -> Result<Batches, LakeError> {
        let (numbering, schema, month) = (Arc::clone(&self.numbering), Arc::clone(&self.schema), self.month);
        Ok(match self.rows.clone() {
            Rows::Staged { month: StagedMonth { path, rows, .. }, memory_bytes } => {
                let (beside, key_bound) = (path.clone(), numbering.key_bound());
                let read = move || -> Result<Batches, LakeError> {
                    let (numbering, schema) = (Arc::clone(&numbering), Arc::clone(&schema));
                    Ok(Box::new(read_staged(&path)?.map(move |batch| staged_batch(&batch?, &numbering, month, &schema))))
                };
                in_order(&read, Extent { rows, key_bound }, &beside, memory_bytes)?
            }
            Rows::Stored(files) => Box::new(files.into_iter().flat_map(move |file| -> Batches {
                let (numbering, schema) = (Arc::clone(&numbering), Arc::clone(&schema));
                match file.read(None) {
                    Ok(reader) => Box::new(reader.map(move |batch| stored_batch(&batch?, &numbering, month, &schema))),
                    Err(error) => Box::new(std::iter::once(Err(error))),
                }
            })),
        })
    }
}

fn staged_batch(batch: &RecordBatch, numbering: &Numbering, month: Day, schema: &SchemaRef) -> Result<RecordBatch, LakeError> {
    let ids = batch.column(0).as_primitive::<UInt32Type>().values();
    let days = batch.column(1).as_primitive::<Int32Type>().values();
    let series = batch.column(2).as_primitive::<UInt32Type>().values();
    let keys = ids.iter().zip(days).zip(series).map(|((id, day), series)| {
        pack(numbering.id_places[*id as usize], day - month.epoch_days(), numbering.series_places[*series as usize])
    });
    let keys = Arc::new(Int64Array::from_iter_values(keys));
    debug_assert!(batch.column(3).as_primitive_opt::<Decimal128Type>().is_some());
    Ok(RecordBatch::try_new(Arc::clone(schema), vec![keys, Arc::clone(batch.column(3)), Arc::clone(batch.column(4))])?)
}

/// Stored rows get the keys that this import's numbering gives them: every stored id and
/// (category, unit) is part of it.
fn stored_batch(batch: &RecordBatch, numbering: &Numbering, month: Day, schema: &SchemaRef) -> Result<RecordBatch, LakeError> {
    let unknown = |what: &str| LakeError::from(DataFusionError::Internal(format!("a stored row has {what} that no table knows")));
    let dictionary = |at: usize| batch.column(at).as_dictionary_opt::<Int32Type>().ok_or_else(|| unknown("a column type"));
    let (ids, categories, units) = (dictionary(0)?, dictionary(2)?, dictionary(3)?);
    let text = |array: &DictionaryArray<Int32Type>, key: i32| -> String {
        array.values().as_string::<i32>().value(usize::try_from(key).unwrap_or(0)).to_owned()
    };
    let mut places: HashMap<i32, u32> = HashMap::new();
    let mut series: HashMap<(i32, i32), u32> = HashMap::new();
    let days = batch.column(1).as_primitive::<Date32Type>().values();
    let mut keys = Vec::with_capacity(batch.num_rows());
    for (((day, id), category), unit) in days.iter().zip(ids.keys().values()).zip(categories.keys().values()).zip(units.keys().values()) {
        let id = match places.entry(*id) {
            Entry::Occupied(place) => *place.get(),
            Entry::Vacant(place) => *place.insert(place_of(&numbering.id_texts, &text(ids, *id)).ok_or_else(|| unknown("an id"))?),
        };
        let pair = match series.entry((*category, *unit)) {
            Entry::Occupied(place) => *place.get(),
            Entry::Vacant(place) => {
                let names = (text(categories, *category), text(units, *unit));
                *place.insert(place_of(&numbering.series, &names).ok_or_else(|| unknown("a category"))?)
            }
        };
        keys.push(pack(id, day - month.epoch_days(), pair));
    }
    let columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(keys)), Arc::clone(batch.column(4)), Arc::clone(batch.column(5))];
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}

fn place_of<T: Ord>(sorted: &[T], wanted: &T) -> Option<u32> {
    u32::try_from(sorted.binary_search(wanted).ok()?).ok()
}
