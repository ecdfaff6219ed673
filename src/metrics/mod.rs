//! The product's figures, one file a metric of METRICS.md. Each is a pure function of a
//! portfolio, a period and a filter.
//!
//! Absent on purpose: a cache (the service has one), a clock, any risk. A figure that a model
//! speaks in is added by the service.
//!
//! What holds for all of them: nothing after the as-of day is read, and a period that reaches
//! beyond it stands at the as-of day. A portfolio without an as-of day has no figures: counts
//! are 0, lists empty, rates none.

mod churn;
mod expiring;
mod filter;
mod retention;
mod slices;
mod summary;
mod without_usage;

pub use churn::{Churn, ChurnCounts, ChurnSlice, churn};
pub use expiring::{Expiring, ExpiringCounts, ExpiringRow, Window, expiring};
pub use filter::{Cut, Filter, FilterError, RawFilter};
pub use retention::{RenewalSlice, Retention, retention};
pub use slices::{Slice, Slices};
pub use summary::{Figure, Point, Summary, summary};
pub use without_usage::{WithoutUsage, without_usage};

/// `part / whole`, unrounded; none over 0.
fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
