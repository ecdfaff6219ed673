//! Fit and test repeated as of every month of the last year: would it have worked then, too?
//!
//! Each month's model is fitted on what was known before the month's first as-of day, by the same
//! transform, design and penalty, and measured on the rows of the month. Both come from an
//! evenly spaced sample of all rows, and the penalty is divided as the rows are.

use super::design;
use super::fit::FitError;
use super::rules::{RECENCY, Rule};
use super::sample::Sample;
use super::snapshots::{Row, as_of_days};
use super::transform;
use crate::domain::{Day, Micros};
use crate::model::{BacktestMonth, Outcome, measure};

/// Months that are looked at, the latest.
const MONTHS: usize = 12;

/// Fewest churners, and fewest others, to fit on and to measure on.
const FITTED_MIN: usize = 30;
const MEASURED_MIN: usize = 5;

/// The months, oldest first. A month with too few rows before it or in it is left out.
///
/// # Errors
/// Where a fit fails.
pub(super) fn run(sample: &Sample, alpha: f64, label_days: i32) -> Result<Vec<BacktestMonth>, FitError> {
    let days = as_of_days(&sample.rows);
    let mut firsts: Vec<Day> = days.chunk_by(|a, b| a.month_start() == b.month_start()).map(|month| month[0]).collect();
    firsts.drain(..firsts.len().saturating_sub(MONTHS));
    let mut months = Vec::with_capacity(firsts.len());
    for first in firsts {
        months.extend(month(sample, alpha / sample.every() as f64, label_days, first)?);
    }
    Ok(months)
}

fn month(sample: &Sample, alpha: f64, label_days: i32, first: Day) -> Result<Option<BacktestMonth>, FitError> {
    let places = |of: &dyn Fn(&Row) -> bool| -> Vec<usize> { (0..sample.rows.len()).filter(|at| of(&sample.rows[*at])).collect() };
    let before = places(&|row| row.as_of + label_days < first);
    let within = places(&|row| row.as_of >= first && row.as_of.month_start() == first.month_start());
    let enough = |places: &[usize], least: usize| {
        let churners = places.iter().filter(|place| sample.rows[**place].churned).count();
        churners >= least && places.len() - churners >= least
    };
    if !enough(&before, FITTED_MIN) || !enough(&within, MEASURED_MIN) {
        return Ok(None);
    }
    let rows: Vec<Row> = before.iter().map(|place| sample.rows[*place]).collect();
    let churned: Vec<bool> = rows.iter().map(|row| row.churned).collect();
    let mut x = sample.matrix(&before, design::ROOM);
    let columns = transform::fit(&x);
    transform::apply(&columns, &mut x);
    let rule = Rule::fit(&x, &churned, &columns, &[RECENCY])?;
    let Some(weights) = design::solve(&mut x, &rows, &churned, [alpha])?.pop() else { return Ok(None) };

    let mut out = sample.matrix(&within, 0);
    let by_recency: Vec<f64> = (0..out.rows()).map(|row| rule.risk(&out.row(row).collect::<Vec<f64>>())).collect();
    transform::apply(&columns, &mut out);
    let risks = out.risks(&weights.coefficients, weights.intercept);
    let outcome = |place: &usize| {
        let row = sample.rows[*place];
        Outcome { customer: row.customer, churned: row.churned, cost_30_days: Micros(0) }
    };
    let outcomes: Vec<Outcome> = within.iter().map(outcome).collect();
    let measured = measure(&outcomes, &[&risks, &by_recency]);
    let model = measured.of(0);
    Ok(Some(BacktestMonth {
        month: first,
        train_rows: before.len() as u64,
        rows: within.len() as u64,
        churners: outcomes.iter().filter(|row| row.churned).count() as u64,
        base_rate: measured.base_rate(),
        roc_auc: model.roc_auc,
        pr_auc: model.pr_auc,
        log_loss: model.log_loss,
        expected_to_actual: model.expected_to_actual,
        gain_over_recency: measured.gain(0, 1),
    }))
}
