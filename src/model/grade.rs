//! The grade of a model: whether it earns its place beside the rule of recency (MODEL.md,
//! Evaluation).

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Gain;

/// Largest calibration error of grade A.
pub const CALIBRATION_ERROR_MAX: f64 = 0.02;

/// Best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
pub enum Grade {
    /// Beats the rule of recency in PR AUC and log loss with both 95 % intervals clear of 0, and its
    /// calibration error is at most 0.02.
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
    pub fn of(gain: &Gain, calibration_error: f64) -> Self {
        let (ranks, foretells) = (gain.pr_auc.value > 0.0, gain.log_loss.value < 0.0);
        let clear = gain.pr_auc.low > 0.0 && gain.log_loss.high < 0.0;
        match (ranks, foretells) {
            (true, true) if clear && calibration_error <= CALIBRATION_ERROR_MAX => Self::A,
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
    use crate::model::Interval;

    #[test]
    fn a_grade_asks_for_both_figures_then_for_their_intervals() {
        let interval = |value: f64, half: f64| Interval { value, low: value - half, high: value + half };
        let of = |pr_auc: f64, log_loss: f64, half: f64, error: f64| {
            let gain = Gain {
                roc_auc: interval(0.0, 1.0),
                brier: interval(0.0, 1.0),
                pr_auc: interval(pr_auc, half),
                log_loss: interval(log_loss, half),
            };
            Grade::of(&gain, error)
        };
        assert_eq!(of(0.1, -0.1, 0.05, 0.02), Grade::A);
        assert_eq!(of(0.1, -0.1, 0.05, 0.021), Grade::B);
        assert_eq!(of(0.1, -0.1, 0.1, 0.0), Grade::B);
        assert_eq!((of(0.1, 0.1, 0.01, 0.0), of(-0.1, -0.1, 0.01, 0.0)), (Grade::C, Grade::C));
        assert_eq!((of(0.0, 0.0, 0.0, 0.0), of(-0.1, 0.1, 0.01, 0.0)), (Grade::D, Grade::D));
        assert!(Grade::A < Grade::D);
    }
}
