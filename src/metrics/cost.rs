//! What the usage of a period cost, beside the period before and by date.
//!
//! Absent on purpose: the cost at risk, which takes a model.

use serde::Serialize;
use utoipa::ToSchema;

use super::summary::slices_of_sparkline;
use super::{Cut, Filter, Slice, Slices, growth};
use crate::domain::{MicrosSum, Period};
use crate::portfolio::Portfolio;

/// The cost of a day or month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct CostPoint {
    #[serde(flatten)]
    pub slice: Slice,
    pub value: MicrosSum,
}

/// The cost of a period, beside that of the preceding period of equal length.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct CostFigure {
    pub value: MicrosSum,
    pub preceding: MicrosSum,
    /// `(value - preceding) / preceding`, a fraction; null where the earlier is not above 0.
    pub growth: Option<f64>,
    /// By day up to 92 days, else by month; the sum of all is the value.
    pub series: Vec<CostPoint>,
}

/// The cost of the usage of a period, up to the as-of day; none where the source has no cost.
///
/// The value is [`super::Summary::usage_cost`]; growth and series follow the rules of the other figures
/// of the summary (METRICS.md, 1 and Settled).
#[must_use]
pub fn usage_cost(portfolio: &Portfolio, period: Period, filter: &Filter) -> Option<CostFigure> {
    if !portfolio.has_cost() {
        return None;
    }
    let slices = slices_of_sparkline(period, portfolio.as_of());
    let cut = filter.cut(portfolio);
    let values = by_slice(&cut, &slices);
    let value = MicrosSum(values.iter().sum());
    let before = Slices::whole(period.preceding(), portfolio.as_of());
    let span = before.days().and_then(|(from, to)| portfolio.span(from, to));
    let preceding = span.map_or(MicrosSum(0), |span| cut.total_cost_in(&span));
    let series = slices.iter().zip(values).map(|(slice, value)| CostPoint { slice: *slice, value: MicrosSum(value) }).collect();
    Some(CostFigure { value, preceding, growth: growth(value.0, preceding.0), series })
}

/// The cost of each slice. Where the filter keeps most subscriptions whole, what it leaves out is
/// taken away from the sums of all, which the portfolio knows by day.
fn by_slice(cut: &Cut<'_>, slices: &Slices) -> Vec<i128> {
    let portfolio = cut.portfolio();
    let Some((from, to)) = slices.days() else { return Vec::new() };
    let kept = cut.subscriptions().count();
    let from_all = !cut.cuts_rows() && kept > portfolio.subscriptions().len() / 2;
    let mut sums = vec![0; slices.len()];
    if from_all {
        let everybody = Filter::default();
        let whole = everybody.cut(portfolio);
        for (sum, slice) in sums.iter_mut().zip(slices.iter()) {
            *sum = portfolio.span(slice.from, slice.to).map_or(0, |span| whole.total_cost_in(&span).0);
        }
    }
    let (sign, wanted) = if from_all { (-1, false) } else { (1, true) };
    for ix in portfolio.subscription_indices().filter(|ix| cut.keeps(*ix) == wanted) {
        let mut add = |on, cost| {
            if let Some(at) = slices.index(on) {
                sums[at] += sign * i128::from(cost);
            }
        };
        if from_all {
            portfolio.usage(ix).within(from, to).iter().for_each(|row| add(row.on, row.cost.0));
        } else {
            cut.rows(ix, from, to).for_each(|row| add(row.on, row.cost.0));
        }
    }
    sums
}
