//! The penalty, chosen by what earlier days foretell of later ones.
//!
//! Training days are cut into folds: each is fitted on the days whose labels were known before
//! it, and measured on its own. Where there are too few days for that, on customers left out.
//! The test rows are not looked at.

use super::design;
use super::fit::FitError;
use super::matrix::Matrix;
use super::snapshots::{Row, as_of_days};
use super::transform;
use crate::domain::{ChurnRisk, Day};
use crate::model::{TriedAlpha, log_loss};
use crate::portfolio::CustomerIx;

/// Penalties that are tried, the heaviest first: each fit begins where the one before ended.
const ALPHAS: [f64; 10] = [1e5, 1e4, 3e3, 1e3, 300.0, 100.0, 30.0, 10.0, 3.0, 1.0];

/// The penalty where no fold holds both classes.
const ALPHA_DEFAULT: f64 = 100.0;

/// Folds by time, at most.
const FOLDS_MAX: usize = 4;

/// Folds by customer.
const CUSTOMER_FOLDS: u32 = 5;

/// Fewest as-of days that are cut by time.
const DAYS_MIN: usize = 4;

/// Most rows of one side of a fold; of more, evenly spaced ones are taken. The penalty is
/// divided by as much, so that it weighs as it would on all of them.
const ROWS_MAX: usize = 32_768;

/// A training row as it was foretold by a fit that it was left out of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct LeftOut {
    pub fold: usize,
    pub customer: CustomerIx,
    pub log_odds: f64,
    pub churned: bool,
}

/// The penalty, and what stands behind it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Chosen {
    pub alpha: f64,
    /// Empty where the penalty was given.
    pub tried: Vec<TriedAlpha>,
    /// Rows left out, under that penalty.
    pub left_out: Vec<LeftOut>,
}

/// The penalty of least log loss, the heaviest of equals; or the one that is given.
///
/// # Errors
/// Where a fit fails.
pub(super) fn choose(raw: &Matrix, rows: &[Row], churned: &[bool], label_days: i32, given: Option<f64>) -> Result<Chosen, FitError> {
    let alphas: Vec<f64> = given.map_or_else(|| ALPHAS.to_vec(), |given| vec![given]);
    let mut left_out = vec![Vec::new(); alphas.len()];
    for (number, fold) in folds(rows, label_days).into_iter().enumerate() {
        let both = |side: &[usize]| side.iter().any(|row| churned[*row]) && side.iter().any(|row| !churned[*row]);
        if !both(&fold.fitted) || fold.measured.is_empty() {
            continue;
        }
        for (left_out, log_odds) in left_out.iter_mut().zip(fold.log_odds(raw, rows, churned, &alphas)?) {
            let foretold = fold.measured.iter().zip(log_odds);
            left_out.extend(foretold.map(|(row, log_odds)| LeftOut {
                fold: number,
                customer: rows[*row].customer,
                log_odds,
                churned: churned[*row],
            }));
        }
    }
    let loss = |row: &LeftOut| log_loss(ChurnRisk::from_log_odds(row.log_odds).get(), row.churned);
    let mean = |rows: &[LeftOut]| rows.iter().map(loss).sum::<f64>() / rows.len() as f64;
    let losses = alphas.iter().zip(&left_out).filter(|(_, rows)| !rows.is_empty());
    let tried: Vec<TriedAlpha> = losses.map(|(alpha, rows)| TriedAlpha { alpha: *alpha, log_loss: mean(rows) }).collect();
    let best = tried.iter().min_by(|a, b| a.log_loss.total_cmp(&b.log_loss)).map(|best| best.alpha);
    let alpha = given.or(best).unwrap_or(ALPHA_DEFAULT);
    let place = alphas.iter().position(|tried| tried.total_cmp(&alpha).is_eq());
    let left_out = place.map(|place| left_out.swap_remove(place)).unwrap_or_default();
    Ok(Chosen { alpha, tried: if given.is_some() { Vec::new() } else { tried }, left_out })
}

/// Rows to fit on, and rows to measure on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fold {
    fitted: Vec<usize>,
    measured: Vec<usize>,
}

fn folds(rows: &[Row], label_days: i32) -> Vec<Fold> {
    let days = as_of_days(rows);
    // Days before which the labels of enough earlier days were known.
    let known_before = |day: Day| days.iter().filter(|earlier| **earlier + label_days < day).count();
    let after = |least: usize| -> Vec<Day> { days.iter().copied().filter(|day| known_before(*day) >= least).collect() };
    let enough = after((days.len() / 4).max(2));
    let measured = if enough.is_empty() { after(1) } else { enough };
    if days.len() < DAYS_MIN || measured.is_empty() {
        return by_customer(rows);
    }
    let parts = measured.len().min(FOLDS_MAX);
    let cut = |part: usize| part * measured.len() / parts;
    (0..parts)
        .map(|part| {
            let (first, last) = (measured[cut(part)], measured[cut(part + 1) - 1]);
            Fold {
                fitted: some(rows, |row| row.as_of + label_days < first),
                measured: some(rows, |row| (first..=last).contains(&row.as_of)),
            }
        })
        .collect()
}

fn by_customer(rows: &[Row]) -> Vec<Fold> {
    let is_in = |row: &Row, fold: u32| row.customer.0 % CUSTOMER_FOLDS == fold;
    (0..CUSTOMER_FOLDS)
        .map(|fold| Fold { fitted: some(rows, |row| !is_in(row, fold)), measured: some(rows, |row| is_in(row, fold)) })
        .collect()
}

/// The places of rows, evenly spaced ones where there are too many.
fn some(rows: &[Row], of: impl Fn(&Row) -> bool) -> Vec<usize> {
    let all: Vec<usize> = (0..rows.len()).filter(|row| of(&rows[*row])).collect();
    let step = all.len().div_ceil(ROWS_MAX).max(1);
    all.into_iter().step_by(step).collect()
}

impl Fold {
    /// The log-odds of the rows left out under each penalty.
    fn log_odds(&self, raw: &Matrix, rows: &[Row], churned: &[bool], alphas: &[f64]) -> Result<Vec<Vec<f64>>, FitError> {
        let mut x = raw.pick(&self.fitted, design::ROOM);
        let mut out = raw.pick(&self.measured, 0);
        let columns = transform::fit(&x);
        transform::apply(&columns, &mut x);
        transform::apply(&columns, &mut out);
        let rows_in: Vec<Row> = self.fitted.iter().map(|row| rows[*row]).collect();
        let labels: Vec<bool> = self.fitted.iter().map(|row| churned[*row]).collect();
        // As if every row of the training part were there.
        let lighter = rows.len().div_ceil(ROWS_MAX).max(1) as f64;
        let found = design::solve(&mut x, &rows_in, &labels, alphas.iter().map(|alpha| alpha / lighter))?;
        Ok(found.iter().map(|weights| out.log_odds(&weights.coefficients, weights.intercept)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::FEATURE_COUNT;
    use crate::portfolio::SubscriptionIx;

    fn rows(days: i32, step: i32, each: u32) -> Vec<Row> {
        let row = |day: i32, number: u32| Row {
            subscription: SubscriptionIx(number),
            customer: CustomerIx(number),
            as_of: Day::from_epoch_days(day * step),
            churned: false,
        };
        (0..days).flat_map(|day| (0..each).map(move |number| row(day, number))).collect()
    }

    #[test]
    fn no_label_of_a_fold_reaches_into_what_it_is_measured_on() {
        let rows = rows(20, 14, 10);
        let folds = folds(&rows, 35);
        assert_eq!(folds.len(), FOLDS_MAX);
        let mut seen = Vec::new();
        for fold in &folds {
            let first = fold.measured.iter().map(|row| rows[*row].as_of).min().expect("some");
            assert!(!fold.fitted.is_empty() && fold.fitted.iter().all(|row| rows[*row].as_of + 35 < first));
            seen.extend(fold.measured.iter().copied());
        }
        // Each of the days with enough before it is measured on once.
        let count = seen.len();
        seen.dedup();
        assert_eq!((seen.len(), count, seen[0] % 10), (count, count, 0));
    }

    #[test]
    fn one_day_is_cut_by_customer() {
        let rows = rows(1, 1, 50);
        for fold in folds(&rows, 30) {
            let of = |side: &[usize]| side.iter().map(|row| rows[*row].customer).collect::<Vec<_>>();
            assert!(of(&fold.measured).iter().all(|customer| !of(&fold.fitted).contains(customer)));
            assert_eq!(fold.fitted.len() + fold.measured.len(), 50);
        }
    }

    /// Labels that a feature drives want it fitted freely; labels of chance want it held down.
    #[test]
    fn what_foretells_nothing_gets_the_heavier_penalty() {
        let rows = rows(12, 14, 60);
        let noise = |at: usize, of: usize| {
            let mixed = ((at as u64) << 20 | of as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mixed = (mixed ^ (mixed >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            (mixed >> 40) as f64 / f64::from(1_u32 << 24) - 0.5
        };
        let values: Vec<f64> = (0..FEATURE_COUNT).flat_map(|column| (0..rows.len()).map(move |row| noise(row, column + 1))).collect();
        let x = Matrix::from_columns(rows.len(), FEATURE_COUNT, values).expect("as many values");
        let driven: Vec<bool> = (0..rows.len()).map(|row| x.column(0)[row] + 0.1 * noise(row, 999) > 0.2).collect();
        let chance: Vec<bool> = (0..rows.len()).map(|row| noise(row, 777) > 0.2).collect();
        let light = choose(&x, &rows, &driven, 30, None).expect("both classes");
        let heavy = choose(&x, &rows, &chance, 30, None).expect("both classes");
        assert!(light.alpha <= 10.0 && heavy.alpha >= 300.0, "{} {}", light.alpha, heavy.alpha);
        assert_eq!(light.tried.len(), ALPHAS.len());
        let given = choose(&x, &rows, &driven, 30, Some(light.alpha)).expect("both classes");
        assert_eq!((given.alpha, given.tried.len(), given.left_out.len()), (light.alpha, 0, light.left_out.len()));
    }
}
