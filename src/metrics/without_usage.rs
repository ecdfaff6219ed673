//! The subscriptions that somebody has and nobody uses.

use std::cmp::Ordering;

use serde::Serialize;

use super::{Filter, known_days};
use crate::domain::{Day, Period, State};
use crate::portfolio::{Portfolio, SubscriptionIx};

/// A subscription that was active in the period and not used in it. State, last used day and
/// days since are those at the end of the period, at most at the as-of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct WithoutUsage {
    pub subscription: SubscriptionIx,
    pub state: State,
    pub created_on: Option<Day>,
    /// None where it was never used.
    pub last_used_on: Option<Day>,
    /// Known days since then: silence does not count the days on which the feed was silent
    /// (METRICS.md, Settled: gaps). None where it was never used.
    pub days_since: Option<u32>,
}

/// Subscriptions active on at least one day of the period with no usage day in it, sorted by
/// last used day, never-used first, then id.
///
/// State, last used day and days since are read at the end of the period, at most at the as-of
/// day (METRICS.md, 4 and Settled).
#[must_use]
pub fn without_usage(portfolio: &Portfolio, period: Period, filter: &Filter) -> Vec<WithoutUsage> {
    let Some(known) = portfolio.as_of().and_then(|as_of| period.cut_at(as_of)) else { return Vec::new() };
    let (from, end) = (known.from(), known.to());
    let span = portfolio.span(from, end);
    let cut = filter.cut(portfolio);
    let mut rows: Vec<WithoutUsage> = cut
        .subscriptions()
        .filter(|ix| portfolio.subscription(*ix).life.active_within(from, end) && !span.is_some_and(|span| cut.used_in(*ix, &span)))
        .map(|ix| {
            let last_used_on = cut.last_used(ix, end);
            WithoutUsage {
                subscription: ix,
                state: portfolio.state_at(ix, end),
                created_on: portfolio.subscription(ix).life.created(),
                last_used_on,
                days_since: last_used_on.map(|last| known_days(portfolio, last + 1, end)),
            }
        })
        .collect();
    rows.sort_by(order);
    rows
}

/// Places ascend with ids, so they settle ties as ids do.
fn order(a: &WithoutUsage, b: &WithoutUsage) -> Ordering {
    (a.last_used_on, a.subscription).cmp(&(b.last_used_on, b.subscription))
}
