//! The rows of an import in memory: the small tables as rows by key, usage as numbers on disk.

use std::borrow::Cow;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::ImportError;
use super::discover::InputFile;
use super::focus::subscription_of;
use super::insights::Monthly;
use super::money::Money;
use super::numbers::Inline;
use super::rejects::{Kind, Refusal, Rejects};
use super::row::{Fault, Row};
use super::source::{Literal, Place, read_rows};
use super::staging::{StagedRow, Staging};
use super::states::{Observation, Observations};
use super::taken::TakenRows;
use super::told::{NameColumns, Told};
use crate::domain::{
    CommitmentId, CommitmentKind, CommitmentRow, CustomerId, CustomerRow, Day, DayError, Exact, IdError, SubscriptionId, SubscriptionRow,
};
use crate::lake::schema::Table;
use crate::lake::small::Events;
use crate::progress::Stage;

/// Where a row stands: the number of its file, and its place there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct At {
    pub(super) file: usize,
    pub(super) place: Place,
}

/// What an operator says of an import beside its files.
#[derive(Debug, Clone, Copy)]
pub(super) struct Days {
    /// The operator's day: nothing has happened after tomorrow.
    pub(super) today: Day,
    /// The day of exports that do not say theirs.
    pub(super) exported_on: Day,
}

/// Whom the exports of one source showed.
#[derive(Debug, Default)]
pub(super) struct Export {
    /// Whether it is of all subscriptions of the partner; otherwise it is of its customers alone.
    pub(super) is_whole: bool,
    pub(super) subscriptions: BTreeSet<SubscriptionId>,
    pub(super) customers: BTreeSet<CustomerId>,
}

/// What the files held.
#[derive(Debug)]
pub(super) struct Intake {
    pub(super) days_told: Days,
    pub(super) cost_basis: super::CostBasis,
    pub(super) customers: TakenRows<CustomerId, CustomerRow>,
    pub(super) subscriptions: TakenRows<SubscriptionId, SubscriptionRow>,
    pub(super) lifecycle: BTreeMap<SubscriptionId, Events>,
    pub(super) commitments: TakenRows<CommitmentId, CommitmentRow>,
    /// Reservations and savings plans that rows of usage name, without an end.
    pub(super) benefits: BTreeMap<CommitmentId, CommitmentRow>,
    pub(super) told: Told,
    pub(super) observations: Observations,
    /// The latest month of each subscription whose rows come by the month.
    latest: BTreeMap<SubscriptionId, Monthly>,
    /// Whom the exports of subscriptions showed, by source.
    pub(super) exports: BTreeMap<&'static str, Export>,
    pub(super) usage: Stagings,
    pub(super) money: Money,
    pub(super) rejects: Rejects,
    /// Rows that are read and rightly in no table, by file and reason.
    pub(super) set_aside: BTreeMap<(usize, String), u64>,
    /// What is remarkable of rows that were kept, by file.
    pub(super) remarks: BTreeMap<(usize, &'static str), u64>,
    /// Days with a usage row, by source.
    pub(super) source_days: BTreeMap<&'static str, BTreeSet<Day>>,
    last_day: Option<(usize, Day)>,
    /// The day of the last usage row as its file spells it: files come in date order.
    last_spelling: (Vec<u8>, Option<Day>),
    /// Usage rows whose subscription waits to be looked up with others.
    pending: Vec<PendingRow>,
    numbers: Vec<Option<u32>>,
    source: &'static str,
}

/// A usage row but for the number of its subscription.
#[derive(Debug)]
struct PendingRow {
    at: At,
    id: Inline,
    row: StagedRow,
    grain: Grain,
}

/// Reasons that are told apart, and how long each may be: a file can have any text in a column.
const REASONS_MAX: usize = 256;
const REASON_MAX_CHARS: usize = 60;

/// Rows that are looked up together: their 8 KiB stay in the first-level cache.
const PENDING_MAX_ROWS: usize = 64;

/// Whether usage is told by the day or by the month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grain {
    Day,
    Month,
}

/// The category and the unit of usage that names none.
pub(super) const UNKNOWN: &str = "unknown";

impl Grain {
    /// The table of such usage.
    pub(super) const fn table(self) -> Table {
        match self {
            Self::Day => Table::UsageDaily,
            Self::Month => Table::UsageMonthly,
        }
    }
}

/// Usage rows on their way to their tables.
#[derive(Debug)]
pub(super) struct Stagings {
    pub(super) daily: Staging,
    pub(super) monthly: Staging,
}

impl Stagings {
    pub(super) fn create(dir: &Path) -> Result<Self, ImportError> {
        Ok(Self { daily: Staging::create(dir, "daily")?, monthly: Staging::create(dir, "monthly")? })
    }

    pub(super) const fn of(&mut self, grain: Grain) -> &mut Staging {
        match grain {
            Grain::Day => &mut self.daily,
            Grain::Month => &mut self.monthly,
        }
    }
}

/// Where the parts of a usage row stand in a form, and how the source means them.
#[derive(Debug, Clone, Copy)]
pub(super) struct UsageColumns {
    pub(super) subscription: usize,
    pub(super) on: usize,
    pub(super) category: usize,
    pub(super) unit: usize,
    pub(super) quantity: usize,
    /// The category and the unit of a row that has none; without it such a row is refused.
    pub(super) otherwise: Option<&'static str>,
    /// Whether the unit is one of Microsoft's pricing units, with a block size in it (`units.rs`).
    pub(super) is_unit_folded: bool,
    pub(super) grain: Grain,
}

/// Rows of one file.
#[derive(Debug, Clone, Default)]
pub(super) struct Counts {
    pub(super) read: u64,
    pub(super) first: Option<Day>,
    pub(super) last: Option<Day>,
    /// Quotes that were read as text.
    pub(super) literal: Option<Literal>,
}

impl Intake {
    pub(super) fn new(days_told: Days, cost_basis: super::CostBasis, usage: Stagings, money: Money, rejects: Rejects) -> Self {
        Self {
            days_told,
            cost_basis,
            customers: TakenRows::default(),
            subscriptions: TakenRows::default(),
            lifecycle: BTreeMap::new(),
            commitments: TakenRows::default(),
            benefits: BTreeMap::new(),
            told: Told::default(),
            observations: Observations::new(),
            latest: BTreeMap::new(),
            exports: BTreeMap::new(),
            usage,
            money,
            rejects,
            set_aside: BTreeMap::new(),
            remarks: BTreeMap::new(),
            source_days: BTreeMap::new(),
            last_day: None,
            last_spelling: (Vec::new(), None),
            pending: Vec::with_capacity(PENDING_MAX_ROWS),
            numbers: Vec::with_capacity(PENDING_MAX_ROWS),
            source: "",
        }
    }

    /// Reads file number `number`.
    pub(super) fn read(&mut self, number: usize, file: &InputFile, stage: &Stage) -> Result<Counts, ImportError> {
        let mut counts = Counts::default();
        self.source = file.form.source;
        self.last_day = None;
        self.last_spelling = (Vec::new(), None);
        let literal = read_rows(file, stage, |place, seen| {
            counts.read += 1;
            let at = At { file: number, place };
            let row = seen.map_err(|reason| Refusal { kind: Kind::Object, column: String::new(), value: String::new(), reason });
            let row = row.and_then(|cells| Row::new(cells, &file.columns)).map_err(Fault::from);
            let taken = row.and_then(|row| file.reader.row(file.form, &row, at, self));
            match taken {
                Ok(()) => {
                    if let Some((_, on)) = self.last_day {
                        counts.first = Some(counts.first.map_or(on, |first| first.min(on)));
                        counts.last = counts.last.max(Some(on));
                    }
                    Ok(())
                }
                Err(Fault::Row(refusal)) => self.rejects.push(at, refusal),
                Err(Fault::Import(error)) => Err(*error),
            }
        })?;
        counts.literal = literal;
        self.look_up()?;
        Ok(counts)
    }

    /// Notes that a row was read and is rightly in no table, for what it has in a column.
    pub(super) fn set_aside(&mut self, row: &Row<'_>, at: At, column: usize) {
        let value = row.bytes(column).unwrap_or_default();
        let value: String = String::from_utf8_lossy(&value).chars().take(REASON_MAX_CHARS).collect();
        let name = row.columns().name(column);
        let mut key = (at.file, format!("{name}={value}"));
        if self.set_aside.len() >= REASONS_MAX && !self.set_aside.contains_key(&key) {
            key.1 = format!("{name} of other values");
        }
        *self.set_aside.entry(key).or_default() += 1;
    }

    /// Notes what is remarkable of a row that is kept.
    pub(super) fn remark(&mut self, at: At, remark: &'static str) {
        *self.remarks.entry((at.file, remark)).or_default() += 1;
    }

    /// Notes a reservation or savings plan that a row of usage names. Of several names the greatest is
    /// kept, so that the order of rows does not matter.
    pub(super) fn benefit(&mut self, id: CommitmentId, kind: CommitmentKind, product: Option<String>) {
        let subscription_id = subscription_of(id.as_str()).ok().flatten();
        let bare = CommitmentRow {
            commitment_id: id.clone(),
            subscription_id,
            customer_id: None,
            product: None,
            kind,
            quantity: None,
            ends_on: None,
        };
        let known = self.benefits.entry(id).or_insert(bare);
        known.kind = known.kind.max(kind);
        known.product = known.product.take().max(product);
    }

    /// Notes what an export shows of a subscription.
    pub(super) fn observe(&mut self, id: SubscriptionId, observation: Observation) {
        self.observations.entry(id).or_default().push(observation);
    }

    /// Notes what a row of a month says; of the months of a subscription the latest speaks.
    pub(super) fn monthly_row(&mut self, row: Monthly) {
        match self.latest.entry(row.subscription_id().clone()) {
            Entry::Vacant(place) => {
                place.insert(row);
            }
            Entry::Occupied(mut place) => {
                if *place.get() < row {
                    place.insert(row);
                }
            }
        }
    }

    /// Tells what the latest months say.
    pub(super) fn tell_latest(&mut self) {
        for row in std::mem::take(&mut self.latest).into_values() {
            row.tell(self);
        }
    }

    /// Notes that an export that should have all subscriptions, of the partner or of one customer,
    /// has this one.
    pub(super) fn shown(&mut self, row: &SubscriptionRow, is_whole: bool) {
        let export = self.exports.entry(self.source).or_default();
        export.is_whole |= is_whole;
        export.subscriptions.insert(row.subscription_id.clone());
        export.customers.insert(row.customer_id.clone());
    }

    /// Takes one usage row in. `read_day` reads the source's dates; `cost` is looked at last,
    /// since it may end the import.
    pub(super) fn usage(
        &mut self,
        row: &Row<'_>,
        at: At,
        columns: &UsageColumns,
        read_day: fn(&str) -> Result<Day, DayError>,
        (names, id): (Option<&NameColumns>, Cow<'_, [u8]>),
        cost: impl FnOnce(&mut Money, &Row<'_>) -> Result<Option<Exact>, Refusal>,
    ) -> Result<(), Fault> {
        let on = self.usage_day(row, columns, read_day)?;
        let quantity = row.quantity(columns.quantity)?;
        let cost = cost(&mut self.money, row);
        if let Some(error) = self.money.take_failure() {
            return Err(error.into());
        }
        let cost = cost?;
        let (series, block) = self.series(row, columns)?;
        let quantity = match block {
            1 => quantity,
            block => quantity.times_whole(block).ok_or_else(|| {
                let value = row.required(columns.quantity).unwrap_or_default();
                row.refuse(
                    columns.quantity,
                    Kind::Number,
                    &value,
                    format!("in single units, of which its unit is {block}, it is beyond 9,000,000,000,000"),
                )
            })?,
        };
        if let Some(names) = names {
            self.told.names(row, &id, on, names)?;
        }
        self.number(row, at, columns, &id, StagedRow { subscription: 0, on, series, quantity, cost })?;
        if self.last_day.map(|(_, day)| day) != Some(on) {
            if columns.grain == Grain::Day {
                self.source_days.entry(self.source).or_default().insert(on);
            }
            self.last_day = Some((at.file, on));
        }
        Ok(())
    }

    /// The number of the row's (category, unit), and how many of it one of the unit is. Cells spelt
    /// as in an earlier row are known by their bytes.
    fn series(&mut self, row: &Row<'_>, columns: &UsageColumns) -> Result<(u32, u64), Refusal> {
        let (category, unit) = (row.bytes(columns.category), row.bytes(columns.unit));
        let otherwise = columns.otherwise.map(str::as_bytes).unwrap_or_default();
        let (category, unit) = (category.as_deref().unwrap_or(otherwise), unit.as_deref().unwrap_or(otherwise));
        let series = &mut self.usage.of(columns.grain).series;
        if let Some(known) = series.spelt(category, unit, columns.is_unit_folded) {
            return Ok(known);
        }
        let text = |column: usize| match (row.text(column)?, columns.otherwise) {
            (None, Some(otherwise)) => Ok(Cow::Borrowed(otherwise)),
            _ => row.required(column),
        };
        Ok(series.spell(&text(columns.category)?, &text(columns.unit)?, columns.is_unit_folded))
    }

    /// Finds the number of the subscription. An id of common length is looked up later with
    /// others.
    fn number(&mut self, row: &Row<'_>, at: At, columns: &UsageColumns, id: &[u8], staged: StagedRow) -> Result<(), Fault> {
        // Printable ASCII is always an id, so that the later look-up cannot refuse the row.
        let short = Inline::new(id).filter(|id| !id.bytes().is_empty() && id.is_plain());
        if let Some(id) = short {
            self.pending.push(PendingRow { at, id, row: staged, grain: columns.grain });
            return if self.pending.len() == PENDING_MAX_ROWS { self.look_up().map_err(Fault::from) } else { Ok(()) };
        }
        let staging = self.usage.of(columns.grain);
        let subscription = if let Some(number) = staging.ids.known_long(id) {
            number
        } else {
            let text = row.required(columns.subscription)?;
            let spelt = std::str::from_utf8(id).unwrap_or(&text);
            let wrong = |error: IdError| row.refuse(columns.subscription, Kind::Id, &text, error.to_string());
            staging.ids.number(id, SubscriptionId::parse(spelt).map_err(wrong)?)
        };
        Ok(staging.push(&StagedRow { subscription, ..staged })?)
    }

    /// Looks the waiting subscriptions up and stages their rows.
    fn look_up(&mut self) -> Result<(), ImportError> {
        let mut numbers = std::mem::take(&mut self.numbers);
        let mut waiting = std::mem::take(&mut self.pending);
        self.usage.daily.ids.known_all(waiting.iter().map(|pending| pending.id), &mut numbers);
        for (pending, known) in waiting.drain(..).zip(&numbers) {
            let staging = self.usage.of(pending.grain);
            let known = known.filter(|_| pending.grain == Grain::Day).or_else(|| staging.ids.known(&pending.id));
            let subscription = match known {
                Some(number) => number,
                None => match SubscriptionId::parse(&String::from_utf8_lossy(pending.id.bytes())) {
                    Ok(id) => staging.ids.number(pending.id.bytes(), id),
                    Err(error) => {
                        let value = String::from_utf8_lossy(pending.id.bytes()).into_owned();
                        let refusal = Refusal { kind: Kind::Id, column: String::new(), value, reason: error.to_string() };
                        self.rejects.push(pending.at, refusal)?;
                        continue;
                    }
                },
            };
            staging.push(&StagedRow { subscription, ..pending.row })?;
        }
        self.pending = waiting;
        self.numbers = numbers;
        Ok(())
    }

    fn usage_day(&mut self, row: &Row<'_>, columns: &UsageColumns, read_day: fn(&str) -> Result<Day, DayError>) -> Result<Day, Refusal> {
        let spelling = row.bytes(columns.on).unwrap_or_default();
        if let (true, Some(day)) = (spelling.as_ref() == self.last_spelling.0, self.last_spelling.1) {
            return Ok(day);
        }
        let day = row.required_day(columns.on, self.days_told.today, read_day)?;
        let day = if columns.grain == Grain::Month { day.month_start() } else { day };
        self.last_spelling = (spelling.into_owned(), Some(day));
        Ok(day)
    }
}
