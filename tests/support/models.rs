//! Models with hand-chosen coefficients, written and read through the registry like any other.

use std::path::Path;

use churn_risk::domain::{Day, HorizonDays, hex};
use churn_risk::features::{FEATURES, FeatureVector, History, Kernel, Usual, VolumeScale};
use churn_risk::model::{
    Card, Column, Cutoffs, FitCard, Grade, Head, Label, Method, ModelParts, Population, Promotion, Question, Registry, encode,
};
use churn_risk::portfolio::Portfolio;
use sha2::{Digest, Sha256};

use super::worlds::day;

/// A model that finds silence alarming, use and age reassuring. `silence` is the log-odds of
/// four days of it.
pub(crate) fn parts(portfolio: &Portfolio, silence: f64) -> ModelParts {
    let columns = FEATURES.iter().map(|feature| {
        let (mean, deviation, high, typical) = match feature.name {
            "days_since_usage" => (3.0, 4.0, 60.0, 1.0),
            "active_share_28" => (0.5, 0.25, 1.0, 0.75),
            "tenure_relative" => (0.0, 1.0, 3.0, 0.0),
            _ => (0.0, 1.0, 1_000.0, 0.0),
        };
        Column { scale: churn_risk::features::Scale::Straight, low: -1_000.0, high, mean, deviation, typical }
    });
    let coefficients = FEATURES.iter().map(|feature| match feature.name {
        "days_since_usage" => silence,
        "active_share_28" => -0.5,
        "tenure_relative" => -0.25,
        _ => 0.0,
    });
    let horizon_days = HorizonDays::new(30).expect("a month");
    let cutoffs = Cutoffs { medium: 0.2, high: 0.6 };
    ModelParts {
        question: Question {
            label: Label::Status,
            churn_reasons: Vec::new(),
            horizon_days,
            lead_days: 0,
            grace_days: 7,
            active_window_days: None,
            min_age_days: 0,
        },
        trained_through: day("2024-01-20"),
        volume: VolumeScale::fit(portfolio, day("2024-01-20")),
        columns: columns.collect(),
        heads: vec![Head { horizon_days, intercept: -2.0, coefficients: coefficients.collect(), cutoffs }],
    }
}

/// Writes a model and its card into the registry; returns its version. It is not in service yet.
pub(crate) fn publish(folder: &Path, portfolio: &Portfolio, parts: ModelParts) -> String {
    let as_of = portfolio.as_of().expect("a used portfolio");
    let kernel = Kernel::new(portfolio, &parts.volume);
    let mut at = kernel.at(as_of, Usual::of(&kernel, portfolio, as_of));
    let rows: Vec<FeatureVector> = portfolio.subscription_indices().map(|ix| at.features(&History::of(portfolio, ix))).collect();
    let (model, bytes) = encode(parts, &rows).expect("sound parts");
    let digest = hex(&Sha256::digest(&bytes));
    let card = card(model.version(), &digest, model.question().clone(), as_of);
    Registry::open(folder).publish(&model, &bytes, &card).expect("a folder that can be written");
    model.version().to_owned()
}

pub(crate) fn forced() -> Promotion {
    Promotion::Forced { by: "a test".to_owned(), why: "it was never measured".to_owned() }
}

/// Names a version as the one in service.
pub(crate) fn promote(folder: &Path, version: &str) {
    Registry::open(folder).promote(version, &forced(), day("2024-02-01")).expect("a sound version");
}

/// A card of a model that was never measured.
fn card(version: &str, digest: &str, question: Question, as_of: Day) -> Card {
    Card {
        version: version.to_owned(),
        method: Method::Model,
        model_sha256: digest.to_owned(),
        question,
        population: Population { table_version: 3, data_first_day: Some(day("2024-01-15")), data_as_of: Some(as_of) },
        fit: FitCard { alpha: 1.0, alphas_tried: Vec::new(), intercepts: Vec::new(), newton_steps: Vec::new(), calibration: None },
        grade: Some(Grade::D),
        horizons: Vec::new(),
        segments: Vec::new(),
        backtest: Vec::new(),
        against: None,
        against_vendor: None,
        features: Vec::new(),
        risk_deciles: Vec::new(),
    }
}
