//! Curves of one contestant: what a report draws, thinned to what an eye can tell apart.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::sorted::Sorted;
use super::{CALIBRATION_GROUPS as GROUPS, Outcome, by_customer};

/// Cut-offs among the riskiest tenth of the rows, and among the others.
const CUTOFFS: usize = 100;

/// Bars of the histogram.
const BARS: usize = 20;

/// Who would be called from a risk on, and what that would come to. ROC, precision-recall, gain
/// and lift follow from these.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AtCutoff {
    pub risk: f64,
    /// Rows of at least that risk.
    pub called: u64,
    /// Those of them that left.
    pub caught: u64,
    /// Their cost of the 30 days before the as-of day.
    pub cost_caught: f64,
}

/// Rows of similar risk.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RiskGroup {
    pub rows: u64,
    pub mean_risk: f64,
    pub churners: u64,
}

/// Rows whose risk is from `from` to below `to`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RiskBar {
    pub from: f64,
    pub to: f64,
    pub stayed: u64,
    pub left: u64,
}

/// The curves of one contestant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Curves {
    /// By falling risk.
    pub cutoffs: Vec<AtCutoff>,
    /// Ten equal groups, by falling risk.
    pub calibration: Vec<RiskGroup>,
    pub histogram: Vec<RiskBar>,
}

impl Curves {
    /// The curves of risks over rows.
    #[must_use]
    pub fn of(rows: &[Outcome], risks: &[f64]) -> Self {
        let (customers, _) = by_customer(rows);
        let sorted = Sorted::new(rows, risks, &customers);
        Self { cutoffs: cutoffs(rows, risks, &sorted), calibration: groups(&sorted), histogram: histogram(&sorted) }
    }
}

fn cutoffs(rows: &[Outcome], risks: &[f64], sorted: &Sorted) -> Vec<AtCutoff> {
    let all = sorted.risk.len();
    let tenth = all.div_ceil(10);
    let fine = (1..=CUTOFFS).map(|part| part * tenth / CUTOFFS);
    let coarse = (1..=CUTOFFS).map(|part| tenth + part * (all - tenth) / CUTOFFS);
    let mut wanted: Vec<usize> = fine.chain(coarse).filter(|called| *called > 0).collect();
    wanted.dedup();
    // Costs by falling risk, in the order of `sorted`: a stable sort of the same risks.
    let mut order: Vec<usize> = (0..all).collect();
    order.sort_by(|a, b| risks[*b].total_cmp(&risks[*a]));
    let (mut found, mut caught, mut cost, mut next) = (Vec::with_capacity(wanted.len()), 0, 0.0, 0);
    for (at, row) in order.into_iter().enumerate() {
        if sorted.churned[at] {
            caught += 1;
            cost += rows[row].cost_30_days.as_f64();
        }
        // Rows of equal risk are called together or not at all.
        if wanted.get(next).is_some_and(|called| *called <= at + 1) && sorted.ends_tie(at) {
            found.push(AtCutoff { risk: sorted.risk[at], called: at as u64 + 1, caught, cost_caught: cost });
            while wanted.get(next).is_some_and(|called| *called <= at + 1) {
                next += 1;
            }
        }
    }
    found
}

fn groups(sorted: &Sorted) -> Vec<RiskGroup> {
    let all = sorted.risk.len();
    let ranges = (0..GROUPS).map(|group| group * all / GROUPS..(group + 1) * all / GROUPS).filter(|range| !range.is_empty());
    let group = |range: std::ops::Range<usize>| RiskGroup {
        rows: range.len() as u64,
        mean_risk: sorted.risk[range.clone()].iter().sum::<f64>() / range.len() as f64,
        churners: sorted.churned[range].iter().filter(|churned| **churned).count() as u64,
    };
    ranges.map(group).collect()
}

fn histogram(sorted: &Sorted) -> Vec<RiskBar> {
    let edge = |bar: usize| bar as f64 / BARS as f64;
    let mut bars: Vec<RiskBar> = (0..BARS).map(|bar| RiskBar { from: edge(bar), to: edge(bar + 1), stayed: 0, left: 0 }).collect();
    for (risk, churned) in sorted.risk.iter().zip(&sorted.churned) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a risk is between 0 and 1")]
        let bar = &mut bars[((risk * BARS as f64) as usize).min(BARS - 1)];
        *if *churned { &mut bar.left } else { &mut bar.stayed } += 1;
    }
    bars
}
