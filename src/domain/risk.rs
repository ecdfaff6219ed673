//! Risk of churn, as a type that cannot hold anything else.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use utoipa::ToSchema;

use super::UnknownWord;

/// Why a number is no risk, or a number of days no horizon.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum RiskError {
    #[error("{0} is no probability between 0 and 1")]
    NotAProbability(f64),
    #[error("a horizon of {0} days is not between 1 and 365")]
    Horizon(u32),
}

/// P(the subscription leaves within the horizon | active on the as-of day): in 0..=1, never
/// NaN. 1 means that it will leave.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(minimum = 0, maximum = 1, examples(0.61))]
pub struct ChurnRisk(f64);

impl ChurnRisk {
    /// # Errors
    /// NaN, and numbers outside 0..=1.
    pub fn new(probability: f64) -> Result<Self, RiskError> {
        if (0.0..=1.0).contains(&probability) { Ok(Self(probability)) } else { Err(RiskError::NotAProbability(probability)) }
    }

    /// The probability whose log-odds these are: `1 / (1 + exp(-log_odds))`. NaN is the least
    /// committal answer there is, one half.
    #[must_use]
    pub fn from_log_odds(log_odds: f64) -> Self {
        if log_odds.is_nan() {
            return Self(0.5);
        }
        // The branch keeps exp() from overflowing, so both tails stay exact.
        if log_odds >= 0.0 { Self(1.0 / (1.0 + (-log_odds).exp())) } else { Self(log_odds.exp() / (1.0 + log_odds.exp())) }
    }

    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

/// How many days ahead a risk looks: 1..=365.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(minimum = 1, maximum = 365, examples(30))]
pub struct HorizonDays(u32);

impl HorizonDays {
    /// # Errors
    /// 0 days, and more than 365.
    pub fn new(days: u32) -> Result<Self, RiskError> {
        if (1..=365).contains(&days) { Ok(Self(days)) } else { Err(RiskError::Horizon(days)) }
    }

    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The same, for arithmetic on days.
    #[must_use]
    pub fn days(self) -> i32 {
        i32::try_from(self.0).unwrap_or(365)
    }
}

/// Where a risk stands among the cut-offs stored with the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Low,
    Medium,
    High,
}

impl Level {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

impl FromStr for Level {
    type Err = UnknownWord;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || UnknownWord { word: text.to_owned(), words: "low, medium, high" };
        [Self::Low, Self::Medium, Self::High].into_iter().find(|one| one.as_str() == text).ok_or_else(unknown)
    }
}
