//! Reading the tables of a snapshot as rows of the domain; usage as plain columns, so that a
//! portfolio can be filled without knowing how tables are stored.

use std::collections::{BTreeSet, HashMap};

use datafusion::arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, RecordBatch};
use datafusion::arrow::datatypes::{Date32Type, Int32Type, Int64Type};
use datafusion::arrow::error::ArrowError;

use super::data_file::DataFile;
use super::parquet::Columns;
use super::schema::Table;
use super::tables::{LakeError, Snapshot};
use crate::domain::{CommitmentId, CommitmentRow, CustomerId, CustomerRow, Day, Event, EventKind, SubscriptionId, SubscriptionRow};

/// Which columns of `usage_daily` a scan decodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageColumns {
    /// Subscription, day and quantity: enough to count rows and find the last usage day.
    Days,
    All,
}

/// Consecutive rows of one subscription.
#[derive(Debug, Clone, Copy)]
pub struct UsageRun<'a> {
    pub subscription: &'a str,
    /// The rows' place in the columns of the chunk.
    pub from: usize,
    pub to: usize,
}

/// Some rows of `usage_daily`, ascending by subscription and day within a month.
#[derive(Debug)]
pub struct UsageChunk<'a> {
    /// Days since 1970-01-01.
    pub day: &'a [i32],
    /// Micro-units.
    pub quantity: &'a [i64],
    /// Micro-units; none for a row without cost. Empty for [`UsageColumns::Days`].
    pub cost: Vec<Option<i64>>,
    /// Place of the row's (category, unit) in `series_names`. Empty for [`UsageColumns::Days`].
    pub series: Vec<u32>,
    /// Every (category, unit) seen so far in the scan.
    pub series_names: &'a [(String, String)],
    pub runs: Vec<UsageRun<'a>>,
}

fn damaged(table: Table, reason: impl std::fmt::Display) -> LakeError {
    ArrowError::ParseError(format!("{}: {reason}", table.name())).into()
}

impl Snapshot {
    fn rows<T>(&self, table: Table, read: impl Fn(&Columns, usize) -> Result<T, LakeError>) -> Result<Vec<T>, LakeError> {
        let mut rows = Vec::new();
        for file in self.files(table) {
            for batch in file.read(None)? {
                let columns = Columns::new(batch?);
                for row in 0..columns.rows() {
                    rows.push(read(&columns, row)?);
                }
            }
        }
        Ok(rows)
    }

    /// The rows of `customers`.
    ///
    /// # Errors
    /// Where a file cannot be read or holds what no import writes.
    pub fn customers(&self) -> Result<Vec<CustomerRow>, LakeError> {
        self.rows(Table::Customers, |columns, row| {
            let id = columns.text("customer_id", row)?.unwrap_or_default();
            Ok(CustomerRow {
                customer_id: CustomerId::parse(&id).map_err(|error| damaged(Table::Customers, error))?,
                name: columns.text("name", row)?,
                country: columns.text("country", row)?,
                segment: columns.text("segment", row)?,
                reseller_id: columns.text("reseller_id", row)?,
                reseller_name: columns.text("reseller_name", row)?,
                told_on: columns.later_day("told_on", row)?,
            })
        })
    }

    /// The rows of `subscriptions`.
    ///
    /// # Errors
    /// Where a file cannot be read or holds what no import writes.
    pub fn subscriptions(&self) -> Result<Vec<SubscriptionRow>, LakeError> {
        let table = Table::Subscriptions;
        self.rows(table, |columns, row| {
            let id = columns.text("subscription_id", row)?.unwrap_or_default();
            let customer = columns.text("customer_id", row)?.unwrap_or_default();
            Ok(SubscriptionRow {
                subscription_id: SubscriptionId::parse(&id).map_err(|error| damaged(table, error))?,
                customer_id: CustomerId::parse(&customer).map_err(|error| damaged(table, error))?,
                name: columns.text("name", row)?,
                product: columns.text("product", row)?,
                created_on: columns.day("created_on", row)?,
                auto_renew: columns.flag("auto_renew", row)?,
                term_end_on: columns.day("term_end_on", row)?,
                is_trial: columns.flag("is_trial", row)?,
                status: columns.text("status", row)?,
                status_on: columns.day("status_on", row)?,
                vendor_level: columns.later_text("vendor_level", row)?,
                vendor_level_on: columns.later_day("vendor_level_on", row)?,
                told_on: columns.later_day("told_on", row)?,
            })
        })
    }

    /// The rows of `lifecycle`.
    ///
    /// # Errors
    /// Where a file cannot be read or holds what no import writes.
    pub fn lifecycle(&self) -> Result<Vec<(SubscriptionId, Event)>, LakeError> {
        Ok(self.noted_lifecycle()?.into_iter().map(|(id, event, _)| (id, event)).collect())
    }

    /// The same, each with whether its day is that of an export alone.
    ///
    /// # Errors
    /// As [`Snapshot::lifecycle`].
    pub fn noted_lifecycle(&self) -> Result<Vec<(SubscriptionId, Event, bool)>, LakeError> {
        let table = Table::Lifecycle;
        self.rows(table, |columns, row| {
            let id = columns.text("subscription_id", row)?.unwrap_or_default();
            let kind: EventKind = columns.text("event", row)?.unwrap_or_default().parse().map_err(|error| damaged(table, error))?;
            let on = columns.day("on", row)?.ok_or_else(|| damaged(table, "an event without a day"))?;
            let id = SubscriptionId::parse(&id).map_err(|error| damaged(table, error))?;
            let is_observed = columns.later_flag("observed", row)?.unwrap_or(false);
            Ok((id, Event { on, kind, reason: columns.text("reason", row)? }, is_observed))
        })
    }

    /// The rows of `commitments`.
    ///
    /// # Errors
    /// Where a file cannot be read or holds what no import writes.
    pub fn commitments(&self) -> Result<Vec<CommitmentRow>, LakeError> {
        let table = Table::Commitments;
        self.rows(table, |columns, row| {
            let id = columns.text("commitment_id", row)?.unwrap_or_default();
            let subscription = columns.text("subscription_id", row)?.map(|id| SubscriptionId::parse(&id)).transpose();
            let customer = columns.text("customer_id", row)?.map(|id| CustomerId::parse(&id)).transpose();
            Ok(CommitmentRow {
                commitment_id: CommitmentId::parse(&id).map_err(|error| damaged(table, error))?,
                subscription_id: subscription.map_err(|error| damaged(table, error))?,
                customer_id: customer.map_err(|error| damaged(table, error))?,
                product: columns.text("product", row)?,
                kind: columns.text("kind", row)?.unwrap_or_default().parse().map_err(|error| damaged(table, error))?,
                quantity: columns.micros("quantity_micros", row)?,
                ends_on: columns.day("ends_on", row)?,
            })
        })
    }

    /// Every (category, unit) of `usage_daily`.
    ///
    /// # Errors
    /// Where a file cannot be read.
    pub fn series(&self) -> Result<BTreeSet<(String, String)>, LakeError> {
        let files = self.files(Table::UsageDaily).iter();
        files.map(series_of).try_fold(BTreeSet::new(), |mut all, names| {
            all.extend(names?);
            Ok(all)
        })
    }

    /// Gives every row of `usage_daily` to `visit`, months ascending, within a month by
    /// subscription, day, category and unit. Memory is one batch.
    ///
    /// # Errors
    /// Where a file cannot be read, and what `visit` returns.
    pub fn scan_usage<E: From<LakeError>>(
        &self,
        which: UsageColumns,
        visit: impl FnMut(&UsageChunk<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.scan(Table::UsageDaily, which, visit)
    }

    /// The same of `usage_monthly`, whose days are the first of their months.
    ///
    /// # Errors
    /// Where a file cannot be read, and what `visit` returns.
    pub fn scan_monthly_usage<E: From<LakeError>>(&self, visit: impl FnMut(&UsageChunk<'_>) -> Result<(), E>) -> Result<(), E> {
        self.scan(Table::UsageMonthly, UsageColumns::All, visit)
    }

    fn scan<E: From<LakeError>>(
        &self,
        table: Table,
        which: UsageColumns,
        mut visit: impl FnMut(&UsageChunk<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut names = SeriesNames::default();
        let columns: Option<&[&str]> = match which {
            UsageColumns::Days => Some(&["subscription_id", "on", "quantity_micros"]),
            UsageColumns::All => None,
        };
        for file in self.files(table) {
            for batch in file.read(columns)? {
                let batch = batch?;
                let series = if which == UsageColumns::All { names.series(&batch)? } else { Vec::new() };
                visit(&chunk(&batch, series, &names.names, which)?)?;
            }
        }
        Ok(())
    }
}

/// Every (category, unit) in a file of `usage_daily`.
pub(crate) fn series_of(file: &DataFile) -> Result<Vec<(String, String)>, LakeError> {
    let mut names = SeriesNames::default();
    for batch in file.read(Some(&["category", "unit"]))? {
        names.series(&batch?)?;
    }
    Ok(names.names)
}

/// The days of a batch of `usage_daily`; with `used`, those of rows with a quantity above 0.
pub(crate) fn days(batch: &RecordBatch, used: bool) -> Result<impl Iterator<Item = Day>, LakeError> {
    let missing = |name: &str| damaged(Table::UsageDaily, format!("no column `{name}`"));
    let column = batch.column_by_name("on").and_then(|column| column.as_primitive_opt::<Date32Type>());
    let column = column.ok_or_else(|| missing("on"))?.values().clone();
    let quantity = if used {
        let column = batch.column_by_name("quantity_micros").and_then(|column| column.as_primitive_opt::<Int64Type>());
        Some(column.ok_or_else(|| missing("quantity_micros"))?.values().clone())
    } else {
        None
    };
    let counts = move |row: &usize| quantity.as_ref().is_none_or(|quantity| quantity[*row] > 0);
    Ok((0..column.len()).filter(counts).map(move |row| Day::from_epoch_days(column[row])))
}

/// (category, unit) pairs in order of appearance.
#[derive(Debug, Default)]
struct SeriesNames {
    names: Vec<(String, String)>,
    numbers: HashMap<(String, String), u32>,
}

impl SeriesNames {
    /// The number of each row's (category, unit).
    fn series(&mut self, batch: &RecordBatch) -> Result<Vec<u32>, LakeError> {
        let (category, unit) = (dictionary(batch, "category")?, dictionary(batch, "unit")?);
        let (categories, units) = (category.values().as_string::<i32>(), unit.values().as_string::<i32>());
        let mut known = vec![None; categories.len() * units.len()];
        let mut series = Vec::with_capacity(batch.num_rows());
        for (category, unit) in category.keys().values().iter().zip(unit.keys().values()) {
            let (category, unit) = (usize::try_from(*category).unwrap_or(0), usize::try_from(*unit).unwrap_or(0));
            let slot = &mut known[category * units.len() + unit];
            let number = match *slot {
                Some(number) => number,
                None => *slot.insert(self.number(categories.value(category), units.value(unit))),
            };
            series.push(number);
        }
        Ok(series)
    }

    fn number(&mut self, category: &str, unit: &str) -> u32 {
        let key = (category.to_owned(), unit.to_owned());
        let next = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        *self.numbers.entry(key.clone()).or_insert_with(|| {
            self.names.push(key);
            next
        })
    }
}

pub(crate) fn dictionary<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a DictionaryArray<Int32Type>, LakeError> {
    let column = batch.column_by_name(name).and_then(|column| column.as_dictionary_opt::<Int32Type>());
    column.ok_or_else(|| damaged(Table::UsageDaily, format!("no dictionary column `{name}`")))
}

fn chunk<'a>(
    batch: &'a RecordBatch,
    series: Vec<u32>,
    series_names: &'a [(String, String)],
    which: UsageColumns,
) -> Result<UsageChunk<'a>, LakeError> {
    let missing = |name: &str| damaged(Table::UsageDaily, format!("no column `{name}`"));
    let column = |name: &str| -> Result<&'a ArrayRef, LakeError> { batch.column_by_name(name).ok_or_else(|| missing(name)) };
    let day = column("on")?.as_primitive_opt::<Date32Type>().ok_or_else(|| missing("on"))?;
    let quantity = column("quantity_micros")?.as_primitive_opt::<Int64Type>().ok_or_else(|| missing("quantity_micros"))?;
    let cost = match which {
        UsageColumns::Days => Vec::new(),
        UsageColumns::All => column("cost_micros")?.as_primitive_opt::<Int64Type>().ok_or_else(|| missing("cost_micros"))?.iter().collect(),
    };
    let ids = dictionary(batch, "subscription_id")?;
    let values = ids.values().as_string::<i32>();
    let keys = ids.keys().values();
    let mut runs = Vec::new();
    let mut from = 0;
    while from < keys.len() {
        let to = from + keys[from..].iter().take_while(|key| **key == keys[from]).count();
        let subscription = values.value(usize::try_from(keys[from]).unwrap_or(0));
        runs.push(UsageRun { subscription, from, to });
        from = to;
    }
    Ok(UsageChunk { day: day.values(), quantity: quantity.values(), cost, series, series_names, runs })
}

/// The day of a `UsageChunk` entry.
impl UsageChunk<'_> {
    /// The days of some rows.
    pub fn days(&self, run: UsageRun<'_>) -> impl Iterator<Item = Day> {
        self.day[run.from..run.to].iter().map(|day| Day::from_epoch_days(*day))
    }
}
