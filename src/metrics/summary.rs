//! The summary: what was sold, who uses it and who does not, beside the period before.
//!
//! Absent on purpose: the cost at risk, which takes a model.

use serde::Serialize;
use utoipa::ToSchema;

use super::{Cut, Filter, Slice, Slices, growth};
use crate::domain::{Bucket, MicrosSum, Period, State};
use crate::portfolio::{CustomerIx, Portfolio, Span};

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
        let growth = growth(i128::from(value), i128::from(preceding));
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
    let span = slices.days().and_then(|(from, to)| cut.portfolio().span(from, to));
    MicrosSum(span.map_or(0, |span| cut.subscriptions().map(|ix| cut.cost_in(ix, &span).0).sum()))
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

/// In which slices each customer used something, and in which it had an active subscription: a
/// bit a slice. So subscriptions can be gone through in the order in which they lie in memory.
#[derive(Debug)]
struct Marks {
    /// Words a customer.
    words: usize,
    used: Vec<u64>,
    active: Vec<u64>,
}

impl Marks {
    fn new(customers: usize, slices: usize) -> Self {
        let words = slices.div_ceil(64);
        Self { words, used: vec![0; customers * words], active: vec![0; customers * words] }
    }

    /// The words of one customer: used, active.
    fn of(&mut self, customer: CustomerIx) -> (&mut [u64], &mut [u64]) {
        let words = customer.at() * self.words..(customer.at() + 1) * self.words;
        (&mut self.used[words.clone()], &mut self.active[words])
    }
}

fn tally(cut: &Cut<'_>, slices: &Slices) -> Tally {
    let zeros = vec![0; slices.len()];
    let mut tally = Tally { sold: zeros.clone(), with_usage_by: zeros.clone(), without_usage_by: zeros, ..Tally::default() };
    let Some((first, last)) = slices.days() else { return tally };
    let portfolio = cut.portfolio();
    let customers = portfolio.customers().len();
    let mut marks = Marks::new(customers, slices.len());
    let spans: Vec<Option<Span>> = slices.iter().map(|slice| portfolio.span(slice.from, slice.to)).collect();
    let daily = portfolio.span(first, last).filter(|_| i32::try_from(slices.len()) == Ok(last - first + 1));
    for ix in cut.subscriptions() {
        let subscription = portfolio.subscription(ix);
        let (used, active) = marks.of(subscription.customer);
        if let Some(at) = subscription.life.created().filter(|_| !subscription.is_trial).and_then(|on| slices.index(on)) {
            tally.sold[at] += 1;
        }
        for slices in slices.active(&subscription.life) {
            slices.for_each(|at| set(active, at));
        }
        if let Some(span) = &daily {
            cut.mark_used(ix, span, first, used);
        } else {
            let in_use = |span: &Option<Span>| span.as_ref().is_some_and(|span| cut.used_in(ix, span));
            spans.iter().enumerate().filter(|(_, span)| in_use(span)).for_each(|(at, _)| set(used, at));
        }
    }
    for customer in (0..).map(CustomerIx).take(customers) {
        let (used, active) = marks.of(customer);
        let is_used = used.iter().any(|word| *word != 0);
        tally.with_usage += u64::from(is_used);
        tally.without_usage += u64::from(!is_used && active.iter().any(|word| *word != 0));
        for (word, (used, active)) in used.iter().zip(&*active).enumerate() {
            count(*used, &mut tally.with_usage_by[word * 64..]);
            count(active & !used, &mut tally.without_usage_by[word * 64..]);
        }
    }
    tally
}

fn set(words: &mut [u64], bit: usize) {
    words[bit / 64] |= 1 << (bit % 64);
}

/// Adds 1 to the counts of the bits that are set.
fn count(mut word: u64, counts: &mut [u64]) {
    while word != 0 {
        counts[word.trailing_zeros() as usize] += 1;
        word &= word - 1;
    }
}
