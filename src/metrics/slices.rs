//! A period cut into days, ISO weeks or months, up to the as-of day.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{Bucket, Day, Period, State, Timeline};

/// One bucket, as far as it lies in the period and the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Slice {
    /// The bucket's natural first day: a Monday, the first of a month.
    pub bucket: Day,
    /// First day of it that is in the period.
    pub from: Day,
    /// Last day of it that is in the period and not after the as-of day.
    pub to: Day,
    /// Whether the period or the as-of day cuts it.
    pub partial: bool,
}

/// The buckets of a period, ascending, without those that begin after the as-of day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slices {
    slices: Vec<Slice>,
    /// The place in `slices` of each day from the first slice's first day on.
    by_day: Vec<usize>,
}

impl Slices {
    /// Cuts `period` by `bucket`, up to `as_of`; nothing where there is no day to cut.
    #[must_use]
    pub fn new(period: Period, bucket: Bucket, as_of: Option<Day>) -> Self {
        let Some(known) = as_of.and_then(|as_of| period.cut_at(as_of)) else { return Self { slices: Vec::new(), by_day: Vec::new() } };
        let mut slices = Vec::new();
        let mut start = bucket.start(known.from());
        while start <= known.to() {
            let next = bucket.next(start);
            let (from, to) = (start.max(known.from()), (next - 1).min(known.to()));
            slices.push(Slice { bucket: start, from, to, partial: from != start || to != next - 1 });
            start = next;
        }
        let by_day = slices.iter().enumerate().flat_map(|(at, slice)| (slice.from.epoch_days()..=slice.to.epoch_days()).map(move |_| at));
        Self { by_day: by_day.collect(), slices }
    }

    /// The whole of `period` up to `as_of` as the one slice.
    #[must_use]
    pub fn whole(period: Period, as_of: Option<Day>) -> Self {
        let known = as_of.and_then(|as_of| period.cut_at(as_of));
        let slices: Vec<Slice> =
            known.iter().map(|cut| Slice { bucket: cut.from(), from: cut.from(), to: cut.to(), partial: *cut != period }).collect();
        let days = known.map_or(0, |cut| usize::try_from(cut.days()).unwrap_or(0));
        Self { by_day: vec![0; days], slices }
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Slice> {
        self.slices.iter()
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.slices.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slices.is_empty()
    }

    /// The first and the last day of them all; none where there is no slice.
    #[must_use]
    pub fn days(&self) -> Option<(Day, Day)> {
        Some((self.slices.first()?.from, self.slices.last()?.to))
    }

    /// The place of the slice that holds `day`.
    #[must_use]
    pub fn index(&self, day: Day) -> Option<usize> {
        let first = self.slices.first()?.from;
        self.by_day.get(usize::try_from(day - first).ok()?).copied()
    }

    /// The places of the slices with a day at whose end `life` is active, as ranges.
    pub fn active<'a>(&'a self, life: &'a Timeline) -> impl Iterator<Item = std::ops::RangeInclusive<usize>> + 'a {
        let changes = life.changes();
        let days = self.days();
        changes.iter().enumerate().filter(|(_, change)| change.state == State::Active).filter_map(move |(at, change)| {
            let (first, last) = days?;
            let until = changes.get(at + 1).map_or(last, |next| last.min(next.on - 1));
            Some(self.index(first.max(change.on))?..=self.index(until)?)
        })
    }
}

impl<'a> IntoIterator for &'a Slices {
    type Item = &'a Slice;
    type IntoIter = std::slice::Iter<'a, Slice>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        Day::parse(text).expect("a test's own date")
    }

    fn slices(from: &str, to: &str, bucket: Bucket, as_of: &str) -> Vec<(String, String, String, bool)> {
        let period = Period::new(day(from), day(to)).expect("forwards");
        Slices::new(period, bucket, Some(day(as_of)))
            .iter()
            .map(|slice| (slice.bucket.to_string(), slice.from.to_string(), slice.to.to_string(), slice.partial))
            .collect()
    }

    fn row(bucket: &str, from: &str, to: &str, partial: bool) -> (String, String, String, bool) {
        (bucket.to_owned(), from.to_owned(), to.to_owned(), partial)
    }

    #[test]
    fn a_cut_bucket_keeps_its_natural_first_day_and_says_that_it_is_partial() {
        let months = slices("2024-01-15", "2024-06-30", Bucket::Month, "2024-03-10");
        assert_eq!(
            months,
            [
                row("2024-01-01", "2024-01-15", "2024-01-31", true),
                row("2024-02-01", "2024-02-01", "2024-02-29", false),
                row("2024-03-01", "2024-03-01", "2024-03-10", true),
            ]
        );
    }

    #[test]
    fn weeks_are_iso_weeks_across_the_year_end() {
        let weeks = slices("2024-12-30", "2025-01-12", Bucket::Week, "2025-01-31");
        assert_eq!(weeks, [row("2024-12-30", "2024-12-30", "2025-01-05", false), row("2025-01-06", "2025-01-06", "2025-01-12", false)]);
    }

    #[test]
    fn what_begins_after_the_as_of_day_is_left_out() {
        assert!(slices("2024-03-15", "2024-03-20", Bucket::Month, "2024-03-10").is_empty());
        assert_eq!(slices("2024-03-09", "2024-03-20", Bucket::Day, "2024-03-10").len(), 2);
    }
}
