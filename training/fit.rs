//! The fit, and the only home of linfa.
//!
//! linfa-logistic 0.8.1 has three traps (HOUSE.md): the class with more examples is its
//! positive one, its gradient tolerance is on the summed gradient, and alone it is slow. So
//! Newton's method finds the optimum, linfa-logistic is started there and confirms it by its own
//! test (or takes the last steps), and its coefficients are the model's.

use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_linalg::cholesky::SolveCInplace;
use linfa_logistic::LogisticRegression;
use ndarray::{Array1, Array2, ArrayView1, Axis};
use thiserror::Error;

use super::matrix::Matrix;
use super::newton::{self, NewtonError};

/// Largest difference between the two solvers' coefficients. Beyond it one of them has not
/// converged, and the model would be neither's.
pub const SOLVERS_AGREE_WITHIN: f64 = 1e-5;

/// linfa's tolerance on the summed gradient, for each row.
const GRADIENT_TOLERANCE_A_ROW: f64 = 1e-6;

/// Steps that linfa may take from Newton's optimum.
const LINFA_STEPS_MAX: u64 = 100;

/// Why there is no fit.
#[derive(Debug, Error)]
pub enum FitError {
    #[error("{rows} rows and {labels} labels")]
    Shapes { rows: usize, labels: usize },
    #[error("all {0} rows have the same label")]
    OneClass(usize),
    #[error("the penalty alpha is {0}, not above 0")]
    Alpha(f64),
    #[error("the Newton solution failed")]
    Newton(#[from] NewtonError),
    #[error("linfa-logistic refused the data: {0}")]
    Linfa(String),
    #[error("the two solvers differ by {difference} in a coefficient, more than {SOLVERS_AGREE_WITHIN}")]
    SolversDiffer { difference: f64 },
}

/// Coefficients of a logistic regression; above 0 raises the risk of leaving.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    pub coefficients: Vec<f64>,
    pub intercept: f64,
    /// Newton steps over all rows.
    pub newton_steps: u32,
}

/// Fits `P(churned)` on the rows of `x`, minimising the summed log loss plus
/// `alpha/2 |coefficients|^2`, the intercept free (scikit-learn's `C = 1/alpha`).
///
/// # Errors
/// Where the labels do not fit the rows or are all the same, and where the two solvers disagree.
pub fn logistic(x: &Matrix, churned: &[bool], alpha: f64) -> Result<Fitted, FitError> {
    logistic_told(x, churned, alpha, &mut |_, _| ())
}

/// The same, and `told` of the loss a row before each Newton step.
///
/// # Errors
/// As [`logistic`].
pub(super) fn logistic_told(x: &Matrix, churned: &[bool], alpha: f64, told: &mut dyn FnMut(u32, f64)) -> Result<Fitted, FitError> {
    if x.rows() != churned.len() {
        return Err(FitError::Shapes { rows: x.rows(), labels: churned.len() });
    }
    if !(alpha.is_finite() && alpha > 0.0) {
        return Err(FitError::Alpha(alpha));
    }
    let churners = churned.iter().filter(|churned| **churned).count();
    let stayers = churned.len() - churners;
    let Some(first) = churned.first().filter(|_| churners > 0 && stayers > 0) else { return Err(FitError::OneClass(churned.len())) };
    let start = newton::solve(x, churned, alpha, told)?;

    // linfa counts log-odds of its positive class: the more frequent label, the first seen where
    // both are as frequent. The start is turned to that side, the result back from the side
    // that linfa says it took.
    let churn_is_positive = churners > stayers || (churners == stayers && *first);
    let sign = if churn_is_positive { 1.0 } else { -1.0 };
    let start_params: Array1<f64> = start.coefficients.iter().chain([&start.intercept]).map(|weight| sign * weight).collect();
    let records = x.view().ok_or(FitError::Shapes { rows: x.rows(), labels: churned.len() })?;
    let dataset = DatasetBase::new(records, ArrayView1::from(churned));
    let fitted = LogisticRegression::default()
        .alpha(alpha)
        .with_intercept(true)
        .max_iterations(LINFA_STEPS_MAX)
        .gradient_tolerance(GRADIENT_TOLERANCE_A_ROW * x.rows() as f64)
        .initial_params(start_params)
        .fit(&dataset)
        .map_err(|error| FitError::Linfa(error.to_string()))?;

    let sign = if fitted.labels().pos.class { 1.0 } else { -1.0 };
    let coefficients: Vec<f64> = fitted.params().iter().map(|weight| sign * weight).collect();
    let intercept = sign * fitted.intercept();
    let both = coefficients.iter().chain([&intercept]).zip(start.coefficients.iter().chain([&start.intercept]));
    let difference = both.map(|(linfa, newton)| (linfa - newton).abs()).fold(0.0, f64::max);
    if difference > SOLVERS_AGREE_WITHIN || difference.is_nan() {
        return Err(FitError::SolversDiffer { difference });
    }
    Ok(Fitted { coefficients, intercept, newton_steps: start.steps })
}

/// Solves `matrix x = right` by Cholesky; none where the matrix is not positive definite.
pub(super) fn solve_positive_definite(mut matrix: Array2<f64>, right: Vec<f64>) -> Option<Vec<f64>> {
    let mut solution = Array2::from_shape_vec((right.len(), 1), right).ok()?;
    matrix.solvec_inplace(&mut solution).ok()?;
    let solution = solution.remove_axis(Axis(1)).to_vec();
    solution.iter().all(|each| each.is_finite()).then_some(solution)
}
