//! Questions about usage that the index answers with few rows or none.
//!
//! Absent on purpose: anything that a filter or a metric would decide, except which series
//! count, since rows that do not count must not be added first.

use std::ops::Range;

use super::calendar::{Edge, Span};
use super::index::{Line, UsageIndex};
use super::{Portfolio, SeriesIx, SubscriptionIx, UsageRows};
use crate::domain::Day;

/// Subscriptions whose edges are found before their rows are added: few enough that the places
/// stay in the nearest cache.
const BATCH: usize = 256;

/// One (category, unit) of one subscription: a (subscription, series) with at least one row.
#[derive(Debug, Clone, Copy)]
pub struct UsageLine<'a> {
    index: &'a UsageIndex,
    line: Line,
    first_day: Day,
}

impl UsageLine<'_> {
    #[must_use]
    pub const fn series(self) -> SeriesIx {
        SeriesIx(self.line.series)
    }

    /// Whether any of its rows has a quantity above 0.
    #[must_use]
    pub fn is_used(self) -> bool {
        (self.line.first / 64..=self.line.last / 64).any(|number| self.word(number) != 0)
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

    /// Its usage days from `first` to `last`.
    fn usage_days(self, first: u16, last: u16) -> usize {
        let (first, last) = (first.max(self.line.first), last.min(self.line.last));
        if first > last {
            return 0;
        }
        (first / 64..=last / 64).map(|number| (self.word(number) & bits_of_word(number, first, last)).count_ones() as usize).sum()
    }

    /// The usage days among the days `64 * number..64 * number + 64`.
    fn word(self, number: u16) -> u64 {
        let first = self.line.first / 64;
        if number < first || number > self.line.last / 64 {
            return 0;
        }
        self.index.words.get(self.line.words as usize + usize::from(number - first)).copied().unwrap_or(0)
    }
}

/// The days of the `number`-th word that lie in `span`.
fn days_of_word(number: u16, span: &Span) -> u64 {
    bits_of_word(number, span.first, span.last)
}

/// The days of the `number`-th word from `first` to `last`.
fn bits_of_word(number: u16, first: u16, last: u16) -> u64 {
    let from = if number == first / 64 { u64::MAX << (first % 64) } else { u64::MAX };
    let to = if number == last / 64 { u64::MAX >> (63 - last % 64) } else { u64::MAX };
    if number < first / 64 || number > last / 64 { 0 } else { from & to }
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
    pub fn mark_used<'a>(&self, span: &Span, lines: &(impl Iterator<Item = UsageLine<'a>> + Clone), from: Day, marks: &mut [u64]) {
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
        self.span(from, to).map_or_else(|| self.rows(0..0), |span| self.rows(self.rows_within(subscription, &span)))
    }

    /// What a subscription cost in `span`, in micro-units: of the series that `keeps` marks, or
    /// of all.
    #[must_use]
    pub fn cost_within(&self, subscription: SubscriptionIx, span: &Span, keeps: Option<&[bool]>) -> i128 {
        match keeps {
            _ if !self.has_cost() => 0,
            Some(keeps) if !self.lines(subscription).all(|line| keeps[usize::from(line.line.series)]) => {
                self.sum(subscription, span, &self.usage.cost, |series| keeps[usize::from(series)])
            }
            _ => {
                let months = self.index.cost_of_months(subscription.at(), span.months.0, span.months.1);
                months + span.edges.iter().flatten().map(|edge| self.cost_of_edge(subscription, *edge)).sum::<i128>()
            }
        }
    }

    /// Tells what each of some subscriptions cost in `span`, as [`Portfolio::cost_within`], in
    /// their order.
    ///
    /// Rows of two subscriptions are seldom in one page of memory, so each edge waits for its
    /// own. Here the places of many edges are found first and their rows added after that, in a
    /// loop so short that the machine fetches several at once.
    pub fn each_cost_within(
        &self,
        subscriptions: impl Iterator<Item = SubscriptionIx>,
        span: &Span,
        keeps: Option<&[bool]>,
        mut tell: impl FnMut(SubscriptionIx, i128),
    ) {
        if keeps.is_some() || !self.has_cost() || span.edges == [None, None] {
            return subscriptions.for_each(|ix| tell(ix, self.cost_within(ix, span, keeps)));
        }
        let mut subscriptions = subscriptions.peekable();
        let mut batch: Vec<(SubscriptionIx, [Range<usize>; 2])> = Vec::with_capacity(BATCH);
        while subscriptions.peek().is_some() {
            let places = |edge: Option<Edge>, ix| edge.map_or(0..0, |edge| self.rows_of_edge(ix, edge));
            batch.clear();
            batch.extend(subscriptions.by_ref().take(BATCH).map(|ix| (ix, [places(span.edges[0], ix), places(span.edges[1], ix)])));
            for (ix, places) in &batch {
                let mut cost = self.index.cost_of_months(ix.at(), span.months.0, span.months.1);
                for (edge, rows) in span.edges.iter().zip(places) {
                    let sum: i128 = self.usage.cost[rows.clone()].iter().map(|cost| i128::from(*cost)).sum();
                    cost += if edge.is_some_and(|edge| edge.adds) { sum } else { -sum };
                }
                tell(*ix, cost);
            }
        }
    }

    /// The cost of the rows of an edge, below 0 where they are to be taken away.
    fn cost_of_edge(&self, subscription: SubscriptionIx, edge: Edge) -> i128 {
        let rows = self.rows_of_edge(subscription, edge);
        let sum: i128 = self.usage.cost[rows].iter().map(|cost| i128::from(*cost)).sum();
        if edge.adds { sum } else { -sum }
    }

    /// The places of a subscription's rows of an edge.
    ///
    /// Where every row is a usage day of its line, counting those finds the place. It saves the
    /// look at the days of the rows: on 100,000 subscriptions that is a visit to as many pages of
    /// memory, and 4 of the 18 ms that an edge cost.
    fn rows_of_edge(&self, subscription: SubscriptionIx, edge: Edge) -> Range<usize> {
        let rows = self.rows_of_month(subscription, edge.month);
        if !self.index.entries.get(subscription.at()).is_some_and(|entry| entry.rows_are_use) {
            let days = &self.usage.day[rows.clone()];
            let from = days.partition_point(|day| *day < edge.first);
            return rows.start + from..rows.start + days.partition_point(|day| *day <= edge.last);
        }
        let (begin, end) = self.index.calendar.bounds(edge.month);
        let count = |first: u16, last: u16| -> usize { self.lines(subscription).map(|line| line.usage_days(first, last)).sum() };
        let before = if begin < edge.first { count(begin, edge.first - 1) } else { 0 };
        let from = (rows.start + before).min(rows.end);
        let to = if edge.last < end { from + count(edge.first, edge.last) } else { rows.end };
        from..to.clamp(from, rows.end)
    }

    /// The quantity of one series that a subscription used in `span`, in micro-units.
    #[must_use]
    pub fn quantity_within(&self, subscription: SubscriptionIx, span: &Span, series: SeriesIx) -> i128 {
        let has_rows = self.lines(subscription).any(|line| line.series() == series && line.reaches_into(span));
        if has_rows { self.sum(subscription, span, &self.usage.quantity, |of| of == series.0) } else { 0 }
    }

    /// The sum of a column over the rows of a subscription in `span` whose series counts.
    fn sum(&self, subscription: SubscriptionIx, span: &Span, column: &[i64], counts: impl Fn(u16) -> bool) -> i128 {
        let rows = self.rows_within(subscription, span);
        let columns = self.usage.series[rows.clone()].iter().zip(&column[rows]);
        columns.map(|(series, amount)| if counts(*series) { i128::from(*amount) } else { 0 }).sum()
    }

    /// The (quantity, cost) of a series over all subscriptions in `span`, in micro-units; none
    /// where there are too many series and days for these sums to be kept.
    #[must_use]
    pub fn total_within(&self, series: SeriesIx, span: &Span) -> Option<(i128, i128)> {
        self.index.total(series.0, span.first, span.last)
    }

    /// Bytes that the indexes of the usage take beside the rows.
    #[must_use]
    pub fn index_bytes(&self) -> usize {
        self.index.bytes() + self.index.weekly.bytes()
    }

    /// The places of a subscription's rows in `span`.
    fn rows_within(&self, subscription: SubscriptionIx, span: &Span) -> Range<usize> {
        let month = |day: u16| self.rows_of_month(subscription, self.index.calendar.month_of(day));
        let (head, tail) = (month(span.first), month(span.last));
        let begin = head.start + self.usage.day[head].partition_point(|day| *day < span.first);
        let end = tail.start + self.usage.day[tail].partition_point(|day| *day <= span.last);
        begin..end.max(begin)
    }

    /// The places of a subscription's rows of a month.
    fn rows_of_month(&self, subscription: SubscriptionIx, month: u16) -> Range<usize> {
        let all = self.places(subscription);
        let rows = self.index.rows_of_month(subscription.at(), month, all.len());
        all.start + rows.start..all.start + rows.end
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
                portfolio.each_cost_within([ix, ix].into_iter(), &span, None, |of, cost| {
                    assert_eq!((of, cost), (ix, portfolio.cost_within(ix, &span, None)));
                });
                assert_eq!(portfolio.cost_within(ix, &span, Some(&keeps)), sum(&rows, id, from, to, |at| at != 1, |row| row.4));
                for series in 0..3 {
                    let quantity = sum(&rows, id, from, to, |at| at == series, |row| row.3);
                    assert_eq!(portfolio.quantity_within(ix, &span, SeriesIx(series)), quantity);
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
                portfolio.mark_used(&span, &portfolio.lines(ix), day(-7), &mut marks);
                let marked = (0..320).filter(|at| marks[at / 64] >> (at % 64) & 1 == 1).map(|at| day(-7) + i32::try_from(at).expect("few"));
                assert_eq!(marked.collect::<Vec<_>>(), used);
                assert_eq!(portfolio.lines(ix).filter_map(|line| line.last_used(&span)).max(), used.last().copied());
                assert_eq!(portfolio.lines(ix).any(|line| line.used_within(&span)), !used.is_empty());
                let mut on: Vec<Day> = portfolio.usage_within(ix, day(from), day(to)).iter().map(|row| row.on).collect();
                on.dedup();
                assert_eq!(on, days(&|_| true));
            }
        }
        for series in 0..3 {
            let sums =
                |of: fn(&Row) -> i64| ["a", "b", "c"].into_iter().map(|id| sum(&rows, id, 33, 150, |at| at == series, of)).sum::<i128>();
            let span = portfolio.span(day(33), day(150)).expect("days of data");
            assert_eq!(portfolio.total_within(SeriesIx(series), &span), Some((sums(|row| row.3), sums(|row| row.4))));
        }
        assert_eq!(portfolio.span(day(-9), day(-1)), None);
        assert_eq!(portfolio.span(day(201), day(400)), None);
    }
}
