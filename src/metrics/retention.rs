//! Retention: renewals by date, and how many of the terms that ended were renewed.
//!
//! Absent on purpose: cohorts and revenue, which are metrics of their own.

use serde::Serialize;
use utoipa::ToSchema;

use super::{Filter, Slice, Slices, ratio};
use crate::domain::{Bucket, Period, State};
use crate::portfolio::{Portfolio, Subscription};

/// The renewals of one bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct RenewalSlice {
    #[serde(flatten)]
    pub slice: Slice,
    /// Renewals; a subscription counts once a day.
    pub renewed: u64,
}

/// Retention of a period.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Retention {
    /// Renewals in the period: every (subscription, day).
    pub renewed: u64,
    /// Subscriptions with a term end in the period, each once.
    pub due: u64,
    /// Of those, the ones with a renewal in the period.
    pub renewed_of_due: u64,
    /// `renewed_of_due / due`, a fraction; none over 0.
    pub renewal_rate: Option<f64>,
    pub buckets: Vec<RenewalSlice>,
}

/// Renewals by day, ISO week or month, and the renewal rate.
///
/// A subscription's term ends are the days of its renewals and its recorded `term_end_on`,
/// where that is not after the as-of day and it was active or suspended the day before. `due` =
/// subscriptions with a term end in the period (each once), `renewed_of_due` = those with a
/// renewal in it, `renewal_rate` = their ratio; `renewed` counts every (subscription, day)
/// (METRICS.md, 7 and Settled).
#[must_use]
pub fn retention(portfolio: &Portfolio, period: Period, bucket: Bucket, filter: &Filter) -> Retention {
    let slices = Slices::new(period, bucket, portfolio.as_of());
    let mut by_slice = vec![0_u64; slices.len()];
    let (mut due, mut renewed_of_due) = (0_u64, 0_u64);
    let cut = filter.cut(portfolio);
    for ix in cut.subscriptions() {
        let subscription = portfolio.subscription(ix);
        let mut renews = false;
        for at in subscription.life.renewals().iter().filter_map(|on| slices.index(*on)) {
            by_slice[at] += 1;
            renews = true;
        }
        due += u64::from(renews || term_ends_within(subscription, &slices));
        renewed_of_due += u64::from(renews);
    }
    Retention {
        renewed: by_slice.iter().sum(),
        due,
        renewed_of_due,
        renewal_rate: ratio(renewed_of_due, due),
        buckets: slices.iter().zip(by_slice).map(|(slice, renewed)| RenewalSlice { slice: *slice, renewed }).collect(),
    }
}

/// Whether the recorded term end lies in the slices (which end on the as-of day at the latest)
/// and the subscription was alive the day before.
fn term_ends_within(subscription: &Subscription, slices: &Slices) -> bool {
    subscription
        .term_end_on
        .filter(|on| slices.index(*on).is_some())
        .is_some_and(|on| matches!(subscription.life.state_at(on - 1), State::Active | State::Suspended))
}
