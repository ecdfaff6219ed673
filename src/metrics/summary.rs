//! The summary: what was sold, who uses it and who does not, beside the period before.
//!
//! Absent on purpose: the cost at risk, which takes a model.

use serde::Serialize;
use utoipa::ToSchema;

use super::{Cut, Filter, Slice, Slices};
use crate::domain::{Bucket, MicrosSum, Period, State};
use crate::portfolio::{CustomerIx, Portfolio};

/// Longest period, in days, whose sparkline has a point a day: a quarter of a year. A longer
/// one has a point a month.
const DAILY_MAX_DAYS: i32 = 92;

/// One point of a sparkline: the figure of a day or month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Point {
    #[serde(flatten)]
    pub slice: Slice,
    pub value: u64,
}

/// A figure, beside that of the preceding period of equal length.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Figure {
    pub value: u64,
    /// The same figure for the preceding period of the length asked for.
    pub preceding: u64,
    /// `(value - preceding) / preceding`, a fraction; none where the earlier is 0.
    pub growth: Option<f64>,
    /// The figure by day up to 92 days, else by month.
    pub series: Vec<Point>,
}

impl Figure {
    fn new(value: u64, preceding: u64, slices: &Slices, values: &[u64]) -> Self {
        let growth = (preceding > 0).then(|| (value as f64 - preceding as f64) / preceding as f64);
        let series = slices.iter().zip(values).map(|(slice, value)| Point { slice: *slice, value: *value }).collect();
        Self { value, preceding, growth, series }
    }
}

/// The summary of a period.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Summary {
    pub subscriptions_sold: Figure,
    pub customers_with_usage: Figure,
    pub customers_without_usage: Figure,
    /// Subscriptions active at the end of the period, at most at the as-of day.
    pub subscriptions_active: u64,
    /// What the usage of the period cost; none where the source has no cost.
    pub usage_cost: Option<MicrosSum>,
}

/// The summary of a period.
///
/// - `subscriptions_sold`: subscriptions created in the period (trials excluded where the source
///   marks them).
/// - `customers_with_usage`: customers with at least one usage day in the period. A usage day
///   has a row whose quantity is above 0; cost plays no part, because free-tier use is use.
/// - `customers_without_usage`: customers with a subscription active on at least one day of the
///   period, and no usage day in it.
/// - Beside each: the same figure for the preceding period of equal length, the growth (none
///   where the earlier is 0), and a series by day up to 92 days, else by month.
/// - `subscriptions_active` at the end of the period, `usage_cost` in it: value only.
///
/// (METRICS.md, 1 and Settled.)
#[must_use]
pub fn summary(portfolio: &Portfolio, period: Period, filter: &Filter) -> Summary {
    let as_of = portfolio.as_of();
    let bucket = if period.days() <= DAILY_MAX_DAYS { Bucket::Day } else { Bucket::Month };
    let slices = Slices::new(period, bucket, as_of);
    let cut = filter.cut(portfolio);
    let current = tally(&cut, &slices);
    let preceding = tally(&cut, &Slices::whole(period.preceding(), as_of));
    let active = |ix: &_| as_of.is_some() && portfolio.state_at(*ix, period.to()) == State::Active;
    Summary {
        subscriptions_sold: Figure::new(current.sold.iter().sum(), preceding.sold.iter().sum(), &slices, &current.sold),
        customers_with_usage: Figure::new(current.with_usage, preceding.with_usage, &slices, &current.with_usage_by),
        customers_without_usage: Figure::new(current.without_usage, preceding.without_usage, &slices, &current.without_usage_by),
        subscriptions_active: cut.subscriptions().filter(active).count() as u64,
        usage_cost: portfolio.has_cost().then(|| usage_cost(&cut, &slices)),
    }
}

fn usage_cost(cut: &Cut<'_>, slices: &Slices) -> MicrosSum {
    let Some((from, to)) = slices.days() else { return MicrosSum::default() };
    MicrosSum(cut.subscriptions().map(|ix| cut.cost(ix, from, to).0).sum())
}

/// Counts over some slices: each slice for itself, and customers over all of them.
#[derive(Debug, Default)]
struct Tally {
    sold: Vec<u64>,
    with_usage: u64,
    with_usage_by: Vec<u64>,
    without_usage: u64,
    without_usage_by: Vec<u64>,
}

/// What one customer was in a slice.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    used: bool,
    active: bool,
}

fn tally(cut: &Cut<'_>, slices: &Slices) -> Tally {
    let zeros = vec![0; slices.len()];
    let mut tally = Tally { sold: zeros.clone(), with_usage_by: zeros.clone(), without_usage_by: zeros, ..Tally::default() };
    if slices.is_empty() {
        return tally;
    }
    let mut seen = vec![Seen::default(); slices.len()];
    for customer in (0..).map(CustomerIx).take(cut.portfolio().customers().len()) {
        seen.fill(Seen::default());
        look(cut, customer, slices, &mut seen, &mut tally.sold);
        let used = seen.iter().any(|seen| seen.used);
        tally.with_usage += u64::from(used);
        tally.without_usage += u64::from(!used && seen.iter().any(|seen| seen.active));
        for (at, seen) in seen.iter().enumerate() {
            tally.with_usage_by[at] += u64::from(seen.used);
            tally.without_usage_by[at] += u64::from(!seen.used && seen.active);
        }
    }
    tally
}

/// Looks at the subscriptions of one customer in every slice.
fn look(cut: &Cut<'_>, customer: CustomerIx, slices: &Slices, seen: &mut [Seen], sold: &mut [u64]) {
    let Some((first, last)) = slices.days() else { return };
    for ix in cut.subscriptions_of(customer) {
        let subscription = cut.portfolio().subscription(ix);
        if let Some(at) = subscription.life.created().filter(|_| !subscription.is_trial).and_then(|on| slices.index(on)) {
            sold[at] += 1;
        }
        for active in slices.active(&subscription.life) {
            seen[active].iter_mut().for_each(|seen| seen.active = true);
        }
        // One slice asks one question, so the first usage day answers it.
        if slices.len() == 1 {
            seen[0].used = seen[0].used || cut.used_within(ix, first, last);
            continue;
        }
        for at in cut.used_days(ix, first, last).filter_map(|on| slices.index(on)) {
            seen[at].used = true;
        }
    }
}
