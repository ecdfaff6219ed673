//! What must be true of the rows of one file.

use std::collections::BTreeMap;

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{Date32Type, Int64Type};

use crate::domain::{Day, SubscriptionId};
use crate::lake::data_file::DataFile;
use crate::lake::imports::ImportRecord;
use crate::lake::parquet::Columns;
use crate::lake::schema::Table;
use crate::lake::tables::{LakeError, Snapshot};
use crate::lake::usage::dictionary;

/// What one file holds, and what is wrong with it.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) rows: u64,
    /// The last day with a row of usage, and the last with a quantity above 0.
    pub(super) last_day: Option<Day>,
    pub(super) last_used: Option<Day>,
    breaches: BTreeMap<&'static str, (u64, String)>,
}

impl Seen {
    /// A row that breaks a rule.
    fn breach(&mut self, rule: &'static str, row: &dyn Fn() -> String) {
        self.breaches.entry(rule).or_insert_with(|| (0, row())).0 += 1;
    }

    /// The broken rules, a sentence each.
    pub(super) fn told(&self) -> impl Iterator<Item = String> {
        self.breaches.iter().map(|(rule, (rows, first))| match rows {
            1 => format!("{rule}: {first}"),
            rows => format!("{rule}, in {rows} rows, the first of them: {first}"),
        })
    }
}

/// Whether an id stands as it is compared.
fn is_canonical(id: &str) -> bool {
    SubscriptionId::parse(id).is_ok_and(|parsed| parsed.as_str() == id)
}

const OUT_OF_ORDER: &str = "a key that does not come after the one before it";
const NOT_CANONICAL: &str = "an id that is not in its canonical form";
const NEGATIVE: &str = "a negative quantity";
const OTHER_MONTH: &str = "a day outside the file's month";
const BLANK: &str = "a category or a unit that is empty or not trimmed";

/// The key of a row of usage.
type UsageKey<'a> = (&'a str, i32, &'a str, &'a str);

/// Checks the rows of a file of `usage_daily`.
pub(super) fn usage(file: &DataFile) -> Result<Seen, LakeError> {
    let month = file.month.as_ref().and_then(|month| Day::parse(&format!("{month}-01")).ok());
    let days = month.map(|first| first.epoch_days()..first.plus_months(1).epoch_days());
    let mut seen = Seen::default();
    let mut last: Option<(String, i32, String, String)> = None;
    for batch in file.read(None)? {
        let batch = batch?;
        let rows = UsageRows::of(&batch)?;
        let mut before = last.as_ref().map(|(id, day, category, unit)| (id.as_str(), *day, category.as_str(), unit.as_str()));
        for at in 0..batch.num_rows() {
            let key @ (id, day, category, unit) = rows.key(at);
            let told = || format!("subscription {id} on {}, category `{category}`, unit `{unit}`", Day::from_epoch_days(day));
            if before.is_some_and(|before| before >= key) {
                seen.breach(OUT_OF_ORDER, &told);
            }
            if before.is_none_or(|(before, ..)| before != id) && !is_canonical(id) {
                seen.breach(NOT_CANONICAL, &told);
            }
            if [category, unit].iter().any(|text| text.is_empty() || text.trim_ascii().len() != text.len()) {
                seen.breach(BLANK, &told);
            }
            if days.as_ref().is_none_or(|days| !days.contains(&day)) {
                seen.breach(OTHER_MONTH, &told);
            }
            let quantity = rows.quantity[at];
            if quantity < 0 {
                seen.breach(NEGATIVE, &told);
            }
            let on = Some(Day::from_epoch_days(day));
            seen.last_day = seen.last_day.max(on);
            seen.last_used = if quantity > 0 { seen.last_used.max(on) } else { seen.last_used };
            before = Some(key);
        }
        seen.rows += batch.num_rows() as u64;
        last = before.map(|(id, day, category, unit)| (id.to_owned(), day, category.to_owned(), unit.to_owned()));
    }
    Ok(seen)
}

/// The columns of a batch of usage.
struct UsageRows<'a> {
    texts: [(&'a [i32], &'a datafusion::arrow::array::StringArray); 3],
    on: &'a [i32],
    quantity: &'a [i64],
}

impl<'a> UsageRows<'a> {
    fn of(batch: &'a RecordBatch) -> Result<Self, LakeError> {
        let text = |name: &str| -> Result<_, LakeError> {
            let column = dictionary(batch, name)?;
            let values = column.values().as_string_opt::<i32>().ok_or_else(|| Columns::wrong_type(name))?;
            Ok((column.keys().values().as_ref(), values))
        };
        let column = |name: &str| batch.column_by_name(name).filter(|column| column.null_count() == 0);
        let on = column("on").and_then(|column| column.as_primitive_opt::<Date32Type>()).ok_or_else(|| Columns::wrong_type("on"))?;
        let quantity = column("quantity_micros").and_then(|column| column.as_primitive_opt::<Int64Type>());
        let quantity = quantity.ok_or_else(|| Columns::wrong_type("quantity_micros"))?;
        Ok(Self { texts: [text("subscription_id")?, text("category")?, text("unit")?], on: on.values(), quantity: quantity.values() })
    }

    fn key(&self, at: usize) -> UsageKey<'a> {
        let [id, category, unit] = self.texts.map(|(keys, values)| values.value(usize::try_from(keys[at]).unwrap_or(0)));
        (id, self.on[at], category, unit)
    }
}

/// The columns of a table that hold ids; the first is its key where `KEYED` says so.
const fn id_columns(table: Table) -> &'static [&'static str] {
    match table {
        Table::Customers => &["customer_id"],
        Table::Subscriptions => &["subscription_id", "customer_id"],
        Table::Commitments => &["commitment_id", "subscription_id", "customer_id"],
        Table::Feedback => &["feedback_id", "subscription_id"],
        Table::Lifecycle | Table::Scores | Table::UsageDaily | Table::UsageMonthly => &["subscription_id"],
        Table::Imports => &[],
    }
}

/// The tables whose key is one id.
const KEYED: [Table; 3] = [Table::Customers, Table::Subscriptions, Table::Commitments];

/// Checks the ids of a file of a table without dictionaries, and that they ascend where they are
/// the key. Counts its rows.
pub(super) fn ids(file: &DataFile) -> Result<Seen, LakeError> {
    let (names, is_keyed) = (id_columns(file.table), KEYED.contains(&file.table));
    let mut seen = Seen::default();
    let mut last: Option<String> = None;
    for batch in file.read(None)? {
        let columns = Columns::new(batch?);
        for row in 0..columns.rows() {
            for name in names {
                if let Some(id) = columns.text_at(name, row)?
                    && !is_canonical(id)
                {
                    seen.breach(NOT_CANONICAL, &|| format!("{name} `{id}`"));
                }
            }
            if is_keyed {
                let key = columns.text_at(names[0], row)?.unwrap_or_default();
                if last.as_ref().is_some_and(|last| last.as_str() >= key) {
                    seen.breach(OUT_OF_ORDER, &|| format!("{} `{key}`", names[0]));
                }
                last = Some(key.to_owned());
            }
        }
        seen.rows += columns.rows() as u64;
    }
    Ok(seen)
}

/// Checks that the rows of a file of a small table are what an import writes: ids, and every row as
/// the domain's.
pub(super) fn small(file: &DataFile, record: &ImportRecord) -> Result<Seen, LakeError> {
    let mut seen = ids(file)?;
    let alone = Snapshot { record: record.clone(), files: BTreeMap::from([(file.table, vec![file.clone()])]) };
    match file.table {
        Table::Customers => drop(alone.customers()?),
        Table::Subscriptions => drop(alone.subscriptions()?),
        Table::Lifecycle => {
            let rows = alone.lifecycle()?;
            for pair in rows.windows(2) {
                let key = |at: usize| (&pair[at].0, pair[at].1.on, pair[at].1.kind);
                if key(0) >= key(1) {
                    seen.breach(OUT_OF_ORDER, &|| format!("subscription {} {} on {}", pair[1].0, pair[1].1.kind, pair[1].1.on));
                }
            }
        }
        Table::Commitments => {
            for row in alone.commitments()? {
                if row.quantity.is_some_and(|quantity| quantity.0 < 0) {
                    seen.breach(NEGATIVE, &|| format!("commitment {}", row.commitment_id));
                }
            }
        }
        Table::UsageDaily | Table::UsageMonthly | Table::Imports | Table::Feedback | Table::Scores => {}
    }
    Ok(seen)
}
