//! The rows of a part: every subscription that the question is about, on every as-of day.

use super::matrix::Matrix;
use crate::domain::Day;
use crate::features::{FEATURE_COUNT, FeatureVector, History, Kernel, Usual};
use crate::model::{Censored, Counts, Labelled, Labeller, PROBES_MAX, cluster};
use crate::portfolio::{CustomerIx, Portfolio, SubscriptionIx};
use crate::progress::Stage;

/// One labelled row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    pub subscription: SubscriptionIx,
    /// Whose rows go together: see [`cluster`].
    pub customer: CustomerIx,
    pub as_of: Day,
    pub churned: bool,
}

/// The as-of days of rows, ascending, each once.
#[must_use]
pub(super) fn as_of_days(rows: &[Row]) -> Vec<Day> {
    let mut days: Vec<Day> = rows.iter().map(|row| row.as_of).collect();
    days.sort_unstable();
    days.dedup();
    days
}

/// The rows of some as-of days, by day and then by subscription id.
#[derive(Debug, Clone)]
pub struct Snapshots<'a> {
    pub(super) portfolio: &'a Portfolio,
    pub rows: Vec<Row>,
    pub counts: Counts,
}

/// Takes the rows of `days`; each day advances `stage` by one.
#[must_use]
pub(super) fn take<'p>(labeller: &Labeller<'p, '_>, days: &[Day], stage: &Stage) -> Snapshots<'p> {
    let mut counts =
        Counts { as_of_days: days.len() as u64, first_as_of: days.first().copied(), last_as_of: days.last().copied(), ..Counts::default() };
    let mut rows = Vec::new();
    let mut seen = vec![false; labeller.portfolio.subscriptions().len()];
    for as_of in days.iter().copied() {
        for subscription in labeller.portfolio.subscription_indices().filter(|each| labeller.has_row(*each, as_of)) {
            let Some(churned) = count(&mut counts, labeller.label(subscription, as_of)) else { continue };
            seen[subscription.at()] = true;
            let customer = cluster(labeller.portfolio, subscription);
            rows.push(Row { subscription, customer, as_of, churned });
        }
        stage.advance(1);
    }
    counts.rows = rows.len() as u64;
    counts.subscriptions = seen.iter().filter(|seen| **seen).count() as u64;
    Snapshots { portfolio: labeller.portfolio, rows, counts }
}

/// Whether a row left, counted; none where it has no label.
pub(super) fn count(counts: &mut Counts, label: Labelled) -> Option<bool> {
    match label {
        Labelled::Stays => Some(false),
        Labelled::Leaves => {
            counts.churners += 1;
            Some(true)
        }
        Labelled::Migrates => {
            counts.migrations += 1;
            Some(false)
        }
        Labelled::Censored(why) => {
            *match why {
                Censored::Window => &mut counts.censored_window,
                Censored::Reason => &mut counts.censored_reason,
                Censored::Gaps => &mut counts.censored_gaps,
                Censored::Lead => &mut counts.censored_lead,
            } += 1;
            None
        }
    }
}

impl Snapshots<'_> {
    /// The features of every row, as the kernel gives them, with the memory for `room` more columns.
    #[must_use]
    pub fn matrix(&self, kernel: &Kernel, room: usize) -> Matrix {
        let mut matrix = Matrix::with_room(self.rows.len(), FEATURE_COUNT, room);
        self.each(kernel, |row, features| matrix.set_row(row, features.values()));
        matrix
    }

    /// Whether each row's subscription left.
    #[must_use]
    pub fn labels(&self) -> Vec<bool> {
        self.rows.iter().map(|row| row.churned).collect()
    }

    /// Evenly spaced rows for a model file to be tried on.
    #[must_use]
    pub fn probes(&self, kernel: &Kernel) -> Vec<FeatureVector> {
        let step = (self.rows.len() / PROBES_MAX).max(1);
        let some = Snapshots {
            portfolio: self.portfolio,
            rows: self.rows.iter().step_by(step).take(PROBES_MAX).copied().collect(),
            counts: Counts::default(),
        };
        let mut probes = Vec::with_capacity(PROBES_MAX);
        some.each(kernel, |_, features| probes.push(features.clone()));
        probes
    }

    /// Calls the kernel for every row, with its place: history after history, each of which is read
    /// once for all of its days.
    pub(super) fn each(&self, kernel: &Kernel, mut with: impl FnMut(usize, &FeatureVector)) {
        let days = as_of_days(&self.rows);
        let usual = Usual::of_days(kernel, self.portfolio, &days);
        let mut roll = kernel.roll(days.into_iter().zip(usual));
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        // A stable sort of runs that ascend already merges them.
        order.sort_by_key(|row| (self.rows[*row].subscription, self.rows[*row].as_of));
        for of_one in order.chunk_by(|a, b| self.rows[*a].subscription == self.rows[*b].subscription) {
            let mut left = of_one.iter().copied().peekable();
            let history = History::of(self.portfolio, self.rows[of_one[0]].subscription);
            roll.features(&history, |day| left.next_if(|row| self.rows[*row].as_of == day), &mut with);
        }
    }
}
