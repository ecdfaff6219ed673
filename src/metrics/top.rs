//! The customers with the most of something: of a category's quantity, or of cost.
//!
//! Absent on purpose: names (the service resolves them) and bounds on the limit.

use serde::Serialize;
use thiserror::Error;

use super::{Cut, Filter, growth};
use crate::domain::{MicrosSum, Period};
use crate::portfolio::{CustomerIx, Portfolio, SeriesIx, Span, SubscriptionIx};

/// What customers are ranked by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Measure {
    /// Cost of the filter's categories, or of all where it names none.
    Cost,
    /// Quantity of one (category, unit): of the one category that the filter names, and of
    /// `unit`, which may be left out where the category has only one.
    Quantity { unit: Option<String> },
}

/// Why a quantity cannot be added up.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TopError {
    #[error("a quantity is that of one category, and {0} are named")]
    OneCategory(usize),
    #[error("quantities of {category} are counted in several units: {}", units.join(", "))]
    UnitNeeded { category: String, units: Vec<String> },
}

/// A customer among the top.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TopCustomer {
    pub customer: CustomerIx,
    /// Its quantity or cost in the period; above 0.
    pub value: MicrosSum,
    /// `value / total`, a fraction; none where the total is not above 0, as credits can make it.
    pub share: Option<f64>,
    /// The same measure in the preceding period of the length asked for.
    pub preceding: MicrosSum,
    /// `(value - preceding) / preceding`, a fraction; none where the earlier is not above 0.
    pub growth: Option<f64>,
    /// Its subscriptions with a usage day in the period: in the measured (category, unit), or in
    /// the categories whose cost is measured.
    pub subscriptions_used: u64,
}

/// The top customers of a period.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TopCustomers {
    /// The unit of the quantities; none where cost is measured, or where there is nothing.
    pub unit: Option<String>,
    /// The measure of all customers that the filter left.
    pub total: MicrosSum,
    /// Customers whose measure is above 0.
    pub customers: u64,
    /// The first of them.
    pub rows: Vec<TopCustomer>,
}

/// Top customers: by summed `quantity` of one (category, unit), or by `cost` of a category or of
/// all; at most `limit`. Only those whose measure is above 0; ties by customer id ascending.
/// Each with its share of the filtered total, growth against the preceding period (none where
/// the earlier is 0), subscriptions used (METRICS.md, 2 and Settled).
///
/// The category is the filter's. A category or unit that nothing has is an empty answer. Where
/// no row has a cost, nothing has a cost above 0.
///
/// # Errors
/// By quantity, where the filter does not name exactly one category, or the tables that it left
/// have rows of that category in several units and none is chosen.
pub fn top_customers(
    portfolio: &Portfolio,
    period: Period,
    filter: &Filter,
    measure: &Measure,
    limit: usize,
) -> Result<TopCustomers, TopError> {
    let cut = filter.cut(portfolio);
    let measured = match measure {
        Measure::Cost => Some(Measured::Cost),
        Measure::Quantity { unit } => series(&cut, filter, unit.as_deref())?.map(Measured::Quantity),
    };
    let unit = match measured {
        Some(Measured::Quantity(series)) => Some(portfolio.series()[usize::from(series.0)].unit.clone()),
        Some(Measured::Cost) | None => None,
    };
    let span = portfolio.as_of().and_then(|as_of| portfolio.span(period.from(), period.to().min(as_of)));
    let Some((measured, span)) = measured.zip(span) else {
        return Ok(TopCustomers { unit, total: MicrosSum(0), customers: 0, rows: Vec::new() });
    };
    // By subscription first: whose each is would be asked of a record that nothing else needs.
    let mut values = vec![0_i128; portfolio.subscriptions().len()];
    match measured {
        Measured::Cost => cut.each_cost_in(&span, |ix, cost| values[ix.at()] = cost.0),
        Measured::Quantity(_) => cut.subscriptions().for_each(|ix| values[ix.at()] = measured.sum(&cut, ix, &span)),
    }
    let total: i128 = values.iter().sum();
    let customers = (0..).map(CustomerIx).take(portfolio.customers().len());
    let of_customer = |customer| portfolio.subscriptions_of(customer).iter().map(|ix| values[ix.at()]).sum::<i128>();
    let mut ranked: Vec<(i128, CustomerIx)> =
        customers.map(|customer| (of_customer(customer), customer)).filter(|(value, _)| *value > 0).collect();
    let customers = ranked.len() as u64;
    // Places ascend with ids, so they settle ties as ids do.
    let order = |a: &(i128, CustomerIx), b: &(i128, CustomerIx)| b.0.cmp(&a.0).then(a.1.cmp(&b.1));
    if limit < ranked.len() {
        ranked.select_nth_unstable_by(limit, order);
        ranked.truncate(limit);
    }
    ranked.sort_unstable_by(order);
    let earlier = period.preceding();
    let earlier = portfolio.span(earlier.from(), earlier.to());
    let row = |(value, customer): (i128, CustomerIx)| {
        let preceding = earlier.map_or(0, |span| cut.subscriptions_of(customer).map(|ix| measured.sum(&cut, ix, &span)).sum());
        TopCustomer {
            customer,
            value: MicrosSum(value),
            share: (total > 0).then(|| value as f64 / total as f64),
            preceding: MicrosSum(preceding),
            growth: growth(value, preceding),
            subscriptions_used: cut.subscriptions_of(customer).filter(|ix| measured.is_used(&cut, *ix, &span)).count() as u64,
        }
    };
    Ok(TopCustomers { unit, total: MicrosSum(total), customers, rows: ranked.into_iter().map(row).collect() })
}

/// What is added up.
#[derive(Debug, Clone, Copy)]
enum Measured {
    Cost,
    Quantity(SeriesIx),
}

impl Measured {
    fn sum(self, cut: &Cut<'_>, subscription: SubscriptionIx, span: &Span) -> i128 {
        match self {
            Self::Cost => cut.cost_in(subscription, span).0,
            Self::Quantity(series) => cut.portfolio().quantity_within(subscription, span, series),
        }
    }

    fn is_used(self, cut: &Cut<'_>, subscription: SubscriptionIx, span: &Span) -> bool {
        match self {
            Self::Cost => cut.used_in(subscription, span),
            Self::Quantity(series) => cut.lines(subscription).any(|line| line.series() == series && line.used_within(span)),
        }
    }
}

/// The (category, unit) whose quantity is asked for; none where the tables have none such.
fn series(cut: &Cut<'_>, filter: &Filter, unit: Option<&str>) -> Result<Option<SeriesIx>, TopError> {
    let [category] = filter.categories() else { return Err(TopError::OneCategory(filter.categories().len())) };
    let all = cut.portfolio().series();
    let mut there = vec![false; all.len()];
    for line in cut.subscriptions().flat_map(|ix| cut.lines(ix)) {
        there[usize::from(line.series().0)] = true;
    }
    let of_category = all.iter().zip(&there).zip(0..).filter(|((series, there), _)| **there && series.category == *category);
    let found: Vec<(&str, SeriesIx)> = of_category.map(|((series, _), number)| (series.unit.as_str(), SeriesIx(number))).collect();
    match (unit, found.as_slice()) {
        (Some(unit), found) => Ok(found.iter().find(|(of, _)| *of == unit).map(|(_, series)| *series)),
        (None, []) => Ok(None),
        (None, [(_, series)]) => Ok(Some(*series)),
        (None, several) => {
            let units = several.iter().map(|(unit, _)| (*unit).to_owned()).collect();
            Err(TopError::UnitNeeded { category: category.clone(), units })
        }
    }
}
