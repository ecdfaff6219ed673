//! What metrics ask of the usage most often, in a form that needs few of its rows or none: on
//! which days a (category, unit) of a subscription was used, what a subscription cost in each
//! calendar month and where that month's rows begin, and what each (category, unit) of the whole
//! portfolio came to by day.
//!
//! It follows from the usage alone and is built in one pass over it, so it is in no file, and
//! two portfolios with the same usage have the same index. `lookup.rs` answers from it.
//!
//! Absent on purpose: anything that a filter, a period or a metric would decide.

use std::collections::BTreeMap;
use std::ops::Range;

use super::Usage;
use super::calendar::Calendar;
use super::weekly::Weekly;
use crate::domain::Day;

/// Stands in [`UsageIndex::cost`] where the sum is in [`UsageIndex::wide`].
const WIDE: i64 = i64::MIN;

/// Most (series, day)s of which the portfolio's sums are kept: 32 bytes each, so 16 MiB. A year
/// of 1,400 (category, unit)s has fewer. Above it, sums over all subscriptions are taken from
/// the rows.
const TOTALS_MAX: usize = 1 << 19;

/// The index. Memory grows with the number of lines (a subscription's categories and units) and
/// the months and 64-day words that each spans, not with the rows; one row of a mistaken year
/// makes only its own subscription's part long.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct UsageIndex {
    pub(super) calendar: Calendar,
    /// One a subscription, and one more.
    pub(super) entries: Vec<Entry>,
    /// Ascending by (subscription, series).
    pub(super) lines: Vec<Line>,
    /// Usage days of the lines: bit d of the n-th word of a line is the day
    /// `64 * (first / 64 + n) + d`.
    pub(super) words: Vec<u64>,
    /// By subscription, from the month of its first row to that of its last: rows before the month.
    rows_before: Vec<u32>,
    /// Beside `rows_before`: cost of the month; empty where no row has a cost.
    cost: Vec<i64>,
    /// Costs of the few months that pass an `i64`, by place in `cost`.
    wide: BTreeMap<u32, i128>,
    totals: Totals,
    /// Filled in by its own pass.
    pub(super) weekly: Weekly,
}

/// Where a subscription's part of the index begins; it ends where the next one's begins. The
/// places are `u32`: 2^32 words would take 32 GB, far beyond what a portfolio has whose rows
/// are in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) lines: u32,
    months: u32,
    first_month: u16,
    /// Whether every row has a quantity above 0, so that the usage days count the rows.
    pub(super) rows_are_use: bool,
}

/// A (subscription, series) with at least one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) words: u32,
    pub(super) series: u16,
    /// Days of its first and its last row.
    pub(super) first: u16,
    pub(super) last: u16,
}

/// (quantity, cost) of each series over all subscriptions, from the first day up to each day,
/// that day included. Empty where there would be too many.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Totals {
    days: usize,
    sums: Vec<(i128, i128)>,
}

impl UsageIndex {
    /// Reads the rows, which are grouped by subscription and ascending by day in each.
    pub(super) fn build(usage: &Usage, series: usize, days: Option<(Day, Day)>) -> Self {
        let calendar = days.map_or_else(Calendar::default, |(first, last)| Calendar::new(first, last));
        let mut index = Self { totals: Totals::new(series, calendar.days()), calendar, ..Self::default() };
        let mut desk = Desk { words: index.calendar.days().div_ceil(64), line_of: vec![FREE; series], open: Vec::new(), used: Vec::new() };
        for bounds in usage.start.windows(2) {
            let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
            let rows = place(bounds[0])..place(bounds[1]);
            let first_month = usage.day[rows.clone()].first().map_or(0, |day| index.calendar.month_of(*day));
            let rows_are_use = usage.quantity[rows.clone()].iter().all(|quantity| *quantity > 0);
            index.entries.push(index.next_entry(first_month, rows_are_use));
            index.add_months(usage, rows.clone());
            for at in rows {
                let (day, series) = (usage.day[at], usage.series[at]);
                desk.add(day, series, usage.quantity[at] > 0);
                index.totals.add(day, series, (usage.quantity[at], usage.cost[at]));
            }
            desk.clear(&mut index);
        }
        index.entries.push(index.next_entry(0, true));
        index.totals.accumulate();
        index.lines.shrink_to_fit();
        index.words.shrink_to_fit();
        index.rows_before.shrink_to_fit();
        index.cost.shrink_to_fit();
        index
    }

    fn next_entry(&self, first_month: u16, rows_are_use: bool) -> Entry {
        Entry { lines: narrow(self.lines.len()), months: narrow(self.rows_before.len()), first_month, rows_are_use }
    }

    /// Adds the months of one subscription.
    fn add_months(&mut self, usage: &Usage, rows: Range<usize>) {
        let days = &usage.day[rows.clone()];
        let mut begun = 0;
        let mut next_month = None;
        while let Some(day) = days.get(begun) {
            let month = self.calendar.month_of(*day);
            // Months between two rows have none.
            for _ in next_month.unwrap_or(month)..month {
                self.push_month(begun, 0, usage.has_cost);
            }
            let end = self.calendar.bounds(month).1;
            let count = days[begun..].iter().take_while(|day| **day <= end).count().max(1);
            let costs = &usage.cost[rows.start + begun..rows.start + begun + count];
            self.push_month(begun, costs.iter().map(|cost| i128::from(*cost)).sum(), usage.has_cost);
            next_month = Some(month + 1);
            begun += count;
        }
    }

    fn push_month(&mut self, rows_before: usize, cost: i128, has_cost: bool) {
        let fits = i64::try_from(cost).ok().filter(|cost| *cost != WIDE);
        if fits.is_none() {
            self.wide.insert(narrow(self.cost.len()), cost);
        }
        self.rows_before.push(narrow(rows_before));
        if has_cost {
            self.cost.push(fits.unwrap_or(WIDE));
        }
    }

    /// The cost of a subscription in the months from `from` to before `to`.
    pub(super) fn cost_of_months(&self, subscription: usize, from: u16, to: u16) -> i128 {
        let places = self.months(subscription, from, to);
        let sums = self.cost.get(places.clone()).unwrap_or_default();
        let wide = |at: usize| self.wide.get(&narrow(at)).copied().unwrap_or(0);
        sums.iter().zip(places).map(|(sum, at)| if *sum == WIDE { wide(at) } else { i128::from(*sum) }).sum()
    }

    /// The rows of a subscription in a month, counted from its first row; `all` is the number of
    /// all of its rows.
    pub(super) fn rows_of_month(&self, subscription: usize, month: u16, all: usize) -> Range<usize> {
        let Some([entry, next]) = self.entries.get(subscription..subscription + 2) else { return 0..0 };
        let before = self.rows_before.get(entry.months as usize..next.months as usize).unwrap_or_default();
        let Some(at) = month.checked_sub(entry.first_month).map(usize::from) else { return 0..0 };
        let place = |at: usize| before.get(at).map_or(all, |rows| *rows as usize);
        place(at)..place(at + 1)
    }

    /// (quantity, cost) of a series over all subscriptions from `first` to `last`; none where the
    /// sums are not kept.
    pub(super) fn total(&self, series: u16, first: u16, last: u16) -> Option<(i128, i128)> {
        let from = usize::from(series) * self.totals.days;
        let up_to = |day: u16| self.totals.sums.get(from + usize::from(day)).copied();
        let before = first.checked_sub(1).map_or(Some((0, 0)), up_to)?;
        up_to(last).map(|sum| (sum.0 - before.0, sum.1 - before.1))
    }

    /// The places of a subscription's months from `from` to before `to`, as far as it has them.
    fn months(&self, subscription: usize, from: u16, to: u16) -> Range<usize> {
        let Some([entry, next]) = self.entries.get(subscription..subscription + 2) else { return 0..0 };
        let (begin, end) = (entry.months as usize, next.months as usize);
        let place = |month: u16| (begin + usize::from(month.saturating_sub(entry.first_month))).min(end);
        place(from)..place(to).max(place(from))
    }

    /// Bytes on the heap, but for the calendar, the few costs that are wide and the weeks.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.entries)
            + size_of_val(&*self.lines)
            + size_of_val(&*self.words)
            + size_of_val(&*self.rows_before)
            + size_of_val(&*self.cost)
            + size_of_val(&*self.totals.sums)
    }
}

fn narrow(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

impl Totals {
    fn new(series: usize, days: usize) -> Self {
        let count = series.saturating_mul(days);
        if count > TOTALS_MAX { Self::default() } else { Self { days, sums: vec![(0, 0); count] } }
    }

    fn add(&mut self, day: u16, series: u16, (quantity, cost): (i64, i64)) {
        if let Some(sum) = self.sums.get_mut(usize::from(series) * self.days + usize::from(day)) {
            sum.0 += i128::from(quantity);
            sum.1 += i128::from(cost);
        }
    }

    /// Makes sums of days into sums up to days.
    fn accumulate(&mut self) {
        for of_series in self.sums.chunks_mut(self.days.max(1)) {
            let mut so_far = (0, 0);
            for sum in of_series {
                so_far = (so_far.0 + sum.0, so_far.1 + sum.1);
                *sum = so_far;
            }
        }
    }
}

/// Where the usage days of one subscription's lines are marked, as wide as the data, before they
/// are put into the index as wide as the line.
#[derive(Debug)]
struct Desk {
    /// Words of a line on the desk.
    words: usize,
    /// By series: the line's number on the desk, [`FREE`] where it has none.
    line_of: Vec<u32>,
    open: Vec<OpenLine>,
    used: Vec<u64>,
}

const FREE: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct OpenLine {
    series: u16,
    first: u16,
    last: u16,
    number: u32,
}

impl Desk {
    fn add(&mut self, day: u16, series: u16, is_used: bool) {
        let mut number = self.line_of[usize::from(series)];
        if number == FREE {
            number = self.open(series, day);
        }
        let line = number as usize;
        self.open[line].last = day;
        self.used[line * self.words + usize::from(day / 64)] |= u64::from(is_used) << (day % 64);
    }

    fn open(&mut self, series: u16, day: u16) -> u32 {
        let number = narrow(self.open.len());
        self.open.push(OpenLine { series, first: day, last: day, number });
        self.line_of[usize::from(series)] = number;
        let words = self.open.len() * self.words;
        if self.used.len() < words {
            self.used.resize(words, 0);
        }
        number
    }

    /// Puts the lines into the index and leaves the desk empty.
    fn clear(&mut self, index: &mut UsageIndex) {
        self.open.sort_unstable_by_key(|line| line.series);
        for line in &self.open {
            index.lines.push(Line { words: narrow(index.words.len()), series: line.series, first: line.first, last: line.last });
            let begin = line.number as usize * self.words;
            let used = begin + usize::from(line.first / 64)..=begin + usize::from(line.last / 64);
            index.words.extend(self.used[used.clone()].iter());
            self.used[used].fill(0);
            self.line_of[usize::from(line.series)] = FREE;
        }
        self.open.clear();
    }
}
