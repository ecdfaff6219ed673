//! Usage rows on their way to the roll-up: numbers instead of texts, in one spill file a month,
//! so that memory does not grow with the input.

use std::collections::BTreeMap;
use std::fs::File;
use std::hash::BuildHasher;
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Decimal128Builder, Int32Array, RecordBatch, UInt32Array};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::ipc::reader::StreamReader;
use datafusion::arrow::ipc::writer::StreamWriter;
use hashbrown::{DefaultHashBuilder, HashMap, HashTable};

use super::units::{Unit, fold};
use super::{ImportError, io_error};
use crate::domain::{Day, Exact, SubscriptionId};
use crate::lake::LakeError;
use crate::lake::durable::create_dirs;

/// Decimal digits of a staged amount, and those after the point: those of [`Exact`].
pub(crate) const AMOUNT_TYPE: DataType = DataType::Decimal128(38, 18);

/// Rows of a month that wait in memory for their batch.
const BATCH_ROWS: usize = 16 * 1024;

/// Rows of all months together that wait in memory: 48 bytes each, so 24 MiB.
const WAITING_MAX_ROWS: usize = 512 * 1024;

/// Longest spelling of an id that is kept inside the table of spellings. A GUID has 36 bytes;
/// kept inside, a lookup touches one place in memory in place of two.
const INLINE_MAX_BYTES: usize = 39;

/// A spelling padded with zeros, and its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Inline([u8; INLINE_MAX_BYTES], u8);

impl Inline {
    pub(crate) fn new(bytes: &[u8]) -> Option<Self> {
        let mut padded = [0; INLINE_MAX_BYTES];
        padded.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Self(padded, u8::try_from(bytes.len()).ok()?))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0[..usize::from(self.1)]
    }
}

/// Ids in order of appearance, by canonical id and by the bytes that the files spell them with.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    short: HashTable<(Inline, u32)>,
    hasher: DefaultHashBuilder,
    long: HashMap<Box<[u8]>, u32>,
    by_id: HashMap<SubscriptionId, u32>,
    in_order: Vec<SubscriptionId>,
    /// Usage rows by number.
    rows: Vec<u64>,
}

impl Ids {
    /// The number of an id that some file spelt like this before.
    pub(crate) fn known(&self, key: &Inline) -> Option<u32> {
        self.find(self.hasher.hash_one(key), key)
    }

    /// The same for a spelling that is no [`Inline`], or no plain one.
    pub(crate) fn known_long(&self, bytes: &[u8]) -> Option<u32> {
        if bytes.len() > INLINE_MAX_BYTES { self.long.get(bytes).copied() } else { None }
    }

    fn find(&self, hash: u64, key: &Inline) -> Option<u32> {
        self.short.find(hash, |(known, _)| known == key).map(|(_, number)| *number)
    }

    /// The numbers of many spellings. Looked up in one tight loop, the misses of the processor's
    /// cache overlap: at 100,000 ids that is most of the cost of reading a row.
    pub(crate) fn known_all(&self, keys: impl Iterator<Item = Inline> + Clone, numbers: &mut Vec<Option<u32>>) {
        let hashes: Vec<u64> = keys.clone().map(|key| self.hasher.hash_one(key)).collect();
        numbers.clear();
        numbers.extend(keys.zip(hashes).map(|(key, hash)| self.find(hash, &key)));
    }

    /// The number of an id, and of the way that a file spells it.
    pub(crate) fn number(&mut self, bytes: &[u8], id: SubscriptionId) -> u32 {
        let next = u32::try_from(self.in_order.len()).unwrap_or(u32::MAX);
        let number = *self.by_id.entry(id.clone()).or_insert_with(|| {
            self.in_order.push(id);
            self.rows.push(0);
            next
        });
        match Inline::new(bytes) {
            Some(key) => {
                let hasher = &self.hasher;
                let hash = hasher.hash_one(key);
                self.short.entry(hash, |(known, _)| *known == key, |(known, _)| hasher.hash_one(known)).or_insert((key, number));
            }
            None => {
                self.long.insert(bytes.into(), number);
            }
        }
        number
    }

    /// Ids ascending, and for each number the place of its id there.
    pub(crate) fn ranked(&self) -> (Vec<String>, Vec<u32>) {
        rank(&self.in_order.iter().map(|id| id.as_str().to_owned()).collect::<Vec<_>>())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &SubscriptionId> {
        self.in_order.iter()
    }
}

/// (category, unit) pairs in order of appearance.
#[derive(Debug, Default)]
pub(crate) struct SeriesNumbers {
    by_names: HashMap<OwnedPair, u32>,
    names: Vec<(String, String)>,
    /// Pairs as files spell them whose units are folded: their numbers, and how many of the folded
    /// unit one of the file's is.
    folded: HashMap<OwnedPair, (u32, u64)>,
}

impl SeriesNumbers {
    /// The number of a pair that came before.
    pub(crate) fn known(&self, category: &[u8], unit: &[u8]) -> Option<u32> {
        self.by_names.get(&BorrowedPair(category, unit)).copied()
    }

    pub(crate) fn number(&mut self, category: &str, unit: &str) -> u32 {
        let key = (category.as_bytes(), unit.as_bytes());
        if let Some(number) = self.known(key.0, key.1) {
            return number;
        }
        let next = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.by_names.insert((key.0.into(), key.1.into()), next);
        self.names.push((category.to_owned(), unit.to_owned()));
        next
    }

    /// The number of a pair that some file spelt like this before, and the block of its unit.
    pub(super) fn spelt(&self, category: &[u8], unit: &[u8], is_folded: bool) -> Option<(u32, u64)> {
        if is_folded {
            return self.folded.get(&BorrowedPair(category, unit)).copied();
        }
        self.known(category, unit).map(|number| (number, 1))
    }

    /// The same of a pair that no file spelt like this before.
    pub(super) fn spell(&mut self, category: &str, unit: &str, is_folded: bool) -> (u32, u64) {
        if !is_folded {
            return (self.number(category, unit), 1);
        }
        let Unit { name, block } = fold(unit);
        let number = self.number(category, &name);
        self.folded.insert((category.as_bytes().into(), unit.as_bytes().into()), (number, block));
        (number, block)
    }

    /// Pairs ascending, and for each number the place of its pair there.
    pub(crate) fn ranked(&self) -> (Vec<(String, String)>, Vec<u32>) {
        rank(&self.names)
    }
}

/// Category and unit as bytes.
type OwnedPair = (Box<[u8]>, Box<[u8]>);

/// Looks a pair up without owning it.
#[derive(Hash)]
struct BorrowedPair<'a>(&'a [u8], &'a [u8]);

impl hashbrown::Equivalent<OwnedPair> for BorrowedPair<'_> {
    fn equivalent(&self, key: &OwnedPair) -> bool {
        *self.0 == *key.0 && *self.1 == *key.1
    }
}

fn rank<T: Ord + Clone>(items: &[T]) -> (Vec<T>, Vec<u32>) {
    let mut order: Vec<u32> = (0..u32::try_from(items.len()).unwrap_or(u32::MAX)).collect();
    order.sort_by(|a, b| items[*a as usize].cmp(&items[*b as usize]));
    let mut places = vec![0; items.len()];
    for (place, number) in (0..).zip(&order) {
        places[*number as usize] = place;
    }
    (order.into_iter().map(|number| items[number as usize].clone()).collect(), places)
}

/// The columns of a spill file.
pub(crate) fn staged_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("subscription", DataType::UInt32, false),
        Field::new("on", DataType::Int32, false),
        Field::new("series", DataType::UInt32, false),
        Field::new("quantity", AMOUNT_TYPE, false),
        Field::new("cost", AMOUNT_TYPE, true),
    ]))
}

/// The rows of one month.
struct MonthStage {
    path: PathBuf,
    /// Rows that are in the file.
    rows: usize,
    writer: StreamWriter<BufWriter<File>>,
    subscription: Vec<u32>,
    on: Vec<i32>,
    series: Vec<u32>,
    quantity: Vec<i128>,
    cost: Vec<Option<i128>>,
}

impl std::fmt::Debug for MonthStage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MonthStage").field("path", &self.path).field("waiting", &self.on.len()).finish_non_exhaustive()
    }
}

impl MonthStage {
    fn create(path: PathBuf, schema: &SchemaRef) -> Result<Self, ImportError> {
        let file = File::create(&path).map_err(|source| io_error(&path, source))?;
        let writer = StreamWriter::try_new(BufWriter::new(file), schema).map_err(LakeError::from)?;
        Ok(Self { path, rows: 0, writer, subscription: vec![], on: vec![], series: vec![], quantity: vec![], cost: vec![] })
    }

    fn flush(&mut self, schema: &SchemaRef) -> Result<usize, ImportError> {
        let rows = self.on.len();
        if rows == 0 {
            return Ok(0);
        }
        let amounts = |values: &mut dyn Iterator<Item = Option<i128>>| -> ArrayRef {
            let mut builder = Decimal128Builder::with_capacity(rows).with_data_type(AMOUNT_TYPE);
            values.for_each(|value| builder.append_option(value));
            Arc::new(builder.finish())
        };
        let columns: Vec<ArrayRef> = vec![
            Arc::new(UInt32Array::from(std::mem::take(&mut self.subscription))),
            Arc::new(Int32Array::from(std::mem::take(&mut self.on))),
            Arc::new(UInt32Array::from(std::mem::take(&mut self.series))),
            amounts(&mut self.quantity.drain(..).map(Some)),
            amounts(&mut self.cost.drain(..)),
        ];
        let batch = RecordBatch::try_new(Arc::clone(schema), columns).map_err(LakeError::from)?;
        self.writer.write(&batch).map_err(LakeError::from)?;
        self.rows += rows;
        Ok(rows)
    }
}

/// A usage row as numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StagedRow {
    pub(crate) subscription: u32,
    pub(crate) on: Day,
    pub(crate) series: u32,
    pub(crate) quantity: Exact,
    pub(crate) cost: Option<Exact>,
}

/// Removes what a dead import left in its staging area.
pub(crate) fn clear(dir: &Path) -> Result<(), ImportError> {
    match std::fs::remove_dir_all(dir) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(io_error(dir, source)),
        _ => Ok(()),
    }
}

/// The spill files of an import.
#[derive(Debug)]
pub(crate) struct Staging {
    dir: PathBuf,
    prefix: &'static str,
    schema: SchemaRef,
    months: BTreeMap<Day, MonthStage>,
    waiting: usize,
    /// The month of the last row, so that rows in date order find theirs at once.
    last_month: Option<(Day, Day, Day)>,
    pub(crate) ids: Ids,
    pub(crate) series: SeriesNumbers,
}

/// The spill file of a month, ready to be read.
#[derive(Debug, Clone)]
pub(crate) struct StagedMonth {
    /// First day of the month.
    pub(crate) month: Day,
    pub(crate) path: PathBuf,
    pub(crate) rows: usize,
}

impl Staging {
    /// An empty staging area in `dir`, whose files begin with `prefix`.
    pub(crate) fn create(dir: &Path, prefix: &'static str) -> Result<Self, ImportError> {
        create_dirs(dir).map_err(|source| io_error(dir, source))?;
        Ok(Self {
            dir: dir.to_path_buf(),
            prefix,
            schema: staged_schema(),
            months: BTreeMap::new(),
            waiting: 0,
            last_month: None,
            ids: Ids::default(),
            series: SeriesNumbers::default(),
        })
    }

    fn month_of(&mut self, on: Day) -> Day {
        match self.last_month {
            Some((month, first, next)) if first <= on && on < next => month,
            _ => {
                let month = on.month_start();
                self.last_month = Some((month, month, month.plus_months(1)));
                month
            }
        }
    }

    pub(crate) fn push(&mut self, row: StagedRow) -> Result<(), ImportError> {
        let month = self.month_of(row.on);
        if !self.months.contains_key(&month) {
            let path = self.dir.join(format!("{}-{month}.arrow", self.prefix));
            self.months.insert(month, MonthStage::create(path, &self.schema)?);
        }
        let Some(stage) = self.months.get_mut(&month) else { return Ok(()) };
        stage.subscription.push(row.subscription);
        stage.on.push(row.on.epoch_days());
        stage.series.push(row.series);
        stage.quantity.push(row.quantity.attos());
        stage.cost.push(row.cost.map(Exact::attos));
        self.ids.rows[row.subscription as usize] += 1;
        self.waiting += 1;
        if stage.on.len() == BATCH_ROWS {
            self.waiting -= stage.flush(&self.schema)?;
        } else if self.waiting >= WAITING_MAX_ROWS {
            for stage in self.months.values_mut() {
                stage.flush(&self.schema)?;
            }
            self.waiting = 0;
        }
        Ok(())
    }

    /// Whether no row was staged.
    pub(crate) fn is_empty(&self) -> bool {
        self.months.is_empty()
    }

    /// Usage rows of a subscription.
    pub(crate) fn rows_of(&self, id: &SubscriptionId) -> u64 {
        self.ids.by_id.get(id).map_or(0, |number| self.ids.rows[*number as usize])
    }

    /// Ends the writing; the months ascending.
    pub(crate) fn seal(&mut self) -> Result<Vec<StagedMonth>, ImportError> {
        let mut sealed = Vec::new();
        for (month, mut stage) in std::mem::take(&mut self.months) {
            stage.flush(&self.schema)?;
            stage.writer.finish().map_err(LakeError::from)?;
            sealed.push(StagedMonth { month, path: stage.path, rows: stage.rows });
        }
        Ok(sealed)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What stays behind is cleared by the next import.
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// The batches of a spill file.
pub(crate) fn read_staged(path: &Path) -> Result<StreamReader<BufReader<File>>, LakeError> {
    let file = File::open(path).map_err(|source| LakeError::io(path, source))?;
    Ok(StreamReader::try_new_buffered(file, None)?)
}
