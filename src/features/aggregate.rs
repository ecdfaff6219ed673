//! One subscription's last 84 days as arrays by age: volume by day, days of use as bits,
//! volume by category. Filled row by row without allocating.

use crate::domain::Day;
use crate::portfolio::{Series, UsagePoint, UsageRows};

use super::catalogue::REACH_DAYS;
use super::scale::VolumeScale;

/// Days in reach, as a length.
pub(super) const REACH: usize = REACH_DAYS as usize;

/// Weeks in reach.
const WEEKS: usize = REACH / 7;

/// Bits of the ages `0..days`.
pub(super) const fn ages(days: u32) -> u128 {
    if days >= 128 { u128::MAX } else { (1 << days) - 1 }
}

/// How the rows of a portfolio become volume, and which category each series is of.
#[derive(Debug, Clone)]
pub(super) struct Volumes {
    use_cost: bool,
    /// By series: what a micro-unit adds to volume; none for series unknown to the scale.
    weight: Vec<Option<f64>>,
    /// By series: the number of its category.
    category: Vec<u16>,
    categories: usize,
}

impl Volumes {
    /// Of series that ascend, so that those of one category stand together.
    pub(super) fn new(series: &[Series], scale: &VolumeScale) -> Self {
        let mut category = Vec::with_capacity(series.len());
        let mut number = 0_u16;
        for (at, one) in series.iter().enumerate() {
            if at > 0 && series[at - 1].category != one.category {
                number += 1;
            }
            category.push(number);
        }
        let categories = if category.is_empty() { 0 } else { usize::from(number) + 1 };
        Self { use_cost: *scale == VolumeScale::Cost, weight: scale.weights(series), category, categories }
    }

    /// The volume of one row.
    pub(super) fn of(&self, row: &UsagePoint) -> f64 {
        if self.use_cost {
            return row.cost.as_f64();
        }
        let used = f64::from(u8::from(row.quantity.0 > 0));
        self.weight[usize::from(row.series.0)].map_or(used, |weight| row.quantity.0 as f64 * weight)
    }
}

/// The logarithms of the last volumes, by day: as-of days share most of their days, and working
/// one out takes longer than all else that is done with a day. Each stands beside the volume that
/// it is of, so none is taken for another's.
#[derive(Debug, Clone)]
pub(super) struct LogMemo([(f64, f64); MEMO_DAYS]);

/// Days of the memo, above the reach: two days that share a place are never in one row.
const MEMO_DAYS: usize = 128;

impl LogMemo {
    pub(super) const fn new() -> Self {
        Self([(0.0, 0.0); MEMO_DAYS])
    }

    /// ln(1 + volume) of a day; what is below 0 counts as 0.
    pub(super) fn of(&mut self, day: Day, volume: f64) -> f64 {
        let place = day.epoch_days().cast_unsigned() as usize % MEMO_DAYS;
        let (of, log) = &mut self.0[place];
        if of.to_bits() != volume.to_bits() {
            (*of, *log) = (volume, volume.max(0.0).ln_1p());
        }
        *log
    }
}

/// What one category did in the last 84 days.
#[derive(Debug, Clone, Copy, Default)]
struct Part {
    volume: f64,
    /// Used in the last 28 days; in the 28 before; in the 28 before those.
    used: [bool; 3],
    seen: bool,
}

/// The last 84 days of one subscription. Age 0 is the as-of day.
#[derive(Debug, Clone)]
pub(super) struct Aggregate {
    /// Volume by age.
    pub(super) volume: [f64; REACH],
    /// Volume of the ages `7 w..7 w + 7`: every window is a number of such weeks, and sums of
    /// weeks keep a silent window at exactly 0, which differences of running sums would not.
    weeks: [f64; WEEKS],
    /// Bit `a` is set where age `a` is a usage day.
    pub(super) active: u128,
    /// Bit `a` is set where age `a` has a row.
    pub(super) touched: u128,
    parts: Vec<Part>,
    /// Categories with a row, in the order in which they came.
    seen: Vec<u16>,
}

/// Counts of categories, and how volume spreads over them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Breadth {
    pub(super) recent: u32,
    pub(super) before: u32,
    pub(super) silent: u32,
    pub(super) largest_share: f64,
    pub(super) entropy: f64,
}

impl Aggregate {
    pub(super) fn new(volumes: &Volumes) -> Self {
        Self {
            volume: [0.0; REACH],
            weeks: [0.0; WEEKS],
            active: 0,
            touched: 0,
            parts: vec![Part::default(); volumes.categories],
            seen: Vec::with_capacity(volumes.categories),
        }
    }

    /// Reads the rows of the 84 days up to `as_of`; `usage` may hold others.
    pub(super) fn fill(&mut self, usage: UsageRows<'_>, as_of: Day, volumes: &Volumes) {
        self.clear();
        for row in usage.within(as_of - (REACH_DAYS.cast_signed() - 1), as_of).iter() {
            let Some(age) = usize::try_from(as_of - row.on).ok().filter(|age| *age < REACH) else { continue };
            let series = usize::from(row.series.0);
            let used = row.quantity.0 > 0;
            let volume = volumes.of(&row);
            self.volume[age] += volume;
            self.weeks[age / 7] += volume;
            self.touched |= 1 << age;
            self.active |= u128::from(used) << age;
            let category = volumes.category[series];
            let part = &mut self.parts[usize::from(category)];
            if !part.seen {
                part.seen = true;
                self.seen.push(category);
            }
            part.volume += volume;
            part.used[age / 28] |= used;
        }
    }

    fn clear(&mut self) {
        while self.touched != 0 {
            self.volume[self.touched.trailing_zeros() as usize] = 0.0;
            self.touched &= self.touched - 1;
        }
        self.weeks = [0.0; WEEKS];
        self.active = 0;
        for category in self.seen.drain(..) {
            self.parts[usize::from(category)] = Part::default();
        }
    }

    /// Volume of the ages `from..to`, both multiples of 7.
    pub(super) fn volume_of(&self, from: u32, to: u32) -> f64 {
        self.weeks[from as usize / 7..to as usize / 7].iter().sum()
    }

    /// What the categories did. Parts are summed in the order of first appearance, which is
    /// that of (day, series): the same rows give the same bits.
    pub(super) fn breadth(&self) -> Breadth {
        let mut breadth = Breadth { largest_share: 1.0, ..Breadth::default() };
        let (mut total, mut largest) = (0.0, 0.0_f64);
        for category in &self.seen {
            let part = &self.parts[usize::from(*category)];
            let [recent, before, older] = part.used;
            breadth.recent += u32::from(recent);
            breadth.before += u32::from(before);
            breadth.silent += u32::from(!recent && (before || older));
            total += part.volume.max(0.0);
            largest = largest.max(part.volume);
        }
        if total > 0.0 {
            breadth.largest_share = largest / total;
            for category in &self.seen {
                let share = self.parts[usize::from(*category)].volume.max(0.0) / total;
                if share > 0.0 {
                    breadth.entropy -= share * share.ln();
                }
            }
        }
        breadth
    }
}
