//! The rows of an import in memory: the small tables as rows by key, usage as numbers on disk.

use std::collections::{BTreeMap, BTreeSet};

use super::ImportError;
use super::discover::InputFile;
use super::generic::{self, Row};
use super::money::Money;
use super::rejects::{Kind, Refusal, Rejects};
use super::source::{Cells, Literal, Place, read_rows};
use super::staging::{Inline, StagedRow, Staging};
use super::taken::{Conflict, TakenRows};
use crate::domain::{CommitmentId, CommitmentRow, CustomerId, CustomerRow, Day, Event, EventKind, SubscriptionId, SubscriptionRow};
use crate::lake::schema::Table;
use crate::progress::Stage;

/// Reasons by (day, event) of one subscription.
pub(super) type Events = BTreeMap<(Day, EventKind), Option<String>>;

/// What the files held.
#[derive(Debug)]
pub(super) struct Intake {
    pub(super) today: Day,
    pub(super) customers: TakenRows<CustomerId, CustomerRow>,
    pub(super) subscriptions: TakenRows<SubscriptionId, SubscriptionRow>,
    pub(super) lifecycle: BTreeMap<SubscriptionId, Events>,
    pub(super) commitments: TakenRows<CommitmentId, CommitmentRow>,
    pub(super) staging: Staging,
    pub(super) money: Money,
    pub(super) rejects: Rejects,
    pub(super) days: BTreeSet<Day>,
    last_day: Option<Day>,
    /// The day of the last usage row as its file spells it: files come in date order.
    last_spelling: (Vec<u8>, Option<Day>),
    /// Usage rows whose subscription waits to be looked up with others.
    pending: Vec<PendingRow>,
    numbers: Vec<Option<u32>>,
}

/// A usage row but for the number of its subscription.
#[derive(Debug)]
struct PendingRow {
    place: Place,
    id: Inline,
    row: StagedRow,
}

/// Rows that are looked up together: their 8 KiB stay in the first-level cache.
const PENDING_MAX_ROWS: usize = 64;

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
    pub(super) fn new(today: Day, staging: Staging, money: Money) -> Self {
        Self {
            today,
            customers: TakenRows::default(),
            subscriptions: TakenRows::default(),
            lifecycle: BTreeMap::new(),
            commitments: TakenRows::default(),
            staging,
            money,
            rejects: Rejects::default(),
            days: BTreeSet::new(),
            last_day: None,
            last_spelling: (Vec::new(), None),
            pending: Vec::with_capacity(PENDING_MAX_ROWS),
            numbers: Vec::with_capacity(PENDING_MAX_ROWS),
        }
    }

    /// Reads file number `number`.
    pub(super) fn read(&mut self, number: usize, file: &InputFile, stage: &Stage) -> Result<Counts, ImportError> {
        let mut counts = Counts::default();
        let literal = read_rows(file, stage, |place, cells| {
            counts.read += 1;
            match self.row(number, file, place, cells)? {
                Ok(Some(on)) => {
                    counts.first = Some(counts.first.map_or(on, |first| first.min(on)));
                    counts.last = counts.last.max(Some(on));
                    Ok(())
                }
                Ok(None) => Ok(()),
                Err(refusal) => self.refuse(number, place, refusal),
            }
        })?;
        counts.literal = literal;
        self.resolve(number)?;
        Ok(counts)
    }

    fn refuse(&mut self, file: usize, place: Place, refusal: Refusal) -> Result<(), ImportError> {
        self.rejects.push(file, place, refusal)
    }

    /// Takes one row in; the day of a usage row, or why the row is refused.
    fn row(
        &mut self,
        number: usize,
        file: &InputFile,
        place: Place,
        cells: &dyn Cells,
    ) -> Result<Result<Option<Day>, Refusal>, ImportError> {
        let row = match Row::new(cells, &file.columns) {
            Ok(row) => row,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let taken = match file.table {
            Table::UsageDaily => return self.usage(number, place, &row),
            Table::Customers => generic::customer(&row).and_then(|customer| self.customer(number, &row, customer)),
            Table::Subscriptions => generic::subscription(&row, self.today).and_then(|taken| self.subscription(number, &row, taken)),
            Table::Commitments => generic::commitment(&row).and_then(|commitment| self.commitment(number, &row, commitment)),
            // No form is of the last three.
            Table::Lifecycle | Table::Imports | Table::Feedback | Table::Scores => {
                generic::event(&row, self.today).map(|(id, event)| self.event(id, event))
            }
        };
        Ok(taken.map(|()| None))
    }

    fn customer(&mut self, file: usize, row: &Row<'_>, taken: CustomerRow) -> Result<(), Refusal> {
        let id = taken.customer_id.clone();
        self.customers.take(id, taken, file, row.lacking()).map_err(|Conflict| row.conflict("customer"))
    }

    fn subscription(&mut self, file: usize, row: &Row<'_>, taken: SubscriptionRow) -> Result<(), Refusal> {
        let known = self.subscriptions.get(&taken.subscription_id);
        if let Some(known) = known.filter(|known| known.customer_id != taken.customer_id) {
            let reason = format!("subscription {} belongs to customer {} in an earlier row", taken.subscription_id, known.customer_id);
            return Err(row.refuse(1, Kind::TwoCustomers, taken.customer_id.as_str(), reason));
        }
        let id = taken.subscription_id.clone();
        self.subscriptions.take(id, taken, file, row.lacking()).map_err(|Conflict| row.conflict("subscription"))
    }

    fn commitment(&mut self, file: usize, row: &Row<'_>, taken: CommitmentRow) -> Result<(), Refusal> {
        let id = taken.commitment_id.clone();
        self.commitments.take(id, taken, file, row.lacking()).map_err(|Conflict| row.conflict("commitment"))
    }

    /// The same event twice on a day is one; a reason is kept wherever it was given.
    fn event(&mut self, subscription: SubscriptionId, event: Event) {
        let reason = self.lifecycle.entry(subscription).or_default().entry((event.on, event.kind)).or_default();
        if reason.is_none() {
            *reason = event.reason;
        }
    }

    fn usage(&mut self, file: usize, place: Place, row: &Row<'_>) -> Result<Result<Option<Day>, Refusal>, ImportError> {
        let taken = self.usage_numbers(row);
        if let Some(error) = self.money.take_failure() {
            return Err(error);
        }
        let (id, staged) = match taken {
            Ok(taken) => taken,
            Err(refusal) => return Ok(Err(refusal)),
        };
        match id {
            Some(id) => self.pending.push(PendingRow { place, id, row: staged }),
            None => self.staging.push(staged)?,
        }
        if self.pending.len() == PENDING_MAX_ROWS {
            self.resolve(file)?;
        }
        if self.last_day != Some(staged.on) {
            self.days.insert(staged.on);
            self.last_day = Some(staged.on);
        }
        Ok(Ok(Some(staged.on)))
    }

    /// A row as numbers, but for an id of common length, which is looked up later with others.
    /// Cells spelt as in an earlier row are known by their bytes; only new spellings are read
    /// and checked.
    fn usage_numbers(&mut self, row: &Row<'_>) -> Result<(Option<Inline>, StagedRow), Refusal> {
        let on = self.usage_day(row)?;
        let quantity = row.quantity()?;
        let cost = self.money.convert(row, COST, CURRENCY)?;
        let (category, unit) = (row.bytes(CATEGORY).unwrap_or_default(), row.bytes(UNIT).unwrap_or_default());
        let series = match self.staging.series.known(&category, &unit) {
            Some(number) => number,
            None => self.staging.series.number(&row.required(CATEGORY)?, &row.required(UNIT)?),
        };
        let bytes = row.bytes(SUBSCRIPTION).unwrap_or_default();
        // Printable ASCII is always an id, so that the later look-up cannot refuse the row.
        let id = Inline::new(&bytes).filter(|id| !id.bytes().is_empty() && id.bytes().iter().all(|byte| (b' '..=b'~').contains(byte)));
        let subscription = match (&id, self.staging.ids.known_long(&bytes)) {
            (Some(_), _) => 0,
            (None, Some(number)) => number,
            (None, None) => self.staging.ids.number(&bytes, row.subscription_id(SUBSCRIPTION)?),
        };
        Ok((id, StagedRow { subscription, on, series, quantity, cost }))
    }

    /// Looks the waiting subscriptions up and stages their rows.
    fn resolve(&mut self, file: usize) -> Result<(), ImportError> {
        let mut numbers = std::mem::take(&mut self.numbers);
        self.staging.ids.known_all(self.pending.iter().map(|pending| pending.id), &mut numbers);
        let mut waiting = std::mem::take(&mut self.pending);
        for (pending, number) in waiting.drain(..).zip(&numbers) {
            let known = number.or_else(|| self.staging.ids.known(&pending.id));
            let subscription = match known {
                Some(number) => number,
                None => match SubscriptionId::parse(&String::from_utf8_lossy(pending.id.bytes())) {
                    Ok(id) => self.staging.ids.number(pending.id.bytes(), id),
                    Err(error) => {
                        let value = String::from_utf8_lossy(pending.id.bytes()).into_owned();
                        let refusal = Refusal { kind: Kind::Id, column: "subscription_id", value, reason: error.to_string() };
                        self.refuse(file, pending.place, refusal)?;
                        continue;
                    }
                },
            };
            self.staging.push(StagedRow { subscription, ..pending.row })?;
        }
        self.pending = waiting;
        self.numbers = numbers;
        Ok(())
    }

    fn usage_day(&mut self, row: &Row<'_>) -> Result<Day, Refusal> {
        let spelling = row.bytes(ON).unwrap_or_default();
        if let (true, Some(day)) = (spelling.as_ref() == self.last_spelling.0, self.last_spelling.1) {
            return Ok(day);
        }
        let day = row.usage_day(self.today)?;
        self.last_spelling = (spelling.into_owned(), Some(day));
        Ok(day)
    }
}

/// Columns of a usage row, in the order of the form in `generic.rs`.
const SUBSCRIPTION: usize = 0;
const ON: usize = 1;
const CATEGORY: usize = 2;
const UNIT: usize = 3;
const COST: usize = 5;
const CURRENCY: usize = 6;
