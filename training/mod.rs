//! Training: from one version of the tables to a model, its card and its predictions.
//!
//! [`train`] is the flow as a list of verbs; each verb is a module. Absent on purpose: HTTP, a
//! clock, chance (the bootstrap's draws are seeded), and anything that scoring needs: the
//! kernel, the transform and the model live in the library below.

pub mod args;
mod card;
pub mod commands;
mod design;
mod evaluate;
pub mod fit;
mod labels;
mod levels;
mod matrix;
mod newton;
mod outcome;
mod penalty;
mod predictions;
mod report;
mod snapshots;
mod split;
mod transform;

pub use evaluate::Scored;
pub use labels::{Censored, Labelled, Labeller};
pub use matrix::Matrix;
pub use outcome::{Minimum, TooLittle, TrainError, TrainRequest, Trained};
pub use predictions::{ExportError, check_name, write_features, write_matrix, write_predictions};
pub use report::summary;
pub use snapshots::{Row, Snapshots};
pub use split::{DayRange, Days, DaysError};

use crate::features::{FEATURES, Kernel, VolumeScale};
use crate::model::{self, ModelParts};
use crate::portfolio::Portfolio;
use crate::progress::{Progress, Unit};

/// Trains one model. `progress` is told of each step; it changes nothing.
///
/// # Errors
/// Where there is too little to train on, the days do not fit the data or each other, or the
/// fit does not confirm itself.
pub fn train<'a>(portfolio: &'a Portfolio, request: &TrainRequest, progress: Progress) -> Result<Trained<'a>, TrainError> {
    let days = split::days(portfolio, request)?;
    let last_training_day = days.train.last().copied().ok_or(DaysError::NoDays)?;

    let volume = VolumeScale::fit(portfolio, last_training_day);
    let kernel = Kernel::new(portfolio, &volume);
    let labeller = Labeller::new(portfolio, &kernel, &request.question);

    let training = snapshots::take(&labeller, &days.train, &progress.stage("training rows", days.train.len() as u64, Unit::Items));
    let test = snapshots::take(&labeller, &days.test, &progress.stage("test rows", days.test.len() as u64, Unit::Items));
    Minimum::default().check(&training.counts, &test.counts)?;

    let mut matrix = training.matrix(&kernel, design::ROOM);
    for (values, feature) in matrix.columns_mut().zip(FEATURES) {
        if request.without.contains(&feature.family) {
            values.fill(0.0);
        }
    }
    let labels = training.labels();
    let (alpha, tried) = if let Some(alpha) = request.alpha {
        (alpha, Vec::new())
    } else {
        progress.line("choosing the penalty on training rows left out");
        penalty::choose(&matrix, &training.rows, &labels, split::label_days(&request.question))?
    };
    let mut columns = transform::fit(&matrix);
    transform::apply(&columns, &mut matrix);
    let recency = fit::recency_rule(&matrix, &labels, &columns)?;

    progress.line(&format!("fitting {} rows of {} features", matrix.rows(), matrix.columns()));
    design::lay_out(&mut matrix, &training.rows);
    let fitted = fit::logistic(&matrix, &labels, alpha)?;
    let weights = design::weights(&matrix, columns.len(), &fitted.coefficients, &training.rows, &labels);
    design::take_back(&mut matrix, columns.len());
    for (column, coefficient) in columns.iter_mut().zip(&weights.coefficients) {
        column.coefficient = *coefficient;
    }

    progress.line(&format!("measuring on {} test rows", test.rows.len()));
    let training_risks = matrix.risks(&weights.coefficients, weights.intercept);
    let levels = levels::choose(&training_risks, &labels);
    let parts = ModelParts {
        question: request.question.clone(),
        trained_through: last_training_day,
        volume,
        columns,
        intercept: weights.intercept,
        cutoffs: levels.cutoffs,
    };
    let (model, model_bin) = model::encode(parts, &test.probes(&kernel))?;
    let (scored, by_recency) = test.score(&kernel, &model, &recency);
    let evaluation = evaluate::compare(&scored, training.counts.base_rate(), &by_recency);
    let facts = card::Facts {
        portfolio,
        request,
        training: &training.counts,
        test: &test.counts,
        levels: &levels,
        test_high: evaluate::precision_and_recall(&scored, levels.cutoffs.high),
        evaluation: &evaluation,
        model: &model,
        model_bin: &model_bin,
        newton_steps: fitted.newton_steps,
        alpha,
        tried: &tried,
    };
    let card = card::write(&facts);
    Ok(Trained { model, model_bin, card, scored, training, matrix })
}
