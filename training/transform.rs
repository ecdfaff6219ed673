//! The transform, fitted on training rows alone: scale, clip, standardise.
//!
//! Clipping to the training rows' 1st and 99th percentile keeps a drifting world from wrecking
//! a linear model; it is stored with the model and holds at scoring too.

use std::num::NonZero;

use super::matrix::Matrix;
use crate::features::{FEATURES, Scale};
use crate::model::{Column, scaled};

/// Clip quantiles.
const LOW: f64 = 0.01;
const HIGH: f64 = 0.99;

/// A deviation below this part of the column's size is rounding, and the column a constant.
const CONSTANT_BELOW: f64 = 1e-9;

/// Each column's transform.
///
/// Quantiles are nearest ranks, so they commute with the scale. A column whose clip quantiles
/// coincide (a rare event) is clipped to its least and largest value instead, or the event would
/// vanish. A constant column gets deviation 1.
#[must_use]
pub(super) fn fit(matrix: &Matrix) -> Vec<Column> {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(matrix.columns().max(1));
    let share = matrix.columns().div_ceil(threads);
    let part = |from: usize| -> Vec<Column> {
        (from..(from + share).min(matrix.columns())).map(|column| fit_column(matrix.column(column), FEATURES[column].scale)).collect()
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..matrix.columns()).step_by(share.max(1)).map(|from| scope.spawn(move || part(from))).collect();
        let mut columns = Vec::with_capacity(matrix.columns());
        for worker in workers {
            match worker.join() {
                Ok(part) => columns.extend(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        columns
    })
}

fn fit_column(values: &[f64], scale: Scale) -> Column {
    let mut sorted = values.to_vec();
    let typical = quantile(&mut sorted, 0.5);
    let (mut low, mut high) = (quantile(&mut sorted, LOW), quantile(&mut sorted, HIGH));
    if low >= high {
        (low, high) = (quantile(&mut sorted, 0.0), quantile(&mut sorted, 1.0));
    }
    let (low, high) = (scaled(scale, low), scaled(scale, high));
    let n = values.len().max(1) as f64;
    let clipped = || values.iter().map(|value| scaled(scale, *value).clamp(low, high));
    let mean = clipped().sum::<f64>() / n;
    let deviation = (clipped().map(|value| (value - mean) * (value - mean)).sum::<f64>() / n).sqrt();
    let deviation = if deviation > CONSTANT_BELOW * mean.abs().max(1.0) { deviation } else { 1.0 };
    Column { scale, low, high, mean, deviation, typical }
}

/// The value of rank `q (n - 1)`, rounded; reorders the values. 0 of none.
fn quantile(values: &mut [f64], q: f64) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank is between 0 and the length")]
    let rank = (q * (values.len() - 1) as f64).round() as usize;
    *values.select_nth_unstable_by(rank, f64::total_cmp).1
}

/// Puts every value of the matrix through its column's transform.
pub(super) fn apply(columns: &[Column], matrix: &mut Matrix) {
    for (column, values) in columns.iter().zip(matrix.columns_mut()) {
        for value in values {
            *value = column.transform(*value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_clipped_at_its_quantiles_and_standardised() {
        let values: Vec<f64> = (0..=100).map(f64::from).collect();
        let column = fit_column(&values, Scale::Straight);
        assert!([column.low - 1.0, column.high - 99.0, column.typical - 50.0].iter().all(|off| off.abs() < 1e-12));
        let seen: Vec<f64> = values.iter().map(|value| column.transform(*value)).collect();
        let mean = seen.iter().sum::<f64>() / 101.0;
        let deviation = (seen.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 101.0).sqrt();
        assert!(mean.abs() < 1e-12 && (deviation - 1.0).abs() < 1e-12);
        assert!((column.transform(1e9) - column.transform(99.0)).abs() < 1e-12);
    }

    #[test]
    fn a_constant_column_stays_finite_and_a_rare_event_is_kept() {
        let constant = fit_column(&[3.0; 50], Scale::SignedLog { times: 1 });
        assert!((constant.deviation - 1.0).abs() < 1e-12 && constant.transform(3.0).abs() < 1e-12);
        let mut rare = vec![0.0; 999];
        rare.push(1.0);
        let rare = fit_column(&rare, Scale::Straight);
        assert!(rare.transform(1.0) > rare.transform(0.0));
    }
}
