//! The kernel: one subscription's history, cut at the as-of day, to one row of numbers.
//!
//! Absent on purpose: labels and transforms. Of other subscriptions it reads the customer's own, and
//! what is usual in the portfolio ([`Usual`]). Days on which the feed was silent
//! and days before a subscription existed are unknown: they are in no denominator, and no
//! silence grows on them. Every value is finite.

use super::aggregate::{Aggregate, REACH, Volumes, ages};
use super::catalogue::{FEATURE_COUNT, FEATURES, REACH_DAYS, WINDOWS, index};
use super::feature::Family;
use super::history::{FeedDays, History};
use super::lifetime::LifeReader;
use super::scale::VolumeScale;
use super::siblings::Families;
use super::usual::Usual;
use crate::domain::{Day, State};
use crate::portfolio::{Portfolio, Series, UsageRows};

const VOLUME: [usize; 5] = [index("volume_7"), index("volume_14"), index("volume_28"), index("volume_56"), index("volume_84")];
const ACTIVE_SHARE: [usize; 5] =
    [index("active_share_7"), index("active_share_14"), index("active_share_28"), index("active_share_56"), index("active_share_84")];
const VOLUME_TREND: [(usize, u32); 3] = [(index("volume_trend_7"), 7), (index("volume_trend_14"), 14), (index("volume_trend_28"), 28)];
const ACTIVITY_CHANGE: [(usize, u32); 2] = [(index("activity_change_14"), 14), (index("activity_change_28"), 28)];
const SLOPE: [(usize, u32); 3] =
    [(index("volume_slope_28_relative"), 28), (index("volume_slope_56_relative"), 56), (index("volume_slope_84_relative"), 84)];

/// Part of its own usual volume that is added to both sides of a ratio of windows, so that a
/// silent window gives a large number and not an infinite one: ln(1/20) is -3.
const TREND_FLOOR: f64 = 0.05;

/// Added to both rates of use whose ratio is taken: one day in a hundred.
const RATE_FLOOR: f64 = 0.01;

/// The reach, for arithmetic on days.
const REACH_DAYS_SIGNED: i32 = REACH_DAYS.cast_signed();

/// One row: a value for each feature of the catalogue, all finite. Only the kernel makes one.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureVector([f64; FEATURE_COUNT]);

impl FeatureVector {
    /// The values, in the catalogue's order.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.0
    }

    /// The row that the same subscription would have with the usage of an earlier day, its life and its
    /// customer as they are.
    #[must_use]
    pub fn with_usage_of(&self, earlier: &Self) -> Self {
        let mut mixed = self.clone();
        for ((value, earlier), feature) in mixed.0.iter_mut().zip(earlier.0).zip(FEATURES) {
            if !matches!(feature.family, Family::Life | Family::Customer) {
                *value = earlier;
            }
        }
        mixed
    }
}

/// The kernel over one portfolio, with one scale of volume.
#[derive(Debug, Clone)]
pub struct Kernel {
    feed: FeedDays,
    volumes: Volumes,
}

impl Kernel {
    /// Resolves the portfolio's series against `scale`.
    #[must_use]
    pub fn new(portfolio: &Portfolio, scale: &VolumeScale) -> Self {
        Self::over(FeedDays::of(portfolio), portfolio.series(), scale)
    }

    /// The kernel over rows of these series, ascending, on these days.
    #[must_use]
    pub fn over(feed: FeedDays, series: &[Series], scale: &VolumeScale) -> Self {
        Self { feed, volumes: Volumes::new(series, scale) }
    }

    /// The known days of the portfolio.
    #[must_use]
    pub const fn feed(&self) -> &FeedDays {
        &self.feed
    }

    /// The volume of the rows of `from..=to`.
    #[must_use]
    pub fn volume(&self, usage: UsageRows<'_>, from: Day, to: Day) -> f64 {
        usage.within(from, to).iter().map(|row| self.volumes.of(&row)).sum()
    }

    /// The kernel at one as-of day, with what is usual on it.
    #[must_use]
    pub fn at(&self, as_of: Day, usual: Usual) -> AsOf<'_> {
        let mut known = 0_u128;
        let mut weekend = 0_u128;
        for (age, bit) in (0..REACH_DAYS_SIGNED).map(|age| (age, 1_u128 << age)) {
            if self.feed.is_known(as_of - age) {
                known |= bit;
            }
            if (as_of - age).is_weekend() {
                weekend |= bit;
            }
        }
        AsOf {
            kernel: self,
            day: as_of,
            usual,
            known,
            weekend,
            aggregate: Aggregate::new(&self.volumes),
            lives: LifeReader::new(),
            families: Families::new(as_of),
        }
    }
}

/// The kernel at one as-of day, with the room in which it works.
#[derive(Debug, Clone)]
pub struct AsOf<'k> {
    kernel: &'k Kernel,
    day: Day,
    usual: Usual,
    /// Bit `a` is set where the day `a` days before the as-of day is a known day.
    known: u128,
    weekend: u128,
    aggregate: Aggregate,
    lives: LifeReader,
    /// Of one portfolio: all histories that are read at one `AsOf` come from the same.
    families: Families,
}

impl AsOf<'_> {
    /// The row of one subscription. Nothing dated after the as-of day is read.
    #[must_use]
    pub fn features(&mut self, history: &History<'_>) -> FeatureVector {
        let mut row = self.own(history);
        self.usual.take_off(&mut row);
        FeatureVector(row)
    }

    /// The row before what is usual is taken off.
    pub(super) fn own(&mut self, history: &History<'_>) -> [f64; FEATURE_COUNT] {
        self.aggregate.fill(history.usage, self.day, &self.kernel.volumes);
        let mut row = [0.0; FEATURE_COUNT];
        let since = history.since(self.day);
        let tenure = self.day - since;
        // Days in reach that are known and not before the subscription's first.
        let known = self.known & ages(u32::try_from(tenure + 1).unwrap_or(0));
        self.level(known, &mut row);
        self.recency(history, since, known, &mut row);
        self.trend(known, &mut row);
        self.variability(known, &mut row);
        self.breadth(&mut row);
        self.life(history, tenure, &mut row);
        self.customer(history, &mut row);
        row
    }

    fn level(&self, known: u128, row: &mut [f64; FEATURE_COUNT]) {
        for (at, window) in WINDOWS.into_iter().enumerate() {
            row[VOLUME[at]] = per_day(self.aggregate.volume_of(0, window), known & ages(window));
            row[ACTIVE_SHARE[at]] = share(self.aggregate.active, known & ages(window));
        }
    }

    /// What the whole life comes to; `silence` is the present one, in known days.
    fn whole_life(&self, history: &History<'_>, since: Day, silence: u32, row: &mut [f64; FEATURE_COUNT]) {
        let life = self.lives.read(history.usage.within(since, self.day), self.day, silence, &self.kernel.feed, &self.kernel.volumes);
        let (days, of_known) = (f64::from(life.usage_days), f64::from(self.kernel.feed.count(since, self.day).max(1)));
        let known = f64::from(life.known_days);
        let long_a_year = f64::from(life.long_silences) * 365.0 / known.max(1.0);
        row[const { index("usage_days_relative") }] = days.ln_1p();
        row[const { index("usage_share_life_relative") }] = ((days + 1.0) / (known + 7.0)).ln();
        row[const { index("volume_life_relative") }] = life.volume.max(0.0).ln_1p();
        row[const { index("fading_use_28") }] = life.fading[0];
        row[const { index("fading_use_180_relative") }] = life.fading[1].ln_1p();
        row[const { index("longer_silences") }] = ((f64::from(life.longer_silences) + 0.5) / (f64::from(life.silences) + 1.0)).ln();
        row[const { index("longest_silence_relative") }] = f64::from(life.longest_silence).ln_1p();
        row[const { index("long_silences_relative") }] = long_a_year.ln_1p();
        row[const { index("activity_against_life") }] = ((row[ACTIVE_SHARE[2]] + RATE_FLOOR) / (days / of_known + RATE_FLOOR)).ln();
    }

    fn recency(&self, history: &History<'_>, since: Day, known: u128, row: &mut [f64; FEATURE_COUNT]) {
        let active = self.aggregate.active;
        let last_used =
            if active == 0 { history.last_used(self.day) } else { i32::try_from(active.trailing_zeros()).ok().map(|age| self.day - age) };
        let silent_days = self.kernel.feed.count(last_used.map_or(since, |day| day + 1), self.day);
        self.whole_life(history, since, silent_days, row);
        let silence = f64::from(silent_days);
        let days_of_use = f64::from(active.count_ones());
        let known_days = f64::from(known.count_ones());
        let usual_gap = if active.count_ones() >= 2 {
            let oldest = u128::BITS - 1 - active.leading_zeros();
            let between = known & ages(oldest) & !ages(active.trailing_zeros());
            f64::from(between.count_ones()) / (days_of_use - 1.0)
        } else {
            known_days / days_of_use.max(1.0)
        };
        let rate = ((days_of_use + 0.5) / (known_days + 1.0)).min(0.999);
        row[const { index("days_since_usage") }] = silence;
        row[const { index("silence_against_usual") }] = ((silence + 1.0) / (usual_gap + 1.0)).ln();
        row[const { index("silence_surprise") }] = -silence * (-rate).ln_1p();
    }

    fn trend(&self, known: u128, row: &mut [f64; FEATURE_COUNT]) {
        let floor = TREND_FLOOR * row[VOLUME[4]].max(0.0);
        for (at, days) in VOLUME_TREND {
            let (recent, before) = (ages(days), ages(2 * days) & !ages(days));
            if known & recent != 0 && known & before != 0 && floor > 0.0 {
                let recent = per_day(self.aggregate.volume_of(0, days), known & recent).max(0.0) + floor;
                let before = per_day(self.aggregate.volume_of(days, 2 * days), known & before).max(0.0) + floor;
                row[at] = (recent / before).ln();
            }
        }
        for (at, days) in ACTIVITY_CHANGE {
            let (recent, before) = (known & ages(days), known & ages(2 * days) & !ages(days));
            if recent != 0 && before != 0 {
                row[at] = share(self.aggregate.active, recent) - share(self.aggregate.active, before);
            }
        }
        row[const { index("last_7_of_best_7") }] = self.last_of_best(known);
        self.slopes(known, row);
    }

    /// The last 7 days against the best 7 consecutive days in reach, per known day.
    fn last_of_best(&self, known: u128) -> f64 {
        if self.aggregate.touched == 0 {
            return 0.0;
        }
        let mut sum: f64 = 0.0;
        let (mut last, mut best) = (0.0, 0.0_f64);
        for age in 0..REACH {
            sum += self.aggregate.volume[age];
            if age >= 7 {
                sum -= self.aggregate.volume[age - 7];
            }
            if age >= 6 {
                let days = ((known >> (age - 6)) & ages(7)).count_ones();
                let mean = if days == 0 { 0.0 } else { sum.max(0.0) / f64::from(days) };
                if age == 6 {
                    last = mean;
                }
                best = best.max(mean);
            }
        }
        if best > 0.0 { (last / best).min(1.0) } else { 0.0 }
    }

    /// Least-squares slopes of the log volume of the day on the day, over known days.
    fn slopes(&self, known: u128, row: &mut [f64; FEATURE_COUNT]) {
        let mut used = [(0.0, 0.0); 3];
        let mut rest = self.aggregate.touched;
        while rest != 0 {
            let age = rest.trailing_zeros();
            rest &= rest - 1;
            let y = self.aggregate.volume[age as usize].max(0.0).ln_1p();
            for (sums, (_, days)) in used.iter_mut().zip(SLOPE) {
                if age < days {
                    sums.0 += y;
                    sums.1 -= y * f64::from(age);
                }
            }
        }
        for ((sum_y, sum_xy), (at, days)) in used.into_iter().zip(SLOPE) {
            let (n, sum_x, sum_xx) = moments(known & ages(days));
            let spread = n * sum_xx - sum_x * sum_x;
            if spread > 0.0 {
                row[at] = f64::from(days) * (n * sum_xy - sum_x * sum_y) / spread;
            }
        }
    }

    fn variability(&self, known: u128, row: &mut [f64; FEATURE_COUNT]) {
        let mut rest = self.aggregate.active;
        let n = f64::from(rest.count_ones());
        let (mut sum, mut squares) = (0.0, 0.0);
        while rest != 0 {
            let volume = self.aggregate.volume[rest.trailing_zeros() as usize];
            rest &= rest - 1;
            sum += volume;
            squares += volume * volume;
        }
        if sum > 0.0 {
            let mean = sum / n;
            row[const { index("variation_84") }] = (squares / n - mean * mean).max(0.0).sqrt() / mean;
        }
        row[const { index("longest_silence_84") }] = f64::from(longest_run(known, self.aggregate.active));
        let active = self.aggregate.active;
        row[const { index("weekend_share_84") }] = if active == 0 { 2.0 / 7.0 } else { share(self.weekend, active) };
    }

    fn breadth(&self, row: &mut [f64; FEATURE_COUNT]) {
        let breadth = self.aggregate.breadth();
        row[const { index("categories_28") }] = f64::from(breadth.recent);
        row[const { index("categories_change_28") }] = f64::from(breadth.recent) - f64::from(breadth.before);
        row[const { index("categories_silent") }] = f64::from(breadth.silent);
        row[const { index("largest_share_84") }] = breadth.largest_share;
        row[const { index("entropy_84") }] = breadth.entropy;
    }

    fn life(&self, history: &History<'_>, tenure: i32, row: &mut [f64; FEATURE_COUNT]) {
        row[const { index("tenure_relative") }] = f64::from(tenure).ln_1p();
        row[const { index("young") }] = f64::from(u8::from(tenure < REACH_DAYS_SIGNED));
        let renewals = history.life.renewals();
        let renewals = &renewals[..renewals.partition_point(|day| *day <= self.day)];
        if let Some((last, earlier)) = renewals.split_last() {
            // The term before the last renewal began with the renewal before it, or with the life.
            let term_began = earlier.last().copied().or(history.life.created()).unwrap_or(*last);
            row[const { index("days_to_term_end") }] = f64::from((*last + (*last - term_began) - self.day).max(0));
            row[const { index("has_term") }] = 1.0;
            row[const { index("days_since_renewal") }] = f64::from(self.day - *last);
        }
        let changes = history.life.changes().iter().take_while(|change| change.on <= self.day);
        let suspensions = changes.filter(|change| change.state == State::Suspended).count();
        row[const { index("earlier_suspensions") }] = suspensions as f64;
    }

    fn customer(&mut self, history: &History<'_>, row: &mut [f64; FEATURE_COUNT]) {
        let Some((portfolio, subscription)) = history.place else { return };
        let active = self.aggregate.active;
        let used = [(active & ages(28)).count_ones(), (active & ages(56) & !ages(28)).count_ones()];
        let siblings = self.families.siblings(portfolio, subscription, used);
        row[const { index("siblings") }] = f64::from(siblings.active);
        row[const { index("siblings_trend_28") }] = (f64::from(siblings.recent + 1) / f64::from(siblings.before + 1)).ln();
        row[const { index("siblings_lost_90") }] = f64::from(siblings.lost);
    }
}

/// A sum over the days of a mask; 0 where there are none.
fn per_day(sum: f64, days: u128) -> f64 {
    if days == 0 { 0.0 } else { sum / f64::from(days.count_ones()) }
}

/// Part of the days of `of` that are in `days`; 0 where `of` has none.
fn share(days: u128, of: u128) -> f64 {
    if of == 0 { 0.0 } else { f64::from((days & of).count_ones()) / f64::from(of.count_ones()) }
}

/// Number, sum and sum of squares of `-age` over the days of a mask.
fn moments(days: u128) -> (f64, f64, f64) {
    let unbroken = days.count_ones();
    if days == ages(unbroken) {
        let n = f64::from(unbroken);
        return (n, -n * (n - 1.0) / 2.0, n * (n - 1.0) * (2.0 * n - 1.0) / 6.0);
    }
    let mut rest = days;
    let (mut sum, mut squares) = (0.0, 0.0);
    while rest != 0 {
        let age = f64::from(rest.trailing_zeros());
        rest &= rest - 1;
        sum -= age;
        squares += age * age;
    }
    (f64::from(unbroken), sum, squares)
}

/// Most consecutive known days without use; an unknown day neither breaks a run nor adds to it.
fn longest_run(known: u128, active: u128) -> u32 {
    let (mut rest, mut longest) = (active, 0);
    let mut from = 0;
    while rest != 0 {
        let age = rest.trailing_zeros();
        rest &= rest - 1;
        longest = longest.max((known & ages(age) & !ages(from)).count_ones());
        from = age + 1;
    }
    longest.max((known & !ages(from)).count_ones())
}
