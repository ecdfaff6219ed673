//! The rows of an import in memory: the small tables as rows by key, usage as numbers on disk.

use std::collections::{BTreeMap, BTreeSet};

use super::ImportError;
use super::discover::InputFile;
use super::generic::{self, Row};
use super::rejects::{Kind, Refusal, Rejects};
use super::source::{Cells, Place, read_rows};
use super::staging::{StagedRow, Staging};
use crate::domain::{CustomerId, CustomerRow, Day, Event, EventKind, SubscriptionId, SubscriptionRow};
use crate::lake::schema::Table;
use crate::progress::Stage;

/// A row and the number of the file it came from.
type Sourced<R> = (R, usize);

/// Reasons by (day, event) of one subscription.
pub(super) type Events = BTreeMap<(Day, EventKind), Option<String>>;

/// What the files held.
#[derive(Debug)]
pub(super) struct Intake {
    pub(super) today: Day,
    pub(super) customers: BTreeMap<CustomerId, Sourced<CustomerRow>>,
    pub(super) subscriptions: BTreeMap<SubscriptionId, Sourced<SubscriptionRow>>,
    pub(super) lifecycle: BTreeMap<SubscriptionId, Events>,
    pub(super) staging: Staging,
    pub(super) rejects: Rejects,
    pub(super) days: BTreeSet<Day>,
    last_day: Option<Day>,
}

/// Rows of one file.
#[derive(Debug, Clone, Default)]
pub(super) struct Counts {
    pub(super) read: u64,
    pub(super) first: Option<Day>,
    pub(super) last: Option<Day>,
}

impl Intake {
    pub(super) fn new(today: Day, staging: Staging) -> Self {
        Self {
            today,
            customers: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            lifecycle: BTreeMap::new(),
            staging,
            rejects: Rejects::default(),
            days: BTreeSet::new(),
            last_day: None,
        }
    }

    /// Reads file number `number`.
    pub(super) fn read(&mut self, number: usize, file: &InputFile, stage: &Stage) -> Result<Counts, ImportError> {
        let mut counts = Counts::default();
        read_rows(file, stage, |place, cells| {
            counts.read += 1;
            match self.row(number, file, cells)? {
                Ok(Some(on)) => {
                    counts.first = Some(counts.first.map_or(on, |first| first.min(on)));
                    counts.last = counts.last.max(Some(on));
                    Ok(())
                }
                Ok(None) => Ok(()),
                Err(refusal) => self.refuse(number, place, refusal),
            }
        })?;
        Ok(counts)
    }

    fn refuse(&mut self, file: usize, place: Place, refusal: Refusal) -> Result<(), ImportError> {
        self.rejects.push(file, place, refusal)
    }

    /// Takes one row in; the day of a usage row, or why the row is refused.
    fn row(&mut self, number: usize, file: &InputFile, cells: &dyn Cells) -> Result<Result<Option<Day>, Refusal>, ImportError> {
        let row = match Row::new(cells, &file.columns) {
            Ok(row) => row,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let taken = match file.table {
            Table::UsageDaily => return self.usage(&row),
            Table::Customers => generic::customer(&row).and_then(|customer| self.customer(number, &row, customer)),
            Table::Subscriptions => generic::subscription(&row, self.today).and_then(|taken| self.subscription(number, &row, taken)),
            Table::Lifecycle | Table::Imports => generic::event(&row, self.today).map(|(id, event)| self.event(id, event)),
        };
        Ok(taken.map(|()| None))
    }

    /// A later file's row replaces an earlier one's; within one file the key must be unique.
    fn customer(&mut self, file: usize, row: &Row<'_>, customer: CustomerRow) -> Result<(), Refusal> {
        match self.customers.get(&customer.customer_id) {
            Some((known, of)) if *of == file && *known != customer => {
                let id = customer.customer_id.as_str();
                Err(row.refuse(0, Kind::Conflict, id, "an earlier row of this file has other values for this customer".to_owned()))
            }
            _ => {
                self.customers.insert(customer.customer_id.clone(), (customer, file));
                Ok(())
            }
        }
    }

    fn subscription(&mut self, file: usize, row: &Row<'_>, taken: SubscriptionRow) -> Result<(), Refusal> {
        if let Some((known, of)) = self.subscriptions.get(&taken.subscription_id) {
            if known.customer_id != taken.customer_id {
                let reason = format!("subscription {} belongs to customer {} in an earlier row", taken.subscription_id, known.customer_id);
                return Err(row.refuse(1, Kind::TwoCustomers, taken.customer_id.as_str(), reason));
            }
            if *of == file && *known != taken {
                let reason = "an earlier row of this file has other values for this subscription".to_owned();
                return Err(row.refuse(0, Kind::Conflict, taken.subscription_id.as_str(), reason));
            }
        }
        self.subscriptions.insert(taken.subscription_id.clone(), (taken, file));
        Ok(())
    }

    /// The same event twice on a day is one; a reason is kept wherever it was given.
    fn event(&mut self, subscription: SubscriptionId, event: Event) {
        let reason = self.lifecycle.entry(subscription).or_default().entry((event.on, event.kind)).or_default();
        if reason.is_none() {
            *reason = event.reason;
        }
    }

    fn usage(&mut self, row: &Row<'_>) -> Result<Result<Option<Day>, Refusal>, ImportError> {
        match self.usage_numbers(row) {
            Ok(staged) => {
                self.staging.push(staged)?;
                if self.last_day != Some(staged.on) {
                    self.days.insert(staged.on);
                    self.last_day = Some(staged.on);
                }
                Ok(Ok(Some(staged.on)))
            }
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    fn usage_numbers(&mut self, row: &Row<'_>) -> Result<StagedRow, Refusal> {
        let on = row.usage_day(self.today)?;
        let quantity = row.quantity()?;
        let cost = row.amount(5)?;
        let (category, unit) = (row.required(2)?, row.required(3)?);
        let series = self.staging.series.number(&category, &unit);
        // An empty cell has no bytes, and is refused by the slow path below.
        let bytes = row.bytes(0).unwrap_or_default();
        let subscription = match self.staging.ids.known(&bytes) {
            Some(number) => number,
            None => {
                let id = row.subscription_id(0)?;
                self.staging.ids.number(&bytes, id)
            }
        };
        Ok(StagedRow { subscription, on, series, quantity, cost })
    }
}
