//! Holes in what one source delivers, which the whole feed does not show.
//!
//! Absent on purpose: where the record of deliveries comes from.

use std::collections::BTreeMap;

use super::Gap;
use crate::domain::Day;

/// Days in a row on which a source must have delivered before a day without it is a gap
/// (METRICS.md, Settled: gaps).
const DELIVERED_DAYS: i32 = 28;

/// The days of usage that each source has delivered, as ranges with both ends in them.
pub type SourceDays = BTreeMap<String, Vec<(Day, Day)>>;

/// The gaps of each source up to `as_of`, from the record of what each import delivered. A gap
/// begins on a day on which the source has no row, where it had one on each of the 28 days before;
/// that day alone is a gap day of METRICS.md. It lasts until the day before the source delivers
/// again, or to `as_of`. Sources without a gap are not in the answer.
///
/// Imports may deliver a day twice and in any order.
#[must_use]
pub fn source_gaps<'a>(imports: impl IntoIterator<Item = &'a SourceDays>, as_of: Day) -> BTreeMap<String, Vec<Gap>> {
    let mut delivered: BTreeMap<&str, Vec<(Day, Day)>> = BTreeMap::new();
    for (source, ranges) in imports.into_iter().flatten() {
        delivered.entry(source).or_default().extend(ranges.iter().filter(|(first, last)| first <= last));
    }
    let of_source = |(source, ranges): (&str, Vec<(Day, Day)>)| (source.to_owned(), gaps_between(&united(ranges), as_of));
    delivered.into_iter().map(of_source).filter(|(_, gaps)| !gaps.is_empty()).collect()
}

/// The ranges as runs of days without a hole in them, ascending.
fn united(mut ranges: Vec<(Day, Day)>) -> Vec<(Day, Day)> {
    ranges.sort_unstable();
    let mut runs: Vec<(Day, Day)> = Vec::new();
    for (first, last) in ranges {
        match runs.last_mut() {
            Some(run) if first - run.1 <= 1 => run.1 = run.1.max(last),
            _ => runs.push((first, last)),
        }
    }
    runs
}

/// What follows the runs that are long enough.
fn gaps_between(runs: &[(Day, Day)], as_of: Day) -> Vec<Gap> {
    let next = runs.iter().skip(1).map(|(first, _)| *first - 1).chain([as_of]);
    let pairs = runs.iter().zip(next).filter(|((first, last), _)| *last - *first + 1 >= DELIVERED_DAYS);
    pairs.filter_map(|((_, last), end)| gap(*last + 1, end.min(as_of))).collect()
}

fn gap(from: Day, to: Day) -> Option<Gap> {
    let days = u32::try_from(to - from + 1).ok().filter(|days| *days > 0)?;
    Some(Gap { from, to, days })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(number: i32) -> Day {
        Day::from_epoch_days(20_000 + number)
    }

    fn delivered(source: &str, ranges: &[(i32, i32)]) -> SourceDays {
        BTreeMap::from([(source.to_owned(), ranges.iter().map(|(first, last)| (day(*first), day(*last))).collect())])
    }

    /// The gaps of source `a` as (first, last, days).
    fn told(imports: &[SourceDays], as_of: i32) -> Vec<(i32, i32, u32)> {
        let gaps = source_gaps(imports, day(as_of)).remove("a").unwrap_or_default();
        gaps.iter().map(|gap| (gap.from - day(0), gap.to - day(0), gap.days)).collect()
    }

    #[test]
    fn a_gap_follows_28_days_in_a_row_and_no_fewer() {
        assert_eq!(told(&[delivered("a", &[(1, 28), (30, 40)])], 40), [(29, 29, 1)]);
        assert_eq!(told(&[delivered("a", &[(1, 27), (29, 40)])], 40), []);
        // After the gap it takes 28 days again.
        assert_eq!(told(&[delivered("a", &[(1, 28), (32, 50), (52, 60)])], 60), [(29, 31, 3)]);
    }

    #[test]
    fn days_of_several_imports_are_one_record_in_any_order() {
        let imports = [delivered("a", &[(20, 28)]), delivered("b", &[(1, 60)]), delivered("a", &[(1, 22), (35, 36)])];
        assert_eq!(told(&imports, 36), [(29, 34, 6)]);
        // A later import brings the missing days.
        let late = [&imports[..], &[delivered("a", &[(29, 34)])]].concat();
        assert_eq!(told(&late, 36), []);
        assert!(source_gaps(&late, day(36)).is_empty());
    }

    #[test]
    fn a_source_that_has_stopped_has_a_gap_up_to_the_as_of_day() {
        let stopped = [delivered("a", &[(1, 30)])];
        assert_eq!(told(&stopped, 30), []);
        assert_eq!(told(&stopped, 33), [(31, 33, 3)]);
        // What was delivered after the as-of day ends no gap before it.
        assert_eq!(told(&[delivered("a", &[(1, 30), (40, 41)])], 35), [(31, 35, 5)]);
        assert_eq!(told(&[delivered("a", &[(1, 60)])], 35), []);
        assert_eq!(told(&[delivered("a", &[(5, 4)])], 35), []);
        assert_eq!(told(&[], 35), []);
    }
}
