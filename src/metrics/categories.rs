//! What is used: every category and unit, how much of it, what it cost, and by how many.
//!
//! Absent on purpose: a sum over units. A quantity is only ever summed within one (category, unit).

use serde::Serialize;
use utoipa::ToSchema;

use super::{Cut, Filter};
use crate::domain::{MicrosSum, Period};
use crate::portfolio::{CustomerIx, Portfolio, SeriesIx, Span};

/// A (category, unit) of a period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CategoryUse {
    pub category: String,
    pub unit: String,
    pub quantity: MicrosSum,
    /// None where the source has no cost.
    pub cost: Option<MicrosSum>,
    /// Customers with a usage day in it: a row of the period whose quantity is above 0.
    pub customers: u64,
}

/// Every (category, unit) with a row in the period, ascending: its quantity, its cost, and the
/// customers with a usage day in it (METRICS.md, Settled: top customers).
#[must_use]
pub fn categories(portfolio: &Portfolio, period: Period, filter: &Filter) -> Vec<CategoryUse> {
    let known = portfolio.as_of().and_then(|as_of| period.cut_at(as_of));
    let Some((known, span)) = known.and_then(|known| Some((known, portfolio.span(known.from(), known.to())?))) else {
        return Vec::new();
    };
    let cut = filter.cut(portfolio);
    let sums = sums(&cut, known, &span);
    let customers = customers(&cut, &span);
    let has_row = with_rows(&cut, known, &span, &customers);
    let rows = portfolio.series().iter().zip(sums).zip(customers.iter().zip(has_row)).filter(|(_, (_, has_row))| *has_row);
    rows.map(|((series, (quantity, cost)), (customers, _))| CategoryUse {
        category: series.category.clone(),
        unit: series.unit.clone(),
        quantity: MicrosSum(quantity),
        cost: portfolio.has_cost().then_some(MicrosSum(cost)),
        customers: *customers,
    })
    .collect()
}

/// (quantity, cost) by series. The smaller part of the subscriptions is gone through: what the
/// filter kept is added up, or what it left out is taken away from the sums of the whole.
fn sums(cut: &Cut<'_>, period: Period, span: &Span) -> Vec<(i128, i128)> {
    let portfolio = cut.portfolio();
    let series = u16::try_from(portfolio.series().len()).unwrap_or(u16::MAX);
    let whole: Option<Vec<(i128, i128)>> = (0..series).map(|at| portfolio.total_within(SeriesIx(at), span)).collect();
    let kept = cut.subscriptions().count();
    let mut sums = vec![(0, 0); portfolio.series().len()];
    let (sign, takes_kept) = match whole.filter(|_| kept > portfolio.subscriptions().len() / 2) {
        Some(whole) => {
            sums.iter_mut().zip(whole).for_each(|(sum, whole)| *sum = whole);
            (-1, false)
        }
        None => (1, true),
    };
    for ix in portfolio.subscription_indices().filter(|ix| cut.keeps(*ix) == takes_kept) {
        for row in portfolio.usage_within(ix, period.from(), period.to()).iter() {
            let sum = &mut sums[usize::from(row.series.0)];
            *sum = (sum.0 + sign * i128::from(row.quantity.0), sum.1 + sign * i128::from(row.cost.0));
        }
    }
    sums
}

/// Customers with a usage day in the span, by series.
fn customers(cut: &Cut<'_>, span: &Span) -> Vec<u64> {
    let series = cut.portfolio().series().len();
    let mut counts = vec![0_u64; series];
    let mut last_counted: Vec<Option<CustomerIx>> = vec![None; series];
    for customer in (0..).map(CustomerIx).take(cut.portfolio().customers().len()) {
        for line in cut.subscriptions_of(customer).flat_map(|ix| cut.lines(ix)) {
            let at = usize::from(line.series().0);
            if last_counted[at] != Some(customer) && line.used_within(span) {
                counts[at] += 1;
                last_counted[at] = Some(customer);
            }
        }
    }
    counts
}

/// Whether each series has a row in the period. One that somebody used has; the rows of the
/// others are looked through, since a quantity and a cost of 0 are a row too.
fn with_rows(cut: &Cut<'_>, period: Period, span: &Span, customers: &[u64]) -> Vec<bool> {
    let mut has_row: Vec<bool> = customers.iter().map(|customers| *customers > 0).collect();
    if has_row.iter().all(|has_row| *has_row) {
        return has_row;
    }
    for ix in cut.subscriptions() {
        let open = cut.lines(ix).any(|line| !has_row[usize::from(line.series().0)] && line.reaches_into(span));
        if open {
            cut.rows(ix, period.from(), period.to()).for_each(|row| has_row[usize::from(row.series.0)] = true);
        }
    }
    has_row
}
