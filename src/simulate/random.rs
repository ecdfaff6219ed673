//! Randomness that is a function of what it is for: one `ChaCha` stream for each (seed, topic,
//! number), one block of it for each day.
//!
//! Absent on purpose: a generator that lives longer than one question.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::domain::Day;

/// What is drawn. Topics never share a stream, so a new draw in one moves nothing in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topic {
    SubscriptionId,
    CustomerId,
    Owner,
    Product,
    Customer,
    Habit,
    Life,
    Succession,
    Migration,
    Day,
    CommitmentId,
    Commitment,
}

/// Words of a `ChaCha` block.
const BLOCK_WORDS: u128 = 16;

/// Blocks kept for one day: a day's draws (used or not, category, volume, a second row) take
/// some 12 words, and the tail of a normal draw a few more; at most 4 blocks are computed at once.
const DAY_BLOCKS: u128 = 4;

/// The stream of a topic and number.
pub(super) fn stream(seed: u64, topic: Topic, number: u32) -> ChaCha8Rng {
    let mut key = [0_u8; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8] = topic as u8;
    let mut random = ChaCha8Rng::from_seed(key);
    random.set_stream(u64::from(number));
    random
}

/// The draws of one subscription on one day, `first` being day 0 of the plan.
pub(super) fn on_day(seed: u64, number: u32, first: Day, day: Day) -> ChaCha8Rng {
    let mut random = stream(seed, Topic::Day, number);
    let offset = u128::try_from(day - first).unwrap_or(0);
    random.set_word_pos(offset * DAY_BLOCKS * BLOCK_WORDS);
    random
}

/// Uniform in `[0, 1)`, from the upper 53 bits.
pub(super) fn uniform(random: &mut impl Rng) -> f64 {
    (random.next_u64() >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
}

/// True with probability `share`.
pub(super) fn happens(random: &mut impl Rng, share: f64) -> bool {
    uniform(random) < share
}

/// Uniform in `from..=to`; `from` where `to` is less.
pub(super) fn between(random: &mut impl Rng, from: i32, to: i32) -> i32 {
    let span = f64::from(to.saturating_sub(from).max(0)) + 1.0;
    from.saturating_add(floor(uniform(random) * span))
}

/// One of `0..len`, each as likely; 0 where there are none.
pub(super) fn pick(random: &mut impl Rng, len: usize) -> usize {
    skewed(random, len, 1.0)
}

/// One of `0..len`, the lower the likelier: `len * u^power`.
pub(super) fn skewed(random: &mut impl Rng, len: usize, power: f64) -> usize {
    let at = floor(uniform(random).powf(power) * len as f64);
    usize::try_from(at).unwrap_or(0).min(len.saturating_sub(1))
}

/// Days until something happens whose probability on each day is `daily`: at least 1. Inverse
/// of the geometric distribution; beyond 100,000 days it counts as never.
pub(super) fn wait_days(random: &mut impl Rng, daily: f64) -> i32 {
    const NEVER: i32 = 100_000;
    if daily <= 0.0 {
        return NEVER;
    }
    let survived = ((1.0 - uniform(random)).ln() / (1.0 - daily).ln()).min(f64::from(NEVER));
    1 + floor(survived)
}

/// The whole part of a number that is known to be small; a cast saturates and cannot fail.
#[expect(clippy::cast_possible_truncation, reason = "saturates, and no caller comes near the ends of i32")]
fn floor(number: f64) -> i32 {
    number.floor() as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_have_the_mean_of_their_hazard() {
        let mut random = stream(1, Topic::Life, 0);
        let total: f64 = (0..20_000).map(|_| f64::from(wait_days(&mut random, 0.01))).sum();
        // Mean 100 days, deviation of the mean of 20,000 draws 0.7.
        assert!((total / 20_000.0 - 100.0).abs() < 3.0, "{}", total / 20_000.0);
    }

    #[test]
    fn each_day_and_each_number_has_draws_of_its_own() {
        let first = Day::from_epoch_days(20_000);
        let draw = |number, day: i32| on_day(7, number, first, first + day).next_u64();
        assert_eq!(draw(3, 9), draw(3, 9));
        assert_ne!(draw(3, 9), draw(3, 10));
        assert_ne!(draw(3, 9), draw(4, 9));
        assert_ne!(stream(7, Topic::Life, 3).next_u64(), stream(7, Topic::Habit, 3).next_u64());
        assert_ne!(stream(7, Topic::Life, 3).next_u64(), stream(8, Topic::Life, 3).next_u64());
    }
}
