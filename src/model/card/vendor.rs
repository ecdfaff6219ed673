//! The vendor's own level beside the model's risk, on the same subscriptions and days.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Interval;
use crate::domain::{Day, Level};

/// Rows at one level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AtLevel {
    pub level: Level,
    pub rows: u64,
    pub churners: u64,
}

impl AtLevel {
    /// Share of those who left; 0 of no rows.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.churners as f64 / self.rows.max(1) as f64
    }
}

/// The vendor's own levels beside the model, where it told any: on the day of each export, under
/// the labels of the model's own question at its first horizon, on rows that are new to the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VendorCounts {
    /// Subscriptions and days of which a level is told.
    pub told: u64,
    /// Left out, by the word: no level that we know.
    pub unknown_words: BTreeMap<String, u64>,
    /// Left out: days that the model had learnt from.
    pub learnt_from: u64,
    /// Left out: subscriptions that were not active then, or that the question is not about.
    pub not_asked: u64,
    /// Left out: what became of them is not known yet, or counts neither way.
    pub without_outcome: u64,
    pub rows: u64,
    pub churners: u64,
    pub first_on: Option<Day>,
    pub last_on: Option<Day>,
}

/// How both did on the same rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VendorFigures {
    /// By the vendor's level, high first.
    pub vendor_levels: Vec<AtLevel>,
    /// By the model's level, high first.
    pub model_levels: Vec<AtLevel>,
    /// Of the level as a score of three steps; rows of one level are ties.
    pub vendor_roc_auc: Interval,
    pub model_roc_auc: Interval,
    /// The model's less the vendor's, on the same draws.
    pub gain_roc_auc: Interval,
    /// Who left among the model's riskiest rows, of as many as are at the vendor's `high`.
    pub riskiest_as_many: AtLevel,
}

/// The vendor's own level beside the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AgainstVendor {
    #[serde(flatten)]
    pub counts: VendorCounts,
    /// None below [`AgainstVendor::ROWS_MIN`] rows, or [`AgainstVendor::EACH_MIN`] of those who left
    /// or of those who stayed.
    pub figures: Option<VendorFigures>,
}

impl AgainstVendor {
    /// Fewest rows of which a figure is told: of fewer, the interval of an AUC spans nearly all.
    pub const ROWS_MIN: u64 = 100;

    /// Fewest of those who left, and of those who stayed, as a test of a model asks for.
    pub const EACH_MIN: u64 = 10;
}
