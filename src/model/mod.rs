//! The churn model: from a row of features to a risk, and from a risk to its reasons.
//!
//! Absent on purpose: fitting (`training/`), how a row is made (`features/`). A model is plain
//! numbers; it is made by training or read from a file that passed every check.

mod card;
mod drift;
mod explain;
mod file;
mod grade;
mod head;
mod judge;
mod labels;
mod measure;
mod population;
mod promotion;
mod ranking;
mod record;
mod registry;
mod scorer;
mod slot;
mod sums;

pub use card::{
    Against, AgainstVendor, AtLevel, BacktestMonth, Calibration, Card, Counts, Evaluation, FeatureCard, FitCard, Gain, HorizonCard,
    Interval, LevelCard, Measured, Method, Population, Segment, TopShare, TriedAlpha, ValueGroup, VendorCounts, VendorFigures,
};
pub use drift::{Alarm, Drift, GAP_WINDOW_DAYS, Moved, alarms};
pub use explain::{Explanation, Factor};
pub use file::{FORMAT_VERSION, MODEL_MAX_BYTES, PROBES_MAX, RefusedModel, decode, encode, version_of};
pub use grade::{CALIBRATION_ERROR_MAX, Grade};
pub use head::{Cutoffs, HEADS_MAX, Head};
pub use judge::Case;
pub use labels::{Censored, Labelled, Labeller};
pub use measure::{AtCutoff, Curves, Measurement, Outcome, RiskBar, RiskGroup, cluster, log_loss, measure, recalibrate};
pub use population::Outside;
pub use promotion::{Promoted, Promotion};
pub use ranking::{RankedSubscription, Ranking, Standing, UnknownReason, YOUNGEST_DAYS, cost_30_days};
pub use record::{
    Disagreement, FeedbackRecord, HeldAgainst, Hindsight, HorizonRecord, IssuedRisk, ModelRecord, MonthFigures, ROWS_MAX, RecordEvaluation,
    RecordMonth, Said, WEEKS_MAX, hindsight, hold, weekly,
};
pub use registry::{CURRENT, LoadError, LoadedModel, PublishError, REPORT, Registry};
pub use scorer::{BEFORE_DAYS, Counterfactual, Scorer, Scoring};
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

impl Label {
    /// Whether a horizon's own number speaks for it beside that of the shorter ones. Whoever leaves
    /// within 30 days leaves within 60, so the risk of a longer horizon is at least that of each
    /// shorter one. To be silent for 60 days is rarer than for 30, so there it is the other way round.
    #[must_use]
    pub fn longer_speaks(self, own: f64, shorter: f64) -> bool {
        match self {
            Self::Status => own >= shorter,
            Self::Silence => own <= shorter,
        }
    }
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

/// How one feature is made ready for the sum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Column {
    pub scale: Scale,
    /// Clip bounds, after scaling: the training rows' 1st and 99th percentile.
    pub low: f64,
    pub high: f64,
    /// Mean and standard deviation of the clipped training rows; the deviation is above 0.
    pub mean: f64,
    pub deviation: f64,
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

/// What training hands over to make a model.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelParts {
    pub question: Question,
    pub trained_through: Day,
    pub volume: VolumeScale,
    pub columns: Vec<Column>,
    /// Shortest horizon first, one at least. The first is that of `question`.
    pub heads: Vec<Head>,
}

/// A fitted model: standardised features into log-odds of leaving.
#[derive(Debug, Clone, PartialEq)]
pub struct ChurnModel {
    version: String,
    parts: ModelParts,
    /// The typical value of each column, as [`Column::transform`] makes it.
    typical: Vec<f64>,
    /// Each head's log-odds of a subscription whose every feature is typical.
    base_log_odds: Vec<f64>,
}

impl ChurnModel {
    /// Parts that passed every check of [`file`].
    fn assemble(version: String, parts: ModelParts) -> Self {
        let typical: Vec<f64> = parts.columns.iter().map(|column| column.transform(column.typical)).collect();
        let base_log_odds = parts.heads.iter().map(|head| head.intercept + head.sum(&typical)).collect();
        Self { version, parts, typical, base_log_odds }
    }

    /// The risk of the subscription whose row this is, at the first horizon.
    #[must_use]
    pub fn score(&self, features: &FeatureVector) -> ChurnRisk {
        self.speaking(&self.pushes(features.values()), 0).risk()
    }

    /// The risk at every horizon.
    #[must_use]
    pub fn risks(&self, features: &FeatureVector) -> Vec<ChurnRisk> {
        self.risks_of(features.values())
    }

    /// As [`ChurnModel::risks`], for rows that were stored: probes.
    fn risks_of(&self, values: &[f64]) -> Vec<ChurnRisk> {
        let pushes = self.pushes(values);
        (0..self.parts.heads.len()).map(|head| self.speaking(&pushes, head).risk()).collect()
    }

    /// How far each feature is from its typical value, as the fit saw both.
    fn pushes(&self, values: &[f64]) -> [f64; MODEL_WIDTH] {
        let mut pushes = [0.0; MODEL_WIDTH];
        for (push, ((column, typical), value)) in pushes.iter_mut().zip(self.parts.columns.iter().zip(&self.typical).zip(values)) {
            *push = column.transform(*value) - typical;
        }
        pushes
    }

    /// Who speaks for a horizon: its own sum, or that of a shorter one (see [`Label::longer_speaks`]).
    fn speaking(&self, pushes: &[f64; MODEL_WIDTH], head: usize) -> Spoken {
        let own = |head: usize| Spoken { head, log_odds: self.parts.heads[head].log_odds(self.base_log_odds[head], pushes) };
        (1..=head).map(own).fold(
            own(0),
            |so_far, next| {
                if self.label().longer_speaks(next.log_odds, so_far.log_odds) { next } else { so_far }
            },
        )
    }

    /// The place of a horizon; that of the first where none is asked for.
    #[must_use]
    pub fn head_of(&self, horizon: Option<HorizonDays>) -> Option<usize> {
        let Some(horizon) = horizon else { return Some(0) };
        self.parts.heads.iter().position(|head| head.horizon_days == horizon)
    }

    /// The level of a risk at a horizon, by the cut-offs stored with the model.
    #[must_use]
    pub fn level(&self, head: usize, risk: ChurnRisk) -> Level {
        let cutoffs = self.parts.heads[head].cutoffs;
        match risk.get() {
            risk if risk >= cutoffs.high => Level::High,
            risk if risk >= cutoffs.medium => Level::Medium,
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

    /// The first horizon, which is the graded one.
    #[must_use]
    pub const fn horizon(&self) -> HorizonDays {
        self.parts.question.horizon_days
    }

    /// The last as-of day that it learnt from.
    #[must_use]
    pub const fn trained_through(&self) -> Day {
        self.parts.trained_through
    }

    /// The last day that the labels of its first horizon read.
    #[must_use]
    pub fn learnt_through(&self) -> Day {
        self.parts.trained_through + self.parts.question.label_days()
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

    /// Shortest horizon first.
    #[must_use]
    pub fn heads(&self) -> &[Head] {
        &self.parts.heads
    }
}

/// The head whose sum is the risk of a horizon.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Spoken {
    head: usize,
    log_odds: f64,
}

impl Spoken {
    fn risk(self) -> ChurnRisk {
        ChurnRisk::from_log_odds(self.log_odds)
    }
}

/// Width that every model of this program has.
pub const MODEL_WIDTH: usize = FEATURE_COUNT;
