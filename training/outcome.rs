//! What training is asked, what it gives, and why it may give nothing.

use thiserror::Error;

use super::fit::FitError;
use super::matrix::Matrix;
use super::snapshots::Snapshots;
use super::split::{DayRange, DaysError};
use super::tested::Scored;
use crate::domain::HorizonDays;
use crate::features::Family;
use crate::model::{Card, ChurnModel, Counts, Question, RefusedModel};

/// What to train.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainRequest {
    /// At the shortest horizon, which is the one that is graded.
    pub question: Question,
    /// Longer horizons, ascending, that the model speaks of too.
    pub further: Vec<HorizonDays>,
    /// Training and test days; none to have them chosen.
    pub days: Option<(DayRange, DayRange)>,
    /// L2 penalty: `alpha/2 |w|^2` beside the sum of the loss over rows; none to have it chosen
    /// on training rows left out.
    pub alpha: Option<f64>,
    /// Families whose features are taken for constants, to see what they add.
    pub without: Vec<Family>,
}

/// A model with all that is known of it.
#[derive(Debug, Clone)]
pub struct Trained<'a> {
    pub model: ChurnModel,
    /// The bytes of `model.bin`.
    pub model_bin: Vec<u8>,
    pub card: Card,
    /// Every test row with its risk at the first horizon.
    pub scored: Vec<Scored>,
    pub training: Snapshots<'a>,
    /// The training rows as the fit saw them.
    pub matrix: Matrix,
}

/// Least data to train on. Below it coefficients and figures are chance: a rule of thumb asks
/// for some ten churners for each few features that carry, and no interval on fewer than ten
/// test churners tells a model from a coin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Minimum {
    pub rows: u64,
    pub churners: u64,
    pub stayers: u64,
    pub test_churners: u64,
    pub test_stayers: u64,
}

impl Default for Minimum {
    fn default() -> Self {
        Self { rows: 200, churners: 30, stayers: 30, test_churners: 10, test_stayers: 10 }
    }
}

impl Minimum {
    /// What there is of each.
    pub(super) const fn found(training: &Counts, test: &Counts) -> Self {
        Self {
            rows: training.rows,
            churners: training.churners,
            stayers: training.rows - training.churners,
            test_churners: test.churners,
            test_stayers: test.rows - test.churners,
        }
    }

    /// # Errors
    /// Where any count is below its minimum.
    pub fn check(self, training: &Counts, test: &Counts) -> Result<(), TooLittle> {
        let found = Self::found(training, test);
        let enough = found.rows >= self.rows
            && found.churners >= self.churners
            && found.stayers >= self.stayers
            && found.test_churners >= self.test_churners
            && found.test_stayers >= self.test_stayers;
        if enough { Ok(()) } else { Err(TooLittle { found, minimum: self }) }
    }
}

/// Counts against the minimum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "too little to train on: {} training rows (at least {}), {} churners among them (at least {}), {} others (at least {}), \
     {} test churners (at least {}), {} other test rows (at least {})",
    found.rows, minimum.rows, found.churners, minimum.churners, found.stayers, minimum.stayers,
    found.test_churners, minimum.test_churners, found.test_stayers, minimum.test_stayers
)]
pub struct TooLittle {
    pub found: Minimum,
    pub minimum: Minimum,
}

/// Why there is no model.
#[derive(Debug, Error)]
pub enum TrainError {
    #[error(transparent)]
    TooLittle(#[from] TooLittle),
    #[error(transparent)]
    Days(#[from] DaysError),
    #[error("the fit failed")]
    Fit(#[from] FitError),
    #[error("the model would be refused when read")]
    Model(#[from] RefusedModel),
}

impl TrainError {
    /// Whether more data, and nothing else, would help.
    #[must_use]
    pub const fn is_too_little(&self) -> bool {
        matches!(self, Self::TooLittle(_) | Self::Days(DaysError::TooShort { .. }))
    }
}
