//! Why a risk is what it is: each feature's push against the portfolio's typical value.
//!
//! Absent on purpose: claims of cause. A contribution is what the sum of the model holds, no more.

use super::ChurnModel;
use crate::domain::ChurnRisk;
use crate::features::{FEATURES, Feature, FeatureVector};

/// One feature's part in a risk.
#[derive(Debug, Clone, PartialEq)]
pub struct Factor {
    pub feature: &'static Feature,
    pub value: f64,
    /// The training rows' median.
    pub typical: f64,
    /// Log-odds that it adds over the typical value; above 0 pushes towards leaving.
    pub contribution: f64,
    /// One plain sentence for a reader.
    pub sentence: String,
}

/// A risk taken apart. `base_log_odds` and the contributions, added in the catalogue's order,
/// give `log_odds` to the last bit.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    pub risk: ChurnRisk,
    pub log_odds: f64,
    /// Log-odds of a subscription whose every feature is typical.
    pub base_log_odds: f64,
    /// Every feature, the largest absolute contribution first; ties in the catalogue's order.
    pub factors: Vec<Factor>,
}

impl ChurnModel {
    /// The risk of a row, taken apart.
    #[must_use]
    pub fn explain(&self, features: &FeatureVector) -> Explanation {
        let contributions: Vec<f64> = self.contributions(features.values()).collect();
        let log_odds = contributions.iter().fold(self.base_log_odds, |sum, each| sum + each);
        let columns = self.columns().iter().zip(features.values()).zip(contributions);
        let mut factors: Vec<Factor> = FEATURES
            .iter()
            .zip(columns)
            .map(|(feature, ((column, value), contribution))| Factor {
                feature,
                value: *value,
                typical: column.typical,
                contribution,
                sentence: feature.tell(*value, column.typical),
            })
            .collect();
        factors.sort_by(|a, b| b.contribution.abs().total_cmp(&a.contribution.abs()));
        Explanation { risk: ChurnRisk::from_log_odds(log_odds), log_odds, base_log_odds: self.base_log_odds, factors }
    }
}
