//! What several routes say in the same words: factors, levels, reasons, warnings about the tables.

use serde::Serialize;

use crate::domain::Level;
use crate::features::Unit;
use crate::model::{Factor, Standing, UnknownReason};
use crate::portfolio::Portfolio;

use super::super::answer::Warning;

/// One feature's push.
#[derive(Debug, Serialize)]
pub(super) struct FactorRow {
    feature: &'static str,
    unit: Unit,
    #[serde(skip_serializing_if = "Option::is_none")]
    window_days: Option<u32>,
    value: f64,
    /// The training rows' median.
    typical: f64,
    /// Log-odds over those of the typical value; above 0 towards leaving.
    contribution: f64,
    sentence: String,
}

impl From<Factor> for FactorRow {
    fn from(factor: Factor) -> Self {
        Self {
            feature: factor.feature.name,
            unit: factor.feature.unit,
            window_days: factor.feature.window_days,
            value: factor.value,
            typical: factor.typical,
            contribution: factor.contribution,
            sentence: factor.sentence,
        }
    }
}

/// A level, or that there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Standpoint {
    High,
    Medium,
    Low,
    /// Never `low` for want of data.
    Unknown,
}

impl Standpoint {
    pub(super) const ALL: [(&'static str, Self); 4] =
        [("high", Self::High), ("medium", Self::Medium), ("low", Self::Low), ("unknown", Self::Unknown)];

    pub(super) fn of(standing: Standing) -> Self {
        match standing {
            Standing::Known { level: Level::High, .. } => Self::High,
            Standing::Known { level: Level::Medium, .. } => Self::Medium,
            Standing::Known { level: Level::Low, .. } => Self::Low,
            Standing::Unknown { .. } => Self::Unknown,
        }
    }
}

/// Why there is no risk.
#[derive(Debug, Serialize)]
pub(super) struct Reason {
    pub(super) code: &'static str,
    pub(super) detail: String,
}

impl From<UnknownReason> for Reason {
    fn from(reason: UnknownReason) -> Self {
        let (code, detail) = match reason {
            UnknownReason::TooYoung { days, least_days } => {
                ("too_young", format!("{days} days old; a risk needs {least_days} days of history"))
            }
            UnknownReason::NoUsageYet => ("no_usage_yet", "never used, and the model speaks of subscriptions in use".to_owned()),
            UnknownReason::Silent { days, window_days } => {
                ("silent", format!("not used for {days} days, and the model speaks of subscriptions used in the last {window_days}"))
            }
            UnknownReason::Gap { gap_days, of_days } => ("gap", format!("the feed has no row on {gap_days} of the last {of_days} days")),
            UnknownReason::NoCost => ("no_cost", "the model reads cost, and the tables have none".to_owned()),
            UnknownReason::NoModel => ("no_model", "there is no model".to_owned()),
        };
        Self { code, detail }
    }
}

/// What the tables say of lives, where that is less than all.
pub(super) fn doubts_about_lives(portfolio: &Portfolio) -> Vec<Warning> {
    let errors = portfolio.data_errors().len();
    let derived = portfolio.subscriptions().iter().filter(|subscription| subscription.creation_is_derived).count();
    let mut warnings = Vec::new();
    if errors > 0 {
        warnings.push(Warning::new(
            "events_without_effect",
            format!(
                "{errors} lifecycle events of the whole portfolio had no effect: before a creation, after an end, or a second creation"
            ),
        ));
    }
    if derived > 0 {
        warnings.push(Warning::new(
            "creation_not_recorded",
            format!("{derived} subscriptions of the whole portfolio have no recorded creation; they count as created on their first usage row or event"),
        ));
    }
    warnings
}

/// That costs are none, where they are.
pub(super) fn doubts_about_cost(portfolio: &Portfolio) -> Option<Warning> {
    (!portfolio.has_cost()).then(|| Warning::new("no_cost", "the tables have no cost; figures of it are null"))
}
