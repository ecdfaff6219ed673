//! What a subscription uses: how often, how much, of which categories, and the seasons that
//! all of them share.

use chrono::Datelike;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::hazards::HAZARDS;
use super::random::{happens, pick, skewed, uniform};
use crate::domain::{Day, Micros};

/// A (category, unit), and what one unit of it costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Series {
    pub category: &'static str,
    pub unit: &'static str,
    pub price: Micros,
}

const fn series(category: &'static str, unit: &'static str, price_micros: i64) -> Series {
    Series { category, unit, price: Micros(price_micros) }
}

/// Every (category, unit) in use. The last is Storage's second unit: quantities of one category
/// must not be added over units.
pub const SERIES: [Series; 13] = [
    series("Virtual Machines", "Hours", 96_000),
    series("Storage", "GB", 21_000),
    series("Bandwidth", "GB", 50_000),
    series("SQL Database", "DTU Hours", 310_000),
    series("Log Analytics", "GB", 220_000),
    series("AI Services", "1K Tokens", 1_400_000),
    series("Security", "Nodes", 150_000),
    series("Identity", "Users", 60_000),
    series("Integration", "Operations", 120_000),
    series("Developer Tools", "Minutes", 80_000),
    series("Backup", "GB", 30_000),
    series("Support", "Cases", 500_000),
    series("Storage", "10K Operations", 4_000),
];

/// Places in [`SERIES`] of the two units of Storage.
const STORAGE_BYTES: usize = 1;
const STORAGE_OPERATIONS: usize = 12;

/// Most categories of one subscription.
const CATEGORIES_MAX: usize = 4;

/// What one subscription uses while it is well.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Habit {
    /// Share of ordinary weekdays with usage; 0 for those that never use anything.
    used_share: f64,
    /// Units on an ordinary weekday in its first category.
    volume: f64,
    /// Growth of the volume a year, as a share of it.
    growth: f64,
    /// How much it rests at weekends: 0 not at all, 1 wholly.
    weekend_rest: f64,
    /// Places in [`SERIES`], the most used first.
    categories: [u8; CATEGORIES_MAX],
    category_count: u8,
}

/// What all subscriptions share on a day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Season {
    /// Factor of the chance that a day is used, and of the volume.
    used: f64,
    volume: f64,
    weekend: bool,
}

impl Season {
    /// Christmas (24 December to 1 January) and the summer (15 July to 20 August) are quieter.
    pub(super) fn of(day: Day) -> Self {
        let date = day.date();
        let (used, volume) = match (date.month(), date.day()) {
            (12, 24..) | (1, 1) => (0.75, 0.65),
            (7, 15..) | (8, ..=20) => (0.95, 0.85),
            _ => (1.0, 1.0),
        };
        Self { used, volume, weekend: day.is_weekend() }
    }
}

/// One row of a day.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draw {
    /// Place in [`SERIES`].
    pub(super) series: usize,
    pub(super) quantity: Micros,
    pub(super) cost: Micros,
}

impl Habit {
    /// Draws a habit.
    pub(super) fn draw_new(random: &mut ChaCha8Rng) -> Self {
        let unused = happens(random, HAZARDS.unused_share);
        // Kumaraswamy(5, 1.1), which needs one logarithm where the like-shaped beta needs a loop:
        // most subscriptions are used on nearly every day, a tail on few.
        let used_share = (1.0 - (1.0 - uniform(random)).powf(1.0 / 1.1)).powf(1.0 / 5.0);
        let normal = |random: &mut ChaCha8Rng| -> f64 { StandardNormal.sample(random) };
        let volume = (3.2 + 1.4 * normal(random)).exp();
        let growth = 0.15 + 0.35 * normal(random);
        let weekend_rest = 0.9 * uniform(random);
        let wanted = 1 + (1..CATEGORIES_MAX).filter(|_| happens(random, 0.4)).count();
        let counts_operations = happens(random, 0.3);
        // A step that has no factor in common with 12 meets four different ones.
        let (start, step) = (pick(random, 12), [1, 5, 7, 11][pick(random, 4)]);
        let mut categories = [0; CATEGORIES_MAX];
        for (number, slot) in categories.iter_mut().enumerate() {
            let at = (start + number * step) % 12;
            let at = if at == STORAGE_BYTES && counts_operations { STORAGE_OPERATIONS } else { at };
            *slot = u8::try_from(at).unwrap_or(0);
        }
        let category_count = u8::try_from(wanted).unwrap_or(1);
        Self { used_share: if unused { 0.0 } else { used_share }, volume, growth, weekend_rest, categories, category_count }
    }

    /// Never uses anything.
    pub(super) fn is_unused(&self) -> bool {
        self.used_share <= 0.0
    }

    /// Uses one category alone.
    pub(super) fn is_narrow(&self) -> bool {
        self.category_count == 1
    }

    /// The rows of a day: none, one, or one each in two categories. `vigour` is what is left of
    /// its usual use (1 = all of it); `age_days` counts from the first day of the plan.
    pub(super) fn draw(&self, age_days: i32, season: Season, vigour: f64, random: &mut ChaCha8Rng) -> Option<(Draw, Option<Draw>)> {
        let rest = if season.weekend { self.weekend_rest } else { 0.0 };
        if !happens(random, self.used_share * season.used * (1.0 - 0.35 * rest) * vigour) {
            return None;
        }
        let count = usize::from(self.category_count);
        let rank = skewed(random, count, 2.0);
        let grown = (1.0 + self.growth * f64::from(age_days) / 365.0).max(0.1);
        let volume = self.volume * grown * season.volume * (1.0 - rest) * vigour;
        let first = self.row(rank, volume, random);
        let second = (count > 1 && happens(random, HAZARDS.second_row_share)).then(|| self.row((rank + 1) % count, volume, random));
        Some((first, second))
    }

    /// One row: the less used a category, the less of it; a third more or less by chance.
    fn row(&self, rank: usize, volume: f64, random: &mut ChaCha8Rng) -> Draw {
        let noise: f64 = StandardNormal.sample(random);
        let units = volume * (0.35 * noise).exp() / (1.0 + rank as f64);
        let series = usize::from(self.categories[rank]).min(SERIES.len() - 1);
        // Whole thousandths, at least one; the bound keeps the product with a price inside i64.
        #[expect(clippy::cast_possible_truncation, reason = "between 1 and 1e9 after the clamp")]
        let thousandths = (units * 1_000.0).round().clamp(1.0, 1e9) as i64;
        let ten_thousandths = (thousandths * SERIES[series].price.0 + 50_000) / 100_000;
        Draw { series, quantity: Micros(thousandths * 1_000), cost: Micros(ten_thousandths * 100) }
    }
}
