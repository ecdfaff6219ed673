//! What a model has to beat: logistic curves over one feature, and over three.

use super::fit::{self, FitError};
use super::matrix::Matrix;
use crate::domain::ChurnRisk;
use crate::features::catalogue;
use crate::model::Column;

/// The feature of the rule of recency.
pub(super) const RECENCY: usize = catalogue::index("days_since_usage");

/// The features of the model of three: how long silent, how often used, more or less than before.
pub(super) const THREE: [usize; 3] = [RECENCY, catalogue::index("active_share_28"), catalogue::index("volume_trend_28")];

/// The penalty of a rule's fit.
const ALPHA: f64 = 1.0;

/// A logistic model over a few features.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rule {
    columns: Vec<(usize, Column)>,
    coefficients: Vec<f64>,
    intercept: f64,
}

impl Rule {
    /// Fits a rule on rows that were transformed by `columns`.
    ///
    /// # Errors
    /// As [`fit::logistic`].
    pub(super) fn fit(x: &Matrix, churned: &[bool], columns: &[Column], features: &[usize]) -> Result<Self, FitError> {
        let values: Vec<f64> = features.iter().flat_map(|feature| x.column(*feature).iter().copied()).collect();
        let shapes = FitError::Shapes { rows: x.rows(), labels: churned.len() };
        let few = Matrix::from_columns(x.rows(), features.len(), values).ok_or(shapes)?;
        let fitted = fit::logistic(&few, churned, ALPHA)?;
        let columns = features.iter().map(|feature| (*feature, columns[*feature])).collect();
        Ok(Self { columns, coefficients: fitted.coefficients, intercept: fitted.intercept })
    }

    /// The risk of a row of all features, as the kernel gives them.
    pub(super) fn risk(&self, values: &[f64]) -> f64 {
        let transformed = self.columns.iter().map(|(feature, column)| column.transform(values[*feature]));
        let sum: f64 = transformed.zip(&self.coefficients).map(|(value, coefficient)| value * coefficient).sum();
        ChurnRisk::from_log_odds(self.intercept + sum).get()
    }
}
