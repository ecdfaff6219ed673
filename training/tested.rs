//! The test rows under a model and what it has to beat, and what that comes to.

use super::beside;
use super::horizons::{FittedHorizon, Horizon};
use super::levels::Levels;
use super::sample::Sample;
use super::snapshots::{Row, Snapshots};
use crate::features::{FeatureVector, Kernel, catalogue};
use crate::model::{Against, ChurnModel, Curves, Evaluation, HorizonCard, LevelCard, Outcome, Segment, measure};
use crate::portfolio::Portfolio;

/// A test row and the risk it got at the first horizon.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    pub row: Row,
    pub risk: f64,
}

/// Every test row, scored.
#[derive(Debug)]
pub(super) struct Tested<'a> {
    portfolio: &'a Portfolio,
    rows: &'a [Row],
    outcomes: Vec<Outcome>,
    /// Volume a day over 28 days, which is what a segment calls size.
    size: Vec<f64>,
    /// The risks at each horizon: of the model, and of the two rules.
    by_horizon: Vec<Contestants>,
}

#[derive(Debug, Clone)]
struct Contestants {
    model: Vec<f64>,
    recency: Vec<f64>,
    three: Vec<f64>,
}

impl Contestants {
    fn of(rows: usize) -> Self {
        Self { model: vec![0.0; rows], recency: vec![0.0; rows], three: vec![0.0; rows] }
    }
}

impl<'a> Tested<'a> {
    /// Scores by the call that serves. Rows whose turn it is go into the sample.
    pub(super) fn score(
        test: &'a Snapshots<'a>,
        kernel: &Kernel,
        model: &ChurnModel,
        fitted: &[FittedHorizon],
        sample: &mut Sample,
    ) -> Self {
        const SIZE: usize = catalogue::index("volume_28");
        let portfolio = test.portfolio;
        let mut by_horizon = vec![Contestants::of(test.rows.len()); fitted.len()];
        let mut size = vec![0.0; test.rows.len()];
        test.each(kernel, |place, features: &FeatureVector| {
            let values = features.values();
            for ((contestants, risk), fitted) in by_horizon.iter_mut().zip(model.risks(features)).zip(fitted) {
                contestants.model[place] = risk.get();
                contestants.recency[place] = fitted.recency.risk(values);
                contestants.three[place] = fitted.three.risk(values);
            }
            size[place] = values[SIZE];
            sample.offer(place, test.rows[place], values);
        });
        Self { portfolio, rows: &test.rows, outcomes: beside::outcomes(portfolio, &test.rows), size, by_horizon }
    }

    /// Every row with its risk at the first horizon.
    pub(super) fn scored(&self) -> Vec<Scored> {
        let risks = self.by_horizon.first().map(|first| first.model.as_slice()).unwrap_or_default();
        self.rows.iter().zip(risks).map(|(row, risk)| Scored { row: *row, risk: *risk }).collect()
    }

    /// The model beside another one, on the rows that the other had not learnt from.
    pub(super) fn against(&self, test: &Snapshots<'_>, model: &ChurnModel, other: &ChurnModel) -> Option<Against> {
        beside::on_rows(test, &self.outcomes, (model, &self.by_horizon[0].model), other)
    }

    /// The card of one horizon.
    pub(super) fn card(&self, at: usize, horizon: &Horizon, levels: &Levels) -> HorizonCard {
        let (test, contestants) = (&horizon.test, &self.by_horizon[at]);
        let outcomes: Vec<Outcome> =
            test.places.iter().zip(&test.churned).map(|(place, churned)| Outcome { churned: *churned, ..self.outcomes[*place] }).collect();
        let pick = |risks: &[f64]| -> Vec<f64> { test.places.iter().map(|place| risks[*place]).collect() };
        let model = pick(&contestants.model);
        let base = vec![horizon.train.counts.base_rate(); model.len()];
        let measured = measure(&outcomes, &[&model, &base, &pick(&contestants.recency), &pick(&contestants.three)]);
        let (test_precision, test_recall) = precision_and_recall(&outcomes, &model, levels.cutoffs.high);
        HorizonCard {
            horizon_days: horizon.question.horizon_days,
            train: horizon.train.counts.clone(),
            test: test.counts.clone(),
            base_rate: measured.base_rate(),
            levels: LevelCard { test_precision, test_recall, ..levels.card() },
            evaluation: Some(Evaluation {
                model: measured.of(0),
                base_rate_rule: measured.of(1),
                recency_rule: measured.of(2),
                three_features: measured.of(3),
                gain_over_recency: measured.gain(0, 2),
                gain_over_three_features: measured.gain(0, 3),
                curves: Curves::of(&outcomes, &model),
            }),
        }
    }

    /// Rows by tenure, size and country, at the first horizon.
    pub(super) fn segments(&self) -> Vec<Segment> {
        super::segments::of(self.portfolio, self.rows, &self.size, &self.outcomes, &self.by_horizon[0].model)
    }
}

/// Share of churners among the rows from a risk on (0 of none), and their part of all churners.
fn precision_and_recall(rows: &[Outcome], risks: &[f64], from: f64) -> (f64, f64) {
    let churners = |least: f64| rows.iter().zip(risks).filter(|(row, risk)| **risk >= least && row.churned).count() as f64;
    let called = risks.iter().filter(|risk| **risk >= from).count();
    (churners(from) / called.max(1) as f64, churners(from) / churners(0.0).max(1.0))
}
