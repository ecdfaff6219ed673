//! The rule of recency as a model, where there is too little to train one: every coefficient but
//! that of the days without usage is 0.
//!
//! The share of churners is that of the rows that there are. The slope is pulled towards the one that
//! metered use has elsewhere, so that a handful of rows does not decide who is called.

use super::card;
use super::horizons::Part;
use super::levels;
use super::matrix::Matrix;
use super::outcome::{Minimum, TooLittle, TrainError, TrainRequest, Trained};
use super::rules::RECENCY;
use super::sample::Sample;
use super::snapshots::{self, Snapshots};
use super::split;
use super::tested::Scored;
use super::transform;
use crate::domain::{ChurnRisk, Day};
use crate::features::{Kernel, VolumeScale};
use crate::model::{self, Column, Counts, FitCard, Head, HorizonCard, Labeller, Method, ModelParts, YOUNGEST_DAYS};
use crate::portfolio::Portfolio;
use crate::progress::{Progress, Unit};

/// Log-odds for each unit of ln(1 + days without usage) to which the slope is pulled: the middle of
/// the five public sets of `training/README.md`, which have 0.31, 0.32, 0.70, 1.08 and 1.15.
const SLOPE: f64 = 0.7;

/// How strongly: as much as so many rows would.
const PULL: f64 = 30.0;

/// Newton steps; the loss is convex in two numbers.
const STEPS: u32 = 50;

/// The baseline of a portfolio, with the counts against the minimum in its card.
///
/// # Errors
/// Where not even one row has a label, or none of them left: a share of churners would be a guess.
pub fn baseline<'a>(portfolio: &'a Portfolio, request: &TrainRequest, progress: Progress) -> Result<Trained<'a>, TrainError> {
    let days = split::all_days(portfolio, &request.question, i32::try_from(YOUNGEST_DAYS).unwrap_or(0));
    let last = days.last().copied().unwrap_or(Day::from_epoch_days(0));
    let volume = VolumeScale::fit(portfolio, last);
    let kernel = Kernel::new(portfolio, &volume);
    let labeller = Labeller::new(portfolio, &kernel, &request.question);
    let rows = snapshots::take(&labeller, &days, &progress.stage("rows", days.len() as u64, Unit::Items));
    if rows.counts.churners == 0 {
        return Err(TooLittle { found: Minimum::found(&rows.counts, &Counts::default()), minimum: Minimum::default() }.into());
    }
    let mut matrix = rows.matrix(&kernel, 0);
    let sample = Sample::of(&matrix, &rows.rows, rows.rows.len());
    let columns = transform::fit(&matrix);
    transform::apply(&columns, &mut matrix);

    let parts = parts(&kernel, request, &rows);
    let (heads, cards): (Vec<Head>, Vec<HorizonCard>) = parts.iter().map(|(part, horizon)| head(&matrix, &columns, part, *horizon)).unzip();
    let risks = matrix.risks(&heads[0].coefficients, heads[0].intercept);
    let parts = ModelParts { question: request.question.clone(), trained_through: last, volume, columns, heads };
    let (model, model_bin) = model::encode(parts, &rows.probes(&kernel))?;
    let card = card::write(card::Facts {
        portfolio,
        method: Method::Baseline,
        features: card::features(&model, &sample),
        risk_deciles: sample.by(&risks),
        model: &model,
        model_bin: &model_bin,
        fit: FitCard { alpha: PULL, alphas_tried: Vec::new(), newton_steps: Vec::new(), calibration: None },
        horizons: cards,
        segments: Vec::new(),
        backtest: Vec::new(),
        against: None,
    });
    let scored = Vec::<Scored>::new();
    Ok(Trained { model, model_bin, card, scored, training: rows, matrix })
}

/// The rows of every horizon that has any that left.
fn parts(kernel: &Kernel, request: &TrainRequest, rows: &Snapshots<'_>) -> Vec<(Part, crate::domain::HorizonDays)> {
    let mut parts = vec![(Part::whole(&rows.rows, &rows.counts), request.question.horizon_days)];
    for horizon in &request.further {
        let question = request.question.at(*horizon);
        let labeller = Labeller::new(rows.portfolio, kernel, &question);
        let part = Part::of(&labeller, &rows.rows, Day::from_epoch_days(i32::MAX));
        if part.counts.churners > 0 {
            parts.push((part, *horizon));
        }
    }
    parts
}

fn head(matrix: &Matrix, columns: &[Column], part: &Part, horizon: crate::domain::HorizonDays) -> (Head, HorizonCard) {
    let column = &columns[RECENCY];
    let silence: Vec<f64> = part.places.iter().map(|place| matrix.column(RECENCY)[*place]).collect();
    let (intercept, slope) = fit(&silence, &part.churned, SLOPE * column.deviation);
    let mut coefficients = vec![0.0; columns.len()];
    coefficients[RECENCY] = slope;
    let risks: Vec<f64> = silence.iter().map(|silence| ChurnRisk::from_log_odds(intercept + slope * silence).get()).collect();
    let levels = levels::choose(&risks, &part.churned);
    let card = HorizonCard {
        horizon_days: horizon,
        train: part.counts.clone(),
        test: Counts::default(),
        base_rate: part.counts.base_rate(),
        levels: levels.card(),
        evaluation: None,
    };
    (Head { horizon_days: horizon, intercept, coefficients, cutoffs: levels.cutoffs }, card)
}

/// Intercept and slope of least `sum of log loss + PULL/2 (slope - towards)^2`, with half a churner
/// and half a stayer more at the mean, so that the intercept stays finite.
fn fit(silence: &[f64], churned: &[bool], towards: f64) -> (f64, f64) {
    let rows = || {
        let real = silence.iter().zip(churned).map(|(silence, churned)| (*silence, f64::from(u8::from(*churned)), 1.0));
        real.chain([(0.0, 1.0, 0.5), (0.0, 0.0, 0.5)])
    };
    let (mut intercept, mut slope) = (0.0, towards);
    for _ in 0..STEPS {
        let (mut gradient, mut curvature) = ([0.0, PULL * (towards - slope)], [0.0, 0.0, PULL]);
        for (silence, churned, weight) in rows() {
            let risk = ChurnRisk::from_log_odds(intercept + slope * silence).get();
            let (error, bend) = (weight * (churned - risk), weight * risk * (1.0 - risk));
            gradient = [gradient[0] + error, gradient[1] + error * silence];
            curvature = [curvature[0] + bend, curvature[1] + bend * silence, curvature[2] + bend * silence * silence];
        }
        let determinant = curvature[0] * curvature[2] - curvature[1] * curvature[1];
        let step = [
            (curvature[2] * gradient[0] - curvature[1] * gradient[1]) / determinant,
            (curvature[0] * gradient[1] - curvature[1] * gradient[0]) / determinant,
        ];
        // Cut to a length that no step near the optimum has.
        let length = (2.0 / step[0].abs().max(step[1].abs())).min(1.0);
        intercept += length * step[0];
        slope += length * step[1];
    }
    (intercept, slope)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_rows_keep_the_slope_of_elsewhere_and_many_find_their_own() {
        let truth = |silence: f64| ChurnRisk::from_log_odds(2.0 * silence - 2.0).get();
        let rows = |each: u32| -> (Vec<f64>, Vec<bool>) {
            let values = (0..21).flat_map(|step| (0..each).map(move |part| (f64::from(step) / 10.0 - 1.0, part)));
            values.map(|(silence, part)| (silence, (f64::from(part) + 0.5) / f64::from(each) < truth(silence))).unzip()
        };
        let of = |(silence, churned): (Vec<f64>, Vec<bool>)| fit(&silence, &churned, 0.5);
        let (few, many) = (of(rows(1)), of(rows(4_000)));
        assert!((many.1 - 2.0).abs() < 0.02 && (many.0 + 2.0).abs() < 0.02, "{many:?}");
        assert!(few.1 < 0.9, "{few:?}");
        let none = fit(&[0.0; 40], &[false; 40], 0.5);
        assert!((none.1 - 0.5).abs() < 1e-9 && (ChurnRisk::from_log_odds(none.0).get() - 0.5 / 41.0).abs() < 1e-9, "{none:?}");
    }
}
