//! The churn model: from a row of features to a risk, and from a risk to its reasons.
//!
//! Absent on purpose: fitting (`training/`), how a row is made (`features/`). A model is plain
//! numbers; it is made by training or read from a file that passed every check.

mod card;
mod explain;
mod file;
mod grade;
mod judge;
mod population;
mod promotion;
mod ranking;
mod registry;
mod slot;

pub use card::{Card, Counts, Gain, Interval, LevelCard, Measured, Method, Population, TopShare, TriedAlpha};
pub use explain::{Explanation, Factor};
pub use file::{FORMAT_VERSION, MODEL_MAX_BYTES, PROBES_MAX, RefusedModel, decode, encode, version_of};
pub use grade::Grade;
pub use judge::Case;
pub use population::Outside;
pub use promotion::{Promoted, Promotion};
pub use ranking::{RankedSubscription, Ranking, Scorer, Scoring, Standing, UnknownReason, YOUNGEST_DAYS};
pub use registry::{CURRENT, LoadError, LoadedModel, PublishError, Registry};
pub use slot::ModelSlot;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::{ChurnRisk, Day, HorizonDays, Level};
use crate::features::{FEATURE_COUNT, FeatureVector, Scale, VolumeScale};

/// What a model was taught to foresee (MODEL.md, Question and label).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Label {
    /// A deprovisioning that is not recovered within the grace days.
    Status,
    /// No usage day in the label window.
    Silence,
}

/// The whole question: what, when, and of whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Question {
    pub label: Label,
    /// Reasons of an end that count as churn; empty where every reason does.
    pub churn_reasons: Vec<String>,
    pub horizon_days: HorizonDays,
    /// Days between the as-of day and the first day of the label window.
    pub lead_days: u32,
    /// Days within which a recovery undoes a deprovisioning.
    pub grace_days: u32,
    /// Only subscriptions with a usage day in the last so many days; none for no such bound.
    pub active_window_days: Option<u32>,
    /// Only subscriptions whose first usage day lies at least so many days back; 0 for no such
    /// bound, so that one that was never used counts too.
    pub min_age_days: u32,
}

/// How one feature enters the sum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Column {
    pub scale: Scale,
    /// Clip bounds, after scaling: the training rows' 1st and 99th percentile.
    pub low: f64,
    pub high: f64,
    /// Mean and standard deviation of the clipped training rows; the deviation is above 0.
    pub mean: f64,
    pub deviation: f64,
    /// Log-odds for each deviation.
    pub coefficient: f64,
    /// Median of the training rows, before scaling: what explanations compare with.
    pub typical: f64,
}

impl Column {
    /// The value as the fit saw it: scaled, clipped, standardised.
    #[must_use]
    pub fn transform(&self, value: f64) -> f64 {
        (scaled(self.scale, value).clamp(self.low, self.high) - self.mean) / self.deviation
    }
}

/// A value on its feature's scale.
#[must_use]
pub fn scaled(scale: Scale, value: f64) -> f64 {
    match scale {
        Scale::Straight => value,
        Scale::SignedLog { times } => value.signum() * (f64::from(times) * value.abs()).ln_1p(),
    }
}

/// Risks from which on a level begins. `medium` is never above `high`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cutoffs {
    pub medium: f64,
    pub high: f64,
}

/// What training hands over to make a model.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelParts {
    pub question: Question,
    pub trained_through: Day,
    pub volume: VolumeScale,
    pub columns: Vec<Column>,
    pub intercept: f64,
    pub cutoffs: Cutoffs,
}

/// A fitted model: standardised features into log-odds of leaving.
#[derive(Debug, Clone, PartialEq)]
pub struct ChurnModel {
    version: String,
    parts: ModelParts,
    /// The typical value of each column, as [`Column::transform`] makes it.
    typical: Vec<f64>,
    /// Log-odds of a subscription whose every feature is typical.
    base_log_odds: f64,
}

impl ChurnModel {
    /// Parts that passed every check of [`file`].
    fn assemble(version: String, parts: ModelParts) -> Self {
        let typical: Vec<f64> = parts.columns.iter().map(|column| column.transform(column.typical)).collect();
        let at_typical = parts.columns.iter().zip(&typical).map(|(column, typical)| column.coefficient * typical);
        let base_log_odds = parts.intercept + at_typical.sum::<f64>();
        Self { version, parts, typical, base_log_odds }
    }

    /// The risk of the subscription whose row this is.
    #[must_use]
    pub fn score(&self, features: &FeatureVector) -> ChurnRisk {
        self.score_values(features.values())
    }

    /// As [`ChurnModel::score`], for rows that were stored: probes.
    fn score_values(&self, values: &[f64]) -> ChurnRisk {
        self.risk_of(&self.contributions(values))
    }

    /// The risk where the features add these log-odds.
    fn risk_of(&self, contributions: &[f64]) -> ChurnRisk {
        ChurnRisk::from_log_odds(contributions.iter().fold(self.base_log_odds, |sum, each| sum + each))
    }

    /// Log-odds that each feature adds over its typical value, in the catalogue's order.
    fn contributions(&self, values: &[f64]) -> [f64; MODEL_WIDTH] {
        let mut contributions = [0.0; MODEL_WIDTH];
        let columns = self.parts.columns.iter().zip(&self.typical).zip(values);
        for (contribution, ((column, typical), value)) in contributions.iter_mut().zip(columns) {
            *contribution = column.coefficient * (column.transform(*value) - typical);
        }
        contributions
    }

    /// The level of a risk, by the cut-offs stored with the model.
    #[must_use]
    pub fn level(&self, risk: ChurnRisk) -> Level {
        match risk.get() {
            risk if risk >= self.parts.cutoffs.high => Level::High,
            risk if risk >= self.parts.cutoffs.medium => Level::Medium,
            _ => Level::Low,
        }
    }

    /// The name under which the registry keeps it: the last day of its training labels, and
    /// the first 8 hexadecimal digits of the SHA-256 of its payload.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    #[must_use]
    pub const fn question(&self) -> &Question {
        &self.parts.question
    }

    #[must_use]
    pub const fn label(&self) -> Label {
        self.parts.question.label
    }

    #[must_use]
    pub const fn horizon(&self) -> HorizonDays {
        self.parts.question.horizon_days
    }

    /// The last as-of day that it learnt from.
    #[must_use]
    pub const fn trained_through(&self) -> Day {
        self.parts.trained_through
    }

    /// The scale of volume under which its features are made.
    #[must_use]
    pub const fn volume_scale(&self) -> &VolumeScale {
        &self.parts.volume
    }

    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.parts.columns
    }

    #[must_use]
    pub const fn intercept(&self) -> f64 {
        self.parts.intercept
    }

    #[must_use]
    pub const fn cutoffs(&self) -> Cutoffs {
        self.parts.cutoffs
    }
}

/// Width that every model of this program has.
pub const MODEL_WIDTH: usize = FEATURE_COUNT;
