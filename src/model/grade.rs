//! The grade of a model: whether it earns its place beside the rule of recency (MODEL.md,
//! Evaluation).

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Gain, Measured};

/// Largest calibration error of grade A.
pub const CALIBRATION_ERROR_MAX: f64 = 0.02;

/// How far from 1 the expected over the actual churners of grade A may be, beyond chance.
const LEVEL_WITHIN: f64 = 0.1;

/// Fewest customers whose rows an interval of grade A is drawn from: fewer are no sample.
const CUSTOMERS_MIN: u64 = 30;

/// Best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
pub enum Grade {
    /// Beats the rule of recency in PR AUC and log loss with both 95 % intervals clear of 0, and its
    /// calibration error is at most 0.02, and the churners that it expected are not more than a tenth
    /// off those that left, beyond chance. Of 30 customers at least.
    A,
    /// Beats it in both.
    B,
    /// Beats it in one.
    C,
    /// Beats it in neither, and is put in service by force alone.
    D,
}

impl Grade {
    /// The grade of what a model has over the rule of recency on its test rows.
    #[must_use]
    pub fn of(gain: &Gain, model: &Measured) -> Self {
        // Where leaving is rare, a small calibration error alone is no proof: 0 for everyone has one.
        let level = model.expected_to_actual;
        let calibrated =
            model.calibration_error.value <= CALIBRATION_ERROR_MAX && level.low <= 1.0 + LEVEL_WITHIN && level.high >= 1.0 - LEVEL_WITHIN;
        let (ranks, foretells) = (gain.pr_auc.value > 0.0, gain.log_loss.value < 0.0);
        let clear = gain.pr_auc.low > 0.0 && gain.log_loss.high < 0.0;
        match (ranks, foretells) {
            (true, true) if clear && calibrated && model.customers >= CUSTOMERS_MIN => Self::A,
            (true, true) => Self::B,
            (true, false) | (false, true) => Self::C,
            (false, false) => Self::D,
        }
    }

    /// What it says, in a sentence.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::A => "beats the rule of recency beyond chance, and its risks are well calibrated",
            Self::B => "beats the rule of recency, within chance or less well calibrated than grade A asks",
            Self::C => "beats the rule of recency in ranking or in probability, not in both",
            Self::D => "does not beat the rule of recency",
        }
    }
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Micros;
    use crate::model::{Interval, Outcome, measure};
    use crate::portfolio::CustomerIx;

    fn measured(error: f64, level: (f64, f64), customers: u64) -> Measured {
        let rows = [Outcome { customer: CustomerIx(0), churned: true, cost_30_days: Micros(0) }];
        let of = |value: f64| Interval { value, low: value, high: value };
        Measured {
            customers,
            calibration_error: of(error),
            expected_to_actual: Interval { value: f64::midpoint(level.0, level.1), low: level.0, high: level.1 },
            ..measure(&rows, &[&[0.5]]).of(0)
        }
    }

    #[test]
    fn a_grade_asks_for_both_figures_then_for_their_intervals() {
        let interval = |value: f64, half: f64| Interval { value, low: value - half, high: value + half };
        let of = |pr_auc: f64, log_loss: f64, half: f64, model: &Measured| {
            let none = interval(0.0, 1.0);
            Grade::of(&Gain { roc_auc: none, brier: none, pr_auc: interval(pr_auc, half), log_loss: interval(log_loss, half) }, model)
        };
        let sound = measured(0.02, (0.9, 1.2), 30);
        assert_eq!(of(0.1, -0.1, 0.05, &measured(0.02, (0.95, 0.99), 30)), Grade::A);
        assert_eq!(of(0.1, -0.1, 0.05, &sound), Grade::A);
        assert_eq!(of(0.1, -0.1, 0.1, &sound), Grade::B);
        for unsound in [measured(0.021, (0.9, 1.2), 30), measured(0.01, (1.11, 1.4), 30), measured(0.01, (0.9, 1.2), 29)] {
            assert_eq!(of(0.1, -0.1, 0.05, &unsound), Grade::B);
        }
        assert_eq!((of(0.1, 0.1, 0.01, &sound), of(-0.1, -0.1, 0.01, &sound)), (Grade::C, Grade::C));
        assert_eq!((of(0.0, 0.0, 0.0, &sound), of(-0.1, 0.1, 0.01, &sound)), (Grade::D, Grade::D));
        assert!(Grade::A < Grade::D);
    }
}
