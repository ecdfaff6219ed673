//! The hazards under which a made-up subscription lives, and the shares of what is in a portfolio.
//!
//! A hazard is the probability of an event on a day on which the subscription could have it:
//! it was active at the end of the day before. All are constant in time, so what a model
//! should find is known in closed form.

use serde::Serialize;

use super::habit::Habit;

/// Every rate and share of a made-up portfolio.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Hazards {
    /// Cancellations a year of an active subscription with an annual term and several categories.
    pub cancelled_per_year: f64,
    /// How much more often monthly terms cancel.
    pub monthly_cancels_times: f64,
    /// How much more often subscriptions of one category cancel.
    pub narrow_cancels_times: f64,
    /// How much more often subscriptions cancel that never used anything.
    pub unused_cancels_times: f64,
    /// Suspensions for want of payment a year.
    pub suspended_per_year: f64,
    /// Share of the suspensions that end in recovery, 2 to 30 days later. The others end for
    /// good 7 to 44 days later.
    pub recovery_share: f64,
    /// Share of term ends at which an annual and a monthly term expires in place of a renewal.
    pub annual_expiry_share: f64,
    pub monthly_expiry_share: f64,
    /// How much more often terms expire whose renewal is not automatic.
    pub manual_expires_times: f64,
    /// Share of subscriptions into which the usage of another one of the same customer moves.
    pub successor_share: f64,
    /// Share of leavers (migrations aside) whose usage fades over the 30 to 120 days before.
    pub warning_share: f64,
    /// Fadings a year that end in nothing: usage comes back.
    pub scares_per_year: f64,
    /// Share of subscriptions created before the first day.
    pub older_share: f64,
    /// Share of the younger ones that begin as a free trial of 30 days.
    pub trial_share: f64,
    /// Share of trials that become paid.
    pub conversion_share: f64,
    /// Share of subscriptions that never use anything.
    pub unused_share: f64,
    /// Share of subscriptions with an annual term; the others have terms of 30 days.
    pub annual_share: f64,
    /// Share of subscriptions that renew by themselves.
    pub auto_renew_share: f64,
    /// Share of used days with rows in a second category.
    pub second_row_share: f64,
}

/// The rates of every made-up portfolio. Together they lose about 18 % of the subscriptions a
/// year and use about 60 % of the subscription-days, as partners report of theirs.
pub const HAZARDS: Hazards = Hazards {
    cancelled_per_year: 0.08,
    monthly_cancels_times: 1.6,
    narrow_cancels_times: 1.5,
    unused_cancels_times: 2.0,
    suspended_per_year: 0.10,
    recovery_share: 0.6,
    annual_expiry_share: 0.04,
    monthly_expiry_share: 0.004,
    manual_expires_times: 2.0,
    successor_share: 0.02,
    warning_share: 0.6,
    scares_per_year: 0.08,
    older_share: 0.78,
    trial_share: 0.12,
    conversion_share: 0.4,
    unused_share: 0.04,
    annual_share: 0.55,
    auto_renew_share: 0.7,
    second_row_share: 0.04,
};

/// The hazards of one subscription.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Known {
    /// P(cancelled on a day | active at the end of the day before).
    pub cancelled_per_day: f64,
    /// P(suspended on a day | active at the end of the day before), recoveries included.
    pub suspended_per_day: f64,
    /// P(a suspension is survived).
    pub recovery_share: f64,
    /// P(expires in place of a renewal | active at a term end).
    pub expiry_per_term_end: f64,
}

/// Days of a year, for rates.
const YEAR_DAYS: f64 = 365.0;

/// The probability on one day that belongs to a rate a year.
pub(super) fn per_day(per_year: f64) -> f64 {
    1.0 - (-per_year / YEAR_DAYS).exp()
}

impl Known {
    /// The hazards that follow from the term and the habit.
    pub(super) fn of(annual: bool, auto_renew: bool, habit: &Habit) -> Self {
        let rates = HAZARDS;
        let times = |holds: bool, factor: f64| if holds { factor } else { 1.0 };
        let cancelled = rates.cancelled_per_year
            * times(!annual, rates.monthly_cancels_times)
            * times(habit.is_narrow(), rates.narrow_cancels_times)
            * times(habit.is_unused(), rates.unused_cancels_times);
        let expiry = if annual { rates.annual_expiry_share } else { rates.monthly_expiry_share };
        Self {
            cancelled_per_day: per_day(cancelled),
            suspended_per_day: per_day(rates.suspended_per_year),
            recovery_share: rates.recovery_share,
            expiry_per_term_end: expiry * times(!auto_renew, rates.manual_expires_times),
        }
    }
}
