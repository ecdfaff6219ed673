//! The scores of a whole portfolio as a model issued them, to be held against what came true.
//!
//! Absent on purpose: factors, and what the reasons mean. A code is what another day's figures
//! group by; its words are the service's.

use std::borrow::Cow;

use super::{ChurnRisk, Day, HorizonDays, Level, SubscriptionId};

/// What one scoring of the whole portfolio was made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortfolioScoring {
    /// The day on which the risks stand.
    pub as_of: Day,
    pub model_version: String,
    /// The version of the tables that was scored.
    pub table_version: u64,
    /// The day that the operator's clock showed. It is no part of what tells scorings apart.
    pub scored_on: Day,
}

impl PortfolioScoring {
    /// Whether both are the same model on the same tables at the same as-of day: their scores
    /// are then the same too.
    #[must_use]
    pub fn is_the_same_as(&self, other: &Self) -> bool {
        self.as_of == other.as_of && self.model_version == other.model_version && self.table_version == other.table_version
    }
}

/// One subscription's score for one horizon.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    pub subscription_id: SubscriptionId,
    pub horizon_days: HorizonDays,
    pub standing: ScoreStanding,
}

/// A risk with its level as they were issued, or the code of why there was none.
#[derive(Debug, Clone, PartialEq)]
pub enum ScoreStanding {
    Known { risk: ChurnRisk, level: Level },
    Unknown { reason: Cow<'static, str> },
}

/// A recorded scoring, without its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScoringHead {
    pub scoring: PortfolioScoring,
    /// The horizons that its rows have, ascending.
    pub horizons: Vec<HorizonDays>,
    /// Rows, one a (subscription, horizon).
    pub rows: u64,
}

/// A score and the scoring that it is of.
#[derive(Debug, Clone, PartialEq)]
pub struct IssuedScore {
    pub scoring: PortfolioScoring,
    pub score: Score,
}
