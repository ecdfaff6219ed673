//! Holes in the feed: days of which nothing is known.
//!
//! Absent on purpose: gaps of one source, since a portfolio does not know which source a row
//! came from, and any filling in.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{Day, Period};
use crate::portfolio::Portfolio;

/// Days in a row without a single usage row in the whole portfolio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Gap {
    pub from: Day,
    pub to: Day,
    /// Days from `from` to `to`, both counted.
    pub days: u32,
}

/// The gaps of a period, ascending, as far as they lie in it: runs of days between the first day
/// of data and the as-of day without a single row in the whole portfolio (METRICS.md, Settled:
/// gaps). No filter plays a part: a day without a row of some customers is no gap.
#[must_use]
pub fn gaps(portfolio: &Portfolio, period: Period) -> Vec<Gap> {
    let days = portfolio.gaps();
    let from = days.partition_point(|day| *day < period.from());
    let to = days.partition_point(|day| *day <= period.to());
    let runs = days[from..to].chunk_by(|one, next| *next - *one == 1);
    runs.filter_map(|run| {
        let (from, to) = (*run.first()?, *run.last()?);
        Some(Gap { from, to, days: u32::try_from(run.len()).unwrap_or(u32::MAX) })
    })
    .collect()
}
