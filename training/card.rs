//! The card of a model, from what training found.

use sha2::{Digest, Sha256};

use super::evaluate::Evaluation;
use super::levels::Levels;
use super::outcome::TrainRequest;
use crate::domain::hex;
use crate::model::{Card, ChurnModel, Counts, Gain, Grade, LevelCard, Method, Population, TriedAlpha};
use crate::portfolio::Portfolio;

/// What a card tells.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    pub portfolio: &'a Portfolio,
    pub request: &'a TrainRequest,
    pub training: &'a Counts,
    pub test: &'a Counts,
    pub levels: &'a Levels,
    pub evaluation: &'a Evaluation,
    pub test_high: (f64, f64),
    pub model: &'a ChurnModel,
    pub model_bin: &'a [u8],
    pub newton_steps: u32,
    pub alpha: f64,
    pub tried: &'a [TriedAlpha],
}

/// Writes the card.
#[must_use]
pub(super) fn write(facts: &Facts<'_>) -> Card {
    let evaluation = facts.evaluation;
    let [roc_auc, pr_auc, log_loss] = evaluation.gain;
    let gain = Gain { roc_auc, pr_auc, log_loss };
    Card {
        version: facts.model.version().to_owned(),
        method: Method::Model,
        model_sha256: hex(&Sha256::digest(facts.model_bin)),
        question: facts.request.question.clone(),
        population: Population {
            table_version: facts.portfolio.version(),
            data_first_day: facts.portfolio.first_day(),
            data_as_of: facts.portfolio.as_of(),
            train: facts.training.clone(),
            test: facts.test.clone(),
        },
        alpha: facts.alpha,
        alphas_tried: facts.tried.to_vec(),
        newton_steps: facts.newton_steps,
        levels: LevelCard {
            medium_from: facts.levels.cutoffs.medium,
            high_from: facts.levels.cutoffs.high,
            stated_precision: facts.levels.stated_precision,
            train_precision: facts.levels.precision,
            train_recall: facts.levels.recall,
            test_precision: facts.test_high.0,
            test_recall: facts.test_high.1,
        },
        base_rate: evaluation.base_rate,
        model: evaluation.model.clone(),
        base_rate_rule: evaluation.base_rate_rule.clone(),
        recency_rule: evaluation.recency_rule.clone(),
        gain_over_recency: gain,
        grade: Grade::of(&gain, evaluation.model.calibration_error),
    }
}
