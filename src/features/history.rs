//! What the kernel reads: one subscription's usage and life, and on which days the feed spoke.
//!
//! Absent on purpose: attributes without a day of their own (auto-renew, recorded term end).

use crate::domain::{Day, Timeline};
use crate::portfolio::{Portfolio, SubscriptionIx, UsageRows};

/// One subscription's rows and events. It may reach past the as-of day: the kernel cuts it.
#[derive(Debug, Clone, Copy)]
pub struct History<'a> {
    pub(super) usage: UsageRows<'a>,
    pub(super) life: &'a Timeline,
    /// Where the customer's other subscriptions are found; none of a history that no portfolio holds.
    pub(super) place: Option<(&'a Portfolio, SubscriptionIx)>,
}

impl<'a> History<'a> {
    /// The history of a subscription of `portfolio`.
    #[must_use]
    pub fn of(portfolio: &'a Portfolio, subscription: SubscriptionIx) -> Self {
        Self {
            usage: portfolio.usage(subscription),
            life: &portfolio.subscription(subscription).life,
            place: Some((portfolio, subscription)),
        }
    }

    /// A history that no portfolio holds: its customer's only subscription.
    #[must_use]
    pub const fn new(usage: UsageRows<'a>, life: &'a Timeline) -> Self {
        Self { usage, life, place: None }
    }

    /// The day of creation, where that is not after `as_of`.
    #[must_use]
    pub fn created(&self, as_of: Day) -> Option<Day> {
        self.life.created().filter(|day| *day <= as_of)
    }

    /// The first usage day, where that is not after `as_of`.
    #[must_use]
    pub fn first_used(&self, as_of: Day) -> Option<Day> {
        self.usage.first_used().filter(|day| *day <= as_of)
    }

    /// The last usage day up to and including `as_of`.
    #[must_use]
    pub fn last_used(&self, as_of: Day) -> Option<Day> {
        self.usage.within(self.first_used(as_of)?, as_of).last_used()
    }

    /// The first day of the subscription as known on `as_of`: its creation, or its first usage
    /// day where that is earlier; `as_of` itself where there is neither.
    #[must_use]
    pub fn since(&self, as_of: Day) -> Day {
        let known = self.created(as_of).into_iter().chain(self.first_used(as_of));
        known.min().unwrap_or(as_of)
    }
}

/// The known days of a portfolio: those on which the feed had any row at all (METRICS.md, Gaps).
#[derive(Debug, Clone)]
pub struct FeedDays {
    first: Day,
    days: u32,
    /// `known[n]` is the number of known days among the first `n` days; empty where all are.
    known: Vec<u32>,
}

impl FeedDays {
    /// The known days of `portfolio`, from its first day to its as-of day.
    #[must_use]
    pub fn of(portfolio: &Portfolio) -> Self {
        let (Some(first), Some(last)) = (portfolio.first_day(), portfolio.as_of()) else {
            return Self { first: Day::from_epoch_days(0), days: 0, known: Vec::new() };
        };
        let unbroken = Self::unbroken(first, last);
        if portfolio.gaps().is_empty() {
            return unbroken;
        }
        let mut gaps = portfolio.gaps().iter().copied().peekable();
        let mut known = Vec::new();
        let mut count = 0;
        known.push(count);
        for offset in 0..=last - first {
            if gaps.next_if_eq(&(first + offset)).is_none() {
                count += 1;
            }
            known.push(count);
        }
        Self { known, ..unbroken }
    }

    /// A feed that spoke on every day of `first..=last`.
    #[must_use]
    pub fn unbroken(first: Day, last: Day) -> Self {
        Self { first, days: u32::try_from(last - first + 1).unwrap_or(0), known: Vec::new() }
    }

    /// Known days before the end of `day`. Days outside the data are no known days.
    fn until(&self, day: Day) -> u32 {
        let days = u32::try_from(day - self.first + 1).unwrap_or(0).min(self.days);
        self.known.get(days as usize).copied().unwrap_or(days)
    }

    /// Known days in `from..=to`; 0 where that is empty.
    #[must_use]
    pub fn count(&self, from: Day, to: Day) -> u32 {
        self.until(to).saturating_sub(self.until(from - 1))
    }

    /// Whether the feed had a row on `day`.
    #[must_use]
    pub fn is_known(&self, day: Day) -> bool {
        self.count(day, day) == 1
    }
}
