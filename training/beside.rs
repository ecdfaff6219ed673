//! One model beside another on the same rows: those that neither had learnt from.

use super::outcome::TrainError;
use super::snapshots::{self, Row, Snapshots};
use super::split;
use crate::features::Kernel;
use crate::model::{Against, ChurnModel, Labeller, LoadedModel, Outcome, cost_30_days, measure};
use crate::portfolio::Portfolio;
use crate::progress::{Progress, Unit};

/// Whether two models answer the same question at their first horizon.
fn is_comparable(one: &ChurnModel, other: &ChurnModel) -> bool {
    one.version() != other.version() && one.question() == other.question()
}

/// Holds two models side by side on every 14th day of a portfolio that neither had learnt from;
/// none where they answer other questions, or there are no such rows of both classes.
///
/// # Errors
/// Where the data are too short for a label.
pub fn hold_beside(
    portfolio: &Portfolio,
    one: &LoadedModel,
    other: &LoadedModel,
    progress: Progress,
) -> Result<Option<Against>, TrainError> {
    let (one, other) = (&one.model, &other.model);
    if !is_comparable(one, other) {
        return Ok(None);
    }
    let days = split::unseen_days(portfolio, one.question(), one.learnt_through().max(other.learnt_through()))?;
    let kernel = Kernel::new(portfolio, one.volume_scale());
    let labeller = Labeller::new(portfolio, &kernel, one.question());
    let rows = snapshots::take(&labeller, &days, &progress.stage("rows that neither had seen", days.len() as u64, Unit::Items));
    Ok(on_rows(&rows, &outcomes(portfolio, &rows.rows), (one, &risks(&rows, one)), other))
}

/// On those of some rows that the other had not learnt from. All of them must be new to the first,
/// whose risks of them come with it.
pub(super) fn on_rows(rows: &Snapshots<'_>, outcomes: &[Outcome], one: (&ChurnModel, &[f64]), other: &ChurnModel) -> Option<Against> {
    let (one, own) = one;
    let first = rows.rows.partition_point(|row| row.as_of <= other.learnt_through());
    let unseen = Snapshots { portfolio: rows.portfolio, rows: rows.rows[first..].to_vec(), counts: rows.counts.clone() };
    let churners = unseen.rows.iter().filter(|row| row.churned).count();
    if !is_comparable(one, other) || churners == 0 || churners == unseen.rows.len() {
        return None;
    }
    let measured = measure(&outcomes[first..], &[&own[first..], &risks(&unseen, other)]);
    Some(Against {
        version: other.version().to_owned(),
        rows: unseen.rows.len() as u64,
        churners: churners as u64,
        model: measured.of(0),
        other: measured.of(1),
        gain: measured.gain(0, 1),
    })
}

/// The risk of every row at the first horizon, with the model's own scale of volume.
pub(super) fn risks(rows: &Snapshots<'_>, model: &ChurnModel) -> Vec<f64> {
    let kernel = Kernel::new(rows.portfolio, model.volume_scale());
    let mut risks = vec![0.0; rows.rows.len()];
    rows.each(&kernel, |place, features| risks[place] = model.score(features).get());
    risks
}

/// What became of rows.
pub(super) fn outcomes(portfolio: &Portfolio, rows: &[Row]) -> Vec<Outcome> {
    let outcome = |row: &Row| Outcome {
        customer: row.customer,
        churned: row.churned,
        cost_30_days: cost_30_days(portfolio, row.subscription, row.as_of),
    };
    rows.iter().map(outcome).collect()
}
