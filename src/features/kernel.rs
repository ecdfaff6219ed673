//! The kernel: one subscription's history, cut at each as-of day, to one row of numbers a day.
//!
//! There is one definition, that of rolling over as-of days; one day is a roll of one. What a day
//! leaves to the next saves reading and working out again, and changes no bit of any row.
//!
//! Absent on purpose: labels and transforms. Of other subscriptions it reads the customer's own, and
//! what is usual in the portfolio ([`Usual`]). Days on which the feed was silent
//! and days before a subscription existed are unknown: they are in no denominator, and no
//! silence grows on them. Every value is finite.

use super::aggregate::{Aggregate, LogMemo, REACH, Volumes, ages};
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
        AsOf(self.roll([(as_of, usual)]))
    }

    /// The kernel rolling over as-of days, with what is usual on each. Days that ascend read each
    /// history once; others give the same rows and read it again.
    #[must_use]
    pub fn roll(&self, days: impl IntoIterator<Item = (Day, Usual)>) -> Roll<'_> {
        let cuts: Vec<Cut> = days.into_iter().map(|(day, usual)| Cut::new(day, usual, &self.feed)).collect();
        let room = Room {
            aggregate: Aggregate::new(&self.volumes),
            logs: LogMemo::new(),
            life: LifeReader::new(),
            families: Families::new(cuts.iter().map(|cut| cut.day).collect()),
        };
        Roll { kernel: self, cuts, room }
    }
}

/// The kernel at one as-of day, with the room in which it works.
#[derive(Debug, Clone)]
pub struct AsOf<'k>(Roll<'k>);

impl AsOf<'_> {
    /// The row of one subscription. Nothing dated after the as-of day is read.
    #[must_use]
    pub fn features(&mut self, history: &History<'_>) -> FeatureVector {
        self.0.room.life.begin();
        self.0.vector(0, history)
    }
}

/// The kernel over some as-of days, with the room in which it works.
#[derive(Debug, Clone)]
pub struct Roll<'k> {
    kernel: &'k Kernel,
    cuts: Vec<Cut>,
    room: Room,
}

/// One as-of day.
#[derive(Debug, Clone, Copy)]
struct Cut {
    day: Day,
    usual: Usual,
    /// Bit `a` is set where the day `a` days before the as-of day is a known day.
    known: u128,
    weekend: u128,
}

impl Cut {
    fn new(day: Day, usual: Usual, feed: &FeedDays) -> Self {
        let days_that = |is: &dyn Fn(Day) -> bool| {
            (0..REACH_DAYS_SIGNED).map(|age| (age, 1_u128 << age)).filter(|(age, _)| is(day - *age)).fold(0, |days, (_, bit)| days | bit)
        };
        Self { day, usual, known: days_that(&|day| feed.is_known(day)), weekend: days_that(&Day::is_weekend) }
    }
}

/// What is worked on, and what one as-of day leaves to the next.
#[derive(Debug, Clone)]
struct Room {
    aggregate: Aggregate,
    logs: LogMemo,
    life: LifeReader,
    /// Of one portfolio: all histories that are read in one room come from the same.
    families: Families,
}

impl Roll<'_> {
    /// The rows of one subscription: `of` is asked for each as-of day, in their order, and where
    /// it gives something, `with` is called with that and the row. No row reads anything dated
    /// after its day.
    pub fn features<T>(&mut self, history: &History<'_>, of: impl FnMut(Day) -> Option<T>, mut with: impl FnMut(T, &FeatureVector)) {
        self.each(of, |roll, at, each| with(each, &roll.vector(at, history)));
    }

    /// What is told against the usual of the same rows, each number as it is of itself.
    pub(super) fn own<T>(
        &mut self,
        history: &History<'_>,
        of: impl FnMut(Day) -> Option<T>,
        mut with: impl FnMut(T, &[f64; FEATURE_COUNT]),
    ) {
        self.each(of, |roll, at, each| with(each, &roll.look(at, history).against_usual()));
    }

    fn each<T>(&mut self, mut of: impl FnMut(Day) -> Option<T>, mut with: impl FnMut(&mut Self, usize, T)) {
        self.room.life.begin();
        for at in 0..self.cuts.len() {
            if let Some(each) = of(self.cuts[at].day) {
                with(self, at, each);
            }
        }
    }

    /// The row on one of the days.
    fn vector(&mut self, at: usize, history: &History<'_>) -> FeatureVector {
        let mut row = self.look(at, history).row();
        if let Some((portfolio, subscription)) = history.place {
            let used = self.room.aggregate.active;
            let used = [(used & ages(28)).count_ones(), (used & ages(56) & !ages(28)).count_ones()];
            let siblings = self.room.families.siblings(at, portfolio, subscription, used);
            row[const { index("siblings") }] = f64::from(siblings.active);
            row[const { index("siblings_trend_28") }] = (f64::from(siblings.recent + 1) / f64::from(siblings.before + 1)).ln();
            row[const { index("siblings_lost_90") }] = f64::from(siblings.lost);
            let day = self.cuts[at].day;
            let last_used = self.room.life.last_used().filter(|last_used| *last_used < day);
            let over = last_used.is_some_and(|last_used| self.kernel.taken_over(portfolio, subscription, last_used, day));
            row[const { index("handed_over") }] = f64::from(u8::from(over));
        }
        self.cuts[at].usual.take_off(&mut row);
        FeatureVector(row)
    }

    /// Reads a history up to one of the days.
    fn look<'l>(&'l mut self, at: usize, history: &'l History<'l>) -> Look<'l> {
        let (cut, room) = (&self.cuts[at], &mut self.room);
        let since = history.since(cut.day);
        room.aggregate.fill(history.usage, cut.day, &self.kernel.volumes);
        room.life.read_to(history.usage, since, cut.day, &self.kernel.feed, &self.kernel.volumes);
        let tenure = cut.day - since;
        // Days in reach that are known and not before the subscription's first.
        let known = cut.known & ages(u32::try_from(tenure + 1).unwrap_or(0));
        Look {
            feed: &self.kernel.feed,
            cut,
            history,
            since,
            tenure,
            known,
            aggregate: &room.aggregate,
            life: &room.life,
            logs: &mut room.logs,
        }
    }
}

/// One history as it was on one as-of day.
struct Look<'l> {
    feed: &'l FeedDays,
    cut: &'l Cut,
    history: &'l History<'l>,
    since: Day,
    tenure: i32,
    known: u128,
    aggregate: &'l Aggregate,
    life: &'l LifeReader,
    logs: &'l mut LogMemo,
}

impl Look<'_> {
    /// The row before what is usual is taken off, without the customer's other subscriptions.
    fn row(&mut self) -> [f64; FEATURE_COUNT] {
        let mut row = self.against_usual();
        self.trend(&mut row);
        self.variability(&mut row);
        self.breadth(&mut row);
        self.terms(&mut row);
        row
    }

    /// The part of the row in which all features stand that are told against the usual.
    fn against_usual(&mut self) -> [f64; FEATURE_COUNT] {
        let mut row = [0.0; FEATURE_COUNT];
        self.level(&mut row);
        self.recency(&mut row);
        self.slopes(&mut row);
        row[const { index("tenure_relative") }] = f64::from(self.tenure).ln_1p();
        row
    }

    fn level(&self, row: &mut [f64; FEATURE_COUNT]) {
        for (at, window) in WINDOWS.into_iter().enumerate() {
            row[VOLUME[at]] = per_day(self.aggregate.volume_of(0, window), self.known & ages(window));
            row[ACTIVE_SHARE[at]] = share(self.aggregate.active, self.known & ages(window));
        }
    }

    /// What the whole life comes to; `silence` is the present one, in known days.
    fn whole_life(&self, silence: u32, row: &mut [f64; FEATURE_COUNT]) {
        let life = self.life.life(self.cut.day, silence, self.feed);
        let (days, of_known) = (f64::from(life.usage_days), f64::from(self.feed.count(self.since, self.cut.day).max(1)));
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

    fn recency(&self, row: &mut [f64; FEATURE_COUNT]) {
        let (active, known) = (self.aggregate.active, self.known);
        let silent_days = self.feed.count(self.life.last_used().map_or(self.since, |day| day + 1), self.cut.day);
        self.whole_life(silent_days, row);
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

    fn trend(&self, row: &mut [f64; FEATURE_COUNT]) {
        let known = self.known;
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
        row[const { index("last_7_of_best_7") }] = self.last_of_best();
    }

    /// The last 7 days against the best 7 consecutive days in reach, per known day.
    fn last_of_best(&self) -> f64 {
        if self.aggregate.touched == 0 {
            return 0.0;
        }
        let volume = &self.aggregate.volume;
        let (mut entering, mut leaving) = (self.known, self.known);
        let (mut sum, mut days) = (0.0, 0);
        // The largest sum by the number of known days: what is divided alike is largest alike.
        let (mut last, mut best) = (0.0, [0.0_f64; 8]);
        for age in 0..REACH {
            sum += volume[age];
            days += usize::from(entering & 1 == 1);
            entering >>= 1;
            if age >= 7 {
                sum -= volume[age - 7];
                days -= usize::from(leaving & 1 == 1);
                leaving >>= 1;
            }
            if age == 6 {
                last = if days == 0 { 0.0 } else { sum.max(0.0) / days as f64 };
            }
            if age >= 6 {
                best[days] = best[days].max(sum);
            }
        }
        let best = best.into_iter().zip(0_u32..).skip(1).map(|(sum, days)| sum / f64::from(days)).fold(0.0, f64::max);
        if best > 0.0 { (last / best).min(1.0) } else { 0.0 }
    }

    /// Least-squares slopes of the log volume of the day on the day, over known days.
    fn slopes(&mut self, row: &mut [f64; FEATURE_COUNT]) {
        // The sums over a window are those over the shorter one, with which it begins, and more.
        let (mut sum_y, mut products) = (0.0, 0.0);
        let mut rest = self.aggregate.touched;
        for (at, days) in SLOPE {
            while rest & ages(days) != 0 {
                let age = rest.trailing_zeros();
                rest &= rest - 1;
                let y = self.logs.of(self.cut.day - age.cast_signed(), self.aggregate.volume[age as usize]);
                sum_y += y;
                products -= y * f64::from(age);
            }
            let (n, sum_x, sum_xx) = moments(self.known & ages(days));
            let spread = n * sum_xx - sum_x * sum_x;
            if spread > 0.0 {
                row[at] = f64::from(days) * (n * products - sum_x * sum_y) / spread;
            }
        }
    }

    fn variability(&self, row: &mut [f64; FEATURE_COUNT]) {
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
        row[const { index("longest_silence_84") }] = f64::from(longest_run(self.known, self.aggregate.active));
        let active = self.aggregate.active;
        row[const { index("weekend_share_84") }] = if active == 0 { 2.0 / 7.0 } else { share(self.cut.weekend, active) };
    }

    fn breadth(&self, row: &mut [f64; FEATURE_COUNT]) {
        let breadth = self.aggregate.breadth();
        row[const { index("categories_28") }] = f64::from(breadth.recent);
        row[const { index("categories_change_28") }] = f64::from(breadth.recent) - f64::from(breadth.before);
        row[const { index("categories_silent") }] = f64::from(breadth.silent);
        row[const { index("largest_share_84") }] = breadth.largest_share;
        row[const { index("entropy_84") }] = breadth.entropy;
    }

    fn terms(&self, row: &mut [f64; FEATURE_COUNT]) {
        let (history, day) = (self.history, self.cut.day);
        row[const { index("young") }] = f64::from(u8::from(self.tenure < REACH_DAYS_SIGNED));
        let renewals = history.life.renewals();
        let renewals = &renewals[..renewals.partition_point(|on| *on <= day)];
        if let Some((last, earlier)) = renewals.split_last() {
            // The term before the last renewal began with the renewal before it, or with the life.
            let term_began = earlier.last().copied().or(history.life.created()).unwrap_or(*last);
            row[const { index("days_to_term_end") }] = f64::from((*last + (*last - term_began) - day).max(0));
            row[const { index("has_term") }] = 1.0;
            row[const { index("days_since_renewal") }] = f64::from(day - *last);
        }
        let changes = history.life.changes().iter().take_while(|change| change.on <= day);
        let suspensions = changes.filter(|change| change.state == State::Suspended).count();
        row[const { index("earlier_suspensions") }] = suspensions as f64;
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
        if age > from {
            longest = longest.max((known & ages(age) & !ages(from)).count_ones());
        }
        from = age + 1;
    }
    longest.max((known & !ages(from)).count_ones())
}
