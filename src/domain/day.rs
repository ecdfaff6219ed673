//! Days, periods and buckets. A day is a UTC calendar date; nothing below a day is kept.

use std::fmt;
use std::ops::{Add, Sub};

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;
use utoipa::openapi::{KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};

/// Years outside these are typing errors or "never" in disguise (9999-12-31). The bounds keep
/// every arithmetic on days far from the ends of `i32`.
const YEARS: std::ops::RangeInclusive<i32> = 1970..=2200;

/// Why a text is no day.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DayError {
    #[error("`{0}` is no date like 2026-01-31")]
    Malformed(String),
    #[error("{0} lies outside the years 1970 to 2200")]
    OutOfRange(String),
}

/// A UTC calendar date, as days since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i32);

impl Day {
    /// The day that is `days` after 1970-01-01.
    #[must_use]
    pub const fn from_epoch_days(days: i32) -> Self {
        Self(days)
    }

    /// Days since 1970-01-01.
    #[must_use]
    pub const fn epoch_days(self) -> i32 {
        self.0
    }

    /// The day of a calendar date.
    ///
    /// # Errors
    /// Where no such date exists, or it lies outside the years 1970 to 2200.
    pub fn from_ymd(year: i32, month: u32, day: u32) -> Result<Self, DayError> {
        let text = || format!("{year:04}-{month:02}-{day:02}");
        let date = NaiveDate::from_ymd_opt(year, month, day).ok_or_else(|| DayError::Malformed(text()))?;
        if YEARS.contains(&year) { Ok(Self::from_date(date)) } else { Err(DayError::OutOfRange(text())) }
    }

    /// The day of a `chrono` date.
    #[must_use]
    pub fn from_date(date: NaiveDate) -> Self {
        Self(date.to_epoch_days())
    }

    /// The `chrono` date. Days outside chrono's years become its first date.
    #[must_use]
    pub fn date(self) -> NaiveDate {
        NaiveDate::from_epoch_days(self.0).unwrap_or(NaiveDate::MIN)
    }

    /// Reads `2026-01-31`, and nothing else.
    ///
    /// # Errors
    /// Any other form, a date that does not exist, a year outside 1970 to 2200.
    pub fn parse(text: &str) -> Result<Self, DayError> {
        let digits = |range: std::ops::Range<usize>| -> Option<u32> {
            text.as_bytes()
                .get(range)?
                .iter()
                .try_fold(0_u32, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0')))
        };
        let malformed = || DayError::Malformed(text.to_owned());
        let bytes = text.as_bytes();
        if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
            return Err(malformed());
        }
        match (digits(0..4), digits(5..7), digits(8..10)) {
            (Some(year), Some(month), Some(day)) => {
                let year = i32::try_from(year).map_err(|_| malformed())?;
                Self::from_ymd(year, month, day)
            }
            _ => Err(malformed()),
        }
    }

    /// The first day of this day's calendar month.
    #[must_use]
    pub fn month_start(self) -> Self {
        Self(self.0 + 1 - i32::try_from(self.date().day()).unwrap_or(1))
    }

    /// The first day of the month that is `months` after this day's month.
    #[must_use]
    pub fn plus_months(self, months: i32) -> Self {
        let date = self.date();
        let index = date.year() * 12 + i32::try_from(date.month0()).unwrap_or(0) + months;
        let month = u32::try_from(index.rem_euclid(12)).unwrap_or(0) + 1;
        NaiveDate::from_ymd_opt(index.div_euclid(12), month, 1).map_or(self, Self::from_date)
    }

    /// The Monday of this day's ISO week.
    #[must_use]
    pub fn week_start(self) -> Self {
        Self(self.0 - i32::try_from(self.date().weekday().num_days_from_monday()).unwrap_or(0))
    }

    /// Saturday or Sunday.
    #[must_use]
    pub fn is_weekend(self) -> bool {
        // 1970-01-03 was a Saturday.
        (self.0 - 2).rem_euclid(7) < 2
    }
}

impl Add<i32> for Day {
    type Output = Self;
    fn add(self, days: i32) -> Self {
        Self(self.0.saturating_add(days))
    }
}

impl Sub<i32> for Day {
    type Output = Self;
    fn sub(self, days: i32) -> Self {
        Self(self.0.saturating_sub(days))
    }
}

impl Sub for Day {
    type Output = i32;
    fn sub(self, earlier: Self) -> i32 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.date())
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { serializer.serialize_i32(self.0) }
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            Self::parse(&text).map_err(serde::de::Error::custom)
        } else {
            i32::deserialize(deserializer).map(Self)
        }
    }
}

impl PartialSchema for Day {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Date)))
            .description(Some("A UTC calendar date, of the years 1970 to 2200."))
            .examples(["2026-10-31"])
            .into()
    }
}

impl ToSchema for Day {}

/// Why two days are no period.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PeriodError {
    #[error("a period ends on {to}, before it begins on {from}")]
    Backwards { from: Day, to: Day },
}

/// `from..=to`, both dates inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Period {
    from: Day,
    to: Day,
}

impl Period {
    /// The period of both dates and all between them.
    ///
    /// # Errors
    /// Where `to` comes before `from`.
    pub fn new(from: Day, to: Day) -> Result<Self, PeriodError> {
        if to < from { Err(PeriodError::Backwards { from, to }) } else { Ok(Self { from, to }) }
    }

    /// The `days` days (at least 1) that end on `to`.
    #[must_use]
    pub fn last(days: u32, to: Day) -> Self {
        let back = i32::try_from(days.max(1)).unwrap_or(i32::MAX) - 1;
        Self { from: to - back, to }
    }

    #[must_use]
    pub const fn from(self) -> Day {
        self.from
    }

    #[must_use]
    pub const fn to(self) -> Day {
        self.to
    }

    /// Number of days, at least 1.
    #[must_use]
    pub fn days(self) -> i32 {
        self.to - self.from + 1
    }

    #[must_use]
    pub fn contains(self, day: Day) -> bool {
        self.from <= day && day <= self.to
    }

    /// The period of equal length that ends on the day before this one.
    #[must_use]
    pub fn preceding(self) -> Self {
        Self { from: self.from - self.days(), to: self.from - 1 }
    }

    /// This period up to `last`, where the data end; none where it begins after that.
    #[must_use]
    pub fn cut_at(self, last: Day) -> Option<Self> {
        (self.from <= last).then(|| Self { from: self.from, to: self.to.min(last) })
    }
}

/// How a period is cut into pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Bucket {
    Day,
    /// ISO weeks, from Monday.
    Week,
    Month,
}

impl Bucket {
    /// Shortest first.
    pub const ALL: [Self; 3] = [Self::Day, Self::Week, Self::Month];

    /// In the order of [`Bucket::ALL`].
    pub const NAMES: &[&str] = &["day", "week", "month"];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => Self::NAMES[0],
            Self::Week => Self::NAMES[1],
            Self::Month => Self::NAMES[2],
        }
    }

    /// First day of the bucket that holds `day`.
    #[must_use]
    pub fn start(self, day: Day) -> Day {
        match self {
            Self::Day => day,
            Self::Week => day.week_start(),
            Self::Month => day.month_start(),
        }
    }

    /// First day of the bucket after the one that holds `day`.
    #[must_use]
    pub fn next(self, day: Day) -> Day {
        match self {
            Self::Day => day + 1,
            Self::Week => day.week_start() + 7,
            Self::Month => day.plus_months(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        Day::parse(text).expect("a test's own date")
    }

    #[test]
    fn days_are_read_in_one_form_only() {
        assert_eq!(day("2024-02-29").to_string(), "2024-02-29");
        for wrong in ["2023-02-29", "2024-2-29", "24-02-29", "2024-02-29T00:00:00", "", "२०२४-०२-२९", "1969-12-31", "9999-12-31"]
        {
            assert!(Day::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn months_and_iso_weeks_begin_where_the_calendar_says() {
        assert_eq!(day("2024-12-31").week_start(), day("2024-12-30"));
        assert_eq!(Bucket::Week.next(day("2024-12-31")), day("2025-01-06"));
        assert_eq!(day("2024-12-31").plus_months(2), day("2025-02-01"));
        assert_eq!(day("2024-01-31").plus_months(-1), day("2023-12-01"));
        assert_eq!(day("2024-02-29").month_start(), day("2024-02-01"));
    }

    #[test]
    fn weekends_are_those_of_the_calendar() {
        for offset in -400..4000 {
            let on = Day::from_epoch_days(offset);
            assert_eq!(on.is_weekend(), matches!(on.date().weekday(), chrono::Weekday::Sat | chrono::Weekday::Sun), "{on}");
        }
    }

    #[test]
    fn a_period_counts_both_of_its_ends() {
        let period = Period::new(day("2024-02-01"), day("2024-02-29")).expect("forwards");
        assert_eq!(period.days(), 29);
        assert_eq!(period.preceding(), Period::last(29, day("2024-01-31")));
        assert!(Period::new(day("2024-02-02"), day("2024-02-01")).is_err());
    }
}
