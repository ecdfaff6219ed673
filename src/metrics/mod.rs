//! The product's figures, one file a metric of METRICS.md. Each is a pure function of a
//! portfolio, a period and a filter.
//!
//! Absent on purpose: a cache (the service has one), a clock, any risk. A figure that a model
//! speaks in is added by the service.
//!
//! What holds for all of them: nothing after the as-of day is read, and a period that reaches
//! beyond it stands at the as-of day. A portfolio without an as-of day has no figures: counts
//! are 0, lists empty, rates none.

mod anomalies;
mod categories;
mod churn;
mod cohorts;
mod cost;
mod customers;
mod expiring;
mod filter;
mod gaps;
mod near;
mod retention;
mod revenue;
mod slices;
mod source_gaps;
mod subscription;
mod summary;
mod top;
mod trend;
mod without_usage;

pub use anomalies::{Anomaly, AnomalyMeasure, Direction, anomalies};
pub use categories::{CategoryUse, categories};
pub use churn::{Churn, ChurnCounts, ChurnSlice, churn};
pub use cohorts::{CohortMonth, cohorts};
pub use cost::{CostFigure, CostPoint, usage_cost};
pub use customers::{CustomerCount, CustomerFlow, CustomerSlice, customer_count};
pub use expiring::{Expiring, ExpiringCounts, ExpiringRow, Expiry, Window, expiring};
pub use filter::{Cut, Filter, FilterError, RawFilter};
pub use gaps::{Gap, gaps};
pub use retention::{RenewalSlice, Retention, retention};
pub use revenue::{RevenueFlow, RevenueRetention, revenue_retention};
pub use slices::{Slice, Slices};
pub use source_gaps::{SourceDays, source_gaps};
pub use subscription::{DailyUse, StateChange, SubscriptionHistory, UseTotal, subscription_history};
pub use summary::{Figure, Point, Summary, summary};
pub use top::{Measure, TopCustomer, TopCustomers, TopError, top_customers};
pub use without_usage::{WithoutUsage, without_usage};

use crate::domain::Day;
use crate::portfolio::Portfolio;

/// `part / whole`, unrounded; none over 0.
fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// `(value - preceding) / preceding`, unrounded; none where the earlier is not above 0.
fn growth(value: i128, preceding: i128) -> Option<f64> {
    (preceding > 0).then(|| (value - preceding) as f64 / preceding as f64)
}

/// Days of `from..=to` on which the feed had a row; 0 where that is empty.
fn known_days(portfolio: &Portfolio, from: Day, to: Day) -> u32 {
    let Some((first, as_of)) = portfolio.first_day().zip(portfolio.as_of()) else { return 0 };
    let (from, to) = (from.max(first), to.min(as_of));
    let gaps = portfolio.gaps();
    let unknown = gaps.partition_point(|gap| *gap <= to).saturating_sub(gaps.partition_point(|gap| *gap < from));
    u32::try_from(to - from + 1).unwrap_or(0).saturating_sub(u32::try_from(unknown).unwrap_or(0))
}
