//! Cut-offs of the levels: from which risk on a subscription is `high` or `medium`.

use crate::model::{Cutoffs, LevelCard};

/// The precision that `high` is asked to have: every second one leaves.
const PRECISION: f64 = 0.5;

/// Where leaving is so rare that no large enough group reaches that precision, `high` is asked
/// for this many times the base rate.
const LIFT: f64 = 3.0;

/// Least rows in `high`: a precision over fewer is chance.
const ROWS_MIN: usize = 30;

/// The cut-offs, and what `high` holds on the training rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Levels {
    pub cutoffs: Cutoffs,
    /// The precision asked for.
    pub stated_precision: f64,
    pub precision: f64,
    /// Part of all churners that `high` holds.
    pub recall: f64,
}

impl Levels {
    /// What a card tells of them before test rows were looked at.
    pub(super) fn card(&self) -> LevelCard {
        LevelCard {
            medium_from: self.cutoffs.medium,
            high_from: self.cutoffs.high,
            stated_precision: self.stated_precision,
            train_precision: self.precision,
            train_recall: self.recall,
            test_precision: 0.0,
            test_recall: 0.0,
        }
    }
}

/// Chooses on the training rows: `high` is the largest group of the riskiest rows whose share of
/// churners reaches the stated precision; `medium` begins at the base rate. Where no group
/// reaches it, `high` begins at the risk of the riskiest hundredth.
#[must_use]
pub(super) fn choose(risks: &[f64], churned: &[bool]) -> Levels {
    let churners = churned.iter().filter(|churned| **churned).count();
    let base_rate = churners as f64 / churned.len().max(1) as f64;
    let mut order: Vec<(f64, bool)> = risks.iter().copied().zip(churned.iter().copied()).collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0));
    let largest = |precision: f64| {
        let mut hit = 0_usize;
        let mut found = None;
        for (at, (risk, churned)) in order.iter().enumerate() {
            hit += usize::from(*churned);
            let ends_tie = order.get(at + 1).is_none_or(|next| next.0 < *risk);
            if ends_tie && at + 1 >= ROWS_MIN && hit as f64 >= precision * (at + 1) as f64 {
                found = Some((*risk, hit, at + 1));
            }
        }
        found
    };
    let by_lift = (LIFT * base_rate).min(PRECISION);
    let (stated_precision, found) = match largest(PRECISION.max(base_rate)) {
        Some(found) => (PRECISION.max(base_rate), Some(found)),
        None => (by_lift, largest(by_lift)),
    };
    let (high, hit, rows) = found.unwrap_or_else(|| {
        let rows = (order.len() / 100).max(1).min(order.len());
        let hit = order[..rows].iter().filter(|(_, churned)| *churned).count();
        (order.get(rows.saturating_sub(1)).map_or(1.0, |row| row.0), hit, rows)
    });
    let medium = base_rate.min(high);
    Levels {
        cutoffs: Cutoffs { medium, high },
        stated_precision,
        precision: hit as f64 / rows.max(1) as f64,
        recall: hit as f64 / churners.max(1) as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn high_is_the_largest_group_that_reaches_the_stated_precision() {
        let risks: Vec<f64> = (0..200).map(|at| f64::from(at) / 200.0).collect();
        let churned: Vec<bool> = (0..200).map(|at| at >= 160).collect();
        let levels = choose(&risks, &churned);
        assert_eq!((levels.cutoffs.high, levels.precision, levels.recall), (0.6, 0.5, 1.0));
        assert!((levels.cutoffs.medium - 0.2).abs() < 1e-12);
    }

    #[test]
    fn rare_churn_is_high_by_its_lift() {
        let risks: Vec<f64> = (0..2000).map(|at| f64::from(at) / 2000.0).collect();
        let churned: Vec<bool> = (0..2000).map(|at| at % 10 == 0 && at >= 1600).collect();
        let levels = choose(&risks, &churned);
        assert!((levels.stated_precision - 0.06).abs() < 1e-12 && levels.recall > 0.99);
    }
}
