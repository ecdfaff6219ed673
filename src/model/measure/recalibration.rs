//! What does not depend on the order of the rows, summed by customer: Brier score, log loss,
//! expected churners, and the slope and intercept that would calibrate the risks.
//!
//! Slope and intercept are those of a logistic regression of what happened on the log-odds that
//! were told (Cox 1958): 1 and 0 of perfect risks; a slope below 1 is overconfidence. On a
//! draw they are one Newton step from those of all rows, which to first order is the same
//! (the one-step bootstrap) and needs no pass over the rows.

use super::draws::{Batch, LANES, Lanes};
use super::{LOG_LOSS_FLOOR, Outcome, log_loss};

/// Newton steps of the recalibration, at most.
const STEPS_MAX: usize = 50;

/// A step below this is the last.
const LAST_STEP: f64 = 1e-10;

/// Sums of one customer's rows.
#[derive(Debug, Clone, Copy, Default)]
struct Customer {
    brier: f64,
    log_loss: f64,
    expected: f64,
    /// Gradient and curvature of the recalibration's loss at all rows' optimum.
    normal: Normal,
}

/// Gradient and curvature of the loss in intercept and slope.
#[derive(Debug, Clone, Copy, Default)]
struct Normal {
    gradient: [f64; 2],
    curvature: [f64; 3],
}

/// All rows' sums by customer.
#[derive(Debug)]
pub(super) struct Sums {
    customers: Vec<Customer>,
    intercept: f64,
    slope: f64,
}

/// Sums under each draw.
#[derive(Debug, Clone, Default)]
pub(super) struct Drawn {
    pub(super) brier: Lanes,
    pub(super) log_loss: Lanes,
    pub(super) expected: Lanes,
    pub(super) intercept: Lanes,
    pub(super) slope: Lanes,
}

impl Sums {
    pub(super) fn of(rows: &[Outcome], risks: &[f64], customers: &[u32], number: usize) -> Self {
        let log_odds: Vec<f64> = risks.iter().map(|risk| logit(*risk)).collect();
        let told = log_odds.iter().copied().zip(rows.iter().map(|row| row.churned));
        let (intercept, slope) = recalibrate(&told).unwrap_or((f64::NAN, f64::NAN));
        let mut sums = vec![Customer::default(); number];
        for (((row, risk), log_odds), customer) in rows.iter().zip(risks).zip(&log_odds).zip(customers) {
            let sum = &mut sums[*customer as usize];
            let error = f64::from(u8::from(row.churned)) - risk;
            sum.brier += error * error;
            sum.log_loss += log_loss(*risk, row.churned);
            sum.expected += risk;
            sum.normal.add(*log_odds, row.churned, intercept, slope);
        }
        Self { customers: sums, intercept, slope }
    }

    /// Over all rows, in every lane.
    pub(super) fn whole(&self) -> Drawn {
        let mut drawn = self.drawn(&Batch::ones(self.customers.len()));
        (drawn.intercept, drawn.slope) = ([self.intercept; LANES], [self.slope; LANES]);
        drawn
    }

    pub(super) fn drawn(&self, batch: &Batch) -> Drawn {
        let mut drawn = Drawn::default();
        let mut normal = [Normal::default(); LANES];
        for (sum, times) in self.customers.iter().zip(batch.iter()) {
            for (lane, times) in times.into_iter().enumerate() {
                drawn.brier[lane] += times * sum.brier;
                drawn.log_loss[lane] += times * sum.log_loss;
                drawn.expected[lane] += times * sum.expected;
                normal[lane].add_times(&sum.normal, times);
            }
        }
        for (lane, normal) in normal.into_iter().enumerate() {
            let step = normal.step().unwrap_or([f64::NAN; 2]);
            drawn.intercept[lane] = self.intercept + step[0];
            drawn.slope[lane] = self.slope + step[1];
        }
        drawn
    }
}

/// The log-odds of a risk; those of 0 and 1 as those of [`LOG_LOSS_FLOOR`] from them.
pub(super) fn logit(risk: f64) -> f64 {
    let risk = risk.clamp(LOG_LOSS_FLOOR, 1.0 - LOG_LOSS_FLOOR);
    (risk / (1.0 - risk)).ln()
}

/// Intercept and slope that would calibrate log-odds, each with whether the row left (Platt 1999, without
/// his prior; Cox 1958); none where all log-odds are the same.
#[must_use]
pub fn recalibrate(rows: &(impl Iterator<Item = (f64, bool)> + Clone)) -> Option<(f64, f64)> {
    let (mut intercept, mut slope) = (0.0, 1.0);
    for _ in 0..STEPS_MAX {
        let mut normal = Normal::default();
        for (log_odds, churned) in rows.clone() {
            normal.add(log_odds, churned, intercept, slope);
        }
        let step = normal.step()?;
        // A long step may overshoot: it is cut to what the log-odds of a risk can move.
        let length = (4.0 / step[0].abs().max(step[1].abs())).min(1.0);
        intercept += length * step[0];
        slope += length * step[1];
        if step.iter().all(|step| step.abs() < LAST_STEP) {
            break;
        }
    }
    Some((intercept, slope))
}

impl Normal {
    fn add(&mut self, log_odds: f64, churned: bool, intercept: f64, slope: f64) {
        let risk = 1.0 / (1.0 + (-(intercept + slope * log_odds)).exp());
        let (error, weight) = (f64::from(u8::from(churned)) - risk, risk * (1.0 - risk));
        self.gradient[0] += error;
        self.gradient[1] += error * log_odds;
        self.curvature[0] += weight;
        self.curvature[1] += weight * log_odds;
        self.curvature[2] += weight * log_odds * log_odds;
    }

    fn add_times(&mut self, other: &Self, times: f64) {
        for (sum, each) in self.gradient.iter_mut().zip(other.gradient) {
            *sum += times * each;
        }
        for (sum, each) in self.curvature.iter_mut().zip(other.curvature) {
            *sum += times * each;
        }
    }

    /// Newton's step in intercept and slope; none where the log-odds do not differ.
    fn step(&self) -> Option<[f64; 2]> {
        let [whole, cross, square] = self.curvature;
        let determinant = whole * square - cross * cross;
        if determinant.is_nan() || determinant <= 1e-9 * whole * square {
            return None;
        }
        let [level, slope] = self.gradient;
        Some([(square * level - cross * slope) / determinant, (whole * slope - cross * level) / determinant])
    }
}
