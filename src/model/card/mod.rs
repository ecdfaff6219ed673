//! The model card: what a model was trained on and how well it did, as `card.json`. Every figure
//! that a report shows stands in it.
//!
//! Absent on purpose: a time of creation. The same data give the same bytes.

mod evaluation;
mod vendor;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use evaluation::{Against, BacktestMonth, Evaluation, Gain, HorizonCard, Interval, Measured, Segment, TopShare};
pub use vendor::{AgainstVendor, AtLevel, VendorCounts, VendorFigures};

use super::{Grade, Question};
use crate::domain::Day;
use crate::features::Family;

/// How the risks are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// The fitted model.
    Model,
    /// The rule of recency, where there was too little to fit on.
    Baseline,
}

/// Rows of one part of the data.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Counts {
    pub as_of_days: u64,
    pub first_as_of: Option<Day>,
    pub last_as_of: Option<Day>,
    pub rows: u64,
    pub churners: u64,
    pub subscriptions: u64,
    /// Rows left out because the label window, with the grace days, ends after the data.
    pub censored_window: u64,
    /// Rows left out because the subscription ended for a reason that is no churn.
    pub censored_reason: u64,
    /// Rows left out because more than a quarter of the label window is feed gaps.
    pub censored_gaps: u64,
    /// Rows left out because the subscription left in the lead days, before the label window.
    pub censored_lead: u64,
    /// Rows labelled as staying because another subscription of the customer took over.
    pub migrations: u64,
}

impl Counts {
    /// Share of churners; 0 of no rows.
    #[must_use]
    pub fn base_rate(&self) -> f64 {
        self.churners as f64 / self.rows.max(1) as f64
    }
}

/// The data that a model was made from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Population {
    pub table_version: u64,
    pub data_first_day: Option<Day>,
    pub data_as_of: Option<Day>,
}

/// The cut-offs, and what `high` holds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LevelCard {
    pub medium_from: f64,
    pub high_from: f64,
    /// The precision that `high` was asked to have: on training rows left out at the first horizon where there
    /// are enough, else on those of the fit.
    pub stated_precision: f64,
    /// On the same rows.
    pub train_precision: f64,
    pub train_recall: f64,
    pub test_precision: f64,
    pub test_recall: f64,
}

/// A penalty, and the log loss that models under it had on training rows that they were not
/// fitted on: later days, or other customers where there are too few days.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TriedAlpha {
    pub alpha: f64,
    pub log_loss: f64,
}

/// Platt's calibration, found on training rows left out: `slope` times the log-odds and
/// `intercept`. It is kept where it lowers the Brier score on later ones of these rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Calibration {
    pub slope: f64,
    pub intercept: f64,
    /// Brier score without and with it, on rows that it was not found on.
    pub brier_before: f64,
    pub brier_after: f64,
    /// Whether it is in the coefficients.
    pub kept: bool,
}

/// How the coefficients were found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FitCard {
    /// L2 penalty: `alpha/2 |w|^2` beside the sum of the loss over rows.
    pub alpha: f64,
    /// The penalties that were tried on training rows left out; empty where it was given.
    pub alphas_tried: Vec<TriedAlpha>,
    /// Log-odds where every standardised value is 0, each horizon's.
    pub intercepts: Vec<f64>,
    /// Newton steps over all training rows, each horizon's.
    pub newton_steps: Vec<u32>,
    /// None where there were too few rows left out to find one.
    pub calibration: Option<Calibration>,
}

/// Training rows whose value is at most `to`, and above that of the group before.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ValueGroup {
    pub to: f64,
    pub rows: u64,
    pub churners: u64,
}

/// What one feature does in the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FeatureCard {
    pub name: String,
    #[schema(value_type = String)]
    pub family: Family,
    /// Log-odds for each deviation, each horizon's.
    pub coefficients: Vec<f64>,
    /// Clip bounds of the scaled value, and mean and deviation of what is clipped.
    pub low: f64,
    pub high: f64,
    pub mean: f64,
    pub deviation: f64,
    /// Median of the training rows, before scaling.
    pub typical: f64,
    /// Tenths of the training rows by value; equal values share a group, so there may be fewer.
    pub deciles: Vec<ValueGroup>,
}

/// The card of one model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Card {
    pub version: String,
    pub method: Method,
    /// SHA-256 of `model.bin`, in hexadecimal: a card beside another model is refused.
    pub model_sha256: String,
    pub question: Question,
    pub population: Population,
    pub fit: FitCard,
    /// What the figures of the first horizon come to: D is never put in service but by force. None of
    /// a baseline, which has nothing to beat.
    pub grade: Option<Grade>,
    /// Shortest first. The first is graded, and is the one that the rest of the card is about.
    pub horizons: Vec<HorizonCard>,
    pub segments: Vec<Segment>,
    /// Oldest first.
    pub backtest: Vec<BacktestMonth>,
    /// Beside the model that was in service when this one was trained.
    pub against: Option<Against>,
    /// Beside the vendor's own levels; none, and not in the file, where the tables tell none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against_vendor: Option<AgainstVendor>,
    pub features: Vec<FeatureCard>,
    /// Tenths of the training rows by risk.
    pub risk_deciles: Vec<ValueGroup>,
}

impl Card {
    /// The horizon that is graded.
    #[must_use]
    pub fn main(&self) -> Option<&HorizonCard> {
        self.horizons.first()
    }

    /// The figures of the horizon that is graded.
    #[must_use]
    pub fn evaluation(&self) -> Option<&Evaluation> {
        self.main()?.evaluation.as_ref()
    }
}
