//! `from` and `to`, or `period=`: which days a question is about.

use super::parameters::{Kind, Parameters, Spec};
use crate::domain::{Day, Period};

/// A period as it was asked for. Presets end on the as-of day, so they are resolved by request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AskedPeriod {
    Days(Period),
    /// From a day to the as-of day.
    From(Day),
    /// The days that end on a day, as many as where nothing is said.
    Until(Day),
    LastDays(u32),
    /// Whole months back from the as-of day: a month that ends on March 15th begins on
    /// February 16th.
    LastMonths(i32),
}

pub(super) const NAMES: &[&str] = &["last_7_days", "last_30_days", "last_month", "last_3_months", "last_6_months", "last_12_months"];

const PRESETS: [AskedPeriod; 6] = [
    AskedPeriod::LastDays(7),
    AskedPeriod::LastDays(DEFAULT_DAYS),
    AskedPeriod::LastMonths(1),
    AskedPeriod::LastMonths(3),
    AskedPeriod::LastMonths(6),
    AskedPeriod::LastMonths(12),
];

/// The name of the period of which nothing is said.
pub(super) const DEFAULT_NAME: &str = "last_30_days";

/// Days of a period of which nothing is said.
const DEFAULT_DAYS: u32 = 30;

const PERIOD: Spec = Spec::new(
    "period",
    Kind::Choice(NAMES),
    "A period that ends on the as-of day; `last_30_days` where nothing is said. Either this, or `from` and `to`.",
)
.such_as("last_30_days");
const FROM: Spec = Spec::new("from", Kind::Day, "First day of the period. Alone, the period ends on the as-of day.");
const TO: Spec = Spec::new("to", Kind::Day, "Last day of the period, itself inside. Alone, the period has 30 days.");

impl AskedPeriod {
    /// The preset of this name; that of which nothing is said where there is none.
    pub(super) fn named(name: &str) -> Self {
        NAMES.iter().zip(PRESETS).find(|(one, _)| **one == name).map_or(Self::LastDays(DEFAULT_DAYS), |(_, preset)| preset)
    }

    /// `last_30_days` where nothing is said.
    pub(super) fn parse(parameters: &mut Parameters) -> Self {
        let preset = parameters.choice(&PERIOD, &PRESETS);
        let has_days = parameters.has(FROM.name) || parameters.has(TO.name);
        let (from, to) = (parameters.day(&FROM), parameters.day(&TO));
        match (preset, from, to) {
            (Some(_), ..) if has_days => parameters.impossible(PERIOD.name, "is given beside from or to: give either"),
            (Some(preset), ..) => return preset,
            (None, Some(from), Some(to)) => match Period::new(from, to) {
                Ok(period) => return Self::Days(period),
                Err(error) => parameters.impossible(TO.name, error.to_string()),
            },
            (None, Some(from), None) => return Self::From(from),
            (None, None, Some(to)) => return Self::Until(to),
            (None, None, None) => {}
        }
        Self::LastDays(DEFAULT_DAYS)
    }

    /// The days of it, where the last complete day is `as_of`.
    pub(super) fn resolve(self, as_of: Day) -> Period {
        match self {
            Self::Days(period) => period,
            Self::From(from) => Period::new(from, as_of).unwrap_or(Period::last(1, from)),
            Self::Until(to) => Period::last(DEFAULT_DAYS, to),
            Self::LastDays(days) => Period::last(days, as_of),
            Self::LastMonths(months) => last_months(months, as_of),
        }
    }
}

/// The `months` months that end on `to`: from the day after the same date so many months
/// earlier, or after that month's last day where it has no such date.
pub(super) fn last_months(months: i32, to: Day) -> Period {
    let first = to.plus_months(-months);
    let date = (to - to.month_start()).min(first.plus_months(1) - 1 - first);
    Period::new(first + date + 1, to).unwrap_or(Period::last(1, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(months: i32, to: &str, from: &str) {
        let day = |text| Day::parse(text).expect("a test's own date");
        assert_eq!(last_months(months, day(to)).from().to_string(), from);
    }

    #[test]
    fn months_are_counted_back_from_the_as_of_day() {
        check(1, "2024-03-15", "2024-02-16");
        check(1, "2024-03-31", "2024-03-01");
        check(1, "2024-02-29", "2024-01-30");
        check(12, "2024-02-29", "2023-03-01");
        check(12, "2024-12-31", "2024-01-01");
        check(3, "2024-01-01", "2023-10-02");
    }
}
