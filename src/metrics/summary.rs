//! The summary: what was sold, who uses it and who does not, beside the period before.
//!
//! Absent on purpose: the cost at risk, which takes a model.

use std::ops::RangeInclusive;

use serde::Serialize;
use utoipa::ToSchema;

use super::{Cut, Filter, Slice, Slices, growth};
use crate::domain::{Bucket, Day, MicrosSum, Period, State};
use crate::portfolio::{Portfolio, Span, SubscriptionIx};

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
    let slices = slices_of_sparkline(period, as_of);
    let cut = filter.cut(portfolio);
    let mut current = Tally::new(portfolio, &slices);
    let earlier = Slices::whole(period.preceding(), as_of);
    let mut preceding = Tally::new(portfolio, &earlier);
    let span = slices.days().and_then(|(from, to)| portfolio.span(from, to));
    let cost = span.map_or(MicrosSum(0), |span| cut.total_cost_in(&span));
    let mut active = 0;
    // One pass in the order in which subscriptions lie in memory answers everything else.
    for ix in cut.subscriptions().filter(|_| as_of.is_some()) {
        active += u64::from(portfolio.state_at(ix, period.to()) == State::Active);
        current.add(&cut, ix);
        preceding.add(&cut, ix);
    }
    let (current, preceding) = (current.sum(), preceding.sum());
    Summary {
        subscriptions_sold: Figure::new(current.sold.iter().sum(), preceding.sold.iter().sum(), &slices, &current.sold),
        customers_with_usage: Figure::new(current.with_usage, preceding.with_usage, &slices, &current.with_usage_by),
        customers_without_usage: Figure::new(current.without_usage, preceding.without_usage, &slices, &current.without_usage_by),
        subscriptions_active: active,
        usage_cost: portfolio.has_cost().then_some(cost),
    }
}

/// The points of a sparkline: days up to 92 of them, else months.
pub(super) fn slices_of_sparkline(period: Period, as_of: Option<Day>) -> Slices {
    Slices::new(period, if period.days() <= DAILY_MAX_DAYS { Bucket::Day } else { Bucket::Month }, as_of)
}

/// Counts over some slices: each slice for itself, and customers over all of them.
#[derive(Debug)]
struct Counts {
    sold: Vec<u64>,
    with_usage: u64,
    with_usage_by: Vec<u64>,
    without_usage: u64,
    without_usage_by: Vec<u64>,
}

/// In which slices each customer used something, and in which it had an active subscription: a
/// bit a slice.
#[derive(Debug)]
struct Tally<'a> {
    slices: &'a Slices,
    /// The days of each slice, as far as there are data.
    spans: Vec<Option<Span>>,
    /// All days, where each slice is one day.
    daily: Option<(Day, Span)>,
    sold: Vec<u64>,
    /// Words of one bit a slice.
    words: usize,
    /// By customer: that many words of use, then as many of activity.
    marks: Vec<u64>,
}

impl<'a> Tally<'a> {
    fn new(portfolio: &Portfolio, slices: &'a Slices) -> Self {
        let words = slices.len().div_ceil(64);
        let daily = slices.days().filter(|(first, last)| i32::try_from(slices.len()) == Ok(*last - *first + 1));
        Self {
            slices,
            spans: slices.iter().map(|slice| portfolio.span(slice.from, slice.to)).collect(),
            daily: daily.and_then(|(first, last)| Some((first, portfolio.span(first, last)?))),
            sold: vec![0; slices.len()],
            words,
            marks: vec![0; portfolio.customers().len() * words * 2],
        }
    }

    /// Looks at one subscription in every slice.
    fn add(&mut self, cut: &Cut<'_>, ix: SubscriptionIx) {
        let subscription = cut.portfolio().subscription(ix);
        let begin = subscription.customer.at() * self.words * 2;
        let (used, active) = self.marks[begin..begin + self.words * 2].split_at_mut(self.words);
        if let Some(at) = subscription.life.created().filter(|_| !subscription.is_trial).and_then(|on| self.slices.index(on)) {
            self.sold[at] += 1;
        }
        for slices in self.slices.active(&subscription.life) {
            set(active, slices);
        }
        if let Some((first, span)) = &self.daily {
            cut.mark_used(ix, span, *first, used);
            return;
        }
        for (at, span) in self.spans.iter().enumerate() {
            // What another subscription of the customer has answered is not asked again.
            let is_marked = used[at / 64] >> (at % 64) & 1 == 1;
            if !is_marked && span.as_ref().is_some_and(|span| cut.used_in(ix, span)) {
                set(used, at..=at);
            }
        }
    }

    fn sum(self) -> Counts {
        let customers = || self.marks.chunks_exact(self.words.max(1) * 2).map(|marks| marks.split_at(self.words));
        let any = |words: &[u64]| words.iter().any(|word| *word != 0);
        let (mut with_usage, mut without_usage) = (0, 0);
        for (used, active) in customers() {
            with_usage += u64::from(any(used));
            without_usage += u64::from(!any(used) && any(active));
        }
        let (mut with_usage_by, mut without_usage_by) = (Vec::new(), Vec::new());
        for word in 0..self.words {
            with_usage_by.extend(count_bits(customers().map(|(used, _)| used[word])));
            without_usage_by.extend(count_bits(customers().map(|(used, active)| active[word] & !used[word])));
        }
        with_usage_by.truncate(self.slices.len());
        without_usage_by.truncate(self.slices.len());
        Counts { sold: self.sold, with_usage, with_usage_by, without_usage, without_usage_by }
    }
}

/// Sets some bits.
fn set(words: &mut [u64], bits: RangeInclusive<usize>) {
    let (first, last) = (*bits.start(), *bits.end());
    for (word, bits) in words.iter_mut().enumerate().take(last / 64 + 1).skip(first / 64) {
        let from = if word == first / 64 { u64::MAX << (first % 64) } else { u64::MAX };
        let to = if word == last / 64 { u64::MAX >> (63 - last % 64) } else { u64::MAX };
        *bits |= from & to;
    }
}

/// In how many of the words each bit is set.
///
/// The digits of all 64 counts stand side by side, one word a digit, so that a word is added to
/// them all at once: a few operations in place of one a bit.
fn count_bits(words: impl Iterator<Item = u64>) -> [u64; 64] {
    const DIGITS: usize = 32;
    let mut digits = [0_u64; DIGITS];
    for word in words {
        let mut carry = word;
        for digit in &mut digits {
            (*digit, carry) = (*digit ^ carry, *digit & carry);
            if carry == 0 {
                break;
            }
        }
    }
    std::array::from_fn(|bit| digits.iter().enumerate().map(|(place, digit)| (digit >> bit & 1) << place).sum())
}
