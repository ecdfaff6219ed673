//! Whether recent weeks certainly do not stand out, told without the line that they are held
//! against: a tenth of what the line costs, and nearly all weeks end here.
//!
//! Nothing is guessed. The line's slope is the median of the slopes of all pairs, so it is no
//! steeper than another where more than half of the pairs are no steeper, and counting pairs
//! takes no division and no sorting. Its value at a later week is the median of the baseline
//! carried there by the slope, so it is no higher than a bound where more than half of the
//! baseline, carried there by a slope that is no less, is no higher. Where such slopes are found
//! for the bounds beyond which something stands out, nothing does.
//!
//! Absent on purpose: an answer to whether they do stand out.

use super::trend::{Amounts, NOISE_MIN, Reach, root};

/// Most weeks of a baseline; of more, nothing is certain here.
pub(super) const WEEKS_MAX: usize = 26;

/// Part of all roots by which a bound is drawn in, so that what arithmetic rounds off, some 1e-14
/// of them, decides nothing.
const UNSURE: f64 = 1e-9;

/// Part of the way from a first guess of the line to a bound, for which a slope is tried: enough
/// to be less than the bound, and more than what the guess is wrong by.
const TRIED: f64 = 0.5;

/// What stands out: all of these at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Least {
    /// Standard errors.
    pub(super) score: f64,
    /// Change as a share of what was expected.
    pub(super) share: f64,
    /// Change of a week.
    pub(super) amount: f64,
}

/// Whether the recent weeks certainly do not stand out.
pub(super) fn is_certainly_near(baseline: Amounts<'_>, recent: Amounts<'_>, reach: &Reach, least: &Least) -> bool {
    let count = baseline.amounts.len();
    let (Some(from), Some(to)) = (recent.weeks.first(), recent.weeks.last()) else { return false };
    if !(2..=WEEKS_MAX).contains(&count) {
        return false;
    }
    let mut roots = [0.0; WEEKS_MAX];
    for (to, amount) in roots.iter_mut().zip(baseline.amounts) {
        *to = root(*amount);
    }
    let roots = Amounts { weeks: baseline.weeks, amounts: &roots[..count] };
    let unsure = UNSURE * (1.0 + roots.amounts.iter().map(|root| root.abs()).sum::<f64>());
    let observed = recent.mean();
    let mean_root = recent.amounts.iter().map(|amount| root(*amount)).sum::<f64>() / recent.amounts.len() as f64;
    let slack = least.score * NOISE_MIN * reach.error;
    // Below `high` nothing is a fall, and above `low` nothing is a rise: too few standard errors,
    // too small a share, or too little.
    let falls = [mean_root + slack, root(observed / (1.0 - least.share)), root(observed + least.amount)];
    let rises = [mean_root - slack, root(observed / (1.0 + least.share)), root(observed - least.amount)];
    let high = falls.into_iter().fold(f64::NEG_INFINITY, f64::max) - unsure;
    let low = rises.into_iter().fold(f64::INFINITY, f64::min) + unsure;
    // The line of least squares is the guess.
    let slope = roots.weeks.iter().zip(roots.amounts).map(|(week, root)| (week - reach.centre) * root).sum::<f64>() / reach.spread;
    let level = roots.mean() + slope * reach.distance;
    let tried = |bound: f64| slope + TRIED * (bound - level) / reach.distance;
    // Below a bound where `sign` is 1, above it where `sign` is -1.
    let is_within = |bound: f64, sign: f64| {
        let slope = tried(bound);
        [from, to].into_iter().all(|week| is_mostly_below(roots, slope, *week, bound, sign)) && is_mostly_flatter(roots, slope, sign)
    };
    // The line is nowhere below 0.
    high > 0.0 && level < high && is_within(high, 1.0) && (low <= 0.0 || (low < level && is_within(low, -1.0)))
}

/// Whether more than half of the baseline, carried to `week` by `slope`, is at most `bound`; at
/// least it, where `sign` turns all round.
fn is_mostly_below(roots: Amounts<'_>, slope: f64, week: f64, bound: f64, sign: f64) -> bool {
    let carried = roots.weeks.iter().zip(roots.amounts).map(|(at, root)| sign * (root + slope * (week - at)));
    let below = carried.fold(0_usize, |below, carried| below.wrapping_add(usize::from(carried <= sign * bound)));
    below > roots.amounts.len() / 2
}

/// Whether more than half of the pairs of weeks have a slope of at most `slope`; of at least it,
/// where `sign` turns all round.
fn is_mostly_flatter(roots: Amounts<'_>, slope: f64, sign: f64) -> bool {
    let count = roots.amounts.len();
    // What a line of that slope leaves over falls from week to week where the weeks are flatter.
    let mut left_over = [f64::INFINITY; 2 * WEEKS_MAX];
    for (to, (week, root)) in left_over.iter_mut().zip(roots.weeks.iter().zip(roots.amounts)) {
        *to = sign * (root - slope * week);
    }
    // As many after each as there may be, whatever there are: a loop without ends of its own.
    let mut falling = [0_u64; WEEKS_MAX];
    for at in 0..count {
        let after = left_over[at + 1..].iter().take(WEEKS_MAX);
        for (falling, later) in falling.iter_mut().zip(after) {
            *falling = falling.wrapping_add(u64::from(*later <= left_over[at]));
        }
    }
    falling.iter().sum::<u64>() > (count * (count - 1) / 4) as u64
}
