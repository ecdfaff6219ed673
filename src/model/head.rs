//! One horizon of a model: what each feature weighs, and where the levels begin.

use super::MODEL_WIDTH;
use crate::domain::HorizonDays;

/// Most horizons of one model.
pub const HEADS_MAX: usize = 8;

/// Risks from which on a level begins. `medium` is never above `high`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cutoffs {
    pub medium: f64,
    pub high: f64,
}

/// One horizon.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    pub horizon_days: HorizonDays,
    pub intercept: f64,
    /// Log-odds for each deviation of a feature, in the catalogue's order.
    pub coefficients: Vec<f64>,
    pub cutoffs: Cutoffs,
}

impl Head {
    /// Coefficients times values.
    pub(super) fn sum(&self, values: &[f64]) -> f64 {
        self.coefficients.iter().zip(values).map(|(coefficient, value)| coefficient * value).sum()
    }

    /// Log-odds that each feature adds over its typical value, in the catalogue's order.
    pub(super) fn contributions(&self, pushes: &[f64; MODEL_WIDTH]) -> [f64; MODEL_WIDTH] {
        let mut contributions = *pushes;
        for (contribution, coefficient) in contributions.iter_mut().zip(&self.coefficients) {
            *contribution *= coefficient;
        }
        contributions
    }

    /// The base and all contributions, added in the catalogue's order.
    pub(super) fn log_odds(&self, base: f64, pushes: &[f64; MODEL_WIDTH]) -> f64 {
        self.contributions(pushes).iter().fold(base, |sum, each| sum + each)
    }
}
