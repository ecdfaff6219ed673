//! One version of the tables in memory: columnar, read-only, built once and shared.
//!
//! Absent on purpose: the way files are stored (`lake/`), any metric, any clock. Nothing dated
//! after the as-of day is in here, so no reader can look into the future by mistake.

mod build;
mod bytes;
mod cache;
mod calendar;
mod commitments;
mod index;
mod load;
mod lookup;
mod loose;
mod monthly;
mod part;
mod weekly;

pub use build::{BuildError, PortfolioBuilder, SmallTables, UsageFiller};
pub use cache::CacheError;
pub use calendar::Span;
pub use load::{LoadError, load, load_at, load_from};
pub use lookup::UsageLine;
pub use loose::LooseUsage;
pub use monthly::{MonthIx, MonthTold, MonthlyUsage};
pub use weekly::{WEEKS_KEPT, WeekSums, WeeklyLine};

use std::ops::Range;

use index::UsageIndex;
use serde::Serialize;

use crate::domain::{CommitmentId, CommitmentKind, DataError, Day, Micros, State, SubscriptionId, Timeline};

/// Place of a customer in [`Portfolio::customers`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct CustomerIx(pub u32);

/// Place of a subscription in [`Portfolio::subscriptions`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct SubscriptionIx(pub u32);

/// Place of a (category, unit) in [`Portfolio::series`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesIx(pub u16);

impl CustomerIx {
    #[must_use]
    pub const fn at(self) -> usize {
        self.0 as usize
    }
}

impl SubscriptionIx {
    #[must_use]
    pub const fn at(self) -> usize {
        self.0 as usize
    }
}

/// A tenant, with the attributes of its row in `customers`; all of them none where it has no row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    pub id: String,
    pub name: Option<String>,
    pub country: Option<String>,
    pub segment: Option<String>,
    pub reseller_id: Option<String>,
    pub reseller_name: Option<String>,
    /// Whether `customers` has a row for it. Without one it passes no filter on country,
    /// reseller or customer (METRICS.md, Settled).
    pub has_row: bool,
}

/// A subscription, its owner and its life up to the as-of day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    pub id: SubscriptionId,
    pub customer: CustomerIx,
    pub name: Option<String>,
    pub product: Option<String>,
    pub auto_renew: Option<bool>,
    /// End of the running term as last recorded; may lie after the as-of day.
    pub term_end_on: Option<Day>,
    pub is_trial: bool,
    pub life: Timeline,
    /// The tables record no creation: the life begins with the first row or event instead.
    pub creation_is_derived: bool,
}

/// A reservation, savings plan or term, of whatever is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commitment {
    pub id: CommitmentId,
    pub kind: CommitmentKind,
    /// The customer that it names; where it names none, the one of its subscription.
    pub customer: Option<CustomerIx>,
    pub subscription: Option<SubscriptionIx>,
    pub product: Option<String>,
    pub quantity: Option<Micros>,
    /// The last day that it holds; may lie after the as-of day.
    pub ends_on: Option<Day>,
}

/// A (category, unit): the widest set over which quantities may be added.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Series {
    pub category: String,
    pub unit: String,
}

/// The tables at one version.
#[derive(Debug, Clone, PartialEq)]
pub struct Portfolio {
    version: u64,
    settle_days: u32,
    /// The currency of every cost, where the tables tell it.
    currency: Option<String>,
    /// First day with a usage row, and the as-of day. None where there is no usage.
    days: Option<(Day, Day)>,
    customers: Vec<Customer>,
    subscriptions: Vec<Subscription>,
    /// `customer_start[c]..customer_start[c + 1]` are the places in `by_customer` of c's subscriptions.
    customer_start: Vec<u32>,
    by_customer: Vec<SubscriptionIx>,
    series: Vec<Series>,
    usage: Usage,
    /// Follows from `usage`.
    index: UsageIndex,
    months: MonthlyUsage,
    gaps: Vec<Day>,
    data_errors: Vec<(SubscriptionIx, DataError)>,
    commitments: Vec<Commitment>,
    /// Whether the costs that its tables have were left out.
    cost_hidden: bool,
}

/// Usage rows grouped by subscription, in day order: 20 bytes a row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Usage {
    /// `start[s]..start[s + 1]` are the rows of subscription s.
    start: Vec<u64>,
    /// Days after the first day of data: 65,535 of them are 179 years.
    day: Vec<u16>,
    series: Vec<u16>,
    quantity: Vec<i64>,
    cost: Vec<i64>,
    /// Whether any row carries a cost.
    has_cost: bool,
}

/// The usage rows of one subscription, ascending by (day, series).
#[derive(Debug, Clone, Copy)]
pub struct UsageRows<'a> {
    first_day: Day,
    day: &'a [u16],
    series: &'a [u16],
    quantity: &'a [i64],
    cost: &'a [i64],
}

/// One usage row: a (subscription, day, category, unit).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsagePoint {
    pub on: Day,
    pub series: SeriesIx,
    /// Never negative. A usage day has a row above 0.
    pub quantity: Micros,
    /// 0 where the source has no cost (see [`Portfolio::has_cost`]).
    pub cost: Micros,
}

impl<'a> UsageRows<'a> {
    #[must_use]
    pub fn len(self) -> usize {
        self.day.len()
    }

    #[must_use]
    pub fn is_empty(self) -> bool {
        self.day.is_empty()
    }

    /// The rows, ascending by day.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = UsagePoint> + ExactSizeIterator + Clone + 'a {
        let first_day = self.first_day;
        self.day.iter().zip(self.series).zip(self.quantity.iter().zip(self.cost)).map(move |((day, series), (quantity, cost))| UsagePoint {
            on: first_day + i32::from(*day),
            series: SeriesIx(*series),
            quantity: Micros(*quantity),
            cost: Micros(*cost),
        })
    }

    /// The rows of `from..=to`.
    #[must_use]
    pub fn within(self, from: Day, to: Day) -> Self {
        let first = self.day.partition_point(|day| self.first_day + i32::from(*day) < from);
        let end = self.day.partition_point(|day| self.first_day + i32::from(*day) <= to).max(first);
        Self {
            first_day: self.first_day,
            day: &self.day[first..end],
            series: &self.series[first..end],
            quantity: &self.quantity[first..end],
            cost: &self.cost[first..end],
        }
    }

    /// The last usage day (quantity above 0) among these rows.
    #[must_use]
    pub fn last_used(self) -> Option<Day> {
        self.iter().rev().find(|point| point.quantity.0 > 0).map(|point| point.on)
    }

    /// The first usage day (quantity above 0) among these rows.
    #[must_use]
    pub fn first_used(self) -> Option<Day> {
        self.iter().find(|point| point.quantity.0 > 0).map(|point| point.on)
    }

    /// Whether any row has a quantity above 0.
    #[must_use]
    pub fn any_used(self) -> bool {
        self.quantity.iter().any(|quantity| *quantity > 0)
    }
}

impl Portfolio {
    /// The version of the tables: the number of the import that named them.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The last day whose data are complete: the last usage day of the whole portfolio, less
    /// the settle days. None where nothing was ever used.
    #[must_use]
    pub fn as_of(&self) -> Option<Day> {
        self.days.map(|(_, last)| last)
    }

    /// The first day with a usage row.
    #[must_use]
    pub fn first_day(&self) -> Option<Day> {
        self.days.map(|(first, _)| first)
    }

    /// All customers, ascending by id.
    #[must_use]
    pub fn customers(&self) -> &[Customer] {
        &self.customers
    }

    #[must_use]
    pub fn customer(&self, customer: CustomerIx) -> &Customer {
        &self.customers[customer.at()]
    }

    /// All subscriptions, ascending by id.
    #[must_use]
    pub fn subscriptions(&self) -> &[Subscription] {
        &self.subscriptions
    }

    #[must_use]
    pub fn subscription(&self, subscription: SubscriptionIx) -> &Subscription {
        &self.subscriptions[subscription.at()]
    }

    /// Every place in [`Portfolio::subscriptions`], ascending.
    pub fn subscription_indices(&self) -> impl ExactSizeIterator<Item = SubscriptionIx> + use<> {
        (0..u32::try_from(self.subscriptions.len()).unwrap_or(u32::MAX)).map(SubscriptionIx)
    }

    #[must_use]
    pub fn find_subscription(&self, id: &str) -> Option<SubscriptionIx> {
        let at = self.subscriptions.binary_search_by(|row| row.id.as_str().cmp(id)).ok()?;
        u32::try_from(at).ok().map(SubscriptionIx)
    }

    #[must_use]
    pub fn find_customer(&self, id: &str) -> Option<CustomerIx> {
        let at = self.customers.binary_search_by(|row| row.id.as_str().cmp(id)).ok()?;
        u32::try_from(at).ok().map(CustomerIx)
    }

    /// The subscriptions of one customer, ascending by id.
    #[must_use]
    pub fn subscriptions_of(&self, customer: CustomerIx) -> &[SubscriptionIx] {
        let (from, to) = (self.customer_start[customer.at()], self.customer_start[customer.at() + 1]);
        &self.by_customer[from as usize..to as usize]
    }

    /// Every (category, unit), ascending.
    #[must_use]
    pub fn series(&self) -> &[Series] {
        &self.series
    }

    /// The usage rows of one subscription, ascending by day.
    #[must_use]
    pub fn usage(&self, subscription: SubscriptionIx) -> UsageRows<'_> {
        self.rows(self.places(subscription))
    }

    /// The places of the usage rows of one subscription.
    fn places(&self, subscription: SubscriptionIx) -> Range<usize> {
        let row = |at: usize| usize::try_from(self.usage.start[at]).unwrap_or(usize::MAX);
        row(subscription.at())..row(subscription.at() + 1)
    }

    fn rows(&self, places: Range<usize>) -> UsageRows<'_> {
        UsageRows {
            first_day: self.first_day().unwrap_or(Day::from_epoch_days(0)),
            day: &self.usage.day[places.clone()],
            series: &self.usage.series[places.clone()],
            quantity: &self.usage.quantity[places.clone()],
            cost: &self.usage.cost[places],
        }
    }

    /// Builds what follows from the usage.
    fn with_index(mut self) -> Self {
        self.index = UsageIndex::build(&self.usage, self.series.len(), self.days);
        self.index.weekly = self.sum_weeks();
        self
    }

    /// Usage of the months of which no day is told. For the money of months alone: it makes no day
    /// known and nobody used.
    #[must_use]
    pub const fn monthly_usage(&self) -> &MonthlyUsage {
        &self.months
    }

    /// Number of usage rows.
    #[must_use]
    pub fn usage_rows(&self) -> usize {
        self.usage.day.len()
    }

    /// Whether any usage row carries a cost. Where none does, costs are 0 and mean nothing.
    #[must_use]
    pub const fn has_cost(&self) -> bool {
        self.usage.has_cost
    }

    /// Whether it lacks the costs that its tables have ([`Portfolio::without_cost`]).
    #[must_use]
    pub const fn hides_cost(&self) -> bool {
        self.cost_hidden
    }

    /// The ISO 4217 code of the currency of every cost; none where the tables do not tell it.
    #[must_use]
    pub fn currency(&self) -> Option<&str> {
        self.currency.as_deref()
    }

    /// Days between the first day and the as-of day without a single usage row, ascending.
    #[must_use]
    pub fn gaps(&self) -> &[Day] {
        &self.gaps
    }

    /// Events without effect (METRICS.md, Settled: data errors).
    #[must_use]
    pub fn data_errors(&self) -> &[(SubscriptionIx, DataError)] {
        &self.data_errors
    }

    /// All commitments, ascending by id.
    #[must_use]
    pub fn commitments(&self) -> &[Commitment] {
        &self.commitments
    }

    /// Settle days that the as-of day stands back from the last usage day.
    #[must_use]
    pub const fn settle_days(&self) -> u32 {
        self.settle_days
    }

    /// The state of a subscription at the end of `day`.
    #[must_use]
    pub fn state_at(&self, subscription: SubscriptionIx, day: Day) -> State {
        self.subscription(subscription).life.state_at(day)
    }
}
