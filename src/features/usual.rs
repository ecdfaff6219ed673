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
        let mut living: Vec<SubscriptionIx> = portfolio
            .subscription_indices()
            .filter(|each| portfolio.state_at(*each, as_of) == State::Active)
            .filter(|each| portfolio.usage(*each).within(as_of - (LIVING_DAYS - 1), as_of).any_used())
            .collect();
        if living.len() > LOOKED_AT_MAX {
            living.sort_by_cached_key(|each| (hash(portfolio.subscription(*each).id.as_str()), each.at()));
            living.truncate(LOOKED_AT_MAX);
            living.sort_unstable();
        }
        if living.is_empty() {
            return Self::UNKNOWN;
        }
        let mut at = kernel.at(as_of, Self::UNKNOWN);
        let mut means = [0.0; RELATIVE.len()];
        for each in &living {
            let own = at.own(&History::of(portfolio, *each));
            for (mean, feature) in means.iter_mut().zip(RELATIVE) {
                *mean += own[feature];
            }
        }
        Self(Some(means.map(|sum| sum / living.len() as f64)))
    }

    /// Turns a row's own numbers into relative ones.
    pub(super) fn take_off(&self, row: &mut [f64; FEATURE_COUNT]) {
        for (at, feature) in RELATIVE.into_iter().enumerate() {
            row[feature] = self.0.map_or(0.0, |means| row[feature] - means[at]);
        }
    }
}

/// FNV-1a over the bytes of an id: the same on every machine.
fn hash(id: &str) -> u64 {
    id.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
