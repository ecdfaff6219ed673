//! Platt's calibration: a slope and an intercept on the log-odds, where they help.
//!
//! Found and judged on training rows left out by the choice of the penalty. Folds stand in the
//! order of time: the calibration is found on all but the last, and kept where it lowers the Brier
//! score on the last beyond chance. It is a change of the coefficients, so a risk can still be
//! taken apart.

use super::horizons::FittedHorizon;
use super::levels::{self, Levels};
use super::penalty::LeftOut;
use crate::domain::{ChurnRisk, Micros};
use crate::model::{Calibration, Outcome, measure, recalibrate};

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
    let risks = |intercept: f64, slope: f64| -> Vec<f64> {
        later.iter().map(|row| ChurnRisk::from_log_odds(intercept + slope * row.log_odds).get()).collect()
    };
    let outcomes: Vec<Outcome> =
        later.iter().map(|row| Outcome { customer: row.customer, churned: row.churned, cost_30_days: Micros(0) }).collect();
    let measured = measure(&outcomes, &[&risks(intercept, slope), &risks(0.0, 1.0)]);
    let lower_beyond_chance = measured.gain(0, 1).brier.high < 0.0;
    let (intercept, slope) = platt(left_out)?;
    let (brier_after, brier_before) = (measured.of(0).brier.value, measured.of(1).brier.value);
    Some(Calibration { slope, intercept, brier_before, brier_after, kept: lower_beyond_chance && slope > 0.0 })
}

/// Cut-offs chosen on rows left out, whose risks are those that a new row would get: on rows that the
/// model was fitted on, a stated precision would be too good. None where too few were left out.
pub(super) fn levels(left_out: &[LeftOut], calibration: Option<&Calibration>) -> Option<Levels> {
    let churners = left_out.iter().filter(|row| row.churned).count();
    if churners < EACH_MIN || left_out.len() - churners < EACH_MIN {
        return None;
    }
    let kept = calibration.filter(|calibration| calibration.kept);
    let (intercept, slope) = kept.map_or((0.0, 1.0), |calibration| (calibration.intercept, calibration.slope));
    let risks: Vec<f64> = left_out.iter().map(|row| ChurnRisk::from_log_odds(intercept + slope * row.log_odds).get()).collect();
    let churned: Vec<bool> = left_out.iter().map(|row| row.churned).collect();
    Some(levels::choose(&risks, &churned))
}

/// Puts a calibration that is kept into the coefficients.
pub(super) fn apply(calibration: Option<&Calibration>, fitted: &mut FittedHorizon) {
    let Some(calibration) = calibration.filter(|calibration| calibration.kept) else { return };
    for coefficient in &mut fitted.coefficients {
        *coefficient *= calibration.slope;
    }
    fitted.intercept = calibration.slope * fitted.intercept + calibration.intercept;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portfolio::CustomerIx;

    /// Rows that leave as often as `truth` times their log-odds says.
    fn rows(truth: f64, fold: usize) -> Vec<LeftOut> {
        let row = |at: u32| {
            let log_odds = f64::from(at % 40) / 5.0 - 5.0;
            let draw = (f64::from(at.wrapping_mul(2_654_435_761) >> 8) + 0.5) / f64::from(1_u32 << 24);
            let churned = draw < ChurnRisk::from_log_odds(truth * log_odds).get();
            LeftOut { fold, customer: CustomerIx(at), log_odds, churned }
        };
        (0..4_000).map(row).collect()
    }

    #[test]
    fn it_is_kept_where_it_helps_beyond_chance_and_left_where_it_does_not() {
        let of = |truth: f64| find(&[rows(truth, 0), rows(truth, 1)].concat()).expect("enough rows");
        let (overconfident, sound) = (of(0.4), of(1.0));
        assert!(overconfident.kept && (overconfident.slope - 0.4).abs() < 0.05, "{overconfident:?}");
        assert!(overconfident.brier_after < overconfident.brier_before);
        assert!(!sound.kept && (sound.slope - 1.0).abs() < 0.1, "{sound:?}");
        assert_eq!(find(&rows(1.0, 0)), None);
    }
}
