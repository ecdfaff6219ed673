//! The roll-up of one month of usage, in SQL on the embedded DataFusion, over rows that come in the
//! order of their keys: sums are then made on the way, and nothing is held.
//!
//! Rows are told apart by their keys (`key.rs`). One partition and one order of rows: the same input
//! gives the same file on any machine.

use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, Date32Array, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Date32Type, Field, Int32Type, Int64Type, Schema, SchemaRef};
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
use super::import::{Ids, SeriesNumbers, StagedMonth};
use super::key::{BELOW_DAY_BITS, Parts, pack, unpack};
use super::parquet::{FileWriter, WrittenFile};
use super::restated::{KeyedRow, Merge, Replaced};
use super::schema::{Table, month_of};
use super::sorted::{AMOUNT_TYPE, Order, in_order};
use super::tables::LakeError;
use crate::domain::{Day, Exact, Micros};

const ROLLUP: &str = include_str!("rollup.sql");

/// Rows of a batch that is written.
const BATCH_ROWS: usize = 8 * 1024;

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
        pack(Parts { subscription: u32::try_from(self.id_texts.len()).unwrap_or(u32::MAX), day_of_month: 0, series: 0 })
    }

    /// The key of a staged row, whose parts are numbered in order of appearance, as it sorts.
    fn ranked(&self, staged: i64) -> i64 {
        let Parts { subscription, day_of_month, series } = unpack(staged);
        pack(Parts { subscription: self.id_places[subscription as usize], day_of_month, series: self.series_places[series as usize] })
    }

    /// What a key of `month` is of, in words.
    fn describe(&self, key: i64, month: Day) -> String {
        let Parts { subscription, day_of_month, series } = unpack(key);
        let id = self.id_texts.get(subscription as usize).map_or("", String::as_str);
        let (category, unit) = self.series.get(series as usize).map_or(("", ""), |(category, unit)| (category, unit));
        format!("subscription {id} on {}, category `{category}`, unit `{unit}`", month + day_of_month)
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
    let staged = Staged::new(&job, numbering);
    context.deregister_table("staged")?;
    let table = StreamingTable::try_new(Arc::clone(&staged.schema), vec![Arc::new(staged)])?;
    context.register_table("staged", Arc::new(table.with_sort_order(vec![col("key").sort(true, false)])))?;
    let folder = format!("month={}", month_of(month));
    let stem = format!("usage-{:08}", job.import_id);
    let mut writer = FileWriter::create(job.table_dir, Some(&folder), &stem, Table::UsageDaily.arrow_schema())?;
    let mut stream = context.sql(ROLLUP).await?.execute_stream().await?;
    let mut merge = Merge::new(stored_rows(job.stored, numbering, month), BELOW_DAY_BITS);
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
            let bit = 1 << unpack(*key).day_of_month;
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
        let parts = unpack(*key);
        subscription.push(parts.subscription.cast_signed());
        on.push(month.epoch_days() + parts.day_of_month);
        series.push(parts.series.cast_signed());
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

/// The staged rows of a month as the engine sees them.
#[derive(Debug)]
struct Staged {
    schema: SchemaRef,
    numbering: Arc<Numbering>,
    month: StagedMonth,
    memory_bytes: usize,
}

impl PartitionStream for Staged {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let order = Order { memory_bytes: self.memory_bytes, schema: Arc::clone(&self.schema) };
        let batches = in_order(&self.month, (|key| self.numbering.ranked(key), self.numbering.key_bound()), order);
        let batches = batches.unwrap_or_else(|error| Box::new(std::iter::once(Err(error))));
        let stream = futures::stream::iter(batches.map(|batch| batch.map_err(|error| DataFusionError::External(Box::new(error)))));
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), stream))
    }
}

impl Staged {
    fn new(job: &MonthJob<'_>, numbering: &Arc<Numbering>) -> Self {
        let fields = [("key", DataType::Int64, false), ("quantity", AMOUNT_TYPE, false), ("cost", AMOUNT_TYPE, true)];
        let schema = Schema::new(fields.map(|(name, kind, is_nullable)| Field::new(name, kind, is_nullable)).to_vec());
        Self { schema: Arc::new(schema), numbering: Arc::clone(numbering), month: job.staged.clone(), memory_bytes: job.memory_bytes }
    }
}

/// The stored rows of a month, in the order of their keys: so the roll-up has written them.
fn stored_rows(files: Vec<DataFile>, numbering: &Numbering, month: Day) -> impl Iterator<Item = Result<KeyedRow, LakeError>> {
    type Rows = Result<Vec<KeyedRow>, LakeError>;
    let batches = files.into_iter().flat_map(move |file| -> Box<dyn Iterator<Item = Rows>> {
        match file.read(None) {
            Ok(reader) => Box::new(reader.map(move |batch| stored_batch(&batch?, numbering, month))),
            Err(error) => Box::new(std::iter::once(Err(error))),
        }
    });
    batches.flat_map(|rows| match rows {
        Ok(rows) => rows.into_iter().map(Ok).collect(),
        Err(error) => vec![Err(error)],
    })
}

/// Stored rows get the keys that this import's numbering gives them: every stored id and
/// (category, unit) is part of it.
fn stored_batch(batch: &RecordBatch, numbering: &Numbering, month: Day) -> Result<Vec<KeyedRow>, LakeError> {
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
        keys.push(pack(Parts { subscription: id, day_of_month: day - month.epoch_days(), series: pair }));
    }
    let (quantities, costs) = (batch.column(4).as_primitive::<Int64Type>().values(), batch.column(5).as_primitive::<Int64Type>());
    Ok(keys.into_iter().zip(quantities).zip(costs).map(|((key, quantity), cost)| (key, *quantity, cost)).collect())
}

fn place_of<T: Ord>(sorted: &[T], wanted: &T) -> Option<u32> {
    u32::try_from(sorted.binary_search(wanted).ok()?).ok()
}
