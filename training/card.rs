//! The card of a model, from what training found.

use sha2::{Digest, Sha256};

use super::sample::Sample;
use crate::domain::hex;
use crate::features::FEATURES;
use crate::model::{
    Against, BacktestMonth, Card, ChurnModel, FeatureCard, FitCard, Grade, HorizonCard, Method, Population, Segment, ValueGroup,
};
use crate::portfolio::Portfolio;

/// What a card tells.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    pub portfolio: &'a Portfolio,
    pub method: Method,
    pub model: &'a ChurnModel,
    pub model_bin: &'a [u8],
    pub fit: FitCard,
    pub horizons: Vec<HorizonCard>,
    pub segments: Vec<Segment>,
    pub backtest: Vec<BacktestMonth>,
    pub against: Option<Against>,
    pub features: Vec<FeatureCard>,
    pub risk_deciles: Vec<ValueGroup>,
}

/// Writes the card.
#[must_use]
pub(super) fn write(facts: Facts<'_>) -> Card {
    let evaluation = facts.horizons.first().and_then(|first| first.evaluation.as_ref());
    let graded = evaluation.filter(|_| facts.method == Method::Model);
    let grade = graded.map(|evaluation| Grade::of(&evaluation.gain_over_recency, &evaluation.model));
    Card {
        version: facts.model.version().to_owned(),
        method: facts.method,
        model_sha256: hex(&Sha256::digest(facts.model_bin)),
        question: facts.model.question().clone(),
        population: Population {
            table_version: facts.portfolio.version(),
            data_first_day: facts.portfolio.first_day(),
            data_as_of: facts.portfolio.as_of(),
        },
        fit: facts.fit,
        grade,
        horizons: facts.horizons,
        segments: facts.segments,
        backtest: facts.backtest,
        against: facts.against,
        against_vendor: None,
        features: facts.features,
        risk_deciles: facts.risk_deciles,
    }
}

/// What each feature does.
pub(super) fn features(model: &ChurnModel, sample: &Sample) -> Vec<FeatureCard> {
    let card = |(at, column): (usize, &crate::model::Column)| FeatureCard {
        name: FEATURES[at].name.to_owned(),
        family: FEATURES[at].family,
        coefficients: model.heads().iter().map(|head| head.coefficients[at]).collect(),
        low: column.low,
        high: column.high,
        mean: column.mean,
        deviation: column.deviation,
        typical: column.typical,
        deciles: sample.by_feature(at),
    };
    model.columns().iter().enumerate().map(card).collect()
}
