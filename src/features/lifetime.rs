//! One subscription's whole life up to a day, in one pass over its days of use.
//!
//! Absent on purpose: what is usual in the portfolio, which is taken off by the kernel.

use super::aggregate::Volumes;
use super::history::FeedDays;
use crate::domain::Day;
use crate::portfolio::UsageRows;

/// A silence longer than this is a long one, in days.
const LONG_SILENCE_DAYS: u32 = 28;

/// Days in which a day of use fades to 1/e, quickly and slowly.
const FADING_DAYS: [f64; 2] = [28.0, 180.0];

/// Gaps below this many days are so usual that their fading is worked out once.
const USUAL_GAP_DAYS: u32 = 32;

/// What the days of use of a life come to.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Lifetime {
    pub(super) usage_days: u32,
    /// Volume of every row.
    pub(super) volume: f64,
    /// Known days from the first usage day to the as-of day.
    pub(super) known_days: u32,
    /// Sum over usage days of exp(-known days since then / 28), and the same with 180.
    pub(super) fading: [f64; 2],
    /// Silences between one usage day and the next, in known days.
    pub(super) silences: u32,
    pub(super) longest_silence: u32,
    pub(super) long_silences: u32,
    /// Silences longer than the present one.
    pub(super) longer_silences: u32,
}

/// Reads lives up to one as-of day.
#[derive(Debug, Clone)]
pub(super) struct LifeReader {
    /// exp(-days / 28) and exp(-days / 180) of the usual gaps.
    fading: Vec<[f64; 2]>,
}

impl LifeReader {
    pub(super) fn new() -> Self {
        Self { fading: (0..USUAL_GAP_DAYS).map(faded).collect() }
    }

    fn faded(&self, days: u32) -> [f64; 2] {
        self.fading.get(days as usize).copied().unwrap_or_else(|| faded(days))
    }

    /// Reads `usage`, which holds nothing after `as_of`. `silence` is the present one.
    pub(super) fn read(&self, usage: UsageRows<'_>, as_of: Day, silence: u32, feed: &FeedDays, volumes: &Volumes) -> Lifetime {
        let mut life = Lifetime::default();
        let (mut first, mut last) = (None, None::<Day>);
        for row in usage.iter() {
            life.volume += volumes.of(&row);
            if row.quantity.0 <= 0 || last == Some(row.on) {
                continue;
            }
            if let Some(last) = last {
                let gap = feed.count(last + 1, row.on);
                let faded = self.faded(gap);
                life.fading = [life.fading[0] * faded[0], life.fading[1] * faded[1]];
                life.silences += 1;
                life.longest_silence = life.longest_silence.max(gap);
                life.long_silences += u32::from(gap > LONG_SILENCE_DAYS);
                life.longer_silences += u32::from(gap > silence);
            }
            first = first.or(Some(row.on));
            last = Some(row.on);
            life.usage_days += 1;
            life.fading = [life.fading[0] + 1.0, life.fading[1] + 1.0];
        }
        let faded = self.faded(silence);
        life.fading = [life.fading[0] * faded[0], life.fading[1] * faded[1]];
        life.known_days = first.map_or(0, |first| feed.count(first, as_of));
        life
    }
}

fn faded(days: u32) -> [f64; 2] {
    FADING_DAYS.map(|scale| (-f64::from(days) / scale).exp())
}
