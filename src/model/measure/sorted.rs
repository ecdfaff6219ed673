//! Rows by falling risk, and one pass over them for everything that depends on their order.

use super::draws::{Batch, LANES, Lanes};
use super::{CALIBRATION_GROUPS, Outcome, TOP};

/// Rows by falling risk.
#[derive(Debug)]
pub(super) struct Sorted {
    pub(super) risk: Vec<f64>,
    pub(super) churned: Vec<bool>,
    pub(super) customer: Vec<u32>,
}

/// Where groups and top parts end, in rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) top: [usize; TOP.len()],
    groups: [usize; CALIBRATION_GROUPS],
}

/// A part of the rows under each draw.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Part {
    pub(super) rows: Lanes,
    pub(super) hits: Lanes,
    pub(super) expected: Lanes,
}

/// What one pass finds under each draw.
#[derive(Debug, Clone, Default)]
pub(super) struct Pass {
    /// Weight of those who left, and of the others.
    pub(super) hits: Lanes,
    pub(super) misses: Lanes,
    /// Pairs of one who left and one who did not, in the right order; ties count half.
    pub(super) pairs: Lanes,
    /// Sum of the precision at every one who left.
    pub(super) precision: Lanes,
    pub(super) groups: [Part; CALIBRATION_GROUPS],
    /// From the first row on.
    pub(super) top: [Part; TOP.len()],
}

impl Sorted {
    pub(super) fn new(rows: &[Outcome], risks: &[f64], customer: &[u32]) -> Self {
        let mut order: Vec<u32> = (0..u32::try_from(risks.len()).unwrap_or(u32::MAX)).collect();
        // A stable sort: rows of equal risk keep their order by day and subscription.
        order.sort_by(|a, b| risks[*b as usize].total_cmp(&risks[*a as usize]));
        Self {
            risk: order.iter().map(|at| risks[*at as usize]).collect(),
            churned: order.iter().map(|at| rows[*at as usize].churned).collect(),
            customer: order.iter().map(|at| customer[*at as usize]).collect(),
        }
    }

    pub(super) fn bounds(&self) -> Bounds {
        let rows = self.risk.len();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length is between 0 and it")]
        let part = |share: f64| ((share * rows as f64).round() as usize).clamp(1, rows.max(1)).min(rows);
        Bounds { top: TOP.map(part), groups: std::array::from_fn(|group| (group + 1) * rows / CALIBRATION_GROUPS) }
    }

    /// Whether the row at `at` is the last of its risk.
    pub(super) fn ends_tie(&self, at: usize) -> bool {
        self.risk.get(at + 1).is_none_or(|next| next.total_cmp(&self.risk[at]).is_ne())
    }

    /// Rows of equal risk count as one threshold.
    pub(super) fn pass(&self, batch: &Batch, bounds: &Bounds) -> Pass {
        let mut pass = Pass::default();
        let (mut hit, mut miss) = ([0.0; LANES], [0.0; LANES]);
        let mut group = Part::default();
        let (mut group_at, mut top_at) = (0, 0);
        for at in 0..self.risk.len() {
            while group_at < CALIBRATION_GROUPS && at == bounds.groups[group_at] {
                pass.groups[group_at] = std::mem::take(&mut group);
                group_at += 1;
            }
            let (risk, weight) = (self.risk[at], batch.of(self.customer[at]));
            if self.churned[at] {
                add(&mut hit, &weight);
                add(&mut group.hits, &weight);
            } else {
                add(&mut miss, &weight);
            }
            for (sum, weight) in group.expected.iter_mut().zip(weight) {
                *sum += weight * risk;
            }
            while top_at < TOP.len() && at + 1 == bounds.top[top_at] {
                let hits: Lanes = std::array::from_fn(|lane| pass.hits[lane] + hit[lane]);
                let rows = std::array::from_fn(|lane| hits[lane] + pass.misses[lane] + miss[lane]);
                pass.top[top_at] = Part { rows, hits, expected: [0.0; LANES] };
                top_at += 1;
            }
            if self.ends_tie(at) {
                pass.end_tie(&mut hit, &mut miss);
            }
        }
        for last in &mut pass.groups[group_at..] {
            *last = std::mem::take(&mut group);
        }
        pass
    }
}

impl Pass {
    fn end_tie(&mut self, hit: &mut Lanes, miss: &mut Lanes) {
        for (lane, (hit, miss)) in hit.iter().zip(miss.iter()).enumerate() {
            self.pairs[lane] += miss * (self.hits[lane] + hit / 2.0);
            self.hits[lane] += hit;
            self.misses[lane] += miss;
        }
        if hit.iter().any(|hit| *hit > 0.0) {
            for (lane, hit) in hit.iter().enumerate() {
                let rows = self.hits[lane] + self.misses[lane];
                if rows > 0.0 {
                    self.precision[lane] += hit * self.hits[lane] / rows;
                }
            }
            *hit = [0.0; LANES];
        }
        *miss = [0.0; LANES];
    }
}

fn add(sums: &mut Lanes, weights: &Lanes) {
    for (sum, weight) in sums.iter_mut().zip(weights) {
        *sum += weight;
    }
}
