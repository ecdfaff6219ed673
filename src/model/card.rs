//! The model card: what a model was trained on and how well it did, as `card.json`.
//!
//! Absent on purpose: a time of creation. The same data give the same bytes.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Grade, Question};
use crate::domain::Day;

/// How the risks are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// The fitted model.
    Model,
    /// The rule of recency, where there was too little to fit on.
    Baseline,
}

/// A figure with its 95 % interval, from a bootstrap over customers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Interval {
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

/// Lift, precision and recall of the riskiest part of the test rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TopShare {
    /// Part of the rows, 0.01 for one in a hundred.
    pub share: f64,
    pub rows: u64,
    pub precision: f64,
    pub recall: f64,
    /// Precision over the base rate.
    pub lift: f64,
}

/// How well something did on the test rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Measured {
    pub roc_auc: Interval,
    /// Average precision.
    pub pr_auc: Interval,
    pub brier: Interval,
    pub log_loss: Interval,
    /// Mean absolute difference of risk and share of churners over ten equal groups by risk.
    pub calibration_error: f64,
    pub top: Vec<TopShare>,
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

/// A difference of figures. Log loss is better below 0, the others above.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Gain {
    pub roc_auc: Interval,
    pub pr_auc: Interval,
    pub log_loss: Interval,
}

/// What the model was trained and tested on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Population {
    pub table_version: u64,
    pub data_first_day: Option<Day>,
    pub data_as_of: Option<Day>,
    pub train: Counts,
    pub test: Counts,
}

/// The cut-offs, and what `high` holds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LevelCard {
    pub medium_from: f64,
    pub high_from: f64,
    /// The precision that `high` was asked to have on the training rows.
    pub stated_precision: f64,
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

/// The card of one model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Card {
    pub version: String,
    pub method: Method,
    /// SHA-256 of `model.bin`, in hexadecimal: a card beside another model is refused.
    pub model_sha256: String,
    pub question: Question,
    pub population: Population,
    /// L2 penalty: `alpha/2 |w|^2` beside the sum of the loss over rows.
    pub alpha: f64,
    /// The penalties that were tried on training rows left out; empty where it was given.
    pub alphas_tried: Vec<TriedAlpha>,
    /// Newton steps over all training rows.
    pub newton_steps: u32,
    pub levels: LevelCard,
    /// Share of churners among the test rows.
    pub base_rate: f64,
    pub model: Measured,
    /// Every row gets the training rows' share of churners.
    pub base_rate_rule: Measured,
    /// A logistic curve over the days since the last usage, fitted on the training rows.
    pub recency_rule: Measured,
    /// The model's figures less the recency rule's, on the same rows and draws.
    pub gain_over_recency: Gain,
    /// What these figures come to: D is never put in service but by force.
    pub grade: Grade,
}
