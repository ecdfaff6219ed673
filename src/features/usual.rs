//! What is usual in a portfolio on one day: means over those of its subscriptions that live.
//!
//! Absent on purpose: anything that an import of later days could change. The living of a day,
//! and which of them are looked at, depend on what was known on that day alone.

use super::catalogue::{FEATURE_COUNT, index};
use super::history::History;
use super::kernel::Kernel;
use crate::domain::{Day, State};
use crate::portfolio::{Portfolio, SubscriptionIx};

/// The features that are told against what is usual.
pub(super) const RELATIVE: [usize; 10] = [
    index("usage_days_relative"),
    index("usage_share_life_relative"),
    index("volume_life_relative"),
    index("fading_use_180_relative"),
    index("longest_silence_relative"),
    index("long_silences_relative"),
    index("volume_slope_28_relative"),
    index("volume_slope_56_relative"),
    index("volume_slope_84_relative"),
    index("tenure_relative"),
];

/// Days within which a living subscription was used.
const LIVING_DAYS: i32 = 28;

/// Most subscriptions that are looked at. A mean of logarithms over 4,096 is known to a
/// sixty-fourth of their deviation, far below what a coefficient makes of it.
const LOOKED_AT_MAX: usize = 4_096;

/// Means of the relative features' own numbers; none where nothing lives, and each
/// subscription is then taken for a usual one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usual(pub(super) Option<[f64; RELATIVE.len()]>);

impl Usual {
    /// Nothing is known of any other subscription.
    pub const UNKNOWN: Self = Self(None);

    /// What is usual in `portfolio` on `as_of`. Of many subscriptions those are looked at whose
    /// ids have the least hashes.
    #[must_use]
    pub fn of(kernel: &Kernel, portfolio: &Portfolio, as_of: Day) -> Self {
        Self::of_days(kernel, portfolio, &[as_of]).pop().unwrap_or(Self::UNKNOWN)
    }

    /// The same of several days, in their order; days that ascend are read in one go.
    #[must_use]
    pub fn of_days(kernel: &Kernel, portfolio: &Portfolio, days: &[Day]) -> Vec<Self> {
        let looked_at: Vec<Vec<SubscriptionIx>> = days.iter().map(|day| looked_at(portfolio, *day)).collect();
        let mut all: Vec<(SubscriptionIx, usize)> =
            looked_at.iter().enumerate().flat_map(|(at, some)| some.iter().map(move |each| (*each, at))).collect();
        all.sort_unstable();
        let mut sums = vec![[0.0; RELATIVE.len()]; days.len()];
        let mut roll = kernel.roll(days.iter().map(|day| (*day, Self::UNKNOWN)));
        for of_one in all.chunk_by(|a, b| a.0 == b.0) {
            let (mut of_one, mut at) = (of_one.iter().peekable(), 0..);
            let history = History::of(portfolio, of_one.peek().map_or(SubscriptionIx(0), |(each, _)| *each));
            let wanted = |_| at.next().filter(|at| of_one.next_if(|(_, wanted)| wanted == at).is_some());
            roll.own(&history, wanted, |at: usize, own| {
                for (sum, feature) in sums[at].iter_mut().zip(RELATIVE) {
                    *sum += own[feature];
                }
            });
        }
        let usual = |sums: [f64; RELATIVE.len()], of: usize| Self((of > 0).then(|| sums.map(|sum| sum / of as f64)));
        sums.into_iter().zip(&looked_at).map(|(sums, looked_at)| usual(sums, looked_at.len())).collect()
    }

    /// Turns a row's own numbers into relative ones.
    pub(super) fn take_off(&self, row: &mut [f64; FEATURE_COUNT]) {
        for (at, feature) in RELATIVE.into_iter().enumerate() {
            row[feature] = self.0.map_or(0.0, |means| row[feature] - means[at]);
        }
    }
}

/// The living of a day, of many those that are looked at; ascending.
fn looked_at(portfolio: &Portfolio, as_of: Day) -> Vec<SubscriptionIx> {
    let Some(span) = portfolio.span(as_of - (LIVING_DAYS - 1), as_of) else { return Vec::new() };
    let mut living: Vec<SubscriptionIx> = portfolio
        .subscription_indices()
        .filter(|each| portfolio.state_at(*each, as_of) == State::Active)
        .filter(|each| portfolio.lines(*each).any(|line| line.used_within(&span)))
        .collect();
    if living.len() > LOOKED_AT_MAX {
        let mut by_hash: Vec<_> = living.into_iter().map(|each| (hash(portfolio.subscription(each).id.as_str()), each)).collect();
        by_hash.select_nth_unstable(LOOKED_AT_MAX);
        living = by_hash.into_iter().take(LOOKED_AT_MAX).map(|(_, each)| each).collect();
        living.sort_unstable();
    }
    living
}

/// FNV-1a over the bytes of an id: the same on every machine.
fn hash(id: &str) -> u64 {
    id.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
