//! What of a card was measured on rows that the model had not seen.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::{Day, HorizonDays};
use crate::model::Curves;

use super::{Counts, LevelCard};

/// A figure with its 95 % interval, from a bootstrap over customers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Interval {
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

/// Lift, precision and recall of the riskiest part of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TopShare {
    /// Part of the rows, 0.01 for one in a hundred.
    pub share: f64,
    pub rows: u64,
    pub precision: Interval,
    pub recall: Interval,
    /// Precision over the base rate.
    pub lift: Interval,
}

/// How well something did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Measured {
    pub rows: u64,
    /// Customers of these rows, which the intervals are drawn from; each subscription without one counts.
    pub customers: u64,
    pub roc_auc: Interval,
    /// Average precision.
    pub pr_auc: Interval,
    pub brier: Interval,
    /// 1 less the Brier score over that of the rows' own share of churners for everyone.
    pub brier_skill: Interval,
    pub log_loss: Interval,
    /// Of a logistic regression of what happened on the log-odds told: 1 of perfect risks; 0 where
    /// all risks are the same.
    pub calibration_slope: Interval,
    /// 0 of perfect risks.
    pub calibration_intercept: Interval,
    /// Mean absolute difference of risk and share of churners over ten equal groups by risk.
    pub calibration_error: Interval,
    /// The sum of the risks, and who left.
    pub expected_churners: f64,
    pub actual_churners: f64,
    pub expected_to_actual: Interval,
    /// The sum of risk times the cost of the 30 days before, and the cost of those who left.
    pub expected_cost: f64,
    pub actual_cost: f64,
    pub top: Vec<TopShare>,
}

/// A difference of figures. Brier score and log loss are better below 0, the others above.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Gain {
    pub roc_auc: Interval,
    pub pr_auc: Interval,
    pub brier: Interval,
    pub log_loss: Interval,
}

/// The model beside what it has to beat, on the same rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Evaluation {
    pub model: Measured,
    /// Every row gets the training rows' share of churners.
    pub base_rate_rule: Measured,
    /// A logistic curve over the days since the last usage, fitted on the training rows.
    pub recency_rule: Measured,
    /// A logistic model of three features: recency, active days in the last 28, the trend of 28 days.
    pub three_features: Measured,
    /// The model's figures less the recency rule's, on the same rows and draws.
    pub gain_over_recency: Gain,
    pub gain_over_three_features: Gain,
    pub curves: Curves,
}

/// One horizon of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HorizonCard {
    pub horizon_days: HorizonDays,
    pub train: Counts,
    pub test: Counts,
    /// Share of churners among the test rows.
    pub base_rate: f64,
    pub levels: LevelCard,
    /// None of a baseline whose test rows do not hold both classes.
    pub evaluation: Option<Evaluation>,
}

/// Test rows that have something in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Segment {
    /// By what rows are parted: `tenure`, `size`, `country`.
    pub by: String,
    pub name: String,
    pub rows: u64,
    pub churners: u64,
    pub roc_auc: Interval,
    pub pr_auc: Interval,
    pub brier: Interval,
    pub expected_to_actual: Interval,
}

/// Fit and test repeated as of one month of the past.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BacktestMonth {
    /// The first as-of day of the month.
    pub month: Day,
    pub train_rows: u64,
    pub rows: u64,
    pub churners: u64,
    pub base_rate: f64,
    pub roc_auc: Interval,
    pub pr_auc: Interval,
    pub log_loss: Interval,
    pub expected_to_actual: Interval,
    /// Less the figures of the recency rule, fitted on the same rows.
    pub gain_over_recency: Gain,
}

/// The model beside another one on the test rows that neither had seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Against {
    pub version: String,
    pub rows: u64,
    pub churners: u64,
    /// The figures of this model, and of the other.
    pub model: Measured,
    pub other: Measured,
    pub gain: Gain,
}

impl Against {
    /// Whether this model is worse beyond chance, in ranking or in probability.
    #[must_use]
    pub fn is_worse(&self) -> bool {
        self.gain.pr_auc.high < 0.0 || self.gain.log_loss.low > 0.0
    }
}
