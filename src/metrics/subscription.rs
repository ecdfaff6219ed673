//! One subscription: what it was and when, when it renewed, and what it used day by day.
//!
//! Absent on purpose: names and the terms on record (the service reads them from the portfolio),
//! and its risk.

use serde::Serialize;
use utoipa::ToSchema;

use super::{Filter, known_days};
use crate::domain::{Day, Micros, MicrosSum, Period, State};
use crate::portfolio::{CustomerIx, Portfolio, SubscriptionIx};

/// A day at whose end the state differs from that of the day before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct StateChange {
    pub on: Day,
    pub state: State,
    /// The reason of the event that caused it, in the source's words.
    pub reason: Option<String>,
}

/// A (day, category, unit) of the daily series.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DailyUse {
    pub on: Day,
    pub category: String,
    pub unit: String,
    pub quantity: Micros,
    /// None where the source has no cost.
    pub cost: Option<Micros>,
}

/// What a subscription used of one (category, unit) in the period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct UseTotal {
    pub category: String,
    pub unit: String,
    pub quantity: MicrosSum,
    /// None where the source has no cost.
    pub cost: Option<MicrosSum>,
    /// Days of the period whose row has a quantity above 0.
    pub usage_days: u64,
}

/// One subscription up to the end of a period, at most to the as-of day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SubscriptionHistory {
    pub subscription: SubscriptionIx,
    pub customer: CustomerIx,
    /// The state at the end of the period.
    pub state: State,
    pub created_on: Option<Day>,
    /// The last usage day up to the end of the period; none where it was never used.
    pub last_used_on: Option<Day>,
    /// Known days since then; none where it was never used.
    pub days_since: Option<u32>,
    /// Every change of state since its creation, up to the as-of day, ascending.
    pub states: Vec<StateChange>,
    /// The days of its renewals, up to the as-of day, ascending.
    pub renewals: Vec<Day>,
    /// The rows of the period, ascending by (day, category, unit).
    pub daily: Vec<DailyUse>,
    /// Their sums, ascending by (category, unit).
    pub totals: Vec<UseTotal>,
    /// What the period cost; none where the source has no cost.
    pub cost: Option<MicrosSum>,
    /// Days of the period with a usage row above 0.
    pub usage_days: u64,
}

/// One subscription: its end-of-day states over time, its renewals, and what it used in the
/// period, by day and in total; none where the filter leaves it out. A category filter keeps
/// only its usage rows (METRICS.md, Words and Settled: filters).
#[must_use]
pub fn subscription_history(
    portfolio: &Portfolio,
    period: Period,
    filter: &Filter,
    subscription: SubscriptionIx,
) -> Option<SubscriptionHistory> {
    let cut = filter.cut(portfolio);
    if !cut.keeps(subscription) {
        return None;
    }
    let row = portfolio.subscription(subscription);
    let end = portfolio.as_of().map_or(period.to(), |as_of| period.to().min(as_of));
    let has_cost = portfolio.has_cost();
    let mut totals: Vec<Option<UseTotal>> = vec![None; portfolio.series().len()];
    let mut daily: Vec<DailyUse> = Vec::new();
    let mut usage_days = 0;
    let mut last_counted = None;
    for point in cut.rows(subscription, period.from(), end) {
        let at = usize::from(point.series.0);
        let series = &portfolio.series()[at];
        let (category, unit) = (series.category.clone(), series.unit.clone());
        let total = totals[at].get_or_insert_with(|| UseTotal {
            category: category.clone(),
            unit: unit.clone(),
            quantity: MicrosSum(0),
            cost: has_cost.then_some(MicrosSum(0)),
            usage_days: 0,
        });
        total.quantity += point.quantity;
        if let Some(cost) = &mut total.cost {
            *cost += point.cost;
        }
        if point.quantity.0 > 0 {
            total.usage_days += 1;
            usage_days += u64::from(last_counted.replace(point.on) != Some(point.on));
        }
        daily.push(DailyUse { on: point.on, category, unit, quantity: point.quantity, cost: has_cost.then_some(point.cost) });
    }
    let last_used_on = cut.last_used(subscription, end);
    let totals: Vec<UseTotal> = totals.into_iter().flatten().collect();
    Some(SubscriptionHistory {
        subscription,
        customer: row.customer,
        state: row.life.state_at(end),
        created_on: row.life.created(),
        last_used_on,
        days_since: last_used_on.map(|last| known_days(portfolio, last + 1, end)),
        states: row
            .life
            .changes()
            .iter()
            .map(|change| StateChange { on: change.on, state: change.state, reason: change.reason.clone() })
            .collect(),
        renewals: row.life.renewals().to_vec(),
        daily,
        cost: has_cost.then(|| MicrosSum(totals.iter().filter_map(|total| total.cost).map(|cost| cost.0).sum())),
        totals,
        usage_days,
    })
}
