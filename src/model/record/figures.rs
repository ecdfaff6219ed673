//! What the live record says of one horizon of one model.

use serde::Serialize;
use utoipa::ToSchema;

use super::super::{Curves, Gain, Interval, Measured, Measurement, Outcome, RiskGroup, measure};
use super::{Ahead, Taken};
use crate::domain::{Day, HorizonDays};

/// The scores of one horizon as they were issued, and what came of them. Every row is counted
/// once: `rows` is the sum of `unknown`, `not_in_tables`, `seen_in_training`, `pending`, `not_asked`,
/// the three `censored_` counts and `matured`.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct HorizonRecord {
    pub horizon_days: HorizonDays,
    /// Scorings that were taken: at most one a week, and 53.
    pub scorings: u64,
    pub first_as_of: Option<Day>,
    pub last_as_of: Option<Day>,
    pub rows: u64,
    /// Rows without a risk, because it would have been a guess.
    pub unknown: u64,
    /// Rows of subscriptions that the tables do not hold any more.
    pub not_in_tables: u64,
    /// Rows on days before the last that the model learnt from: their scores are no forecasts.
    pub seen_in_training: u64,
    /// Rows whose label is not known yet.
    pub pending: u64,
    /// The as-of day of the tables with which the next of these are known; null where none is pending.
    pub next_matures_on: Option<Day>,
    /// Rows that by what is known since were not among those that the question is about, such as
    /// an end that was recorded late.
    pub not_asked: u64,
    /// Rows left out because the subscription ended for a reason that is no churn.
    pub censored_reason: u64,
    /// Rows left out because more than a quarter of the label window is feed gaps.
    pub censored_gaps: u64,
    /// Rows left out because the subscription left in the lead days, before the label window.
    pub censored_lead: u64,
    /// Rows with a label: these are measured.
    pub matured: u64,
    pub churners: u64,
    /// Rows that count as staying because another subscription of the customer took over.
    pub migrations: u64,
    /// The sum of the risks of the matured rows.
    pub expected_churners: f64,
    /// The sum of risk times the cost of the 30 days before, and the cost of those who left.
    pub expected_cost: f64,
    pub actual_cost: f64,
    /// 1 where every matured row is measured. Of more than 500,000 rows, those of every second, fourth, ...
    /// subscription are; the counts and sums beside the figures are always of all.
    pub one_in: u64,
    /// Null where the rows that are measured do not hold both those who left and those who stayed.
    pub evaluation: Option<RecordEvaluation>,
    /// The matured rows by the month of their as-of day.
    pub months: Vec<RecordMonth>,
}

/// How good the risks were.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RecordEvaluation {
    pub model: Measured,
    /// Every row gets the share of churners that the model was trained on; null where its card
    /// does not tell that.
    pub base_rate_rule: Option<Measured>,
    /// The model's figures less that rule's.
    pub gain_over_base_rate: Option<Gain>,
    /// Ten equal groups, by falling risk.
    pub calibration: Vec<RiskGroup>,
}

/// The matured rows whose as-of day lies in one month.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RecordMonth {
    /// The first day of the month.
    pub month: Day,
    pub scorings: u64,
    pub rows: u64,
    pub churners: u64,
    /// The sum of the risks.
    pub expected_churners: f64,
    /// Of the rows that are measured. Null where they do not hold both those who left and those who stayed.
    pub figures: Option<MonthFigures>,
}

/// How good the risks of a month were.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct MonthFigures {
    pub roc_auc: Interval,
    pub pr_auc: Interval,
    pub brier: Interval,
    pub log_loss: Interval,
    pub expected_to_actual: Interval,
}

impl HorizonRecord {
    pub(super) fn empty(horizon_days: HorizonDays) -> Self {
        Self {
            horizon_days,
            scorings: 0,
            first_as_of: None,
            last_as_of: None,
            rows: 0,
            unknown: 0,
            not_in_tables: 0,
            seen_in_training: 0,
            pending: 0,
            next_matures_on: None,
            not_asked: 0,
            censored_reason: 0,
            censored_gaps: 0,
            censored_lead: 0,
            matured: 0,
            churners: 0,
            migrations: 0,
            expected_churners: 0.0,
            expected_cost: 0.0,
            actual_cost: 0.0,
            one_in: 1,
            evaluation: None,
            months: Vec::new(),
        }
    }
}

impl Ahead {
    /// The figures, beside a rule that gives everybody `base_rate`.
    pub(super) fn measured(self, base_rate: Option<f64>) -> HorizonRecord {
        let months = self.months();
        let Self { mut record, outcomes, risks, .. } = self;
        record.months = months;
        if has_both(&outcomes) {
            let rule = base_rate.map(|rate| vec![rate; outcomes.len()]);
            let contestants: Vec<&[f64]> = [Some(&risks), rule.as_ref()].into_iter().flatten().map(Vec::as_slice).collect();
            let measurement = measure(&outcomes, &contestants);
            record.evaluation = Some(RecordEvaluation {
                model: measurement.of(0),
                base_rate_rule: rule.as_ref().map(|_| measurement.of(1)),
                gain_over_base_rate: rule.as_ref().map(|_| measurement.gain(0, 1)),
                calibration: Curves::of(&outcomes, &risks).calibration,
            });
        }
        record
    }

    fn months(&self) -> Vec<RecordMonth> {
        let mut from = 0;
        let mut of_month = |scorings: &[Taken]| {
            let rows = from..from + scorings.iter().map(|taken| taken.measured).sum::<usize>();
            from = rows.end;
            let (outcomes, risks) = (&self.outcomes[rows.clone()], &self.risks[rows]);
            let month = scorings.first()?.as_of.month_start();
            Some(RecordMonth {
                month,
                scorings: scorings.len() as u64,
                rows: scorings.iter().map(|taken| taken.rows).sum(),
                churners: scorings.iter().map(|taken| taken.churners).sum(),
                expected_churners: scorings.iter().map(|taken| taken.expected_churners).sum(),
                figures: has_both(outcomes).then(|| MonthFigures::of(&measure(outcomes, &[risks]))),
            })
        };
        self.taken.chunk_by(|one, next| one.as_of.month_start() == next.as_of.month_start()).filter_map(&mut of_month).collect()
    }
}

impl MonthFigures {
    fn of(measurement: &Measurement) -> Self {
        let Measured { roc_auc, pr_auc, brier, log_loss, expected_to_actual, .. } = measurement.of(0);
        Self { roc_auc, pr_auc, brier, log_loss, expected_to_actual }
    }
}

/// Most figures have no value where nobody left, or everybody did.
fn has_both(outcomes: &[Outcome]) -> bool {
    outcomes.iter().any(|outcome| outcome.churned) && outcomes.iter().any(|outcome| !outcome.churned)
}
