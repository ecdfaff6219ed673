//! What a model says of one history, wherever it comes from: a portfolio or a request.
//!
//! Absent on purpose: a number for those of whom it would be a guess.

use super::{ChurnModel, Explanation, Factor, Outside, Standing, UnknownReason, YOUNGEST_DAYS};
use crate::domain::Day;
use crate::features::{AsOf, FeatureVector, FeedDays, History, VolumeScale};

/// Days before the as-of day over which gaps are counted.
const GAP_WINDOW_DAYS: i32 = 28;

/// A history to judge, and what it stands on.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    pub history: History<'a>,
    pub as_of: Day,
    pub feed: &'a FeedDays,
    /// Whether its rows have a cost that means something.
    pub has_cost: bool,
}

impl ChurnModel {
    /// Why a risk would be a guess; none where it would not.
    #[must_use]
    pub fn unknown(&self, case: &Case<'_>) -> Option<UnknownReason> {
        if *self.volume_scale() == VolumeScale::Cost && !case.has_cost {
            return Some(UnknownReason::NoCost);
        }
        let of_days = GAP_WINDOW_DAYS.unsigned_abs();
        let gap_days = of_days - case.feed.count(case.as_of - (GAP_WINDOW_DAYS - 1), case.as_of);
        if gap_days * 4 > of_days {
            return Some(UnknownReason::Gap { gap_days, of_days });
        }
        let days = u32::try_from(case.as_of - case.history.since(case.as_of)).unwrap_or(0);
        if days < YOUNGEST_DAYS {
            return Some(UnknownReason::TooYoung { days, least_days: YOUNGEST_DAYS });
        }
        match self.question().admits(&case.history, case.as_of) {
            Ok(()) => None,
            Err(Outside::Younger { days, least_days }) => Some(UnknownReason::TooYoung { days, least_days }),
            Err(Outside::NeverUsed) => Some(UnknownReason::NoUsageYet),
            Err(Outside::Silent { days, window_days }) => Some(UnknownReason::Silent { days, window_days }),
        }
    }

    /// The features of a history.
    ///
    /// # Errors
    /// Why a risk of it would be a guess.
    pub fn known(&self, kernel: &mut AsOf<'_>, case: &Case<'_>) -> Result<FeatureVector, UnknownReason> {
        match self.unknown(case) {
            Some(reason) => Err(reason),
            None => Ok(kernel.features(&case.history)),
        }
    }

    /// The standing at a horizon of a history of an active subscription, and the features that push
    /// its risk most: at most `most` of them, and none that push it not at all.
    pub fn judge(&self, kernel: &mut AsOf<'_>, case: &Case<'_>, head: usize, most: usize) -> (Standing, Vec<Factor>) {
        let features = match self.known(kernel, case) {
            Ok(features) => features,
            Err(reason) => return (Standing::Unknown { reason }, Vec::new()),
        };
        let (risk, factors) = self.strongest(&features, head, most);
        (Standing::Known { risk, level: self.level(head, risk) }, factors)
    }

    /// The standing at every horizon.
    pub fn judge_ahead(&self, kernel: &mut AsOf<'_>, case: &Case<'_>) -> Vec<Standing> {
        let risks = match self.known(kernel, case) {
            Ok(features) => self.risks(&features),
            Err(reason) => return vec![Standing::Unknown { reason }; self.heads().len()],
        };
        risks.into_iter().enumerate().map(|(head, risk)| Standing::Known { risk, level: self.level(head, risk) }).collect()
    }

    /// The standing of a history, with the whole of its risk taken apart where it has one.
    pub fn take_apart(&self, kernel: &mut AsOf<'_>, case: &Case<'_>, head: usize) -> (Standing, Option<Explanation>) {
        let explanation = match self.known(kernel, case) {
            Ok(features) => self.explain(&features, head),
            Err(reason) => return (Standing::Unknown { reason }, None),
        };
        let level = self.level(head, explanation.risk);
        (Standing::Known { risk: explanation.risk, level }, Some(explanation))
    }
}
