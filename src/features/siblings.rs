//! The customer's other subscriptions on some days.

use std::collections::HashMap;
use std::iter::Sum;

use crate::domain::{Day, State, UNKNOWN_CUSTOMER};
use crate::portfolio::{CustomerIx, Portfolio, SubscriptionIx};

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
        let from = day - (2 * TREND_DAYS - 1);
        let mut used = [0_u64];
        if let Some(span) = portfolio.span(from, day) {
            portfolio.mark_used(&span, &portfolio.lines(subscription), from, &mut used);
        }
        let before = (used[0] & ((1 << TREND_DAYS) - 1)).count_ones();
        Self::with_use(portfolio, subscription, day, used[0].count_ones() - before, before)
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

/// The subscriptions of customers on some days, summed when a customer is first asked for.
#[derive(Debug, Clone)]
pub(super) struct Families {
    days: Vec<Day>,
    /// Where a customer's sums begin, one a day.
    begin: HashMap<CustomerIx, usize>,
    sums: Vec<Siblings>,
}

impl Families {
    pub(super) fn new(days: Vec<Day>) -> Self {
        Self { days, begin: HashMap::new(), sums: Vec::new() }
    }

    /// The others of `subscription`'s customer on the `at`-th day; none of an unknown customer.
    /// `used` are its own usage days in the last 28 days, and in the 28 before.
    pub(super) fn siblings(&mut self, at: usize, portfolio: &Portfolio, subscription: SubscriptionIx, used: [u32; 2]) -> Siblings {
        let customer = portfolio.subscription(subscription).customer;
        let all = portfolio.subscriptions_of(customer);
        if all.len() < 2 || portfolio.customer(customer).id == UNKNOWN_CUSTOMER {
            return Siblings::default();
        }
        let Self { days, begin, sums } = self;
        let begin = *begin.entry(customer).or_insert_with(|| {
            sums.extend(days.iter().map(|day| all.iter().map(|each| Siblings::of(portfolio, *each, *day)).sum::<Siblings>()));
            sums.len() - days.len()
        });
        let own = Siblings::with_use(portfolio, subscription, days[at], used[0], used[1]);
        let sum = sums[begin + at];
        Siblings {
            active: sum.active - own.active,
            recent: sum.recent - own.recent,
            before: sum.before - own.before,
            lost: sum.lost - own.lost,
        }
    }
}

impl Sum for Siblings {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, each| Self {
            active: sum.active + each.active,
            recent: sum.recent + each.recent,
            before: sum.before + each.before,
            lost: sum.lost + each.lost,
        })
    }
}
