//! Tables of customers who use the same every week, more or less, until the last four weeks.
//! Random ones have noise, quiet weekends, a trend, gaps in the feed, and late beginnings.

use churn_risk::domain::Day;
use proptest::prelude::*;

use super::worlds::{World, day};

/// First day of the rows.
pub(crate) const FIRST: &str = "2023-12-18";
/// Days with rows: 26 weeks, and 4 to be judged.
pub(crate) const DAYS: i32 = 210;

/// The same pseudo-random numbers every time, uniform in 0..1.
#[derive(Debug, Clone)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / 9_007_199_254_740_992.0
    }

    /// Normal with mean 0 and deviation 1.
    pub(crate) fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.uniform()).ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// How one (category, unit) of a subscription is used.
#[derive(Debug, Clone)]
pub(crate) struct Habit {
    pub(crate) subscription: usize,
    /// Place in [`SERIES`].
    pub(crate) series: usize,
    /// Units a day.
    pub(crate) daily: f64,
    /// Share of a weekday's use on a day of the weekend.
    pub(crate) weekend: f64,
    /// Deviation of the logarithm of a day's use.
    pub(crate) noise: f64,
    /// Growth from the first to the last day, as a share of the first.
    pub(crate) growth: f64,
    /// Days from one row to the next; nothing between them.
    pub(crate) every: i32,
    /// Days before the first row.
    pub(crate) late: i32,
    /// Factor of the last 28 days.
    pub(crate) effect: f64,
    pub(crate) seed: u64,
}

pub(crate) const SERIES: [(&str, &str); 3] = [("Compute", "h"), ("Storage", "GB"), ("Storage", "h")];

impl Habit {
    /// A plain one: 10 units a day, no weekends, no noise, no effect.
    pub(crate) fn plain() -> Self {
        Self { subscription: 0, series: 0, daily: 10.0, weekend: 1.0, noise: 0.0, growth: 0.0, every: 1, late: 0, effect: 1.0, seed: 1 }
    }

    /// (day, quantity in micro-units).
    pub(crate) fn rows(&self) -> Vec<(Day, i64)> {
        let mut chance = Chance::new(self.seed);
        let day_of = |offset: i32| {
            let on = day(FIRST) + offset;
            let weekday = if on.is_weekend() { self.weekend } else { 1.0 };
            let effect = if offset >= DAYS - 28 { self.effect } else { 1.0 };
            let trend = 1.0 + self.growth * f64::from(offset) / f64::from(DAYS);
            let units = self.daily * weekday * effect * trend * (self.noise * chance.normal()).exp();
            #[expect(clippy::cast_possible_truncation, reason = "a test's own small amounts")]
            let micros = (units * 1e6).round() as i64;
            (on, micros)
        };
        (self.late..DAYS).filter(|offset| offset % self.every == 0).map(day_of).filter(|(_, micros)| *micros > 0).collect()
    }
}

/// The tables of some habits, two subscriptions a customer. One more customer uses something on
/// every day that is no gap, so that the others may be silent.
pub(crate) fn world(habits: &[Habit], has_cost: bool, gaps: &[i32]) -> World {
    let mut world = World { version: 1, ..World::default() };
    let is_gap = |on: Day| gaps.contains(&(on - day(FIRST)));
    for at in 0..6 {
        world.subscription(&format!("s{at}"), &format!("c{}", at / 2), Some(FIRST));
    }
    world.subscription("clock", "clockmaker", Some(FIRST));
    for on in (0..DAYS).map(|offset| day(FIRST) + offset).filter(|on| !is_gap(*on)) {
        world.used("clock", &on.to_string(), 1);
    }
    for habit in habits {
        let (category, unit) = SERIES[habit.series];
        let id = format!("s{}", habit.subscription);
        for (on, micros) in habit.rows().into_iter().filter(|(on, _)| !is_gap(*on)) {
            world.usage.insert((id.clone(), on, category.to_owned(), unit.to_owned()), (micros, Some(micros / 2)));
        }
    }
    if !has_cost {
        world.usage.values_mut().for_each(|(_, cost)| *cost = None);
    }
    world
}

fn any_habit() -> impl Strategy<Value = Habit> {
    let shape = (prop_oneof![Just(0.2), Just(3.0), Just(40.0)], 0.0..1.0_f64, prop_oneof![Just(0.0), 0.0..0.8_f64], -0.8..1.5_f64);
    let effect = prop_oneof![2 => Just(1.0), 1 => Just(0.0), 1 => Just(0.4), 1 => Just(1.8), 1 => Just(6.0)];
    let late = prop_oneof![2 => Just(0), 1 => 0..DAYS];
    let every = prop_oneof![4 => Just(1), 1 => Just(5), 1 => 11..30_i32];
    (0..6_usize, 0..SERIES.len(), shape, every, late, effect, any::<u64>()).prop_map(
        |(subscription, series, shape, every, late, effect, seed)| {
            let (daily, weekend, noise, growth) = shape;
            Habit { subscription, series, daily, weekend, noise, growth, every, late, effect, seed }
        },
    )
}

/// Random ones.
pub(crate) fn any_steady_world() -> impl Strategy<Value = World> {
    let gaps = proptest::collection::vec((0..DAYS - 1, 1..12_i32), 0..4);
    (proptest::collection::vec(any_habit(), 1..8), any::<bool>(), gaps).prop_map(|(habits, has_cost, gaps)| {
        let gaps: Vec<i32> = gaps.into_iter().flat_map(|(from, count)| from..(from + count).min(DAYS - 1)).collect();
        world(&habits, has_cost, &gaps)
    })
}
