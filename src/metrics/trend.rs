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
pub(super) const NOISE_MIN: f64 = 0.5;

/// Weeks of the baseline, its last, whose middle half the recent ones must lie outside of.
const LATE_WEEKS: usize = 13;

/// What the recent weeks were to come to, and how far from that they are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Standing {
    /// What the line says, as a mean over the recent weeks.
    pub(super) expected: f64,
    /// How far the recent weeks lie from the line, in standard errors of their mean.
    pub(super) score: f64,
}

/// Amounts by week, the weeks ascending.
#[derive(Debug, Clone, Copy)]
pub(super) struct Amounts<'a> {
    pub(super) weeks: &'a [f64],
    pub(super) amounts: &'a [f64],
}

impl Amounts<'_> {
    pub(super) fn mean(self) -> f64 {
        self.amounts.iter().sum::<f64>() / self.amounts.len() as f64
    }
}

/// Holds the mean of `recent` against the line through `baseline`, which has at least two weeks;
/// `recent` has at least one.
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
/// `reach` is that of the weeks, `desk` memory to work in.
///
/// None where `counts` says of what was expected that nothing can stand out; the noise is not
/// looked at then.
pub(super) fn standing(
    baseline: Amounts<'_>,
    recent: Amounts<'_>,
    reach: &Reach,
    desk: &mut Desk,
    counts: impl FnOnce(f64) -> bool,
) -> Option<Standing> {
    let roots = &mut desk.roots;
    refill(roots, baseline.amounts.iter().map(|amount| root(*amount)));
    let values = &mut desk.values;
    values.clear();
    for (at, (week, amount)) in baseline.weeks.iter().zip(&*roots).enumerate() {
        let later = baseline.weeks[at + 1..].iter().zip(&roots[at + 1..]);
        values.extend(later.map(|(later, other)| (other - amount) / (later - week)));
    }
    let slope = median(values);
    let left_over = |(week, amount): (&f64, &f64)| amount - slope * week;
    refill(values, baseline.weeks.iter().zip(&*roots).map(left_over));
    let height = median(values);
    let line = |week: f64| (height + slope * week).max(0.0);
    let count = recent.weeks.len() as f64;
    let difference = recent.weeks.iter().zip(recent.amounts).map(|(week, amount)| root(*amount) - line(*week)).sum::<f64>() / count;
    let expected = recent.weeks.iter().map(|week| line(*week).powi(2)).sum::<f64>() / count;
    counts(expected).then(|| Standing {
        expected,
        score: difference / (noise(Amounts { amounts: roots, ..baseline }, slope, height, values) * reach.error),
    })
}

/// What the weeks alone say of a line through some of them and its value at others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reach {
    /// Mean of the baseline's weeks, and the sum of squares of how far they are from it.
    pub(super) centre: f64,
    pub(super) spread: f64,
    /// From there to the mean of the recent weeks.
    pub(super) distance: f64,
    /// Standard error of the forecast for the mean of the recent weeks, for a noise of 1.
    pub(super) error: f64,
}

impl Reach {
    pub(super) fn new(baseline: &[f64], recent: &[f64]) -> Self {
        let (n, count) = (baseline.len() as f64, recent.len() as f64);
        let centre = baseline.iter().sum::<f64>() / n;
        let spread: f64 = baseline.iter().map(|week| (week - centre).powi(2)).sum();
        let distance = recent.iter().map(|week| week - centre).sum::<f64>() / count;
        Self { centre, spread, distance, error: (1.0 / count + 1.0 / n + distance.powi(2) / spread).sqrt() }
    }
}

/// Whether the mean of the recent weeks lies outside the middle half of the baseline's last 13:
/// above the fourth largest of them or below the fourth smallest.
///
/// Whatever a trend promised, amounts like those of the last quarter do not stand out. Two of
/// three topics of a made-up portfolio end here, before all pairs of their weeks are looked at;
/// what is lost is a steep growth of which two months are undone at once.
pub(super) fn is_outside_late_half(baseline: &[f64], mean: f64) -> bool {
    let late = &baseline[baseline.len().saturating_sub(LATE_WEEKS)..];
    let (mut below, mut above) = (0_usize, 0_usize);
    for amount in late {
        below += usize::from(*amount < mean);
        above += usize::from(mean < *amount);
    }
    late.len() - below.max(above) <= late.len() / 4
}

/// The median week.
pub(super) fn typical(amounts: &[f64], desk: &mut Desk) -> f64 {
    refill(&mut desk.values, amounts.iter().copied());
    median(&mut desk.values)
}

/// Memory to work in, used again from one question to the next.
#[derive(Debug, Default)]
pub(super) struct Desk {
    roots: Vec<f64>,
    values: Vec<f64>,
}

/// The noise of one week around the line; never 0.
fn noise(roots: Amounts<'_>, slope: f64, height: f64, values: &mut Vec<f64>) -> f64 {
    refill(values, roots.amounts.iter().copied());
    let typical = median(values);
    refill(values, roots.weeks.iter().zip(roots.amounts).map(|(week, amount)| (amount - slope * week - height).abs()));
    let largest = values.iter().copied().fold(0.0, f64::max);
    let deviation = median(values);
    let noise = if deviation <= 0.0 && typical <= 0.0 { largest } else { MAD_SCALE * deviation };
    noise.max(NOISE_SHARE_MIN * typical).max(NOISE_MIN)
}

pub(super) fn root(amount: f64) -> f64 {
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
