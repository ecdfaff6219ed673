//! Platt's calibration: a slope and an intercept on the log-odds, where they help.
//!
//! Found and judged on training rows left out by the choice of the penalty. Folds stand in the
//! order of time: the calibration is found on all but the last, and kept where it lowers the Brier
//! score on the last. It is a change of the coefficients, so a risk can still be taken apart.

use super::horizons::FittedHorizon;
use super::penalty::LeftOut;
use crate::domain::ChurnRisk;
use crate::model::{Calibration, recalibrate};

/// Fewest churners, and fewest others, on each of the two sides.
const EACH_MIN: usize = 50;

/// Finds the calibration; none where too few rows were left out.
pub(super) fn find(left_out: &[LeftOut]) -> Option<Calibration> {
    let last = left_out.iter().map(|row| row.fold).max()?;
    let (earlier, later): (Vec<LeftOut>, Vec<LeftOut>) = left_out.iter().partition(|row| row.fold < last);
    let enough = |rows: &[LeftOut]| {
        let churners = rows.iter().filter(|row| row.churned).count();
        churners >= EACH_MIN && rows.len() - churners >= EACH_MIN
    };
    if !enough(&earlier) || !enough(&later) {
        return None;
    }
    let platt = |rows: &[LeftOut]| recalibrate(&rows.iter().map(|row| (row.log_odds, row.churned)));
    let (intercept, slope) = platt(&earlier)?;
    let brier_before = brier(&later, 0.0, 1.0);
    let brier_after = brier(&later, intercept, slope);
    let (intercept, slope) = platt(left_out)?;
    Some(Calibration { slope, intercept, brier_before, brier_after, kept: brier_after < brier_before && slope > 0.0 })
}

fn brier(rows: &[LeftOut], intercept: f64, slope: f64) -> f64 {
    let error = |row: &LeftOut| f64::from(u8::from(row.churned)) - ChurnRisk::from_log_odds(intercept + slope * row.log_odds).get();
    rows.iter().map(|row| error(row).powi(2)).sum::<f64>() / rows.len().max(1) as f64
}

/// Puts a calibration that is kept into the coefficients.
pub(super) fn apply(calibration: Option<&Calibration>, fitted: &mut FittedHorizon) {
    let Some(calibration) = calibration.filter(|calibration| calibration.kept) else { return };
    for coefficient in &mut fitted.coefficients {
        *coefficient *= calibration.slope;
    }
    fitted.intercept = calibration.slope * fitted.intercept + calibration.intercept;
}
