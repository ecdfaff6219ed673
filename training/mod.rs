//! Training: from one version of the tables to a model, its card and its predictions.
//!
//! [`train`] is the flow as a list of verbs; each verb is a module. Absent on purpose: HTTP, a
//! clock, chance (the bootstrap's draws are seeded), and anything that scoring needs: the
//! kernel, the transform, the labels, the figures and the model live in the library below.

pub mod args;
mod backtest;
mod baseline;
mod beside;
mod calibrate;
mod card;
pub mod commands;
mod design;
pub mod fit;
mod horizons;
mod levels;
mod matrix;
mod newton;
mod outcome;
mod penalty;
mod predictions;
mod report;
mod rules;
mod sample;
mod segments;
mod snapshots;
mod split;
mod summary;
mod tested;
mod transform;
mod vendor;

pub use baseline::baseline;
pub use beside::hold_beside;
pub use matrix::Matrix;
pub use outcome::{Minimum, TooLittle, TrainError, TrainRequest, Trained};
pub use predictions::{ExportError, check_name, write_features, write_matrix, write_predictions};
pub use report::{ReportError, report};
pub use snapshots::{Row, Snapshots};
pub use split::{DayRange, Days, DaysError};
pub use summary::summary;
pub use tested::Scored;
pub use vendor::hold_beside_vendor;

use crate::domain::Day;
use crate::features::{FEATURES, Family, Kernel, VolumeScale};
use crate::model::{self, Column, FitCard, Labeller, LoadedModel, Method, ModelParts};
use crate::portfolio::Portfolio;
use crate::progress::{Progress, Unit};
use horizons::{FittedHorizon, Horizon, Part};
use penalty::Chosen;
use sample::Sample;
use tested::Tested;

/// Trains one model, and measures it beside the one in service where there is one. `progress` is
/// told of each step; it changes nothing.
///
/// # Errors
/// Where there is too little to train on, the days do not fit the data or each other, or the
/// fit does not confirm itself.
pub fn train<'a>(
    portfolio: &'a Portfolio,
    request: &TrainRequest,
    in_service: Option<&LoadedModel>,
    progress: Progress,
) -> Result<Trained<'a>, TrainError> {
    let further = split::long_enough(portfolio, request);
    for short in request.further.iter().filter(|horizon| !further.contains(horizon)) {
        progress.line(&format!("no horizon of {} days: the data are too short for it", short.get()));
    }
    let request = &TrainRequest { further, ..request.clone() };
    let days = split::days(portfolio, request)?;
    let last_training_day = days.train.last().copied().ok_or(DaysError::NoDays)?;
    let volume = VolumeScale::fit(portfolio, last_training_day);
    let kernel = Kernel::new(portfolio, &volume);
    let labeller = Labeller::new(portfolio, &kernel, &request.question);

    let training = snapshots::take(&labeller, &days.train, &progress.stage("training rows", days.train.len() as u64, Unit::Items));
    let test = snapshots::take(&labeller, &days.test, &progress.stage("test rows", days.test.len() as u64, Unit::Items));
    Minimum::default().check(&training.counts, &test.counts)?;
    let horizons = horizons(&kernel, request, &training, &test, progress);

    let mut matrix = training.matrix(&kernel, design::ROOM);
    leave_out(&mut matrix, &request.without);
    let mut sample = Sample::of(&matrix, &training.rows, training.rows.len() + test.rows.len());
    progress.line("choosing the penalty on training rows left out");
    let chosen = penalty::choose(&matrix, &training.rows, &training.labels(), request.question.label_days(), request.alpha)?;
    let calibration = calibrate::find(&chosen.left_out);
    let columns = transform::fit(&matrix);
    transform::apply(&columns, &mut matrix);
    let mut fitted = fit_all(&horizons, &mut matrix, &training.rows, &columns, &chosen, progress)?;
    calibrate::apply(calibration.as_ref(), &mut fitted[0]);
    let training_risks = matrix.risks(&fitted[0].coefficients, fitted[0].intercept);
    let (mut heads, mut levels): (Vec<_>, Vec<_>) =
        horizons::heads(&matrix, request.question.label, &horizons, &fitted).into_iter().unzip();
    if let Some(unseen) = calibrate::levels(&chosen.left_out, calibration.as_ref()) {
        (heads[0].cutoffs, levels[0]) = (unseen.cutoffs, unseen);
    }

    progress.line(&format!("measuring on {} test rows", test.rows.len()));
    let parts = ModelParts { question: request.question.clone(), trained_through: last_training_day, volume, columns, heads };
    let (model, model_bin) = model::encode(parts, &test.probes(&kernel))?;
    let tested = Tested::score(&test, &kernel, &model, &fitted, &mut sample);
    let against = in_service.and_then(|other| tested.against(&test, &model, &other.model));
    progress.line("testing as of every month of the last year");
    let backtest = backtest::run(&sample, chosen.alpha, request.question.label_days())?;
    let cards = horizons.iter().zip(&levels).enumerate().map(|(at, (horizon, levels))| tested.card(at, horizon, levels)).collect();
    let intercepts = fitted.iter().map(|fitted| fitted.intercept).collect();
    let newton_steps = fitted.iter().map(|fitted| fitted.newton_steps).collect();
    let card = card::write(card::Facts {
        portfolio,
        method: Method::Model,
        features: card::features(&model, &sample),
        risk_deciles: sample.by(&training_risks),
        model: &model,
        model_bin: &model_bin,
        fit: FitCard { alpha: chosen.alpha, alphas_tried: chosen.tried, intercepts, newton_steps, calibration },
        horizons: cards,
        segments: tested.segments(),
        backtest,
        against,
    });
    let scored = tested.scored();
    Ok(Trained { model, model_bin, card, scored, training, matrix })
}

/// The first horizon, and each longer one for which there is enough.
fn horizons(kernel: &Kernel, request: &TrainRequest, training: &Snapshots<'_>, test: &Snapshots<'_>, progress: Progress) -> Vec<Horizon> {
    let first = Horizon {
        question: request.question.clone(),
        train: Part::whole(&training.rows, &training.counts),
        test: Part::whole(&test.rows, &test.counts),
    };
    let mut horizons = vec![first];
    let Some(first_test) = test.rows.first().map(|row| row.as_of) else { return horizons };
    for days in &request.further {
        let question = request.question.at(*days);
        let labeller = Labeller::new(training.portfolio, kernel, &question);
        let known = first_test - question.label_days() - 1;
        let train = Part::of(&labeller, &training.rows, known);
        let test = Part::of(&labeller, &test.rows, Day::from_epoch_days(i32::MAX));
        match Minimum::default().check(&train.counts, &test.counts) {
            Ok(()) => horizons.push(Horizon { question, train, test }),
            Err(too_little) => progress.line(&format!("no horizon of {} days: {too_little}", days.get())),
        }
    }
    horizons
}

fn fit_all(
    horizons: &[Horizon],
    matrix: &mut Matrix,
    rows: &[Row],
    columns: &[Column],
    chosen: &Chosen,
    progress: Progress,
) -> Result<Vec<FittedHorizon>, TrainError> {
    let fit = |horizon: &Horizon| {
        let days = horizon.question.horizon_days.get();
        progress.line(&format!("fitting {} rows of {} features for {days} days", horizon.train.counts.rows, columns.len()));
        horizon.fit(matrix, rows, columns, chosen.alpha, progress).map_err(TrainError::from)
    };
    horizons.iter().map(fit).collect()
}

/// Takes the features of some families for constants.
fn leave_out(matrix: &mut Matrix, without: &[Family]) {
    for (values, feature) in matrix.columns_mut().zip(FEATURES) {
        if without.contains(&feature.family) {
            values.fill(0.0);
        }
    }
}
