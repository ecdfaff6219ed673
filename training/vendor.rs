//! The vendor's own level beside the model's risk: Microsoft tells one for each subscription
//! (`churnRisk`). It is compared here and is nowhere a feature.
//!
//! Absent on purpose: rows that the model had learnt from, since its figures would be flattered
//! there, and a level that is not dated.

use std::collections::BTreeMap;

use super::beside::{outcomes, risks};
use super::snapshots::{self, Row, Snapshots};
use crate::domain::{ChurnRisk, Level};
use crate::features::Kernel;
use crate::lake::VendorLevel;
use crate::model::{AgainstVendor, AtLevel, ChurnModel, Counts, Labeller, Outcome, VendorCounts, VendorFigures, cluster, measure};
use crate::portfolio::Portfolio;

/// The vendor's words in any case, with what each is as a score; high first. Only the order of the
/// scores matters.
const LEVELS: [(&str, Level, f64); 3] = [("high", Level::High, 0.75), ("medium", Level::Medium, 0.5), ("low", Level::Low, 0.25)];

/// A row, and what the vendor's word means.
type Told = (Row, Meaning);

/// A level and its score.
type Meaning = (Level, f64);

/// What a word means.
fn meaning(word: &str) -> Option<Meaning> {
    LEVELS.iter().find(|(known, ..)| word.trim().eq_ignore_ascii_case(known)).map(|(_, level, score)| (*level, *score))
}

/// Holds the vendor's levels beside the model's risks; none where the vendor told none.
#[must_use]
pub fn hold_beside_vendor(portfolio: &Portfolio, model: &ChurnModel, levels: &[VendorLevel]) -> Option<AgainstVendor> {
    if levels.is_empty() {
        return None;
    }
    let (mut counts, rows) = rows(portfolio, model, levels);
    let (rows, told): (Vec<Row>, Vec<Meaning>) = rows.into_iter().unzip();
    counts.rows = rows.len() as u64;
    counts.churners = rows.iter().filter(|row| row.churned).count() as u64;
    (counts.first_on, counts.last_on) = (rows.first().map(|row| row.as_of), rows.last().map(|row| row.as_of));
    let stayers = counts.rows - counts.churners;
    let is_enough = counts.rows >= AgainstVendor::ROWS_MIN && counts.churners.min(stayers) >= AgainstVendor::EACH_MIN;
    let figures = is_enough.then(|| {
        let outcomes = outcomes(portfolio, &rows);
        let risks = risks(&Snapshots { portfolio, rows, counts: Counts::default() }, model);
        figures(model, &outcomes, &risks, &told)
    });
    Some(AgainstVendor { counts, figures })
}

/// The rows that both spoke of, by day and then by subscription, each with the vendor's word.
fn rows(portfolio: &Portfolio, model: &ChurnModel, levels: &[VendorLevel]) -> (VendorCounts, Vec<Told>) {
    let kernel = Kernel::new(portfolio, model.volume_scale());
    let labeller = Labeller::new(portfolio, &kernel, model.question());
    let mut counts = VendorCounts {
        told: levels.len() as u64,
        unknown_words: BTreeMap::new(),
        learnt_from: 0,
        not_asked: 0,
        without_outcome: 0,
        rows: 0,
        churners: 0,
        first_on: None,
        last_on: None,
    };
    let mut rows = Vec::new();
    for VendorLevel { subscription_id, on, level } in levels {
        let Some(told) = meaning(level) else {
            *counts.unknown_words.entry(level.clone()).or_insert(0) += 1;
            continue;
        };
        if *on <= model.learnt_through() {
            counts.learnt_from += 1;
            continue;
        }
        let subscription = portfolio.find_subscription(subscription_id.as_str());
        let Some(subscription) = subscription.filter(|subscription| labeller.has_row(*subscription, *on)) else {
            counts.not_asked += 1;
            continue;
        };
        let Some(churned) = snapshots::count(&mut Counts::default(), labeller.label(subscription, *on)) else {
            counts.without_outcome += 1;
            continue;
        };
        rows.push((Row { subscription, customer: cluster(portfolio, subscription), as_of: *on, churned }, told));
    }
    rows.sort_by_key(|(row, _)| (row.as_of, row.subscription));
    (counts, rows)
}

fn figures(model: &ChurnModel, outcomes: &[Outcome], risks: &[f64], told: &[Meaning]) -> VendorFigures {
    let scores: Vec<f64> = told.iter().map(|(_, score)| *score).collect();
    let own = |risk: &f64| ChurnRisk::new(*risk).map_or(Level::Low, |risk| model.level(0, risk));
    let vendor_levels = by_level(outcomes, told.iter().map(|(level, _)| *level));
    let as_many = vendor_levels.first().map_or(0, |high| high.rows);
    let mut riskiest: Vec<usize> = (0..risks.len()).collect();
    // A stable sort: rows of equal risk keep their order by day and subscription.
    riskiest.sort_by(|one, other| risks[*other].total_cmp(&risks[*one]));
    let caught = riskiest.iter().zip(0..as_many).filter(|(row, _)| outcomes[**row].churned).count() as u64;
    let measured = measure(outcomes, &[risks, &scores]);
    VendorFigures {
        model_levels: by_level(outcomes, risks.iter().map(own)),
        vendor_levels,
        vendor_roc_auc: measured.of(1).roc_auc,
        model_roc_auc: measured.of(0).roc_auc,
        gain_roc_auc: measured.gain(0, 1).roc_auc,
        riskiest_as_many: AtLevel { level: Level::High, rows: as_many, churners: caught },
    }
}

/// Rows and churners at each level, high first.
fn by_level(outcomes: &[Outcome], levels: impl Iterator<Item = Level>) -> Vec<AtLevel> {
    let mut found: Vec<AtLevel> = LEVELS.iter().map(|(_, level, _)| AtLevel { level: *level, rows: 0, churners: 0 }).collect();
    for (outcome, level) in outcomes.iter().zip(levels) {
        for at in found.iter_mut().filter(|at| at.level == level) {
            at.rows += 1;
            at.churners += u64::from(outcome.churned);
        }
    }
    found
}
