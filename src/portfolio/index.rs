//! What metrics ask of the usage most often, in a form that needs few of its rows: on which days
//! a (category, unit) of a subscription was used, what it came to in each calendar month, and
//! where each month's rows begin.
//!
//! It follows from the usage alone and is built in one pass over it, so it is in no file, and
//! two portfolios with the same usage have the same index. `lookup.rs` answers from it.
//!
//! Absent on purpose: anything that a filter, a period or a metric would decide.

use std::collections::BTreeMap;

use super::Usage;
use super::calendar::Calendar;
use crate::domain::Day;

/// Stands in a column of sums where the sum is in [`UsageIndex::wide`].
const WIDE: i64 = i64::MIN;

/// Stands for the number of a month's rows where it does not fit.
pub(super) const MANY: u16 = u16::MAX;

/// The index. Memory grows with the number of lines (a subscription's categories and units) and
/// the months and 64-day words that each spans, not with the rows.
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
    /// Sums of the lines by month, from the month of the first row to that of the last.
    quantity: Vec<i64>,
    /// As `quantity`; empty where no row has a cost.
    cost: Vec<i64>,
    /// (quantity, cost) of the few months whose sums pass an `i64`.
    wide: BTreeMap<u32, (i128, i128)>,
    /// Rows of the subscriptions by month, from the month of the first row to that of the last;
    /// [`MANY`] where they are that many or more.
    pub(super) month_rows: Vec<u16>,
}

/// Where a subscription's part of the index begins; it ends where the next one's begins. The
/// places are `u32`: 2^32 words or sums would take 32 GB, far beyond what rows a portfolio of
/// that size has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) lines: u32,
    pub(super) month_rows: u32,
    pub(super) first_month: u16,
}

/// A (subscription, series) with at least one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) words: u32,
    pub(super) sums: u32,
    pub(super) series: u16,
    /// Days of its first and its last row.
    pub(super) first: u16,
    pub(super) last: u16,
}

impl UsageIndex {
    /// Reads the rows, which are grouped by subscription and ascending by day in each.
    pub(super) fn build(usage: &Usage, series: usize, days: Option<(Day, Day)>) -> Self {
        let calendar = days.map_or_else(Calendar::default, |(first, last)| Calendar::new(first, last));
        let mut index = Self { calendar, ..Self::default() };
        let mut desk = Desk::new(series, &index.calendar, usage.has_cost);
        for bounds in usage.start.windows(2) {
            let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
            let rows = place(bounds[0])..place(bounds[1]);
            let first_month = usage.day[rows.clone()].first().map_or(0, |day| index.calendar.month_of(*day));
            index.entries.push(index.next_entry(first_month));
            index.add(usage, rows, &mut desk);
        }
        index.entries.push(index.next_entry(0));
        index.lines.shrink_to_fit();
        index.words.shrink_to_fit();
        index.quantity.shrink_to_fit();
        index.cost.shrink_to_fit();
        index.month_rows.shrink_to_fit();
        index
    }

    fn next_entry(&self, first_month: u16) -> Entry {
        Entry { lines: narrow(self.lines.len()), month_rows: narrow(self.month_rows.len()), first_month }
    }

    /// Adds one subscription.
    fn add(&mut self, usage: &Usage, mut rows: std::ops::Range<usize>, desk: &mut Desk) {
        let mut next_month = None;
        while let Some(day) = usage.day[rows.clone()].first().copied() {
            let month = self.calendar.month_of(day);
            // Months between two rows have none.
            self.month_rows.extend((next_month.unwrap_or(month)..month).map(|_| 0));
            let end = self.calendar.bounds(month).1;
            let in_month = usage.day[rows.clone()].iter().take_while(|day| **day <= end).count().max(1);
            self.month_rows.push(u16::try_from(in_month).unwrap_or(MANY));
            desk.add(usage, rows.start..rows.start + in_month, usize::from(month));
            next_month = Some(month + 1);
            rows.start += in_month;
        }
        desk.clear(self);
    }

    /// The cost of a line in the months from `from` to before `to`, as far as it spans them.
    pub(super) fn cost_of_months(&self, line: &Line, from: u16, to: u16) -> i128 {
        self.of_months(&self.cost, line, (from, to), |sums| sums.1)
    }

    /// The quantity of a line in the months from `from` to before `to`, as far as it spans them.
    pub(super) fn quantity_of_months(&self, line: &Line, from: u16, to: u16) -> i128 {
        self.of_months(&self.quantity, line, (from, to), |sums| sums.0)
    }

    fn of_months(&self, column: &[i64], line: &Line, months: (u16, u16), wide: impl Fn((i128, i128)) -> i128) -> i128 {
        let (first, last) = self.months(line);
        let (from, to) = (months.0.max(first), months.1.min(last + 1));
        if from >= to {
            return 0;
        }
        let (from, to) = (self.sums_at(line, from), self.sums_at(line, to));
        let cells = column.get(from..to).unwrap_or_default();
        cells.iter().enumerate().map(|(at, sum)| if *sum == WIDE { wide(self.wide_sums(from + at)) } else { i128::from(*sum) }).sum()
    }

    /// The first and the last month that a line spans.
    pub(super) fn months(&self, line: &Line) -> (u16, u16) {
        (self.calendar.month_of(line.first), self.calendar.month_of(line.last))
    }

    fn sums_at(&self, line: &Line, month: u16) -> usize {
        line.sums as usize + usize::from(month) - usize::from(self.calendar.month_of(line.first))
    }

    fn wide_sums(&self, at: usize) -> (i128, i128) {
        self.wide.get(&narrow(at)).copied().unwrap_or((0, 0))
    }

    /// Puts the sums of one month behind those that are there.
    fn push_sums(&mut self, (quantity, cost): (i128, i128), has_cost: bool) {
        let fits = |sum: i128| i64::try_from(sum).ok().filter(|sum| *sum != WIDE);
        let both = fits(quantity).zip(fits(cost));
        if both.is_none() {
            self.wide.insert(narrow(self.quantity.len()), (quantity, cost));
        }
        let (quantity, cost) = both.unwrap_or((WIDE, WIDE));
        self.quantity.push(quantity);
        if has_cost {
            self.cost.push(cost);
        }
    }

    /// Bytes on the heap, but for the calendar and the few sums that are wide.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.entries)
            + size_of_val(&*self.lines)
            + size_of_val(&*self.words)
            + size_of_val(&*self.quantity)
            + size_of_val(&*self.cost)
            + size_of_val(&*self.month_rows)
    }
}

fn narrow(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// Where the lines of one subscription are added up, as wide as the data, before they are put
/// into the index as wide as the line.
#[derive(Debug)]
struct Desk {
    months: usize,
    words: usize,
    has_cost: bool,
    /// By series: the line's number on the desk, [`FREE`] where it has none.
    line_of: Vec<u32>,
    open: Vec<OpenLine>,
    /// `words` a line on the desk.
    used: Vec<u64>,
    /// `months` a line on the desk.
    sums: Vec<(i128, i128)>,
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
    fn new(series: usize, calendar: &Calendar, has_cost: bool) -> Self {
        let days = calendar.len().checked_sub(1).map_or(0, |last| usize::from(calendar.bounds(u16::try_from(last).unwrap_or(0)).1) + 1);
        Self {
            months: calendar.len(),
            words: days.div_ceil(64),
            has_cost,
            line_of: vec![FREE; series],
            open: Vec::new(),
            used: Vec::new(),
            sums: Vec::new(),
        }
    }

    /// Adds rows of one month.
    fn add(&mut self, usage: &Usage, rows: std::ops::Range<usize>, month: usize) {
        let columns = usage.day[rows.clone()].iter().zip(&usage.series[rows.clone()]);
        for ((day, series), (quantity, cost)) in columns.zip(usage.quantity[rows.clone()].iter().zip(&usage.cost[rows])) {
            let mut number = self.line_of[usize::from(*series)];
            if number == FREE {
                number = self.open(*series, *day);
            }
            let line = number as usize;
            self.open[line].last = *day;
            let sums = &mut self.sums[line * self.months + month];
            sums.0 += i128::from(*quantity);
            sums.1 += i128::from(*cost);
            self.used[line * self.words + usize::from(*day / 64)] |= u64::from(*quantity > 0) << (*day % 64);
        }
    }

    fn open(&mut self, series: u16, day: u16) -> u32 {
        let number = narrow(self.open.len());
        self.open.push(OpenLine { series, first: day, last: day, number });
        self.line_of[usize::from(series)] = number;
        let lines = self.open.len();
        if self.used.len() < lines * self.words {
            self.used.resize(lines * self.words, 0);
            self.sums.resize(lines * self.months, (0, 0));
        }
        number
    }

    /// Puts the lines into the index and leaves the desk empty.
    fn clear(&mut self, index: &mut UsageIndex) {
        self.open.sort_unstable_by_key(|line| line.series);
        for line in &self.open {
            let number = line.number as usize;
            let (words, sums) = (narrow(index.words.len()), narrow(index.quantity.len()));
            index.lines.push(Line { words, sums, series: line.series, first: line.first, last: line.last });
            let used = number * self.words + usize::from(line.first / 64)..=number * self.words + usize::from(line.last / 64);
            index.words.extend(self.used[used.clone()].iter());
            self.used[used].fill(0);
            let months = usize::from(index.calendar.month_of(line.first))..=usize::from(index.calendar.month_of(line.last));
            for month in months {
                index.push_sums(std::mem::take(&mut self.sums[number * self.months + month]), self.has_cost);
            }
            self.line_of[usize::from(line.series)] = FREE;
        }
        self.open.clear();
    }
}
