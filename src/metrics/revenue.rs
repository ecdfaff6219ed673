//! Revenue retention: of what came in a month before the period, how much still comes at its end.
//!
//! The one figure that also reads usage by the month: a month of which no day is told may be told
//! by such rows. Absent on purpose: annual figures, and any month that is not whole.

use serde::Serialize;
use utoipa::ToSchema;

use super::filter::MonthsCut;
use super::{Cut, Filter, known_days};
use crate::domain::{Day, MicrosSum, Period};
use crate::portfolio::{MonthIx, Portfolio, Span, SubscriptionIx};

/// What became of the cost per day. Amounts are per day and rounded half-even to micro-units,
/// each once, from an exact sum; the ratios come from the exact sums.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct RevenueFlow {
    /// The sum of S.
    pub starting: MicrosSum,
    /// The sum of E: `starting - churned - contraction + expansion + reactivation + new`.
    pub ending: MicrosSum,
    /// S of those with E = 0.
    pub churned: MicrosSum,
    /// S - E of those with 0 < E < S.
    pub contraction: MicrosSum,
    /// E - S of those with E > S > 0.
    pub expansion: MicrosSum,
    /// E of those with S = 0 that had cost in a month before.
    pub reactivation: MicrosSum,
    /// E of those with S = 0 and no cost in any month before.
    pub new: MicrosSum,
    pub subscriptions_churned: u64,
    pub subscriptions_contracted: u64,
    pub subscriptions_expanded: u64,
    pub subscriptions_reactivated: u64,
    pub subscriptions_new: u64,
    /// `1 - (churned + contraction) / starting`; none over 0.
    pub grr: Option<f64>,
    /// The E of those with S > 0 over `starting`; none over 0.
    pub nrr: Option<f64>,
    /// `(new + expansion + reactivation) / (churned + contraction)`; none over 0.
    pub quick_ratio: Option<f64>,
}

/// Revenue retention of a period.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct RevenueRetention {
    /// First day of the month of S; none without an as-of day.
    pub start_month: Option<Day>,
    /// First day of the month of E; none without an as-of day.
    pub end_month: Option<Day>,
    /// Days of the months that are no feed gap: all of a month that is told by the month.
    pub start_known_days: u32,
    pub end_known_days: u32,
    /// None where S begins before the first day of data, a month has no known day, or its rows have
    /// no cost.
    pub flow: Option<RevenueFlow>,
}

/// Revenue retention on monthly cost of full calendar months, normalised to cost per day: per
/// subscription start S and end E: churned (E = 0), contraction (0 < E < S), expansion (E > S),
/// reactivation, new. `GRR = 1 - (churned + contraction)/ΣS`, `NRR = (ΣE of those with S >
/// 0)/ΣS`, `quick_ratio = (new + expansion + reactivation)/(churned + contraction)`, none over 0.
///
/// E = the last full calendar month that ends by the period's end (at most the as-of day); S =
/// the last full month before the period's first day, and before E. Cost per day = cost over the
/// month's days that are no feed gap. None where S begins before the first day of data. S = 0
/// and E > 0: reactivation if there was cost in any month before S, else new (METRICS.md, Beyond
/// the seed and Settled).
///
/// A month with a daily row of anybody is told by its daily rows, one without by the rows that a
/// source gives by the month, of which all days are known. Data begin with the first of either.
/// Where the rows that tell S or E have no cost at all there is no answer: beside months that
/// have, everybody would seem to have left or come.
///
/// A month whose cost is below 0, as credits can make it, counts as 0: nothing came in.
/// Costs are compared and added as whole numbers over the product of the two months' known days,
/// so neither order nor rounding plays a part.
#[must_use]
pub fn revenue_retention(portfolio: &Portfolio, period: Period, filter: &Filter) -> RevenueRetention {
    let Some(as_of) = portfolio.as_of() else {
        return RevenueRetention { start_month: None, end_month: None, start_known_days: 0, end_known_days: 0, flow: None };
    };
    let end_month = last_full_month(period.to().min(as_of));
    let start_month = last_full_month(period.from() - 1).min(end_month.plus_months(-1));
    let [(start, start_known_days), (end, end_known_days)] = [start_month, end_month].map(|month| told(portfolio, month));
    let ends = start.zip(end).filter(|_| first_day(portfolio).is_some_and(|first| first <= start_month));
    let flow = ends.map(|(start, end)| {
        let mut flows = Flows::new(start_known_days, end_known_days);
        let (cut, months) = filter.cut_with_months(portfolio);
        let earlier = months_before(portfolio, start_month);
        for ix in cut.subscriptions() {
            let (start, end) = (start.cost(ix, &cut, &months).max(0), end.cost(ix, &cut, &months).max(0));
            let by_day = || earlier.iter().any(|span| cut.cost_in(ix, span).0 > 0);
            flows.add(start, end, || by_day() || months.had_cost_before(ix, start_month));
        }
        flows.sum()
    });
    RevenueRetention { start_month: Some(start_month), end_month: Some(end_month), start_known_days, end_known_days, flow }
}

/// First day of the last month that ends on `day` or before.
fn last_full_month(day: Day) -> Day {
    (day + 1).month_start().plus_months(-1)
}

/// The rows that tell what a month cost.
#[derive(Debug, Clone, Copy)]
enum Told {
    ByDay(Span),
    ByMonth(MonthIx),
}

impl Told {
    /// What a subscription that is kept cost in the month, in micro-units.
    fn cost(self, subscription: SubscriptionIx, cut: &Cut<'_>, months: &MonthsCut<'_>) -> i128 {
        match self {
            Self::ByDay(span) => cut.cost_in(subscription, &span).0,
            Self::ByMonth(month) => months.cost(subscription, month).0,
        }
    }
}

/// What tells the cost of a month, none where nothing does, and its known days.
fn told(portfolio: &Portfolio, month: Day) -> (Option<Told>, u32) {
    let next = month.plus_months(1);
    let usage = portfolio.monthly_usage();
    // A portfolio keeps no rows by the month beside daily ones.
    if let Some(by_month) = usage.find(month) {
        let days = u32::try_from(next - month).unwrap_or(0);
        return (usage.has_cost(by_month).then_some(Told::ByMonth(by_month)), days);
    }
    let days = known_days(portfolio, month, next - 1);
    let span = month_span(portfolio, month).filter(|_| days > 0 && portfolio.has_cost());
    (span.map(Told::ByDay), days)
}

/// The first day of data, of either kind.
fn first_day(portfolio: &Portfolio) -> Option<Day> {
    let by_month = portfolio.monthly_usage().months().first().map(|told| told.month);
    portfolio.first_day().into_iter().chain(by_month).min()
}

fn month_span(portfolio: &Portfolio, month: Day) -> Option<Span> {
    portfolio.span(month, month.plus_months(1) - 1)
}

/// The months with days before one, from the first day of the daily rows, the latest first.
fn months_before(portfolio: &Portfolio, month: Day) -> Vec<Span> {
    (1..).map_while(|back| month_span(portfolio, month.plus_months(-back))).collect()
}

/// Sums in 1 / (start days x end days) of a micro-unit a day.
#[derive(Debug, Default)]
struct Flows {
    start_days: i128,
    end_days: i128,
    starting: i128,
    /// E of those with S > 0.
    kept: i128,
    churned: i128,
    contraction: i128,
    expansion: i128,
    reactivation: i128,
    new: i128,
    subscriptions: [u64; 5],
}

impl Flows {
    fn new(start_days: u32, end_days: u32) -> Self {
        Self { start_days: i128::from(start_days), end_days: i128::from(end_days), ..Self::default() }
    }

    /// Adds a subscription by its costs in both months, in micro-units.
    fn add(&mut self, start: i128, end: i128, had_cost_before: impl FnOnce() -> bool) {
        let (start, end) = (start * self.end_days, end * self.start_days);
        self.starting += start;
        if start > 0 {
            self.kept += end;
        }
        let [churned, contracted, expanded, reactivated, new] = &mut self.subscriptions;
        let (sum, amount, count) = match (start, end) {
            (0, 0) => return,
            (0, _) if had_cost_before() => (&mut self.reactivation, end, reactivated),
            (0, _) => (&mut self.new, end, new),
            (_, 0) => (&mut self.churned, start, churned),
            _ if end < start => (&mut self.contraction, start - end, contracted),
            _ if end > start => (&mut self.expansion, end - start, expanded),
            _ => return,
        };
        *sum += amount;
        *count += 1;
    }

    fn sum(&self) -> RevenueFlow {
        let days = self.start_days * self.end_days;
        let per_day = |sum: i128| MicrosSum(round_half_even(sum, days));
        let over = |part: i128, whole: i128| (whole > 0).then(|| part as f64 / whole as f64);
        let lost = self.churned + self.contraction;
        let [subscriptions_churned, subscriptions_contracted, subscriptions_expanded, subscriptions_reactivated, subscriptions_new] =
            self.subscriptions;
        RevenueFlow {
            starting: per_day(self.starting),
            ending: per_day(self.kept + self.reactivation + self.new),
            churned: per_day(self.churned),
            contraction: per_day(self.contraction),
            expansion: per_day(self.expansion),
            reactivation: per_day(self.reactivation),
            new: per_day(self.new),
            subscriptions_churned,
            subscriptions_contracted,
            subscriptions_expanded,
            subscriptions_reactivated,
            subscriptions_new,
            // The difference is exact before it is divided, so that GRR is never above NRR.
            grr: over(self.starting - lost, self.starting),
            nrr: over(self.kept, self.starting),
            quick_ratio: over(self.new + self.expansion + self.reactivation, lost),
        }
    }
}

/// `numerator / denominator`, which are not below 0 and above 0; a tie goes to the even number.
fn round_half_even(numerator: i128, denominator: i128) -> i128 {
    let (quotient, rest) = (numerator / denominator, numerator % denominator);
    let up = rest * 2 > denominator || (rest * 2 == denominator && quotient % 2 != 0);
    quotient + i128::from(up)
}
