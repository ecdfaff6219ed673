//! `from` and `to`, or `period=`: which days a question is about.

use super::parameters::Parameters;
use crate::domain::{Day, Period};

/// A period as it was asked for. Presets end on the as-of day, so they are resolved by request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AskedPeriod {
    Days(Period),
    LastDays(u32),
    /// Whole months back from the as-of day: a month that ends on March 15th begins on
    /// February 16th.
    LastMonths(i32),
}

const PRESETS: [(&str, AskedPeriod); 6] = [
    ("last_7_days", AskedPeriod::LastDays(7)),
    ("last_30_days", AskedPeriod::LastDays(30)),
    ("last_month", AskedPeriod::LastMonths(1)),
    ("last_3_months", AskedPeriod::LastMonths(3)),
    ("last_6_months", AskedPeriod::LastMonths(6)),
    ("last_12_months", AskedPeriod::LastMonths(12)),
];

impl AskedPeriod {
    /// `last_30_days` where nothing is said.
    pub(super) fn parse(parameters: &mut Parameters) -> Self {
        let day = |text: &str| Day::parse(text).map_err(|error| error.to_string());
        let preset = parameters.one("period");
        let (has_from, has_to) = (parameters.has("from"), parameters.has("to"));
        let (from, to) = (parameters.parsed("from", day), parameters.parsed("to", day));
        let asked = preset.as_deref().map(|name| PRESETS.into_iter().find(|(preset, _)| *preset == name.trim()));
        match asked {
            Some(None) => {
                let names: Vec<&str> = PRESETS.iter().map(|(name, _)| *name).collect();
                parameters.fault("period", format!("`{}` is none of {}", preset.unwrap_or_default(), names.join(", ")));
            }
            Some(Some(_)) if has_from || has_to => {
                parameters.fault("period", "is given beside from or to: give either");
                return Self::LastDays(30);
            }
            Some(Some((_, asked))) => return asked,
            None => {}
        }
        match (from, to) {
            (Some(from), Some(to)) => match Period::new(from, to) {
                Ok(period) => return Self::Days(period),
                Err(error) => parameters.fault("to", error.to_string()),
            },
            _ if has_from != has_to => {
                let (given, missing) = if has_from { ("from", "to") } else { ("to", "from") };
                parameters.fault(missing, format!("is missing beside {given}"));
            }
            _ => {}
        }
        Self::LastDays(30)
    }

    /// The days of it, where the last complete day is `as_of`.
    pub(super) fn resolve(self, as_of: Day) -> Period {
        match self {
            Self::Days(period) => period,
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
