//! What people said of risks, held against what came true.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::super::Labelled;
use super::Hindsight;
use crate::domain::{Feedback, SeenOutcome, Verdict};

/// What somebody said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Said {
    Right,
    Wrong,
    Left,
    Stayed,
}

/// What is known of the risk that somebody spoke of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldAgainst {
    /// There is no label: no model spoke, it is not in the registry, or the tables do not hold the
    /// subscription.
    Nothing,
    Label {
        seen: Hindsight,
        /// Whether the risk had called the leaving: its level was medium or high. None where there was no risk.
        called: Option<bool>,
    },
}

/// Feedback, counted, and how often it agreed with the label once that was known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct FeedbackRecord {
    pub rows: u64,
    pub right: u64,
    pub wrong: u64,
    pub left: u64,
    pub stayed: u64,
    /// Rows whose label is known.
    pub matured: u64,
    /// Rows whose label is not known yet.
    pub pending: u64,
    /// Rows that have no label: no model spoke or it is not in the registry, the subscription was
    /// not among those that the question is about, or the row is censored.
    pub unlabelled: u64,
    /// Of the matured rows, those who said left or stayed and saw what the label says.
    pub outcome_agreed: u64,
    pub outcome_disagreed: u64,
    /// Of the matured rows, those who called a risk right that was borne out, or one wrong that
    /// was not. A risk is borne out where its level was medium or high and the subscription left, or
    /// low and it stayed.
    pub verdict_agreed: u64,
    pub verdict_disagreed: u64,
    /// What was said and did not come true, the most frequent first.
    pub disagreements: Vec<Disagreement>,
}

/// Feedback that the label speaks against.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Disagreement {
    pub said: Said,
    /// Whether the level of the risk was medium or high; null where there was no risk.
    pub called: Option<bool>,
    /// What the label says.
    #[schema(value_type = String, examples("stayed"))]
    pub became: SeenOutcome,
    pub rows: u64,
}

/// Holds feedback against what is known of each.
#[must_use]
pub fn hold<'f>(feedback: impl IntoIterator<Item = (&'f Feedback, HeldAgainst)>) -> FeedbackRecord {
    let mut record = FeedbackRecord::default();
    let mut against: BTreeMap<(Said, Option<bool>, bool), u64> = BTreeMap::new();
    for (given, held) in feedback {
        record.rows += 1;
        match given.verdict {
            Some(Verdict::Right) => record.right += 1,
            Some(Verdict::Wrong) => record.wrong += 1,
            None => {}
        }
        match given.outcome {
            Some(SeenOutcome::Left) => record.left += 1,
            Some(SeenOutcome::Stayed) => record.stayed += 1,
            None => {}
        }
        let (left, called) = match held {
            HeldAgainst::Label { seen: Hindsight::Known(Labelled::Leaves), called } => (true, called),
            HeldAgainst::Label { seen: Hindsight::Known(Labelled::Stays | Labelled::Migrates), called } => (false, called),
            HeldAgainst::Label { seen: Hindsight::Pending(_), .. } => {
                record.pending += 1;
                continue;
            }
            HeldAgainst::Nothing | HeldAgainst::Label { seen: Hindsight::NotAsked | Hindsight::Known(Labelled::Censored(_)), .. } => {
                record.unlabelled += 1;
                continue;
            }
        };
        record.matured += 1;
        if let Some(outcome) = given.outcome {
            let agrees = (outcome == SeenOutcome::Left) == left;
            *if agrees { &mut record.outcome_agreed } else { &mut record.outcome_disagreed } += 1;
            if !agrees {
                *against.entry((if left { Said::Stayed } else { Said::Left }, called, left)).or_default() += 1;
            }
        }
        if let (Some(verdict), Some(called_it)) = (given.verdict, called) {
            let agrees = (verdict == Verdict::Right) == (called_it == left);
            *if agrees { &mut record.verdict_agreed } else { &mut record.verdict_disagreed } += 1;
            if !agrees {
                *against.entry((if verdict == Verdict::Right { Said::Right } else { Said::Wrong }, called, left)).or_default() += 1;
            }
        }
    }
    let listed = against.into_iter().map(|((said, called, left), rows)| {
        let became = if left { SeenOutcome::Left } else { SeenOutcome::Stayed };
        Disagreement { said, called, became, rows }
    });
    record.disagreements = listed.collect();
    record.disagreements.sort_by_key(|one| std::cmp::Reverse(one.rows));
    record
}
