//! How good the risks are, on test rows only, beside the base rate and the rule of recency.
//!
//! Intervals come from a bootstrap over customers: rows of one customer are not independent. The
//! draws are seeded, so the same rows give the same intervals, and every contestant sees the same draws.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::snapshots::Row;
use crate::model::{Interval, Measured, TopShare};

/// Draws of the bootstrap. 200 give an end of a 95 % interval to about a tenth of its width.
const DRAWS: usize = 200;
const SEED: u64 = 0x00C0_FFEE;

/// Parts of the rows for which lift, precision and recall are given.
const TOP: [f64; 4] = [0.01, 0.05, 0.10, 0.20];

/// Groups of the calibration error.
const CALIBRATION_GROUPS: usize = 10;

/// A probability of 0 or 1 costs as much as this one would, as scikit-learn counts it.
const LOG_LOSS_FLOOR: f64 = 2.220_446_049_250_313e-16;

/// A test row and the risk it got.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    pub row: Row,
    pub risk: f64,
}

/// The model beside its baselines.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Evaluation {
    pub base_rate: f64,
    pub model: Measured,
    pub base_rate_rule: Measured,
    pub recency_rule: Measured,
    /// What the model has over the rule of recency: ROC AUC, PR AUC, and log loss (below 0 is better).
    pub gain: [Interval; 3],
}

/// Measures model, base rate and recency rule on the same rows and the same draws.
#[must_use]
pub(super) fn compare(scored: &[Scored], train_base_rate: f64, recency: &[f64]) -> Evaluation {
    let churned: Vec<bool> = scored.iter().map(|scored| scored.row.churned).collect();
    let groups = customers(scored);
    let model: Vec<f64> = scored.iter().map(|scored| scored.risk).collect();
    let contestants = [model, vec![train_base_rate; scored.len()], recency.to_vec()];
    let sorted: Vec<Sorted> = contestants.iter().map(|risks| Sorted::new(risks, &churned, &groups.of_row)).collect();
    let ones = vec![1.0; groups.number];
    let point: Vec<[f64; 4]> = sorted.iter().map(|sorted| sorted.figures(&ones)).collect();

    let mut draws: Vec<Vec<[f64; 4]>> = vec![Vec::with_capacity(DRAWS); sorted.len()];
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let mut weights = vec![0.0; groups.number];
    for _ in 0..DRAWS {
        weights.fill(0.0);
        for _ in 0..groups.number {
            weights[below(&mut random, groups.number)] += 1.0;
        }
        for (draws, sorted) in draws.iter_mut().zip(&sorted) {
            draws.push(sorted.figures(&weights));
        }
    }
    let interval = |value: f64, of: &dyn Fn(usize) -> f64| interval(value, (0..DRAWS).map(of).collect());
    let measured = |who: usize| {
        let figure = |which: usize| interval(point[who][which], &|draw| draws[who][draw][which]);
        let (calibration_error, top) = (calibration_error(&sorted[who]), top_shares(&sorted[who]));
        Measured { roc_auc: figure(0), pr_auc: figure(1), brier: figure(2), log_loss: figure(3), calibration_error, top }
    };
    let gain = |which: usize| interval(point[0][which] - point[2][which], &|draw| draws[0][draw][which] - draws[2][draw][which]);
    let churners = churned.iter().filter(|churned| **churned).count();
    Evaluation {
        base_rate: churners as f64 / churned.len().max(1) as f64,
        model: measured(0),
        base_rate_rule: measured(1),
        recency_rule: measured(2),
        gain: [gain(0), gain(1), gain(3)],
    }
}

/// Share of churners among the rows from a risk on (0 of none), and their part of all churners.
#[must_use]
pub(super) fn precision_and_recall(scored: &[Scored], from: f64) -> (f64, f64) {
    let churners = |least: f64| scored.iter().filter(|scored| scored.risk >= least && scored.row.churned).count() as f64;
    let rows = scored.iter().filter(|scored| scored.risk >= from).count();
    (churners(from) / rows.max(1) as f64, churners(0.0).max(1.0).recip() * churners(from))
}

/// Rows by customer, customers numbered in the order in which they come.
struct Customers {
    of_row: Vec<u32>,
    number: usize,
}

fn customers(scored: &[Scored]) -> Customers {
    let most = scored.iter().map(|scored| scored.row.customer.at() + 1).max().unwrap_or(0);
    let mut numbers = vec![u32::MAX; most];
    let mut number = 0;
    let of_row = scored.iter().map(|scored| {
        let slot = &mut numbers[scored.row.customer.at()];
        if *slot == u32::MAX {
            *slot = number;
            number += 1;
        }
        *slot
    });
    let of_row = of_row.collect();
    Customers { of_row, number: number as usize }
}

/// A number below `bound`, from the high half of a 64-bit product.
fn below(random: &mut ChaCha8Rng, bound: usize) -> usize {
    let product = u128::from(random.next_u64()) * bound as u128;
    usize::try_from(product >> 64).unwrap_or(0)
}

fn interval(value: f64, mut draws: Vec<f64>) -> Interval {
    draws.retain(|draw| draw.is_finite());
    draws.sort_by(f64::total_cmp);
    let at = |percent: usize| draws.get(draws.len().saturating_sub(1) * percent / 1000).copied().unwrap_or(value);
    Interval { value, low: at(25), high: at(975) }
}

/// What a risk costs where the subscription left, or did not.
#[must_use]
pub(super) fn log_loss(risk: f64, churned: bool) -> f64 {
    let risk = risk.clamp(LOG_LOSS_FLOOR, 1.0 - LOG_LOSS_FLOOR);
    if churned { -risk.ln() } else { -(-risk).ln_1p() }
}

/// Rows by falling risk, with what each draw needs of them.
struct Sorted {
    risk: Vec<f64>,
    churned: Vec<bool>,
    customer: Vec<u32>,
    log_loss: Vec<f64>,
}

impl Sorted {
    fn new(risks: &[f64], churned: &[bool], customer: &[u32]) -> Self {
        let mut order: Vec<u32> = (0..u32::try_from(risks.len()).unwrap_or(u32::MAX)).collect();
        // A stable sort: rows of equal risk keep their order by day and subscription.
        order.sort_by(|a, b| risks[*b as usize].total_cmp(&risks[*a as usize]));
        let pick = |at: &u32| *at as usize;
        Self {
            risk: order.iter().map(|at| risks[pick(at)]).collect(),
            churned: order.iter().map(|at| churned[pick(at)]).collect(),
            customer: order.iter().map(|at| customer[pick(at)]).collect(),
            log_loss: order.iter().map(|at| log_loss(risks[pick(at)], churned[pick(at)])).collect(),
        }
    }

    /// ROC AUC, PR AUC (average precision), Brier score and log loss, each row weighted by its
    /// customer's number of draws. Rows of equal risk count as one threshold. NaN without both classes.
    fn figures(&self, weights: &[f64]) -> [f64; 4] {
        let (mut hits, mut misses, mut pairs, mut precision_sum, mut brier, mut log_loss) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
        let mut from = 0;
        while from < self.risk.len() {
            let risk = self.risk[from];
            let (mut hit, mut miss) = (0.0, 0.0);
            while from < self.risk.len() && self.risk[from].total_cmp(&risk).is_eq() {
                let weight = weights[self.customer[from] as usize];
                let (error, gained) = if self.churned[from] { (1.0 - risk, &mut hit) } else { (risk, &mut miss) };
                *gained += weight;
                brier += weight * error * error;
                log_loss += weight * self.log_loss[from];
                from += 1;
            }
            pairs += miss * (hits + hit / 2.0);
            hits += hit;
            misses += miss;
            if hit > 0.0 {
                precision_sum += hit * hits / (hits + misses);
            }
        }
        let rows = hits + misses;
        [pairs / (hits * misses), precision_sum / hits, brier / rows, log_loss / rows]
    }
}

/// Mean absolute difference of mean risk and share of churners over ten equal groups by risk.
fn calibration_error(sorted: &Sorted) -> f64 {
    let rows = sorted.risk.len();
    let groups = (0..CALIBRATION_GROUPS).map(|group| group * rows / CALIBRATION_GROUPS..(group + 1) * rows / CALIBRATION_GROUPS);
    let differences = groups.map(|group| {
        let expected: f64 = sorted.risk[group.clone()].iter().sum();
        let actual = sorted.churned[group].iter().filter(|churned| **churned).count() as f64;
        (expected - actual).abs()
    });
    differences.sum::<f64>() / rows.max(1) as f64
}

fn top_shares(sorted: &Sorted) -> Vec<TopShare> {
    let (all, churners) = (sorted.churned.len(), sorted.churned.iter().filter(|churned| **churned).count());
    let base_rate = churners as f64 / all.max(1) as f64;
    let top = TOP.into_iter().map(|share| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length is between 0 and it")]
        let rows = ((share * all as f64).round() as usize).clamp(1, all.max(1)).min(all);
        let hits = sorted.churned[..rows].iter().filter(|churned| **churned).count() as f64;
        let precision = hits / rows.max(1) as f64;
        TopShare {
            share,
            rows: rows as u64,
            precision,
            recall: hits / churners.max(1) as f64,
            lift: precision / base_rate.max(f64::MIN_POSITIVE),
        }
    });
    top.collect()
}
