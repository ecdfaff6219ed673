//! Cohorts: of the subscriptions that were created in one month, how many are still there, and
//! used, and what they bring, month after month.
//!
//! Absent on purpose: a guess at months that have not ended. They are there, and say so.

use serde::Serialize;
use utoipa::ToSchema;

use super::{Cut, Filter, Slice, Slices, ratio};
use crate::domain::{Bucket, Day, MicrosSum, Period, State};
use crate::portfolio::{Portfolio, Span, SubscriptionIx};

/// One cohort in one month.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct CohortMonth {
    /// First day of the month in which the cohort's subscriptions were created.
    pub cohort: Day,
    /// Whether the period or the as-of day cuts that month, so that the cohort is not all of it.
    pub cohort_partial: bool,
    /// Subscriptions of the cohort: created in that month and inside the period.
    pub size: u64,
    /// The k of this row: 0 is the month of creation.
    pub month: u32,
    /// First day of the k-th month.
    pub from: Day,
    /// Last day of the k-th month, or the as-of day.
    pub to: Day,
    /// Whether the as-of day cuts the k-th month.
    pub partial: bool,
    /// Active at the end of `to`.
    pub active: u64,
    /// With a usage day in the month.
    pub using: u64,
    /// `active / size`, a fraction.
    pub active_share: Option<f64>,
    /// `using / size`, a fraction.
    pub using_share: Option<f64>,
    /// Cost in the month; none where the source has no cost.
    pub cost: Option<MicrosSum>,
}

/// The cohort table: subscriptions created inside the period, by month of creation; month k is
/// the k-th calendar month after, read at its end (the running one `partial`): active, using (a
/// usage day in that month), cost in it, and shares of the cohort's size (METRICS.md, 7 and
/// Settled).
///
/// Ascending by (cohort, month), up to the as-of day wherever the period ends; months in which
/// nothing was created have no rows.
#[must_use]
pub fn cohorts(portfolio: &Portfolio, period: Period, filter: &Filter) -> Vec<CohortMonth> {
    let births = Slices::new(period, Bucket::Month, portfolio.as_of());
    let Some((as_of, (first, _))) = portfolio.as_of().zip(births.days()) else { return Vec::new() };
    let months = Months::new(portfolio, first.month_start(), as_of);
    let slices: Vec<Slice> = births.iter().copied().collect();
    let mut rows: Vec<Vec<CohortMonth>> = vec![Vec::new(); slices.len()];
    let cut = filter.cut(portfolio);
    for ix in cut.subscriptions() {
        let Some(at) = portfolio.subscription(ix).life.created().and_then(|on| births.index(on)) else { continue };
        if rows[at].is_empty() {
            rows[at] = months.since(slices[at].bucket).map(|month| empty(&slices[at], month, portfolio.has_cost())).collect();
        }
        add(&cut, ix, &months, &mut rows[at]);
    }
    let mut rows: Vec<CohortMonth> = rows.into_iter().flatten().collect();
    for row in &mut rows {
        row.active_share = ratio(row.active, row.size);
        row.using_share = ratio(row.using, row.size);
    }
    rows
}

/// A calendar month, as far as the data reach.
#[derive(Debug, Clone, Copy)]
struct Month {
    number: u32,
    from: Day,
    to: Day,
    partial: bool,
    /// None before the data begin.
    span: Option<Span>,
}

/// Months in their order, the last being that of the as-of day.
#[derive(Debug)]
struct Months(Vec<Month>);

impl Months {
    fn new(portfolio: &Portfolio, first: Day, as_of: Day) -> Self {
        let mut months = Vec::new();
        let mut from = first;
        while from <= as_of {
            let next = from.plus_months(1);
            let to = as_of.min(next - 1);
            let number = u32::try_from(months.len()).unwrap_or(u32::MAX);
            months.push(Month { number, from, to, partial: to != next - 1, span: portfolio.span(from, to) });
            from = next;
        }
        Self(months)
    }

    /// The months from that which begins on `first`, counted from 0.
    fn since(&self, first: Day) -> impl Iterator<Item = Month> {
        let skipped = self.0.partition_point(|month| month.from < first);
        self.0.iter().skip(skipped).zip(0..).map(|(month, number)| Month { number, ..*month })
    }

    /// The last `count` months.
    fn last(&self, count: usize) -> &[Month] {
        self.0.get(self.0.len().saturating_sub(count)..).unwrap_or_default()
    }
}

fn empty(cohort: &Slice, month: Month, has_cost: bool) -> CohortMonth {
    CohortMonth {
        cohort: cohort.bucket,
        cohort_partial: cohort.partial,
        size: 0,
        month: month.number,
        from: month.from,
        to: month.to,
        partial: month.partial,
        active: 0,
        using: 0,
        active_share: None,
        using_share: None,
        cost: has_cost.then_some(MicrosSum(0)),
    }
}

/// Adds one subscription to the months of its cohort, which are the last ones.
fn add(cut: &Cut<'_>, ix: SubscriptionIx, months: &Months, rows: &mut [CohortMonth]) {
    let life = &cut.portfolio().subscription(ix).life;
    let months = months.last(rows.len());
    for (row, month) in rows.iter_mut().zip(months) {
        row.size += 1;
        row.active += u64::from(life.state_at(month.to) == State::Active);
        let Some(span) = &month.span else { continue };
        row.using += u64::from(cut.used_in(ix, span));
        if let Some(cost) = &mut row.cost {
            cost.0 += cut.cost_in(ix, span).0;
        }
    }
}
