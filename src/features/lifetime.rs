//! One subscription's whole life up to a day, in one pass over its rows for all days.
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

/// Reads one life after the other, each forward: the next as-of day goes on where the last one
/// stood, so that the days of a whole training read every row once.
#[derive(Debug, Clone)]
pub(super) struct LifeReader {
    /// exp(-days / 28) and exp(-days / 180) of the usual gaps.
    fading: Vec<[f64; 2]>,
    /// The first day of the life, and the day up to which it was read; none where it was not.
    read: Option<(Day, Day)>,
    first_used: Option<Day>,
    last_used: Option<Day>,
    /// What does not change while a silence grows. Fading is that of the last usage day.
    so_far: Lifetime,
    /// Silences longer than a day, which may be longer than a present one.
    longer_than_a_day: Vec<u32>,
}

impl LifeReader {
    pub(super) fn new() -> Self {
        Self {
            fading: (0..USUAL_GAP_DAYS).map(faded).collect(),
            read: None,
            first_used: None,
            last_used: None,
            so_far: Lifetime::default(),
            longer_than_a_day: Vec::new(),
        }
    }

    fn faded(&self, days: u32) -> [f64; 2] {
        self.fading.get(days as usize).copied().unwrap_or_else(|| faded(days))
    }

    /// Forgets the life: another one comes next.
    pub(super) fn begin(&mut self) {
        self.read = None;
        (self.first_used, self.last_used) = (None, None);
        self.so_far = Lifetime::default();
        self.longer_than_a_day.clear();
    }

    /// Reads the rows of `since..=as_of`. Those that were read before are not read again; a day
    /// before the last one, and another beginning, begin anew.
    pub(super) fn read_to(&mut self, usage: UsageRows<'_>, since: Day, as_of: Day, feed: &FeedDays, volumes: &Volumes) {
        let goes_on = self.read.filter(|(began, until)| *began == since && *until <= as_of);
        if goes_on.is_none() {
            self.begin();
        }
        let from = goes_on.map_or(since, |(_, until)| until + 1);
        self.read = Some((since, as_of));
        for row in usage.within(from, as_of).iter() {
            self.so_far.volume += volumes.of(&row);
            if row.quantity.0 > 0 && self.last_used != Some(row.on) {
                self.use_on(row.on, feed);
            }
        }
    }

    fn use_on(&mut self, day: Day, feed: &FeedDays) {
        if let Some(last) = self.last_used {
            let gap = feed.count(last + 1, day);
            let faded = self.faded(gap);
            let life = &mut self.so_far;
            life.fading = [life.fading[0] * faded[0], life.fading[1] * faded[1]];
            life.silences += 1;
            life.longest_silence = life.longest_silence.max(gap);
            life.long_silences += u32::from(gap > LONG_SILENCE_DAYS);
            // Than none, which is what most days have; other days ask the list.
            life.longer_silences += u32::from(gap > 0);
            if gap > 1 {
                self.longer_than_a_day.push(gap);
            }
        }
        self.first_used = self.first_used.or(Some(day));
        self.last_used = Some(day);
        self.so_far.usage_days += 1;
        self.so_far.fading = [self.so_far.fading[0] + 1.0, self.so_far.fading[1] + 1.0];
    }

    /// The last usage day of the life as read.
    pub(super) const fn last_used(&self) -> Option<Day> {
        self.last_used
    }

    /// The life on `as_of`, up to which it was read. `silence` is the present one.
    pub(super) fn life(&self, as_of: Day, silence: u32, feed: &FeedDays) -> Lifetime {
        let (faded, so_far) = (self.faded(silence), self.so_far);
        let longer = |gaps: &[u32]| gaps.iter().map(|gap| u32::from(*gap > silence)).sum();
        Lifetime {
            fading: [so_far.fading[0] * faded[0], so_far.fading[1] * faded[1]],
            known_days: self.first_used.map_or(0, |first| feed.count(first, as_of)),
            longer_silences: if silence == 0 { so_far.longer_silences } else { longer(&self.longer_than_a_day) },
            ..so_far
        }
    }
}

fn faded(days: u32) -> [f64; 2] {
    FADING_DAYS.map(|scale| (-f64::from(days) / scale).exp())
}
