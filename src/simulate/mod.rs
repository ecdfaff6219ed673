//! A made-up partner portfolio whose hazards are known: input for the demo, tests and load.
//!
//! Every draw is a function of (seed, what is drawn, number of the subscription or customer,
//! day). So the order of asking changes nothing, any day can be asked for alone, and memory
//! grows with the subscriptions but not with the days.
//!
//! Absent on purpose: any other module but `domain`, the wall clock (the last day is an
//! argument), and real names: companies, ids and prices are invented.

mod commitments;
mod csv;
mod habit;
mod hazards;
mod life;
mod people;
mod random;
#[cfg(test)]
mod tests;

pub use csv::{DayDone, WriteError, Written, write_csv};
pub use habit::{SERIES, Series};
pub use hazards::{HAZARDS, Hazards, Known};
pub use life::LeaveKind;

use serde::Serialize;
use thiserror::Error;

use crate::domain::{CommitmentRow, CustomerRow, Day, Event, IdError, Micros, SubscriptionId, SubscriptionRow};
use habit::{Habit, Season};
use life::Life;
use random::{Topic, stream};

/// Most subscriptions of a plan. Each costs about 250 bytes while a portfolio is written, so
/// this bounds memory at 2.5 GB.
const SUBSCRIPTIONS_MAX: u32 = 10_000_000;

/// Most days of a plan: ten years. With the three years of creations before the first day and
/// the year of leaving after the last, every date stays inside the years that [`Day`] accepts.
const DAYS_MAX: u32 = 3_660;

/// Why a portfolio cannot be made up as asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PlanError {
    #[error("{0} subscriptions are not between 1 and {SUBSCRIPTIONS_MAX}")]
    Subscriptions(u32),
    #[error("{0} days are not between 1 and {DAYS_MAX}")]
    Days(u32),
    #[error("a portfolio that ends on {0} would reach outside the years 1985 to 2198")]
    Until(Day),
}

/// What to make up: the same plan gives the same portfolio, byte for byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Plan {
    subscriptions: u32,
    days: u32,
    seed: u64,
    until: Day,
}

impl Plan {
    /// `subscriptions` subscriptions over the `days` days that end on `until`.
    ///
    /// # Errors
    /// No subscriptions or days or too many of them, or days outside the accepted years.
    pub fn new(subscriptions: u32, days: u32, seed: u64, until: Day) -> Result<Self, PlanError> {
        if !(1..=SUBSCRIPTIONS_MAX).contains(&subscriptions) {
            return Err(PlanError::Subscriptions(subscriptions));
        }
        if !(1..=DAYS_MAX).contains(&days) {
            return Err(PlanError::Days(days));
        }
        let accepted =
            Day::from_ymd(1985, 1, 1).is_ok_and(|first| first <= until) && Day::from_ymd(2198, 12, 31).is_ok_and(|last| until <= last);
        if !accepted {
            return Err(PlanError::Until(until));
        }
        Ok(Self { subscriptions, days, seed, until })
    }

    /// The first day with usage.
    #[must_use]
    pub fn first_day(self) -> Day {
        self.until + 1 - i32::try_from(self.days).unwrap_or(i32::MAX)
    }

    /// The last day of which anything is told.
    #[must_use]
    pub const fn until(self) -> Day {
        self.until
    }

    #[must_use]
    pub const fn subscriptions(self) -> u32 {
        self.subscriptions
    }

    /// Number of days from the first to the last.
    #[must_use]
    pub const fn days(self) -> u32 {
        self.days
    }

    #[must_use]
    pub const fn seed(self) -> u64 {
        self.seed
    }

    /// Two customers for five subscriptions: some own many, and some none.
    #[must_use]
    pub const fn customers(self) -> u32 {
        let customers = self.subscriptions / 5 * 2 + self.subscriptions % 5 * 2 / 5;
        if customers == 0 { 1 } else { customers }
    }

    /// Every day from the first to the last.
    pub fn each_day(self) -> impl Iterator<Item = Day> {
        (0..i32::try_from(self.days).unwrap_or(i32::MAX)).map(move |offset| self.first_day() + offset)
    }
}

/// A made-up partner: who owns which subscriptions, and how each lives.
#[derive(Debug, Clone)]
pub struct Partner {
    plan: Plan,
    /// By number of the subscription.
    sold: Vec<Sold>,
}

/// One subscription: its owner, what it uses, how it lives.
#[derive(Debug, Clone)]
struct Sold {
    customer: u32,
    habit: Habit,
    life: Life,
}

/// One usage row, with the number of its subscription in place of the id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Use {
    pub subscription: u32,
    /// Place in [`SERIES`].
    pub series: usize,
    /// Above 0; whole thousandths.
    pub quantity: Micros,
    /// 0 in a trial; whole ten-thousandths.
    pub cost: Micros,
}

/// What is true of one subscription and stands in no table that is imported.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Truth {
    pub subscription: u32,
    /// The day it left for good: the first day that it is no longer active and never is again.
    /// May lie up to a year after the last day of the portfolio; none where it does not leave
    /// by then.
    pub left: Option<(Day, LeaveKind)>,
    /// First day of the fading that announces the leaving; none where it leaves without warning.
    pub fades_from: Option<Day>,
    /// The subscription of the same customer into which its usage moved, where it did.
    pub successor: Option<u32>,
    /// The hazards under which it lived.
    pub known: Known,
}

impl Partner {
    /// Draws every subscription of the plan.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        let sold = (0..plan.subscriptions).map(|number| draw(plan, number)).collect();
        Self { plan, sold }
    }

    #[must_use]
    pub const fn plan(&self) -> Plan {
        self.plan
    }

    /// All customers, those without a subscription too.
    ///
    /// # Errors
    /// None in practice: made-up ids are GUIDs.
    pub fn customers(&self) -> impl Iterator<Item = Result<CustomerRow, IdError>> {
        let plan = self.plan;
        (0..plan.customers()).map(move |number| people::customer(plan, number))
    }

    /// All subscriptions, by number.
    ///
    /// # Errors
    /// None in practice: made-up ids are GUIDs.
    pub fn subscriptions(&self) -> impl Iterator<Item = Result<SubscriptionRow, IdError>> {
        let plan = self.plan;
        (0..).zip(&self.sold).map(move |(number, sold)| people::subscription(plan, number, sold.customer, &sold.life))
    }

    /// The id of a subscription by its number.
    ///
    /// # Errors
    /// None in practice: a made-up id is a GUID.
    pub fn subscription_id(&self, number: u32) -> Result<SubscriptionId, IdError> {
        SubscriptionId::parse(&people::guid(self.plan, Topic::SubscriptionId, number))
    }

    /// The events of each subscription up to the last day, ascending.
    pub fn events(&self) -> impl Iterator<Item = (u32, Vec<Event>)> {
        let until = self.plan.until;
        (0..).zip(&self.sold).map(move |(number, sold)| (number, sold.life.events(until)))
    }

    /// The commitments, by number of the subscription that bought them.
    ///
    /// # Errors
    /// None in practice: made-up ids are GUIDs.
    pub fn commitments(&self) -> impl Iterator<Item = Result<CommitmentRow, IdError>> {
        let plan = self.plan;
        (0..).zip(&self.sold).filter_map(move |(number, sold)| commitments::commitment(plan, number, sold.customer, &sold.life).transpose())
    }

    /// The usage of one day, by subscription. A day outside the plan has none.
    pub fn usage_on(&self, day: Day) -> impl Iterator<Item = Use> {
        let plan = self.plan;
        let season = Season::of(day);
        let known = plan.first_day() <= day && day <= plan.until;
        (0..).zip(&self.sold[..if known { self.sold.len() } else { 0 }]).flat_map(move |(number, sold)| {
            let vigour = sold.life.vigour(day);
            let row = move |draw: habit::Draw| Use {
                subscription: number,
                series: draw.series,
                quantity: draw.quantity,
                cost: if sold.life.is_free(day) { Micros(0) } else { draw.cost },
            };
            let draws = vigour.and_then(|vigour| {
                let mut random = random::on_day(plan.seed, number, plan.first_day(), day);
                sold.habit.draw(day - plan.first_day(), season, vigour, &mut random)
            });
            draws.into_iter().flat_map(|(first, second)| std::iter::once(first).chain(second)).map(row)
        })
    }

    /// What is true of each subscription, by number.
    pub fn truths(&self) -> impl Iterator<Item = Truth> {
        (0..).zip(&self.sold).map(|(subscription, sold)| Truth {
            subscription,
            left: sold.life.left(),
            fades_from: sold.life.fades_from(),
            successor: sold.life.succeeded_on().map(|_| subscription + 1),
            known: sold.life.known(),
        })
    }

    /// Days of the plan at whose start the subscription was active, and so might have left on
    /// them: the exposure against which realised hazards are held.
    #[must_use]
    pub fn days_at_risk(&self, number: u32) -> u32 {
        let Some(sold) = usize::try_from(number).ok().and_then(|at| self.sold.get(at)) else { return 0 };
        let at_risk = self.plan.each_day().filter(|day| sold.life.is_active(*day - 1));
        u32::try_from(at_risk.count()).unwrap_or(u32::MAX)
    }
}

/// Draws the subscription with a number, from its own streams and, where the usage of the one
/// before it moves into it, from that one's.
fn draw(plan: Plan, number: u32) -> Sold {
    let ordinary = |number| {
        let habit = Habit::draw_new(&mut stream(plan.seed, Topic::Habit, number));
        let life = Life::draw_new(plan, number, &habit);
        Sold { customer: people::owner(plan, number), habit, life }
    };
    let before = number.checked_sub(1).filter(|_| life::may_succeed(plan, number)).map(ordinary);
    match before.and_then(|before| Some((before.life.succeeded_on()?, before))) {
        Some((created, before)) => {
            let life = Life::draw_successor(plan, number, &before.habit, created);
            Sold { customer: before.customer, habit: before.habit, life }
        }
        None => ordinary(number),
    }
}
