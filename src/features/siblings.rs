//! The customer's other subscriptions on one day.

use std::collections::HashMap;

use crate::domain::{Day, State, UNKNOWN_CUSTOMER};
use crate::portfolio::{CustomerIx, Portfolio, SubscriptionIx, UsageRows};

/// Days within which an ended subscription counts as lost.
const LOST_DAYS: i32 = 90;

/// Days of each of the two windows whose use is compared.
const TREND_DAYS: i32 = 28;

/// What subscriptions of one customer come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Siblings {
    pub(super) active: u32,
    /// Usage days in the last 28 days, and in the 28 before.
    pub(super) recent: u32,
    pub(super) before: u32,
    /// Ended in the last 90 days, and not recovered.
    pub(super) lost: u32,
}

impl Siblings {
    fn of(portfolio: &Portfolio, subscription: SubscriptionIx, day: Day) -> Self {
        let usage = portfolio.usage(subscription);
        let recent = usage_days(usage.within(day - (TREND_DAYS - 1), day));
        let before = usage_days(usage.within(day - (2 * TREND_DAYS - 1), day - TREND_DAYS));
        Self::with_use(portfolio, subscription, day, recent, before)
    }

    fn with_use(portfolio: &Portfolio, subscription: SubscriptionIx, day: Day, recent: u32, before: u32) -> Self {
        let life = &portfolio.subscription(subscription).life;
        let state = life.state_at(day);
        let left = life.deprovisionings().map(|left| left.on).take_while(|on| *on <= day).last();
        Self {
            active: u32::from(state == State::Active),
            recent,
            before,
            lost: u32::from(state == State::Ended && left.is_some_and(|on| day - on < LOST_DAYS)),
        }
    }
}

/// The subscriptions of customers on one day, summed when one is first asked for.
#[derive(Debug, Clone)]
pub(super) struct Families {
    day: Day,
    sums: HashMap<CustomerIx, Siblings>,
}

impl Families {
    pub(super) fn new(day: Day) -> Self {
        Self { day, sums: HashMap::new() }
    }

    /// The others of `subscription`'s customer; none of an unknown customer. `used` are its own
    /// usage days in the last 28 days, and in the 28 before.
    pub(super) fn siblings(&mut self, portfolio: &Portfolio, subscription: SubscriptionIx, used: [u32; 2]) -> Siblings {
        let customer = portfolio.subscription(subscription).customer;
        let all = portfolio.subscriptions_of(customer);
        if all.len() < 2 || portfolio.customer(customer).id == UNKNOWN_CUSTOMER {
            return Siblings::default();
        }
        let day = self.day;
        let sum = *self.sums.entry(customer).or_insert_with(|| {
            all.iter().map(|each| Siblings::of(portfolio, *each, day)).fold(Siblings::default(), |sum, each| Siblings {
                active: sum.active + each.active,
                recent: sum.recent + each.recent,
                before: sum.before + each.before,
                lost: sum.lost + each.lost,
            })
        });
        let own = Siblings::with_use(portfolio, subscription, day, used[0], used[1]);
        Siblings {
            active: sum.active - own.active,
            recent: sum.recent - own.recent,
            before: sum.before - own.before,
            lost: sum.lost - own.lost,
        }
    }
}

/// Days with a quantity above 0 among rows in day order.
fn usage_days(rows: UsageRows<'_>) -> u32 {
    let mut last = None;
    let mut days = 0;
    for row in rows.iter().filter(|row| row.quantity.0 > 0) {
        days += u32::from(last != Some(row.on));
        last = Some(row.on);
    }
    days
}
