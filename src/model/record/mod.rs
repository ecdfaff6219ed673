//! The live record: the risks that a model issued, held against what came true.
//!
//! The scores are taken as they were issued, and nothing is computed again. Those of one
//! subscription on two days that are close to each other are nearly the same row, so one scoring a
//! week is taken of each model, and a year of them.
//!
//! Absent on purpose: where scores are kept, and the model in service. A model is measured by its
//! own question, whether or not it still speaks.

mod feedback;
mod figures;

pub use feedback::{Disagreement, FeedbackRecord, HeldAgainst, Said, hold};
pub use figures::{HorizonRecord, MonthFigures, RecordEvaluation, RecordMonth};

use super::{Censored, Labelled, Labeller, LoadedModel, Outcome, Question, cost_30_days};
use crate::domain::{ChurnRisk, Day, HorizonDays, Micros};
use crate::features::Kernel;
use crate::model::cluster;
use crate::portfolio::{Portfolio, SubscriptionIx};

/// Most scorings of one model that are taken: a year of weeks. It bounds the time that reading takes.
pub const WEEKS_MAX: usize = 53;

/// Most rows of one horizon that are measured. It bounds the memory, to 14 MB a horizon, and the
/// time: the draws of the intervals take a second or two. Of more rows, those of every second,
/// fourth, ... subscription are measured; intervals are narrow by then.
pub const ROWS_MAX: usize = 500_000;

/// Subscriptions are counted in 32 bits, so that one alone is left by then.
const ONE_IN_MAX: u64 = 1 << 32;

/// The first scoring of each ISO week, of the newest [`WEEKS_MAX`] weeks that have one: places in
/// `as_of`, which ascends.
#[must_use]
pub fn weekly(as_of: &[Day]) -> Vec<usize> {
    let begins = |at: &usize| *at == 0 || as_of[*at].week_start() != as_of[at - 1].week_start();
    let mut first: Vec<usize> = (0..as_of.len()).filter(begins).collect();
    first.drain(..first.len().saturating_sub(WEEKS_MAX));
    first
}

/// One score of a scoring.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct IssuedRisk {
    /// None where the tables do not know the subscription any more.
    pub subscription: Option<SubscriptionIx>,
    pub horizon_days: HorizonDays,
    /// None where it would have been a guess.
    pub risk: Option<ChurnRisk>,
}

/// What is known of a score by the day up to which the data reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hindsight {
    /// The label will be known once the data reach this day.
    Pending(Day),
    /// By what is known since, it was not among those that the question is about.
    NotAsked,
    Known(Labelled),
}

/// What became of a subscription after an as-of day, as far as it is known.
#[must_use]
pub fn hindsight(labeller: &Labeller<'_, '_>, subscription: SubscriptionIx, as_of: Day) -> Hindsight {
    let matures_on = as_of + labeller.question.label_days();
    if labeller.portfolio.as_of().is_none_or(|data_end| data_end < matures_on) {
        return Hindsight::Pending(matures_on);
    }
    if !labeller.has_row(subscription, as_of) {
        return Hindsight::NotAsked;
    }
    Hindsight::Known(labeller.label(subscription, as_of))
}

/// The scorings of one model, as they are taken in.
#[derive(Debug)]
pub struct ModelRecord<'a> {
    portfolio: &'a Portfolio,
    loaded: &'a LoadedModel,
    kernel: Kernel,
    rows_max: usize,
    /// Ascending by horizon.
    horizons: Vec<Ahead>,
}

/// What came of one horizon so far.
#[derive(Debug)]
struct Ahead {
    question: Question,
    record: HorizonRecord,
    /// The rows that are measured, scoring by scoring.
    outcomes: Vec<Outcome>,
    risks: Vec<f64>,
    subscriptions: Vec<SubscriptionIx>,
    taken: Vec<Taken>,
}

/// The rows of one scoring that have a label.
#[derive(Debug, Clone, Copy)]
struct Taken {
    as_of: Day,
    rows: u64,
    churners: u64,
    expected_churners: f64,
    /// Those of them that are measured.
    measured: usize,
}

impl<'a> ModelRecord<'a> {
    #[must_use]
    pub fn new(portfolio: &'a Portfolio, loaded: &'a LoadedModel) -> Self {
        Self::bounded(portfolio, loaded, ROWS_MAX)
    }

    /// The same with another bound than [`ROWS_MAX`].
    #[must_use]
    pub fn bounded(portfolio: &'a Portfolio, loaded: &'a LoadedModel, rows_max: usize) -> Self {
        Self { portfolio, loaded, kernel: Kernel::new(portfolio, loaded.model.volume_scale()), rows_max, horizons: Vec::new() }
    }

    /// Takes one scoring in. Scorings come by ascending as-of day; the rows of a subscription
    /// come one after the other.
    ///
    /// # Errors
    /// The first error among the rows. What was taken before it stays.
    pub fn take<E>(&mut self, as_of: Day, rows: impl IntoIterator<Item = Result<IssuedRisk, E>>) -> Result<(), E> {
        let mut cost: Option<(SubscriptionIx, Micros)> = None;
        let is_seen = as_of < self.loaded.model.learnt_through();
        for row in rows {
            let row = row?;
            let place = self.horizon(row.horizon_days);
            let (portfolio, ahead) = (self.portfolio, &mut self.horizons[place]);
            ahead.counts(as_of);
            let Some(risk) = row.risk else {
                ahead.record.unknown += 1;
                continue;
            };
            let Some(subscription) = row.subscription else {
                ahead.record.not_in_tables += 1;
                continue;
            };
            if is_seen {
                ahead.record.seen_in_training += 1;
                continue;
            }
            let seen = hindsight(&Labeller::new(portfolio, &self.kernel, &ahead.question), subscription, as_of);
            if let Some(churned) = ahead.record.count(seen) {
                let known = cost.filter(|(of, _)| *of == subscription).map(|(_, cost)| cost);
                let cost_30_days = known.unwrap_or_else(|| cost_30_days(portfolio, subscription, as_of));
                cost = Some((subscription, cost_30_days));
                let outcome = Outcome { customer: cluster(portfolio, subscription), churned, cost_30_days };
                ahead.push(as_of, subscription, outcome, risk);
                while ahead.outcomes.len() > self.rows_max && ahead.record.one_in < ONE_IN_MAX {
                    ahead.thin();
                }
            }
        }
        Ok(())
    }

    fn horizon(&mut self, horizon_days: HorizonDays) -> usize {
        match self.horizons.binary_search_by_key(&horizon_days, |ahead| ahead.record.horizon_days) {
            Ok(place) => place,
            Err(place) => {
                let question = self.loaded.model.question().at(horizon_days);
                let record = HorizonRecord::empty(horizon_days);
                self.horizons.insert(place, Ahead::new(question, record));
                place
            }
        }
    }

    /// The figures of each horizon, the shortest first.
    #[must_use]
    pub fn finish(self) -> Vec<HorizonRecord> {
        let cards = &self.loaded.card.horizons;
        let measured = |ahead: Ahead| {
            let card = cards.iter().find(|card| card.horizon_days == ahead.record.horizon_days);
            let base_rate = card.filter(|card| card.train.rows > 0).map(|card| card.train.base_rate());
            ahead.measured(base_rate)
        };
        self.horizons.into_iter().map(measured).collect()
    }
}

impl Ahead {
    const fn new(question: Question, record: HorizonRecord) -> Self {
        Self { question, record, outcomes: Vec::new(), risks: Vec::new(), subscriptions: Vec::new(), taken: Vec::new() }
    }

    /// Counts a row of a scoring.
    fn counts(&mut self, as_of: Day) {
        let record = &mut self.record;
        record.rows += 1;
        if record.last_as_of != Some(as_of) {
            record.scorings += 1;
            record.first_as_of.get_or_insert(as_of);
            record.last_as_of = Some(as_of);
        }
    }

    fn push(&mut self, as_of: Day, subscription: SubscriptionIx, outcome: Outcome, risk: ChurnRisk) {
        if self.taken.last().is_none_or(|last| last.as_of != as_of) {
            self.taken.push(Taken { as_of, rows: 0, churners: 0, expected_churners: 0.0, measured: 0 });
        }
        let (record, cost) = (&mut self.record, outcome.cost_30_days.as_f64());
        record.expected_churners += risk.get();
        record.expected_cost += risk.get() * cost;
        if outcome.churned {
            record.actual_cost += cost;
        }
        let is_measured = is_one_in(record.one_in, subscription);
        if let Some(last) = self.taken.last_mut() {
            last.rows += 1;
            last.churners += u64::from(outcome.churned);
            last.expected_churners += risk.get();
            last.measured += usize::from(is_measured);
        }
        if is_measured {
            self.outcomes.push(outcome);
            self.risks.push(risk.get());
            self.subscriptions.push(subscription);
        }
    }

    /// Leaves out every second subscription of those that are measured.
    fn thin(&mut self) {
        self.record.one_in *= 2;
        let stays: Vec<bool> = self.subscriptions.iter().map(|subscription| is_one_in(self.record.one_in, *subscription)).collect();
        let mut from = 0;
        for taken in &mut self.taken {
            let rows = from..from + taken.measured;
            from = rows.end;
            taken.measured = stays[rows].iter().filter(|stays| **stays).count();
        }
        keep(&mut self.outcomes, &stays);
        keep(&mut self.risks, &stays);
        keep(&mut self.subscriptions, &stays);
    }
}

/// Whether a subscription is the first of so many, by the order of their ids.
const fn is_one_in(one_in: u64, subscription: SubscriptionIx) -> bool {
    (subscription.at() as u64).is_multiple_of(one_in)
}

fn keep<T>(rows: &mut Vec<T>, stays: &[bool]) {
    let mut stays = stays.iter();
    rows.retain(|_| stays.next().is_some_and(|stays| *stays));
}

impl HorizonRecord {
    /// Counts what is known of a row; whether it left, where it has a label.
    fn count(&mut self, seen: Hindsight) -> Option<bool> {
        let counter = match seen {
            Hindsight::Known(Labelled::Leaves) => {
                self.matured += 1;
                self.churners += 1;
                return Some(true);
            }
            Hindsight::Known(Labelled::Stays) => {
                self.matured += 1;
                return Some(false);
            }
            Hindsight::Known(Labelled::Migrates) => {
                self.matured += 1;
                self.migrations += 1;
                return Some(false);
            }
            Hindsight::Pending(on) => {
                self.next_matures_on = Some(self.next_matures_on.map_or(on, |next| next.min(on)));
                &mut self.pending
            }
            Hindsight::NotAsked => &mut self.not_asked,
            // The day on which the label is known was looked at before.
            Hindsight::Known(Labelled::Censored(Censored::Window)) => &mut self.pending,
            Hindsight::Known(Labelled::Censored(Censored::Reason)) => &mut self.censored_reason,
            Hindsight::Known(Labelled::Censored(Censored::Gaps)) => &mut self.censored_gaps,
            Hindsight::Known(Labelled::Censored(Censored::Lead)) => &mut self.censored_lead,
        };
        *counter += 1;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        Day::parse(text).expect("a day")
    }

    #[test]
    fn the_first_scoring_of_each_iso_week_is_taken() {
        // 2024-12-30 is the Monday of the week that ends on 2025-01-05.
        let days = ["2024-12-28", "2024-12-29", "2024-12-31", "2025-01-01", "2025-01-01", "2025-01-05", "2025-01-06"].map(day);
        assert_eq!(weekly(&days), [0, 2, 6]);
        assert_eq!(weekly(&[]), Vec::<usize>::new());
    }

    #[test]
    fn no_more_than_a_year_of_weeks_is_taken_and_those_are_the_newest() {
        let days: Vec<Day> = (0..60).map(|week| day("2024-01-01") + week * 7).collect();
        assert_eq!(weekly(&days), (7..60).collect::<Vec<_>>());
    }
}
