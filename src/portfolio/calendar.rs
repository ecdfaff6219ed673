//! The calendar months of the data, and any stretch of days as whole months and what is left
//! over at its ends.
//!
//! Absent on purpose: usage. Days are offsets from the first day of data here.

use crate::domain::Day;

/// The months from the first day of data to the as-of day. The first and the last may be cut:
/// what is outside the data is in nobody's rows either.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Calendar {
    /// First and last day of each month, as far as there are data.
    months: Vec<(u16, u16)>,
    /// The place in `months` of each day.
    month_of: Vec<u16>,
}

/// Days of data that lie together, taken apart once, so that a sum over them reads few rows of
/// each subscription: whole months, and at either end the days to add to them or to take away
/// from them, whichever are fewer. So no end costs more than half a month of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub(super) first: u16,
    pub(super) last: u16,
    /// The whole months, from the first to before the second.
    pub(super) months: (u16, u16),
    pub(super) edges: [Option<Edge>; 2],
}

/// Some days of one month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) month: u16,
    pub(super) first: u16,
    pub(super) last: u16,
    /// Whether the rows of these days are missing from the whole months, or too many in them.
    pub(super) adds: bool,
}

impl Calendar {
    /// The months of the days from `first` to `last`, which are at most 65,536.
    pub(super) fn new(first: Day, last: Day) -> Self {
        let mut calendar = Self::default();
        let mut month = first.month_start();
        while first <= last && month <= last {
            let next = month.plus_months(1);
            let (from, to) = (month.max(first), last.min(next - 1));
            let number = u16::try_from(calendar.months.len()).unwrap_or(u16::MAX);
            calendar.months.push((offset(from, first), offset(to, first)));
            calendar.month_of.extend((from.epoch_days()..=to.epoch_days()).map(|_| number));
            if next <= month {
                break;
            }
            month = next;
        }
        calendar
    }

    /// Number of days.
    pub(super) fn days(&self) -> usize {
        self.month_of.len()
    }

    /// The month of a day; the last month for a day after the data.
    pub(super) fn month_of(&self, day: u16) -> u16 {
        self.month_of.get(usize::from(day)).or_else(|| self.month_of.last()).copied().unwrap_or(0)
    }

    /// First and last day of a month.
    pub(super) fn bounds(&self, month: u16) -> (u16, u16) {
        self.months.get(usize::from(month)).copied().unwrap_or((0, 0))
    }

    /// Takes the days from `first` to `last` apart.
    pub(super) fn span(&self, first: u16, last: u16) -> Span {
        let (month, end_month) = (self.month_of(first), self.month_of(last));
        let ((begin, month_end), (end_begin, end)) = (self.bounds(month), self.bounds(end_month));
        let add = |month, first, last| Some(Edge { month, first, last, adds: true });
        let take = |month, first, last| Some(Edge { month, first, last, adds: false });
        let before = (first > begin).then(|| take(month, begin, first - 1)).flatten();
        let after = (last < end).then(|| take(end_month, last + 1, end)).flatten();
        let (before_days, after_days) = (first - begin, end - last);
        if month == end_month {
            let inside = last - first + 1;
            return if inside <= before_days + after_days {
                Span { first, last, months: (month, month), edges: [add(month, first, last), None] }
            } else {
                Span { first, last, months: (month, month + 1), edges: [before, after] }
            };
        }
        let (from, front) = if month_end - first < before_days { (month + 1, add(month, first, month_end)) } else { (month, before) };
        let (to, back) = if last - end_begin < after_days { (end_month, add(end_month, end_begin, last)) } else { (end_month + 1, after) };
        Span { first, last, months: (from, to), edges: [front, back] }
    }
}

fn offset(day: Day, first: Day) -> u16 {
    u16::try_from(day - first).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        Day::parse(text).expect("a test's own date")
    }

    /// How often each day is counted by the months and edges of a span.
    fn counted(calendar: &Calendar, span: &Span, days: usize) -> Vec<i32> {
        let mut counts = vec![0; days];
        let mut add = |(first, last): (u16, u16), by: i32| {
            counts[usize::from(first)..=usize::from(last)].iter_mut().for_each(|count| *count += by);
        };
        (span.months.0..span.months.1).for_each(|month| add(calendar.bounds(month), 1));
        for edge in span.edges.iter().flatten() {
            assert_eq!((calendar.month_of(edge.first), calendar.month_of(edge.last)), (edge.month, edge.month));
            add((edge.first, edge.last), if edge.adds { 1 } else { -1 });
        }
        counts
    }

    #[test]
    fn every_span_counts_its_own_days_once_and_no_others() {
        for (first, last) in [("2024-01-20", "2024-04-09"), ("2023-12-01", "2024-02-29"), ("2024-02-10", "2024-02-20")] {
            let calendar = Calendar::new(day(first), day(last));
            let days = usize::from(offset(day(last), day(first))) + 1;
            for from in 0..days {
                for to in from..days {
                    let place = |at: usize| u16::try_from(at).expect("few");
                    let span = calendar.span(place(from), place(to));
                    let wanted: Vec<i32> = (0..days).map(|at| i32::from(from <= at && at <= to)).collect();
                    assert_eq!(counted(&calendar, &span, days), wanted, "{first} {from} {to}");
                    let rows: u16 = span.edges.iter().flatten().map(|edge| edge.last - edge.first + 1).sum();
                    assert!(rows <= 32, "{from} {to}: {rows} days of rows");
                }
            }
        }
    }

    #[test]
    fn months_are_cut_at_the_ends_of_the_data() {
        let calendar = Calendar::new(day("2024-01-20"), day("2024-03-02"));
        assert_eq!(calendar.months, [(0, 11), (12, 40), (41, 42)]);
        assert_eq!((calendar.month_of(11), calendar.month_of(12), calendar.month_of(60_000)), (0, 1, 2));
        assert_eq!(Calendar::new(day("2024-03-02"), day("2024-03-01")), Calendar::default());
    }
}
