//! The horizons of a model: which of the rows have a label at each, and its fit.
//!
//! All horizons share rows, features and transforms; what differs is the label. The first test
//! day is the same for all, so that no test row of one horizon was trained on at another.

use super::design;
use super::fit::{self, FitError};
use super::levels::{self, Levels};
use super::matrix::Matrix;
use super::rules::{RECENCY, Rule, THREE};
use super::snapshots::{self, Row};
use crate::domain::{ChurnRisk, Day};
use crate::model::{Column, Counts, Head, Label, Labeller, Question};
use crate::progress::Progress;

/// Rows of one part of the data that have a label at one horizon.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// Places among the rows of the first horizon, ascending.
    pub places: Vec<usize>,
    pub churned: Vec<bool>,
    pub counts: Counts,
}

impl Part {
    /// Rows of the first horizon: all of them.
    pub(super) fn whole(rows: &[Row], counts: &Counts) -> Self {
        Self { places: (0..rows.len()).collect(), churned: rows.iter().map(|row| row.churned).collect(), counts: counts.clone() }
    }

    /// Of `rows` those of as-of days until `last` that have a label.
    pub(super) fn of(labeller: &Labeller<'_, '_>, rows: &[Row], last: Day) -> Self {
        let mut part = Self { places: Vec::new(), churned: Vec::new(), counts: Counts::default() };
        let mut seen = vec![false; labeller.portfolio.subscriptions().len()];
        for (place, row) in rows.iter().enumerate().filter(|(_, row)| row.as_of <= last) {
            let Some(churned) = snapshots::count(&mut part.counts, labeller.label(row.subscription, row.as_of)) else { continue };
            part.places.push(place);
            part.churned.push(churned);
            seen[row.subscription.at()] = true;
        }
        let used: Vec<Row> = part.places.iter().map(|place| rows[*place]).collect();
        let days = snapshots::as_of_days(&used);
        part.counts.as_of_days = days.len() as u64;
        (part.counts.first_as_of, part.counts.last_as_of) = (days.first().copied(), days.last().copied());
        part.counts.rows = used.len() as u64;
        part.counts.subscriptions = seen.iter().filter(|seen| **seen).count() as u64;
        part
    }
}

/// One horizon: its rows, and what was fitted on them.
#[derive(Debug, Clone)]
pub(super) struct Horizon {
    pub question: Question,
    pub train: Part,
    pub test: Part,
}

/// What was fitted at one horizon.
#[derive(Debug, Clone)]
pub(super) struct FittedHorizon {
    pub intercept: f64,
    pub coefficients: Vec<f64>,
    pub newton_steps: u32,
    pub recency: Rule,
    pub three: Rule,
}

impl Horizon {
    /// Fits on a transformed matrix of all training rows, which is left as it was.
    ///
    /// # Errors
    /// As [`fit::logistic`].
    pub(super) fn fit(
        &self,
        matrix: &mut Matrix,
        rows: &[Row],
        columns: &[Column],
        alpha: f64,
        progress: Progress,
    ) -> Result<FittedHorizon, FitError> {
        if self.train.places.len() == rows.len() {
            return fit_on(matrix, rows, &self.train.churned, columns, alpha, progress);
        }
        let mut part = matrix.pick(&self.train.places, design::ROOM);
        let rows: Vec<Row> = self.train.places.iter().map(|place| rows[*place]).collect();
        fit_on(&mut part, &rows, &self.train.churned, columns, alpha, progress)
    }
}

fn fit_on(
    matrix: &mut Matrix,
    rows: &[Row],
    churned: &[bool],
    columns: &[Column],
    alpha: f64,
    progress: Progress,
) -> Result<FittedHorizon, FitError> {
    let recency = Rule::fit(matrix, churned, columns, &[RECENCY])?;
    let three = Rule::fit(matrix, churned, columns, &THREE)?;
    design::lay_out(matrix, rows);
    let mut told = |step: u32, loss: f64| progress.line(&format!("step {step}: loss {loss:.6}"));
    let fitted = fit::logistic_told(matrix, churned, alpha, &mut told)?;
    let weights = design::weights(matrix, columns.len(), &fitted.coefficients, rows, churned);
    design::take_back(matrix, columns.len());
    let (intercept, coefficients) = (weights.intercept, weights.coefficients);
    Ok(FittedHorizon { intercept, coefficients, newton_steps: fitted.newton_steps, recency, three })
}

/// The heads of a model, with cut-offs chosen on the risks that the model gives the training rows
/// of each horizon.
pub(super) fn heads(matrix: &Matrix, label: Label, horizons: &[Horizon], fitted: &[FittedHorizon]) -> Vec<(Head, Levels)> {
    let mut so_far: Vec<f64> = Vec::new();
    let mut heads = Vec::with_capacity(horizons.len());
    for (horizon, fitted) in horizons.iter().zip(fitted) {
        let own = matrix.log_odds(&fitted.coefficients, fitted.intercept);
        so_far = if so_far.is_empty() {
            own
        } else {
            so_far.iter().zip(own).map(|(shorter, own)| if label.longer_speaks(own, *shorter) { own } else { *shorter }).collect()
        };
        let risk = |place: &usize| ChurnRisk::from_log_odds(so_far[*place]).get();
        let risks: Vec<f64> = horizon.train.places.iter().map(risk).collect();
        let levels = levels::choose(&risks, &horizon.train.churned);
        let head = Head {
            horizon_days: horizon.question.horizon_days,
            intercept: fitted.intercept,
            coefficients: fitted.coefficients.clone(),
            cutoffs: levels.cutoffs,
        };
        heads.push((head, levels));
    }
    heads
}
