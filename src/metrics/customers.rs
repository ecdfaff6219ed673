//! How many customers there are: who is new, who is lost, who returned.
//!
//! Absent on purpose: who they are. Lists have their own metrics.

use serde::Serialize;
use utoipa::ToSchema;

use super::{Cut, Filter, Slice, Slices};
use crate::domain::{Bucket, Day, Period, State};
use crate::portfolio::{CustomerIx, Portfolio};

/// Customers that came and went in some days.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct CustomerFlow {
    /// Customers whose first subscription ever was created in these days, trials as well.
    pub new_customers: u64,
    /// Had an active subscription on the day before, none at the end.
    pub lost_customers: u64,
    /// Active at the end, not on the day before, first subscription earlier.
    pub returned_customers: u64,
    /// With an active subscription at the end.
    pub active_customers: u64,
    /// Active at the end less active on the day before: new ones still active, and returned,
    /// less lost.
    pub net: i64,
}

/// One bucket, which follows the same rule for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct CustomerSlice {
    #[serde(flatten)]
    pub slice: Slice,
    #[serde(flatten)]
    pub flow: CustomerFlow,
}

/// The customers of a period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CustomerCount {
    /// With an active subscription at the end of the day before the period.
    pub active_before: u64,
    /// Over the whole period.
    pub total: CustomerFlow,
    pub buckets: Vec<CustomerSlice>,
}

/// Customer count, in total and by day, ISO week or month.
///
/// `new_customers`: customers whose first subscription ever was created in the period; trials
/// count as a first subscription. `lost_customers`: had an active subscription on the day before
/// the period, none at its end. `active_customers`: with an active subscription at the end;
/// `returned_customers`: active at the end, not on the day before the period, first subscription
/// earlier; `net`: active at the end less active on the day before = new ones still active +
/// returned - lost. A bucket follows the same rule for itself (METRICS.md, 6 and Settled).
///
/// First subscriptions, as everything, are those that the filter left.
#[must_use]
pub fn customer_count(portfolio: &Portfolio, period: Period, bucket: Bucket, filter: &Filter) -> CustomerCount {
    let slices = Slices::new(period, bucket, portfolio.as_of());
    let mut tally = Tally::new(&slices, period);
    let cut = filter.cut(portfolio);
    if portfolio.as_of().is_some() {
        for customer in (0..).map(CustomerIx).take(portfolio.customers().len()) {
            tally.add(&cut, customer);
        }
    }
    tally.sum()
}

/// Counts over the ends of the day before the period and of each slice's last day. The number
/// of an end is that of the slice which begins after it.
#[derive(Debug)]
struct Tally<'a> {
    slices: &'a Slices,
    from: Day,
    count: CustomerCount,
    /// Customers that are active at an end and were not at the one before it, less those that
    /// were and are not.
    steps: Vec<i64>,
    /// Ends at which the customer at hand is active, from the first to before the second.
    stretches: Vec<(usize, usize)>,
}

impl<'a> Tally<'a> {
    fn new(slices: &'a Slices, period: Period) -> Self {
        let buckets = slices.iter().map(|slice| CustomerSlice { slice: *slice, flow: CustomerFlow::default() }).collect();
        let count = CustomerCount { active_before: 0, total: CustomerFlow::default(), buckets };
        Self { slices, from: period.from(), count, steps: vec![0; slices.len() + 2], stretches: Vec::new() }
    }

    /// The first end that is not before `day`; one past the last where there is none.
    fn end_from(&self, day: Day) -> usize {
        if day < self.from { 0 } else { self.slices.index(day).map_or(self.slices.len() + 1, |slice| slice + 1) }
    }

    fn add(&mut self, cut: &Cut<'_>, customer: CustomerIx) {
        let mut first: Option<Day> = None;
        self.stretches.clear();
        for ix in cut.subscriptions_of(customer) {
            let life = &cut.portfolio().subscription(ix).life;
            first = first.into_iter().chain(life.created()).min();
            for (at, change) in life.changes().iter().enumerate().filter(|(_, change)| change.state == State::Active) {
                let until = life.changes().get(at + 1).map_or(self.slices.len() + 1, |next| self.end_from(next.on));
                let from = self.end_from(change.on);
                if from < until {
                    self.stretches.push((from, until));
                }
            }
        }
        let Some(first) = first else { return };
        let new_in = self.slices.index(first);
        if let Some(slice) = new_in {
            self.count.buckets[slice].flow.new_customers += 1;
            self.count.total.new_customers += 1;
        }
        self.stretches.sort_unstable();
        self.count_stretches(new_in, first);
    }

    /// Counts what happened at the ends of the stretches, those that touch being one.
    fn count_stretches(&mut self, new_in: Option<usize>, first: Day) {
        let last_end = self.slices.len();
        let (mut before, mut at_end) = (false, false);
        let mut stretches = self.stretches.iter().copied().peekable();
        while let Some((from, mut until)) = stretches.next() {
            while let Some((_, further)) = stretches.next_if(|(next, _)| *next <= until) {
                until = until.max(further);
            }
            before |= from == 0;
            at_end |= until > last_end;
            self.steps[from] += 1;
            self.steps[until] -= 1;
            if let Some(slice) = from.checked_sub(1) {
                self.count.buckets[slice].flow.returned_customers += u64::from(new_in != Some(slice));
            }
            if until <= last_end {
                self.count.buckets[until - 1].flow.lost_customers += 1;
            }
        }
        let total = &mut self.count.total;
        self.count.active_before += u64::from(before);
        total.active_customers += u64::from(at_end);
        total.lost_customers += u64::from(before && !at_end);
        total.returned_customers += u64::from(at_end && !before && first < self.from);
    }

    fn sum(mut self) -> CustomerCount {
        let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let mut active = signed(self.count.active_before);
        for (bucket, step) in self.count.buckets.iter_mut().zip(self.steps.iter().skip(1)) {
            active += step;
            bucket.flow.net = *step;
            bucket.flow.active_customers = u64::try_from(active).unwrap_or(0);
        }
        self.count.total.net = signed(self.count.total.active_customers) - signed(self.count.active_before);
        self.count
    }
}
