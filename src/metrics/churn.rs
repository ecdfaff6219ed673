//! Churn: who left, who came back, who came and who renewed, by date; and the rate of a period.

use serde::Serialize;
use utoipa::ToSchema;

use super::{Filter, Slice, Slices, ratio};
use crate::domain::{Bucket, Period, State, Timeline};
use crate::portfolio::Portfolio;

/// What happened to the subscriptions in some days. In every bucket
/// `active(end) = active(start) + created + recovered - deprovisioned`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct ChurnCounts {
    /// Left `active` (or were created on that very day) and were not active at its end:
    /// `suspended + ended`. A second step, suspended and then ended, is none.
    pub deprovisioned: u64,
    /// Of those, suspended at the end of that day.
    pub suspended: u64,
    /// Of those, ended at the end of that day.
    pub ended: u64,
    /// Suspended at the end of the day before, active at the end of the day.
    pub recovered: u64,
    /// Created on that day, trials as well.
    pub created: u64,
    /// Renewals; a subscription counts once a day.
    pub renewed: u64,
}

/// One bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct ChurnSlice {
    #[serde(flatten)]
    pub slice: Slice,
    /// Active at the end of the bucket's last day.
    pub active: u64,
    #[serde(flatten)]
    pub counts: ChurnCounts,
}

/// Churn of a period.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Churn {
    /// Active at the end of the day before the period.
    pub active_before: u64,
    /// Active at the end of the period, at most at the as-of day.
    pub active_at_end: u64,
    /// Active before the period and not at its end.
    pub lost: u64,
    /// `lost / active_before`, a fraction; none over 0.
    pub churn_rate: Option<f64>,
    /// `1 - (1 - churn_rate)^(365 / days)`, with the days of the period up to the as-of day.
    pub annualised: Option<f64>,
    /// The sums over all buckets.
    pub total: ChurnCounts,
    pub buckets: Vec<ChurnSlice>,
}

/// Churn by day, ISO week or month.
///
/// `active`: state active at the end of the bucket's last day. `deprovisioned` = `suspended` +
/// `ended` in the bucket, after the state at the end of the day; also `recovered`, `created`,
/// `renewed`. `churn_rate` of the period: active before its first day and not active at its
/// end, over active before its first day; none over 0. `annualised = 1-(1-c)^(365/days)`.
/// State is read at the end of days; a bucket that the period or the as-of day cuts is partial
/// (METRICS.md, 5 and Settled).
#[must_use]
pub fn churn(portfolio: &Portfolio, period: Period, bucket: Bucket, filter: &Filter) -> Churn {
    let as_of = portfolio.as_of();
    let slices = Slices::new(period, bucket, as_of);
    let mut counts = vec![ChurnCounts::default(); slices.len()];
    // Steps into and out of `active` in each slice, counted apart from the named events.
    let mut net = vec![0_i64; slices.len()];
    let (mut active_before, mut active_at_end, mut lost) = (0_u64, 0_u64, 0_u64);
    let cut = filter.cut(portfolio);
    for subscription in cut.subscriptions().filter(|_| as_of.is_some()) {
        let life = &portfolio.subscription(subscription).life;
        let before = life.state_at(period.from() - 1) == State::Active;
        let at_end = life.state_at(period.to()) == State::Active;
        active_before += u64::from(before);
        active_at_end += u64::from(at_end);
        lost += u64::from(before && !at_end);
        count(life, &slices, &mut counts, &mut net);
    }
    let mut active = i128::from(active_before);
    let buckets: Vec<ChurnSlice> = slices
        .iter()
        .zip(counts.iter().zip(net))
        .map(|(slice, (counts, net))| {
            active += i128::from(net);
            ChurnSlice { slice: *slice, active: u64::try_from(active).unwrap_or(0), counts: *counts }
        })
        .collect();
    let churn_rate = ratio(lost, active_before);
    let days = slices.days().map(|(first, last)| f64::from(last - first + 1));
    let annualised = churn_rate.zip(days).map(|(rate, days)| 1.0 - (1.0 - rate).powf(365.0 / days));
    Churn { active_before, active_at_end, lost, churn_rate, annualised, total: sum(&counts), buckets }
}

/// Adds one life to the slices.
fn count(life: &Timeline, slices: &Slices, counts: &mut [ChurnCounts], net: &mut [i64]) {
    if let Some(at) = life.created().and_then(|on| slices.index(on)) {
        counts[at].created += 1;
    }
    for left in life.deprovisionings() {
        let Some(at) = slices.index(left.on) else { continue };
        counts[at].deprovisioned += 1;
        match left.to {
            State::Suspended => counts[at].suspended += 1,
            State::Ended => counts[at].ended += 1,
            State::None | State::Active => {}
        }
    }
    for at in life.recoveries().filter_map(|on| slices.index(on)) {
        counts[at].recovered += 1;
    }
    for at in life.renewals().iter().filter_map(|on| slices.index(*on)) {
        counts[at].renewed += 1;
    }
    let mut was_active = false;
    for change in life.changes() {
        let is_active = change.state == State::Active;
        if let Some(at) = slices.index(change.on) {
            net[at] += i64::from(is_active) - i64::from(was_active);
        }
        was_active = is_active;
    }
}

fn sum(counts: &[ChurnCounts]) -> ChurnCounts {
    counts.iter().fold(ChurnCounts::default(), |total, one| ChurnCounts {
        deprovisioned: total.deprovisioned + one.deprovisioned,
        suspended: total.suspended + one.suspended,
        ended: total.ended + one.ended,
        recovered: total.recovered + one.recovered,
        created: total.created + one.created,
        renewed: total.renewed + one.renewed,
    })
}
