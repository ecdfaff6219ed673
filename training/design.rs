//! The matrix as the fit sees it: the features, one of them as the anchor, and levels of time.
//!
//! **The anchor.** Recency alone is a strong rule, so its coefficient is all but free of the
//! penalty: the column is multiplied by 10, which divides its penalty by 100. The heavier the
//! penalty, the closer a model comes to the rule of recency, and not to knowing nothing.
//!
//! **Levels of time.** Each part of the training time has a level of its own (an indicator
//! column, as light as the anchor). What rises or falls for everybody, because of a season, a
//! holiday or because the data grow longer, is taken up by these and not by a feature that
//! happens to move with the calendar. They are left behind after the fit; the model's level is
//! then set so that the mean risk of the latest rows is their share of churners.

use super::matrix::Matrix;
use super::newton::{self, NewtonError};
use super::snapshots::{Row, as_of_days};
use crate::domain::ChurnRisk;
use crate::features::catalogue;

const RECENCY: usize = catalogue::index("days_since_usage");

/// By how much the anchor and the levels are multiplied.
const LIGHT: f64 = 10.0;

/// Most levels of time. More as-of days share them, neighbours together.
const LEVELS_MAX: usize = 24;

/// The latest rows: those of as-of days so few days before the last.
const LATEST_DAYS: i32 = 180;

/// Steps in which a level is found. Each halves what is left of an interval of 80.
const LEVEL_STEPS: u32 = 60;

/// Room that a matrix needs beside its features, in columns.
pub(super) const ROOM: usize = LEVELS_MAX;

/// The coefficients of the features, and the intercept.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Weights {
    pub coefficients: Vec<f64>,
    pub intercept: f64,
}

/// Lays a transformed matrix out for the fit.
pub(super) fn lay_out(matrix: &mut Matrix, rows: &[Row]) {
    scale_anchor(matrix, LIGHT);
    let days = as_of_days(rows);
    let levels = days.len().min(LEVELS_MAX);
    if levels < 2 {
        return;
    }
    let level_of: Vec<usize> = rows.iter().map(|row| days.partition_point(|day| *day < row.as_of) * levels / days.len()).collect();
    for level in 0..levels {
        matrix.push_column(level_of.iter().map(|of| if *of == level { LIGHT } else { 0.0 }));
    }
}

/// Lays a transformed matrix out, and finds the weights under each penalty by Newton's method, each from where the
/// one before ended. The matrix stays laid out.
///
/// # Errors
/// Where the data are so degenerate that no optimum is found.
pub(super) fn solve(
    x: &mut Matrix,
    rows: &[Row],
    churned: &[bool],
    alphas: impl IntoIterator<Item = f64>,
) -> Result<Vec<Weights>, NewtonError> {
    let features = x.columns();
    lay_out(x, rows);
    let mut at = newton::start_of(x.columns(), churned);
    let mut found = Vec::new();
    for alpha in alphas {
        at = newton::solve_from(x, churned, alpha, at)?;
        found.push(weights(x, features, &at, rows, churned));
    }
    Ok(found)
}

/// Takes the layout back: the features alone, as they were transformed.
pub(super) fn take_back(matrix: &mut Matrix, features: usize) {
    matrix.keep_columns(features);
    scale_anchor(matrix, 1.0 / LIGHT);
}

fn scale_anchor(matrix: &mut Matrix, by: f64) {
    for value in matrix.columns_mut().nth(RECENCY).into_iter().flatten() {
        *value *= by;
    }
}

/// What a fit on a laid-out matrix means for transformed features: `fitted` holds a coefficient
/// for each column, of which the first `features` are kept.
pub(super) fn weights(laid_out: &Matrix, features: usize, fitted: &[f64], rows: &[Row], churned: &[bool]) -> Weights {
    let known: Vec<(f64, bool)> = laid_out.log_odds(&fitted[..features], 0.0).into_iter().zip(churned.iter().copied()).collect();
    let last = rows.iter().map(|row| row.as_of).max();
    let is_latest = |row: &Row| last.is_some_and(|last| last - row.as_of < LATEST_DAYS);
    let latest: Vec<(f64, bool)> = known.iter().zip(rows).filter(|(_, row)| is_latest(row)).map(|(known, _)| *known).collect();
    // A level of one class alone would be infinite.
    let both = latest.iter().any(|(_, churned)| *churned) && latest.iter().any(|(_, churned)| !churned);
    let mut coefficients = fitted[..features].to_vec();
    coefficients[RECENCY] *= LIGHT;
    Weights { coefficients, intercept: level(if both { &latest } else { &known }) }
}

/// The intercept under which the mean risk is the share of churners, of rows with their log-odds
/// and whether they left.
fn level(rows: &[(f64, bool)]) -> f64 {
    let churners = rows.iter().filter(|(_, churned)| *churned).count() as f64;
    let centre = -rows.iter().map(|(log_odds, _)| log_odds).sum::<f64>() / rows.len().max(1) as f64;
    let (mut low, mut high) = (centre - 40.0, centre + 40.0);
    for _ in 0..LEVEL_STEPS {
        let middle = f64::midpoint(low, high);
        let expected: f64 = rows.iter().map(|(log_odds, _)| ChurnRisk::from_log_odds(log_odds + middle).get()).sum();
        if expected < churners { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Day;
    use crate::features::FEATURE_COUNT;
    use crate::portfolio::{CustomerIx, SubscriptionIx};

    fn row(number: u32, as_of: i32) -> Row {
        Row { subscription: SubscriptionIx(number), customer: CustomerIx(number), as_of: Day::from_epoch_days(as_of), churned: false }
    }

    #[test]
    fn a_layout_is_taken_back_without_a_trace() {
        let rows: Vec<Row> = (0..90).map(|number| row(number, i32::try_from(number / 3).unwrap_or(0))).collect();
        let values: Vec<f64> = (0..90 * FEATURE_COUNT).map(|at| (at % 11) as f64 - 5.0).collect();
        let plain = Matrix::from_columns(90, FEATURE_COUNT, values).expect("as many values");
        let mut laid_out = plain.clone();
        lay_out(&mut laid_out, &rows);
        // 30 days share 24 levels, and every row is in one.
        assert_eq!(laid_out.columns(), FEATURE_COUNT + LEVELS_MAX);
        for at in 0..90 {
            let levels: f64 = laid_out.row(at).skip(FEATURE_COUNT).sum();
            assert!((levels - LIGHT).abs() < 1e-12);
        }
        take_back(&mut laid_out, FEATURE_COUNT);
        assert_eq!(laid_out.columns(), FEATURE_COUNT);
        assert!(
            (0..FEATURE_COUNT).all(|column| laid_out.column(column).iter().zip(plain.column(column)).all(|(a, b)| (a - b).abs() < 1e-12))
        );
    }

    #[test]
    fn the_mean_risk_of_the_latest_rows_is_their_share_of_churners() {
        // The first day is long before the last: its churners do not set the level.
        let rows: Vec<Row> = (0..400).map(|number| row(number, if number < 200 { 0 } else { 300 })).collect();
        let churned: Vec<bool> = (0..400).map(|at| if at < 200 { at % 2 == 0 } else { at % 10 == 0 }).collect();
        let values: Vec<f64> = (0..400 * FEATURE_COUNT).map(|at| ((at * 7919) % 101) as f64 / 50.0 - 1.0).collect();
        let x = Matrix::from_columns(400, FEATURE_COUNT, values).expect("as many values");
        let fitted: Vec<f64> = (0..FEATURE_COUNT).map(|at| at as f64 / 40.0 - 0.5).collect();
        let weights = weights(&x, FEATURE_COUNT, &fitted, &rows, &churned);
        let risks = x.risks(&fitted, weights.intercept);
        let mean = risks[200..].iter().sum::<f64>() / 200.0;
        assert!((mean - 0.1).abs() < 1e-9, "{mean}");
        assert!((weights.coefficients[RECENCY] - LIGHT * fitted[RECENCY]).abs() < 1e-12);
    }
}
