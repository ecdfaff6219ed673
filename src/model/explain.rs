//! Why a risk is what it is: each feature's push against the portfolio's typical value.
//!
//! Absent on purpose: claims of cause. A contribution is what the sum of the model holds, no more.

use super::ChurnModel;
use crate::domain::ChurnRisk;
use crate::features::{FEATURES, Family, Feature, FeatureVector};

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

impl Explanation {
    /// What each family of features adds, the largest absolute sum first; ties in the catalogue's order.
    #[must_use]
    pub fn families(&self) -> Vec<(Family, f64)> {
        let mut sums: Vec<(Family, f64)> = Vec::new();
        for feature in FEATURES {
            if sums.iter().all(|(family, _)| *family != feature.family) {
                let own = self.factors.iter().filter(|factor| factor.feature.family == feature.family);
                sums.push((feature.family, own.map(|factor| factor.contribution).sum()));
            }
        }
        sums.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
        sums
    }
}

impl ChurnModel {
    /// The risk of a row at a horizon, taken apart: the sum of the horizon that speaks.
    #[must_use]
    pub fn explain(&self, features: &FeatureVector, head: usize) -> Explanation {
        let pushes = self.pushes(features.values());
        let spoken = self.speaking(&pushes, head);
        let contributions = self.heads()[spoken.head].contributions(&pushes);
        let places = by_strength(&contributions, contributions.len());
        let factors = places.into_iter().map(|at| self.factor(features, at, contributions[at])).collect();
        let base_log_odds = self.base_log_odds[spoken.head];
        Explanation { risk: spoken.risk(), log_odds: spoken.log_odds, base_log_odds, factors }
    }

    /// The risk of a row, and the features that push it most: at most `most` of them and none
    /// that push it not at all. Only their sentences are written.
    #[must_use]
    pub fn strongest(&self, features: &FeatureVector, head: usize, most: usize) -> (ChurnRisk, Vec<Factor>) {
        let pushes = self.pushes(features.values());
        let spoken = self.speaking(&pushes, head);
        if most == 0 {
            return (spoken.risk(), Vec::new());
        }
        let contributions = self.heads()[spoken.head].contributions(&pushes);
        let pushing = by_strength(&contributions, most).into_iter().filter(|at| contributions[*at] != 0.0);
        let factors = pushing.map(|at| self.factor(features, at, contributions[at])).collect();
        (spoken.risk(), factors)
    }

    fn factor(&self, features: &FeatureVector, at: usize, contribution: f64) -> Factor {
        let (feature, column, value) = (&FEATURES[at], &self.columns()[at], features.values()[at]);
        Factor { feature, value, typical: column.typical, contribution, sentence: feature.tell(value, column.typical) }
    }
}

/// The places of the `most` largest contributions, the largest absolute one first; ties in the
/// catalogue's order.
fn by_strength(contributions: &[f64], most: usize) -> Vec<usize> {
    let order = |a: &usize, b: &usize| contributions[*b].abs().total_cmp(&contributions[*a].abs()).then(a.cmp(b));
    let mut places: Vec<usize> = (0..contributions.len()).filter(|_| most > 0).collect();
    if most < places.len() {
        places.select_nth_unstable_by(most, order);
        places.truncate(most);
    }
    places.sort_unstable_by(order);
    places
}
