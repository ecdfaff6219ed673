//! How good risks are, once it is known who left: figures, each with a 95 % interval.
//!
//! Intervals come from a bootstrap over customers: rows of one customer are not independent. The
//! draws are seeded, so the same rows give the same intervals, and every contestant sees the same
//! draws, so that their differences have intervals too.
//!
//! Absent on purpose: where the risks come from. Training measures test rows by this, and the live
//! record measures the scores that were issued.

mod curves;
mod draws;
mod recalibration;
mod sorted;

pub use curves::{AtCutoff, Curves, RiskBar, RiskGroup};
pub use recalibration::recalibrate;

use super::card::{Gain, Interval, Measured, TopShare};
use crate::domain::{Micros, UNKNOWN_CUSTOMER};
use crate::portfolio::{CustomerIx, Portfolio, SubscriptionIx};
use draws::{Batch, DRAWS, Draws, LANES};
use recalibration::Sums;
use sorted::{Pass, Sorted};

/// Parts of the rows for which lift, precision and recall are given.
const TOP: [f64; 4] = [0.01, 0.05, 0.10, 0.20];

/// Equal groups by risk of the calibration error.
const CALIBRATION_GROUPS: usize = 10;

/// A probability of 0 or 1 costs as much as this one would, as scikit-learn counts it.
const LOG_LOSS_FLOOR: f64 = 2.220_446_049_250_313e-16;

/// What became of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Whose rows go together; see [`cluster`].
    pub customer: CustomerIx,
    pub churned: bool,
    /// What it cost in the 30 days that end on its as-of day.
    pub cost_30_days: Micros,
}

/// The figures of every contestant on the same rows, and on the same draws of them.
#[derive(Debug)]
pub struct Measurement {
    contestants: Vec<Contestant>,
    base_rate: f64,
    rows: usize,
    customers: usize,
    churners: f64,
    cost: f64,
}

/// One contestant: its figures on all rows, and on each draw.
#[derive(Debug)]
struct Contestant {
    point: Figures,
    draws: Vec<Figures>,
    expected: f64,
    expected_cost: f64,
    /// Rows in each of [`TOP`].
    top_rows: [usize; TOP.len()],
}

/// The figures of one contestant on one draw.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Figures {
    roc_auc: f64,
    pr_auc: f64,
    brier: f64,
    brier_skill: f64,
    log_loss: f64,
    slope: f64,
    intercept: f64,
    calibration_error: f64,
    expected_to_actual: f64,
    precision: [f64; TOP.len()],
    recall: [f64; TOP.len()],
    lift: [f64; TOP.len()],
}

/// Whose rows a subscription's go together with: its customer's, or its own where nobody knows the
/// customer. What is given for those is no customer of the portfolio.
#[must_use]
pub fn cluster(portfolio: &Portfolio, subscription: SubscriptionIx) -> CustomerIx {
    let customer = portfolio.subscription(subscription).customer;
    if portfolio.customer(customer).id == UNKNOWN_CUSTOMER {
        let customers = u32::try_from(portfolio.customers().len()).unwrap_or(u32::MAX);
        return CustomerIx(customers.saturating_add(subscription.0));
    }
    customer
}

/// What a risk costs where the subscription left, or did not.
#[must_use]
pub fn log_loss(risk: f64, churned: bool) -> f64 {
    let risk = risk.clamp(LOG_LOSS_FLOOR, 1.0 - LOG_LOSS_FLOOR);
    if churned { -risk.ln() } else { -(-risk).ln_1p() }
}

/// Measures contestants, each with a risk for every row.
#[must_use]
pub fn measure(rows: &[Outcome], contestants: &[&[f64]]) -> Measurement {
    let (customers, number) = by_customer(rows);
    let draws = Draws::new(number);
    let churners = rows.iter().filter(|row| row.churned).count() as f64;
    let contestants = contestants.iter().map(|risks| Contestant::of(rows, risks, &customers, &draws)).collect();
    let cost = rows.iter().filter(|row| row.churned).map(|row| row.cost_30_days.as_f64()).sum();
    Measurement { contestants, base_rate: churners / rows.len().max(1) as f64, rows: rows.len(), customers: number, churners, cost }
}

/// The number of each row's customer, in the order in which they come, and how many there are.
fn by_customer(rows: &[Outcome]) -> (Vec<u32>, usize) {
    let most = rows.iter().map(|row| row.customer.at() + 1).max().unwrap_or(0);
    let mut numbers = vec![u32::MAX; most];
    let mut number = 0_u32;
    let of_row = rows.iter().map(|row| {
        let slot = &mut numbers[row.customer.at()];
        if *slot == u32::MAX {
            *slot = number;
            number += 1;
        }
        *slot
    });
    let of_row = of_row.collect();
    (of_row, number as usize)
}

impl Contestant {
    fn of(rows: &[Outcome], risks: &[f64], customers: &[u32], draws: &Draws) -> Self {
        let sorted = Sorted::new(rows, risks, customers);
        let sums = Sums::of(rows, risks, customers, draws.customers());
        let bounds = sorted.bounds();
        let point = Figures::of(&sorted.pass(&Batch::ones(draws.customers()), &bounds), &sums.whole(), 0);
        let mut on_draws = Vec::with_capacity(DRAWS);
        for batch in draws.batches() {
            let (pass, sums) = (sorted.pass(batch, &bounds), sums.drawn(batch));
            on_draws.extend((0..LANES).map(|lane| Figures::of(&pass, &sums, lane)));
        }
        let expected_cost = rows.iter().zip(risks).map(|(row, risk)| row.cost_30_days.as_f64() * risk).sum();
        Self { point, draws: on_draws, expected: risks.iter().sum(), expected_cost, top_rows: bounds.top }
    }
}

impl Figures {
    fn of(pass: &Pass, sums: &recalibration::Drawn, lane: usize) -> Self {
        let (hits, misses) = (pass.hits[lane], pass.misses[lane]);
        let (rows, share) = (hits + misses, hits / (hits + misses));
        let brier = sums.brier[lane] / rows;
        let of_top = |top: usize| (pass.top[top].hits[lane], pass.top[top].rows[lane]);
        let precision: [f64; TOP.len()] = std::array::from_fn(|top| of_top(top).0 / of_top(top).1);
        let groups = pass.groups.iter().map(|group| (group.expected[lane] - group.hits[lane]).abs());
        Self {
            roc_auc: pass.pairs[lane] / (hits * misses),
            pr_auc: pass.precision[lane] / hits,
            brier,
            brier_skill: 1.0 - brier / (share * (1.0 - share)),
            log_loss: sums.log_loss[lane] / rows,
            slope: sums.slope[lane],
            intercept: sums.intercept[lane],
            calibration_error: groups.sum::<f64>() / rows,
            expected_to_actual: sums.expected[lane] / hits,
            precision,
            recall: std::array::from_fn(|top| of_top(top).0 / hits),
            lift: precision.map(|precision| precision / share),
        }
    }
}

impl Measurement {
    /// Share of those who left.
    #[must_use]
    pub const fn base_rate(&self) -> f64 {
        self.base_rate
    }

    /// How well a contestant did.
    #[must_use]
    pub fn of(&self, who: usize) -> Measured {
        let contestant = &self.contestants[who];
        let figure = |of: &dyn Fn(&Figures) -> f64| interval(of(&contestant.point), contestant.draws.iter().map(of).collect());
        let top = TOP.into_iter().enumerate().map(|(at, share)| TopShare {
            share,
            rows: contestant.top_rows[at] as u64,
            precision: figure(&|figures| figures.precision[at]),
            recall: figure(&|figures| figures.recall[at]),
            lift: figure(&|figures| figures.lift[at]),
        });
        Measured {
            rows: self.rows as u64,
            customers: self.customers as u64,
            roc_auc: figure(&|figures| figures.roc_auc),
            pr_auc: figure(&|figures| figures.pr_auc),
            brier: figure(&|figures| figures.brier),
            brier_skill: figure(&|figures| figures.brier_skill),
            log_loss: figure(&|figures| figures.log_loss),
            calibration_slope: figure(&|figures| figures.slope),
            calibration_intercept: figure(&|figures| figures.intercept),
            calibration_error: figure(&|figures| figures.calibration_error),
            expected_churners: contestant.expected,
            actual_churners: self.churners,
            expected_to_actual: figure(&|figures| figures.expected_to_actual),
            expected_cost: contestant.expected_cost,
            actual_cost: self.cost,
            top: top.collect(),
        }
    }

    /// What contestant `one` has over `other`, draw by draw.
    #[must_use]
    pub fn gain(&self, one: usize, other: usize) -> Gain {
        let (one, other) = (&self.contestants[one], &self.contestants[other]);
        let figure = |of: &dyn Fn(&Figures) -> f64| {
            let draws = one.draws.iter().zip(&other.draws).map(|(one, other)| of(one) - of(other));
            interval(of(&one.point) - of(&other.point), draws.collect())
        };
        Gain {
            roc_auc: figure(&|figures| figures.roc_auc),
            pr_auc: figure(&|figures| figures.pr_auc),
            brier: figure(&|figures| figures.brier),
            log_loss: figure(&|figures| figures.log_loss),
        }
    }
}

/// A figure that has no value, such as the slope of a rule that gives everyone the same risk, is 0
/// with an interval of no width.
fn interval(value: f64, mut draws: Vec<f64>) -> Interval {
    let value = if value.is_finite() { value } else { 0.0 };
    draws.retain(|draw| draw.is_finite());
    draws.sort_by(f64::total_cmp);
    let at = |per_mille: usize| draws.get(draws.len().saturating_sub(1) * per_mille / 1000).copied().unwrap_or(value);
    Interval { value, low: at(25), high: at(975) }
}

#[cfg(test)]
mod tests;
