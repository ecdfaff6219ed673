//! Whether some recent weeks stand out from the weeks before them: a robust line through those,
//! and how far from it the recent ones lie.
//!
//! Absent on purpose: seasons. Weeks cancel the weekday, the line takes steady growth or
//! decline along, and what repeats once a year is not in half a year of weeks.

/// Scale of the median absolute deviation that makes it the standard deviation of normal noise.
const MAD_SCALE: f64 = 1.4826;

/// Least noise that a week is granted, as a share of the typical week, both as square roots:
/// some 10 % of the amount. Below it, bills that are the same to the cent would call any rounding
/// a break.
const NOISE_SHARE_MIN: f64 = 0.05;

/// Least noise in square roots of a unit: about one unit a week where a week has one or less.
const NOISE_MIN: f64 = 0.5;

/// Weeks of the baseline, its last, whose middle half the recent ones must lie outside of.
const LATE_WEEKS: usize = 13;

/// What the recent weeks were to come to, and came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Standing {
    /// What the line says, as a mean over the recent weeks.
    pub(super) expected: f64,
    /// Mean of the recent weeks.
    pub(super) observed: f64,
    /// How far the recent weeks lie from the line, in standard errors of their mean.
    pub(super) score: f64,
}

/// Holds the mean of `recent` against the line through `baseline`; both are (week, amount), the
/// baseline ascending and of at least two weeks, `recent` of at least one.
///
/// All is done on square roots of the amounts (of a negative one, the root of its size with its
/// sign), where the noise of large and of small weeks is alike (Bartlett 1936, J. R. Stat. Soc.
/// Suppl. 3) and a stop stands out as far as a multiple. The line is that of Theil and Sen: its
/// slope is the median of the slopes of all pairs of weeks (Theil 1950; Sen 1968, J. Am. Stat.
/// Assoc. 63), its height the median of what the slope leaves over; it is nowhere below 0. More
/// than a quarter of the weeks must be out of line to move it at will. The noise of one week, s, is
/// 1.4826 times the median absolute deviation from the line (Rousseeuw and Croux 1993, J. Am.
/// Stat. Assoc. 88), at least a twentieth of the typical week's root and at least 0.5. Where the
/// typical week is 0 and so is that median, use is intermittent, and s is the largest deviation.
///
/// The score is the difference over the standard error of a straight line's forecast for the
/// mean of m weeks around t, from n weeks x: `s * sqrt(1/m + 1/n + (t - mean(x))^2 / sum((x -
/// mean(x))^2))`. That is the error of least squares; medians are less sure by up to a quarter,
/// which the score that counts allows for.
///
/// `desk` is memory to work in.
pub(super) fn standing(baseline: &[(f64, f64)], recent: &[(f64, f64)], desk: &mut Desk) -> Standing {
    desk.roots.clear();
    desk.roots.extend(baseline.iter().map(|(week, amount)| (*week, root(*amount))));
    let roots = &desk.roots;
    let values = &mut desk.values;
    values.clear();
    for (at, (week, amount)) in roots.iter().enumerate() {
        values.extend(roots[at + 1..].iter().map(|(later, other)| (other - amount) / (later - week)));
    }
    let slope = median(values);
    refill(values, roots.iter().map(|(week, amount)| amount - slope * week));
    let height = median(values);
    let noise = noise(roots, slope, height, values);

    let line = |week: f64| (height + slope * week).max(0.0);
    let count = recent.len() as f64;
    let difference = recent.iter().map(|(week, amount)| root(*amount) - line(*week)).sum::<f64>() / count;
    let centre = roots.iter().map(|(week, _)| week).sum::<f64>() / roots.len() as f64;
    let spread: f64 = roots.iter().map(|(week, _)| (week - centre).powi(2)).sum();
    let distance = recent.iter().map(|(week, _)| week - centre).sum::<f64>() / count;
    let error = noise * (1.0 / count + 1.0 / roots.len() as f64 + distance.powi(2) / spread).sqrt();
    Standing {
        expected: recent.iter().map(|(week, _)| line(*week).powi(2)).sum::<f64>() / count,
        observed: recent.iter().map(|(_, amount)| amount).sum::<f64>() / count,
        score: difference / error,
    }
}

/// Whether the mean of the recent weeks lies outside the middle half of the baseline's last 13:
/// above the fourth largest of them or below the fourth smallest.
///
/// Whatever a trend promised, amounts like those of the last quarter do not stand out. Two of
/// three topics of a made-up portfolio end here, before all pairs of their weeks are looked at;
/// what is lost is a steep growth of which two months are undone at once.
pub(super) fn is_outside_late_half(baseline: &[(f64, f64)], recent: &[(f64, f64)], desk: &mut Desk) -> bool {
    let late = &baseline[baseline.len().saturating_sub(LATE_WEEKS)..];
    refill(&mut desk.values, late.iter().map(|(_, amount)| *amount));
    desk.values.sort_unstable_by(f64::total_cmp);
    let quarter = late.len() / 4;
    let ends = desk.values.get(quarter).zip(desk.values.get(late.len().saturating_sub(quarter + 1)));
    let mean = recent.iter().map(|(_, amount)| amount).sum::<f64>() / recent.len() as f64;
    ends.is_some_and(|(low, high)| mean < *low || *high < mean)
}

/// The median week.
pub(super) fn typical(weeks: &[(f64, f64)], desk: &mut Desk) -> f64 {
    refill(&mut desk.values, weeks.iter().map(|(_, amount)| *amount));
    median(&mut desk.values)
}

/// Memory to work in, used again from one question to the next.
#[derive(Debug, Default)]
pub(super) struct Desk {
    roots: Vec<(f64, f64)>,
    values: Vec<f64>,
}

/// The noise of one week around the line; never 0.
fn noise(roots: &[(f64, f64)], slope: f64, height: f64, values: &mut Vec<f64>) -> f64 {
    refill(values, roots.iter().map(|(_, amount)| *amount));
    let typical = median(values);
    refill(values, roots.iter().map(|(week, amount)| (amount - slope * week - height).abs()));
    let largest = values.iter().copied().fold(0.0, f64::max);
    let deviation = median(values);
    let noise = if deviation <= 0.0 && typical <= 0.0 { largest } else { MAD_SCALE * deviation };
    noise.max(NOISE_SHARE_MIN * typical).max(NOISE_MIN)
}

fn root(amount: f64) -> f64 {
    amount.abs().sqrt().copysign(amount)
}

fn refill(values: &mut Vec<f64>, with: impl Iterator<Item = f64>) {
    values.clear();
    values.extend(with);
}

/// The middle value, or the mean of the two in the middle; 0 of none. Orders `values`.
fn median(values: &mut [f64]) -> f64 {
    let (count, half) = (values.len(), values.len() / 2);
    if count == 0 {
        return 0.0;
    }
    let (below, middle, _) = values.select_nth_unstable_by(half, f64::total_cmp);
    let lower = below.iter().copied().max_by(f64::total_cmp).filter(|_| count % 2 == 0);
    lower.map_or(*middle, |lower| f64::midpoint(lower, *middle))
}
