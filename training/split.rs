//! Which as-of days are trained on, and which are tested on: a split by time with a purge.
//!
//! Absent on purpose: a split by chance. Rows of one subscription on neighbouring days are
//! nearly the same row.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::outcome::TrainRequest;
use crate::domain::{Day, DayError, HorizonDays};
use crate::model::Question;
use crate::portfolio::Portfolio;

/// Days between snapshots where the days are chosen here (MODEL.md, Rows).
const STEP_DAYS: i32 = 14;

/// Days of history before the first snapshot that is chosen here: the longest window.
const HISTORY_DAYS: i32 = 84;

/// Most as-of days in one range: a day each for 30 years. A larger number is a typing error.
const RANGE_DAYS_MAX: i32 = 10_958;

/// Why days cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DaysError {
    #[error("`{0}` is no range like 2025-01-01..2025-06-30/14")]
    Malformed(String),
    #[error("`{text}`: {source}")]
    Day { text: String, source: DayError },
    #[error("the range `{0}` ends before it begins, or spans more than 30 years")]
    Length(String),
    #[error("the label of the training day {train} is known on {known}, and the first test day {test} must come after that")]
    Overlap { train: Day, known: Day, test: Day },
    #[error(
        "the models learnt from what happened up to {learnt}, and the last day whose label is known is {last}: import later usage first"
    )]
    NoneUnseen { learnt: Day, last: Day },
    #[error(
        "too little to train on: {days} days of usage (at least {minimum}: {HISTORY_DAYS} of history, \
         and a training and a test label of {label_days} days that do not overlap)"
    )]
    TooShort { days: i32, minimum: i32, label_days: i32 },
    #[error("no as-of days to train or to test on")]
    NoDays,
}

/// `FROM..TO/STEP`: every STEP-th day from FROM on, up to and including TO.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayRange {
    from: Day,
    to: Day,
    step: i32,
}

impl DayRange {
    /// The days, ascending; at least one.
    #[must_use]
    pub fn days(self) -> Vec<Day> {
        (0..=(self.to - self.from) / self.step).map(|number| self.from + number * self.step).collect()
    }
}

impl FromStr for DayRange {
    type Err = DaysError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || DaysError::Malformed(text.to_owned());
        let (days, step) = text.split_once('/').ok_or_else(malformed)?;
        let (from, to) = days.split_once("..").ok_or_else(malformed)?;
        let day = |part: &str| Day::parse(part.trim()).map_err(|source| DaysError::Day { text: text.to_owned(), source });
        let (from, to) = (day(from)?, day(to)?);
        let step = step.trim().parse::<i32>().ok().filter(|step| *step > 0).ok_or_else(malformed)?;
        if (0..=RANGE_DAYS_MAX).contains(&(to - from)) { Ok(Self { from, to, step }) } else { Err(DaysError::Length(text.to_owned())) }
    }
}

impl fmt::Display for DayRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}/{}", self.from, self.to, self.step)
    }
}

/// As-of days, each list ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Days {
    pub train: Vec<Day>,
    pub test: Vec<Day>,
}

/// The days asked for, or chosen: snapshots every 14 days back from the last whose label is
/// known to the first with 84 days of history; the last quarter of them is tested on (more, at
/// most half, so that labels of the longest horizon are known for two of them; fewer, but one at
/// least, where no training day would be left), and those are trained on whose label is known
/// before the first test day.
///
/// # Errors
/// Where the data are too short, or days that were asked for overlap: a label of the training
/// part would be read from days that the test part's features read.
pub(super) fn days(portfolio: &Portfolio, request: &TrainRequest) -> Result<Days, DaysError> {
    let label_days = request.question.label_days();
    let too_short = |days| DaysError::TooShort { days, minimum: least_days(label_days), label_days };
    let (Some(first), Some(last)) = (portfolio.first_day(), portfolio.as_of()) else { return Err(too_short(0)) };
    let days = if let Some((train, test)) = request.days {
        Days { train: train.days(), test: test.days() }
    } else {
        let longer = request.further.last().map_or(0, |longest| longest.days() - request.question.horizon_days.days());
        chosen(first, last, label_days, longer).ok_or_else(|| too_short(last - first + 1))?
    };
    let (Some(train), Some(test)) = (days.train.last(), days.test.first()) else { return Err(DaysError::NoDays) };
    let known = *train + label_days;
    if known >= *test { Err(DaysError::Overlap { train: *train, known, test: *test }) } else { Ok(days) }
}

/// Those of the further horizons for which the data are long enough, where days are chosen here.
pub(super) fn long_enough(portfolio: &Portfolio, request: &TrainRequest) -> Vec<HorizonDays> {
    let days = portfolio.first_day().zip(portfolio.as_of()).map_or(0, |(first, last)| last - first + 1);
    let fits = |horizon: &&HorizonDays| request.days.is_some() || least_days(request.question.at(**horizon).label_days()) <= days;
    request.further.iter().filter(fits).copied().collect()
}

/// Every 14th day, back from the last whose label is known, that is later than `learnt`.
///
/// # Errors
/// Where there is none.
pub(super) fn unseen_days(portfolio: &Portfolio, question: &Question, learnt: Day) -> Result<Vec<Day>, DaysError> {
    let last = portfolio.as_of().ok_or(DaysError::NoDays)? - question.label_days();
    let days = back_from(last, learnt + 1);
    if days.is_empty() { Err(DaysError::NoneUnseen { learnt, last }) } else { Ok(days) }
}

/// As-of days of whatever rows have a label, for the rule of recency: every 14th day, back from
/// the last whose label is known, to the first with `history` days before it.
pub(super) fn all_days(portfolio: &Portfolio, question: &Question, history: i32) -> Vec<Day> {
    let (Some(first), Some(last)) = (portfolio.first_day(), portfolio.as_of()) else { return Vec::new() };
    let (from, to) = (first + history, last - question.label_days());
    back_from(to, from)
}

/// Every 14th day back from `to`, not before `from`; ascending.
fn back_from(to: Day, from: Day) -> Vec<Day> {
    if to < from {
        return Vec::new();
    }
    (0..=(to - from) / STEP_DAYS).rev().map(|number| to - number * STEP_DAYS).collect()
}

/// Days of data from which on [`chosen`] finds a training and a test day.
fn least_days(label_days: i32) -> i32 {
    HISTORY_DAYS + (label_days / STEP_DAYS + 1) * STEP_DAYS + label_days
}

/// `longer`: by how many days the longest horizon is longer than the first.
fn chosen(first: Day, last: Day, label_days: i32, longer: i32) -> Option<Days> {
    let (from, to) = (first + (HISTORY_DAYS - 1), last - label_days);
    if to < from {
        return None;
    }
    let all = back_from(to, from);
    let for_longest = usize::try_from((longer + STEP_DAYS - 1) / STEP_DAYS).unwrap_or(0) + 2;
    let tested = all.len().div_ceil(4).max(for_longest.min(all.len() / 2));
    (1..=tested).rev().find_map(|tested| {
        let (earlier, test) = all.split_at(all.len() - tested);
        let first_test = *test.first()?;
        let train: Vec<Day> = earlier.iter().copied().filter(|day| *day + label_days < first_test).collect();
        (!train.is_empty()).then(|| Days { train, test: test.to_vec() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        Day::parse(text).expect("a test's own date")
    }

    #[test]
    fn a_range_counts_both_ends_and_refuses_what_it_cannot_mean() {
        let range: DayRange = "2025-01-01..2025-01-29/14".parse().expect("a range");
        assert_eq!(range.days(), [day("2025-01-01"), day("2025-01-15"), day("2025-01-29")]);
        for wrong in ["2025-01-01..2025-01-29", "2025-01-01/7", "2025-02-01..2025-01-01/7", "2025-01-01..2025-01-29/0", "x..y/1"] {
            assert!(wrong.parse::<DayRange>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn chosen_days_never_let_a_label_reach_into_the_test_days() {
        let days = chosen(day("2024-01-01"), day("2025-01-31"), 37, 0).expect("long enough");
        assert_eq!(days.test.last(), Some(&(day("2025-01-31") - 37)));
        assert!(days.train.iter().all(|train| *train + 37 < days.test[0]) && days.train[0] >= day("2024-03-24"));
        for label_days in [7, 37, 97] {
            let last = day("2024-01-01") + (least_days(label_days) - 1);
            assert!(chosen(day("2024-01-01"), last, label_days, 60).is_some());
            assert_eq!(chosen(day("2024-01-01"), last - 1, label_days, 60), None);
        }
        // Labels of 60 days more are known on the first two of the test days.
        let further = chosen(day("2024-01-01"), day("2025-01-31"), 37, 60).expect("long enough");
        assert!(further.test.len() > days.test.len() && further.test[1] + 97 <= day("2025-01-31"));
    }
}
