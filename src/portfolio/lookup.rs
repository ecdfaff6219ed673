//! Questions about usage that the index answers with few rows or none.
//!
//! Absent on purpose: anything that a filter or a metric would decide, except which series
//! count, since rows that do not count must not be added first.

use std::ops::Range;

use super::calendar::{Edge, Span};
use super::index::{Line, MANY, UsageIndex};
use super::{Portfolio, SeriesIx, SubscriptionIx, UsageRows};
use crate::domain::Day;

/// One (category, unit) of one subscription: a (subscription, series) with at least one row.
#[derive(Debug, Clone, Copy)]
pub struct UsageLine<'a> {
    index: &'a UsageIndex,
    line: Line,
    first_day: Day,
}

impl<'a> UsageLine<'a> {
    #[must_use]
    pub const fn series(self) -> SeriesIx {
        SeriesIx(self.line.series)
    }

    /// Whether any of its rows has a quantity above 0.
    #[must_use]
    pub fn is_used(self) -> bool {
        self.words().iter().any(|word| *word != 0)
    }

    /// The day of its first row, whatever its quantity.
    #[must_use]
    pub fn first_row(self) -> Day {
        self.first_day + i32::from(self.line.first)
    }

    /// Whether `span` holds a day from its first row to its last, whatever their quantity.
    #[must_use]
    pub const fn reaches_into(self, span: &Span) -> bool {
        self.line.first <= span.last && span.first <= self.line.last
    }

    /// Whether it has a usage day in `span`.
    #[must_use]
    pub fn used_within(self, span: &Span) -> bool {
        let (first, last) = (span.first.max(self.line.first), span.last.min(self.line.last));
        first <= last && (first / 64..=last / 64).any(|number| self.word(number) & days_of_word(number, span) != 0)
    }

    /// Its last usage day in `span`.
    #[must_use]
    pub fn last_used(self, span: &Span) -> Option<Day> {
        let (first, last) = (span.first.max(self.line.first), span.last.min(self.line.last));
        if first > last {
            return None;
        }
        (first / 64..=last / 64).rev().find_map(|number| {
            let days = self.word(number) & days_of_word(number, span);
            (days != 0).then(|| self.first_day + (i32::from(number) * 64 + 63 - days.leading_zeros().cast_signed()))
        })
    }

    /// What it cost in the whole months of `span`, in micro-units. What is to be added or taken
    /// away at the ends are rows of the subscription.
    fn cost_of_months(self, span: &Span) -> i128 {
        self.index.cost_of_months(&self.line, span.months.0, span.months.1)
    }

    fn quantity_of_months(self, span: &Span) -> i128 {
        self.index.quantity_of_months(&self.line, span.months.0, span.months.1)
    }

    fn words(self) -> &'a [u64] {
        let from = self.line.words as usize;
        let words = usize::from(self.line.last / 64 - self.line.first / 64) + 1;
        self.index.words.get(from..from + words).unwrap_or_default()
    }

    /// The usage days among the days `64 * number..64 * number + 64`.
    fn word(self, number: u16) -> u64 {
        number.checked_sub(self.line.first / 64).and_then(|at| self.words().get(usize::from(at))).copied().unwrap_or(0)
    }
}

/// The days of the `number`-th word that lie in `span`.
fn days_of_word(number: u16, span: &Span) -> u64 {
    let first = if number == span.first / 64 { u64::MAX << (span.first % 64) } else { u64::MAX };
    let last = if number == span.last / 64 { u64::MAX >> (63 - span.last % 64) } else { u64::MAX };
    if number < span.first / 64 || number > span.last / 64 { 0 } else { first & last }
}

impl Portfolio {
    /// The days of `from..=to` that lie in the data, as sums and usage days are asked for; none
    /// where no day does.
    #[must_use]
    pub fn span(&self, from: Day, to: Day) -> Option<Span> {
        let (first, last) = self.days?;
        let (from, to) = (from.max(first), to.min(last));
        let offset = |day: Day| u16::try_from(day - first).ok();
        (from <= to).then(|| Some(self.index.calendar.span(offset(from)?, offset(to)?))).flatten()
    }

    /// The (category, unit)s of a subscription that have a row, ascending.
    pub fn lines(&self, subscription: SubscriptionIx) -> impl Iterator<Item = UsageLine<'_>> + Clone {
        let first_day = self.first_day().unwrap_or(Day::from_epoch_days(0));
        let entries = self.index.entries.get(subscription.at()..=subscription.at() + 1);
        let lines = entries.map_or(0..0, |entries| entries[0].lines as usize..entries[1].lines as usize);
        self.index.lines[lines].iter().map(move |line| UsageLine { index: &self.index, line: *line, first_day })
    }

    /// Marks the usage days of some lines in `span`: bit d of the n-th word of `marks` is the day
    /// `from + 64 * n + d`. Days that have no bit are left out.
    pub fn mark_used<'a>(&self, span: &Span, lines: impl Iterator<Item = UsageLine<'a>> + Clone, from: Day, marks: &mut [u64]) {
        let shift = self.first_day().map_or(0, |first| first - from);
        for number in span.first / 64..=span.last / 64 {
            let used = lines.clone().fold(0, |used, line| used | line.word(number)) & days_of_word(number, span);
            let bit = i32::from(number) * 64 + shift;
            let (at, low) = (bit.div_euclid(64), bit.rem_euclid(64));
            let mut mark = |at: i32, bits: u64| {
                if let Some(word) = usize::try_from(at).ok().and_then(|at| marks.get_mut(at)) {
                    *word |= bits;
                }
            };
            mark(at, used << low);
            mark(at + 1, used.checked_shr(64 - low.cast_unsigned()).unwrap_or(0));
        }
    }

    /// The usage rows of one subscription in `from..=to`, ascending by day.
    #[must_use]
    pub fn usage_within(&self, subscription: SubscriptionIx, from: Day, to: Day) -> UsageRows<'_> {
        let Some((first, last)) = self.days.map(|(first, last)| (from.max(first), to.min(last))).filter(|(from, to)| from <= to) else {
            return self.rows(0..0);
        };
        let offset = |day: Day| u16::try_from(self.first_day().map_or(0, |first| day - first)).unwrap_or(u16::MAX);
        let (first, last) = (offset(first), offset(last));
        let begin = self.rows_of_days(subscription, first, first).start;
        let end = self.rows_of_days(subscription, last, last).end;
        self.rows(begin..end.max(begin))
    }

    /// What a subscription cost in `span`, in micro-units: of the series that `keeps` marks, or
    /// of all.
    #[must_use]
    pub fn cost_within(&self, subscription: SubscriptionIx, span: &Span, keeps: Option<&[bool]>) -> i128 {
        if !self.has_cost() {
            return 0;
        }
        let kept = |series: u16| keeps.is_none_or(|keeps| keeps[usize::from(series)]);
        let months: i128 = self.lines(subscription).filter(|line| kept(line.line.series)).map(|line| line.cost_of_months(span)).sum();
        let usage = &self.usage;
        let edge = |edge: &Edge| {
            let rows = self.rows_of_days_in(subscription, edge.month, edge.first, edge.last);
            let sum: i128 = match keeps {
                None => usage.cost[rows].iter().map(|cost| i128::from(*cost)).sum(),
                Some(_) => {
                    let columns = usage.series[rows.clone()].iter().zip(&usage.cost[rows]);
                    columns.filter(|(series, _)| kept(**series)).map(|(_, cost)| i128::from(*cost)).sum()
                }
            };
            if edge.adds { sum } else { -sum }
        };
        months + span.edges.iter().flatten().map(edge).sum::<i128>()
    }

    /// The quantity of one series that a subscription used in `span`, in micro-units.
    #[must_use]
    pub fn quantity_within(&self, subscription: SubscriptionIx, span: &Span, series: SeriesIx) -> i128 {
        let Some(line) = self.lines(subscription).find(|line| line.series() == series) else { return 0 };
        let usage = &self.usage;
        let edge = |edge: &Edge| {
            let rows = self.rows_of_days_in(subscription, edge.month, edge.first, edge.last);
            let columns = usage.series[rows.clone()].iter().zip(&usage.quantity[rows]);
            let sum: i128 = columns.filter(|(of, _)| **of == series.0).map(|(_, quantity)| i128::from(*quantity)).sum();
            if edge.adds { sum } else { -sum }
        };
        line.quantity_of_months(span) + span.edges.iter().flatten().map(edge).sum::<i128>()
    }

    /// Tells the parts that the (quantity, cost) of a subscription in `span` adds up from, by
    /// series and in micro-units; some of them are to be taken away and are below 0.
    pub fn sum_parts(&self, subscription: SubscriptionIx, span: &Span, mut add: impl FnMut(SeriesIx, i128, i128)) {
        if span.months.0 < span.months.1 {
            for line in self.lines(subscription) {
                add(line.series(), line.quantity_of_months(span), line.cost_of_months(span));
            }
        }
        for edge in span.edges.iter().flatten() {
            let rows = self.rows_of_days_in(subscription, edge.month, edge.first, edge.last);
            let sign = if edge.adds { 1 } else { -1 };
            for row in self.rows(rows).iter() {
                add(row.series, sign * i128::from(row.quantity.0), sign * i128::from(row.cost.0));
            }
        }
    }

    /// Bytes that the index of the usage takes beside the rows.
    #[must_use]
    pub fn index_bytes(&self) -> usize {
        self.index.bytes()
    }

    /// The places of a subscription's rows on days that lie in one month.
    fn rows_of_days(&self, subscription: SubscriptionIx, first: u16, last: u16) -> Range<usize> {
        self.rows_of_days_in(subscription, self.index.calendar.month_of(first), first, last)
    }

    fn rows_of_days_in(&self, subscription: SubscriptionIx, month: u16, first: u16, last: u16) -> Range<usize> {
        let rows = self.rows_of_month(subscription, month);
        let days = &self.usage.day[rows.clone()];
        let from = days.partition_point(|day| *day < first);
        let to = from + days[from..].partition_point(|day| *day <= last);
        rows.start + from..rows.start + to
    }

    /// The places of a subscription's rows of a month; all of its rows where the months before
    /// have too many to be counted.
    fn rows_of_month(&self, subscription: SubscriptionIx, month: u16) -> Range<usize> {
        let all = self.places(subscription);
        let Some([entry, next]) = self.index.entries.get(subscription.at()..=subscription.at() + 1) else { return all };
        let counts = self.index.month_rows.get(entry.month_rows as usize..next.month_rows as usize).unwrap_or_default();
        let Some(months) = month.checked_sub(entry.first_month).map(usize::from) else { return all.start..all.start };
        let (before, from) = counts.split_at(months.min(counts.len()));
        let count = from.first().copied().unwrap_or(0);
        if before.contains(&MANY) || count == MANY {
            return all;
        }
        let start = all.start + before.iter().map(|rows| usize::from(*rows)).sum::<usize>();
        start..start + usize::from(count)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{PortfolioBuilder, SmallTables};
    use super::*;
    use crate::domain::Micros;

    const LARGE: i64 = i64::MAX - 7;

    fn day(number: i32) -> Day {
        Day::from_epoch_days(19_700 + number)
    }

    /// (subscription, day, series, quantity, cost)
    type Row = (&'static str, i32, u16, i64, i64);

    fn portfolio(rows: &[Row]) -> Portfolio {
        let mut builder = PortfolioBuilder::new(1, 0, SmallTables::default());
        for unit in ["a", "b", "c"] {
            builder.series("Storage", unit);
        }
        for (id, on, _, quantity, _) in rows {
            builder.count(id, std::iter::once((day(*on), Micros(*quantity))));
        }
        let mut filler = builder.seal().expect("small");
        for (id, on, series, quantity, cost) in rows {
            filler.fill(id, std::iter::once((day(*on), *series, Micros(*quantity), Some(Micros(*cost))))).expect("counted");
        }
        filler.finish()
    }

    /// Rows that leave months out, begin late, end early, have no quantity, and pass an `i64`
    /// when they are added.
    fn rows() -> Vec<Row> {
        let mut rows = vec![("b", 3, 0, 0, 5), ("b", 200, 2, 7, -4), ("c", 90, 1, 1, 1)];
        rows.extend((0..200).filter(|on| on % 3 != 1).map(|on| ("a", on, 1, i64::from(on % 5), i64::from(on))));
        rows.extend((40..55).map(|on| ("a", on, 0, LARGE, LARGE)));
        rows.extend((40..55).map(|on| ("b", on, 0, LARGE, -LARGE)));
        rows
    }

    fn sum(rows: &[Row], id: &str, from: i32, to: i32, series: impl Fn(u16) -> bool, of: impl Fn(&Row) -> i64) -> i128 {
        let mine = rows.iter().filter(|row| row.0 == id && (from..=to).contains(&row.1) && series(row.2));
        mine.map(|row| i128::from(of(row))).sum()
    }

    #[test]
    fn sums_and_usage_days_of_any_days_are_those_of_the_rows() {
        let rows = rows();
        let portfolio = portfolio(&rows);
        for (from, to) in [(-9, 300), (0, 0), (3, 40), (31, 61), (40, 54), (41, 200), (60, 190), (88, 92), (199, 250)] {
            let span = portfolio.span(day(from), day(to)).expect("days of data");
            for id in ["a", "b", "c"] {
                let ix = portfolio.find_subscription(id).expect("in the rows");
                assert_eq!(portfolio.cost_within(ix, &span, None), sum(&rows, id, from, to, |_| true, |row| row.4), "{id} {from} {to}");
                let keeps = [true, false, true];
                assert_eq!(portfolio.cost_within(ix, &span, Some(&keeps)), sum(&rows, id, from, to, |at| at != 1, |row| row.4));
                let mut parts = [(0, 0); 3];
                portfolio.sum_parts(ix, &span, |series, quantity, cost| {
                    let part = &mut parts[usize::from(series.0)];
                    *part = (part.0 + quantity, part.1 + cost);
                });
                for series in 0..3 {
                    let quantity = sum(&rows, id, from, to, |at| at == series, |row| row.3);
                    assert_eq!(portfolio.quantity_within(ix, &span, SeriesIx(series)), quantity);
                    assert_eq!(parts[usize::from(series)], (quantity, sum(&rows, id, from, to, |at| at == series, |row| row.4)));
                }
                let days = |of: &dyn Fn(&&Row) -> bool| {
                    let mut days: Vec<Day> =
                        rows.iter().filter(|row| row.0 == id && (from..=to).contains(&row.1)).filter(of).map(|row| day(row.1)).collect();
                    days.sort_unstable();
                    days.dedup();
                    days
                };
                let used = days(&|row| row.3 > 0);
                let mut marks = [0_u64; 5];
                portfolio.mark_used(&span, portfolio.lines(ix), day(-7), &mut marks);
                let marked = (0..320).filter(|at| marks[at / 64] >> (at % 64) & 1 == 1).map(|at| day(-7) + i32::try_from(at).expect("few"));
                assert_eq!(marked.collect::<Vec<_>>(), used);
                assert_eq!(portfolio.lines(ix).filter_map(|line| line.last_used(&span)).max(), used.last().copied());
                assert_eq!(portfolio.lines(ix).any(|line| line.used_within(&span)), !used.is_empty());
                let mut on: Vec<Day> = portfolio.usage_within(ix, day(from), day(to)).iter().map(|row| row.on).collect();
                on.dedup();
                assert_eq!(on, days(&|_| true));
            }
        }
        assert_eq!(portfolio.span(day(-9), day(-1)), None);
        assert_eq!(portfolio.span(day(201), day(400)), None);
    }

    #[test]
    fn a_month_of_more_rows_than_can_be_counted_is_searched() {
        let mut builder = PortfolioBuilder::new(1, 0, SmallTables::default());
        let series: Vec<String> = (0..3_000).map(|number| format!("{number:04}")).collect();
        series.iter().for_each(|unit| builder.series("Storage", unit));
        for on in 20..50 {
            builder.count("a", (0..3_000).map(|_| (day(on), Micros(1))));
        }
        let mut filler = builder.seal().expect("small");
        for on in 20..50 {
            filler.fill("a", (0..3_000).map(|series| (day(on), series, Micros(1), Some(Micros(2))))).expect("counted");
        }
        let portfolio = filler.finish();
        let ix = portfolio.find_subscription("a").expect("in the rows");
        for (from, to) in [(20, 49), (25, 40), (45, 46), (20, 20), (49, 49)] {
            let span = portfolio.span(day(from), day(to)).expect("days of data");
            assert_eq!(portfolio.cost_within(ix, &span, None), i128::from(to - from + 1) * 6_000);
            assert_eq!(portfolio.usage_within(ix, day(from), day(to)).len(), usize::try_from(to - from + 1).expect("few") * 3_000);
        }
    }
}
