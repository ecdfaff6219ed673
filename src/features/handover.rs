//! Whether another subscription of the customer took over (MODEL.md, Question and label): the one rule for
//! the label of a migration, and for the feature that knows of one that has begun.

use super::kernel::Kernel;
use crate::domain::{Day, UNKNOWN_CUSTOMER};
use crate::portfolio::{Portfolio, SubscriptionIx};

/// Days before and after the last day of use within which another subscription of the customer
/// must begin to count as taking over.
pub const HANDOVER_DAYS: i32 = 14;

/// Days over which the leaving subscription's usual volume is taken: the larger of the two, so that
/// whoever faded first is not taken over by anything that begins.
const USUAL_DAYS: [i32; 2] = [28, 84];

/// Part of its usual volume that another subscription must reach to count as taking over, and how many
/// times it may be: what is much larger began for a reason of its own.
const SHARE: f64 = 0.5;
const TIMES_MAX: f64 = 2.0;

impl Kernel {
    /// Whether a subscription of the same customer, first used within 14 days of `last_day`, had
    /// in the 14 days after it, and not later than `until`, from half to twice the leaving one's usual
    /// volume a day. Usual is the larger of the 28 and the 84 days that end 14 days before.
    ///
    /// Only a new one counts: the usage of one that was there before rises and falls by itself.
    #[must_use]
    pub fn taken_over(&self, portfolio: &Portfolio, subscription: SubscriptionIx, last_day: Day, until: Day) -> bool {
        let customer = portfolio.subscription(subscription).customer;
        let all = portfolio.subscriptions_of(customer);
        if all.len() < 2 || portfolio.customer(customer).id == UNKNOWN_CUSTOMER {
            return false;
        }
        let until = until.min(last_day + HANDOVER_DAYS);
        let is_new = |other: &&SubscriptionIx| {
            let begun = portfolio.usage(**other).first_used();
            **other != subscription && begun.is_some_and(|begun| begun <= until && (begun - last_day).abs() <= HANDOVER_DAYS)
        };
        let mut new = all.iter().filter(is_new).peekable();
        if new.peek().is_none() || until <= last_day {
            return false;
        }
        let volume = |of: SubscriptionIx, from: Day, to: Day| {
            let days = f64::from(self.feed().count(from, to).max(1));
            self.volume(portfolio.usage(of), from, to) / days
        };
        let usual_end = last_day - HANDOVER_DAYS;
        let usual = USUAL_DAYS.map(|days| volume(subscription, usual_end - (days - 1), usual_end)).into_iter().fold(0.0, f64::max);
        usual > 0.0 && new.any(|other| (SHARE * usual..=TIMES_MAX * usual).contains(&volume(*other, last_day + 1, until)))
    }
}
