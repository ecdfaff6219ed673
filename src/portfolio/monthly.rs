//! Usage that a source tells by the calendar month alone, for the months of which no day is told.
//!
//! Absent on purpose: any quantity, since nothing but money is told from a month; a month with a
//! daily row of anybody up to the as-of day, which those rows tell; a month that ends after the
//! as-of day. Nothing here makes a day known, a subscription used on a day, or a life begin.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use super::bytes::{Decoder, Encoder, Malformed};
use super::part::places;
use super::{Series, Subscription, SubscriptionIx};
use crate::domain::{Day, Micros};

/// Place of a month in [`MonthlyUsage::months`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MonthIx(u32);

/// A calendar month that has a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MonthTold {
    /// Its first day.
    pub month: Day,
    /// Whether any of its rows carries a cost. Where none does, its costs are 0 and mean nothing.
    pub has_cost: bool,
}

/// Usage rows of whole months grouped by subscription, in the order of months: 17 bytes a row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MonthlyUsage {
    /// Every (category, unit) of these rows, ascending. Numbers of their own: a series that only
    /// months have is none of the portfolio's.
    series: Vec<Series>,
    months: Vec<MonthTold>,
    /// `start[s]..start[s + 1]` are the rows of subscription s; empty where there are no rows.
    start: Vec<u64>,
    month: Vec<u32>,
    of_series: Vec<u32>,
    cost: Vec<i64>,
    /// Whether the quantity is above 0.
    used: Vec<bool>,
}

impl MonthlyUsage {
    /// Every (category, unit), ascending.
    #[must_use]
    pub fn series(&self) -> &[Series] {
        &self.series
    }

    /// The months that have a row, ascending.
    #[must_use]
    pub fn months(&self) -> &[MonthTold] {
        &self.months
    }

    /// The place of the month that begins on `month`; none where it has no row.
    #[must_use]
    pub fn find(&self, month: Day) -> Option<MonthIx> {
        let at = self.months.binary_search_by(|told| told.month.cmp(&month)).ok()?;
        u32::try_from(at).ok().map(MonthIx)
    }

    /// Whether any row of a month carries a cost.
    #[must_use]
    pub fn has_cost(&self, month: MonthIx) -> bool {
        self.months.get(month.0 as usize).is_some_and(|told| told.has_cost)
    }

    /// What a subscription cost in a month, in micro-units: of the series that `keeps` marks, or
    /// of all.
    #[must_use]
    pub fn cost(&self, subscription: SubscriptionIx, month: MonthIx, keeps: Option<&[bool]>) -> i128 {
        let rows = self.rows(subscription);
        let begin = rows.start + self.month[rows.clone()].partition_point(|at| *at < month.0);
        let end = rows.start + self.month[rows].partition_point(|at| *at <= month.0);
        self.sum(begin..end, keeps)
    }

    /// Whether a subscription cost more than 0 in any one month that begins before `month`.
    #[must_use]
    pub fn had_cost_before(&self, subscription: SubscriptionIx, month: Day, keeps: Option<&[bool]>) -> bool {
        let end = self.months.partition_point(|told| told.month < month);
        let rows = self.rows(subscription);
        let mut begin = rows.start;
        for months in self.month[rows].chunk_by(|one, next| one == next) {
            let is_before = months.first().is_some_and(|at| (*at as usize) < end);
            if is_before && self.sum(begin..begin + months.len(), keeps) > 0 {
                return true;
            }
            begin += months.len();
        }
        false
    }

    /// Whether a subscription used a series that `keeps` marks (quantity above 0) in any month.
    #[must_use]
    pub fn is_used(&self, subscription: SubscriptionIx, keeps: &[bool]) -> bool {
        self.rows(subscription).any(|row| self.used[row] && keeps[self.of_series[row] as usize])
    }

    /// The places of the rows of a subscription.
    fn rows(&self, subscription: SubscriptionIx) -> Range<usize> {
        let row = |at: usize| self.start.get(at).map_or(0, |row| usize::try_from(*row).unwrap_or(usize::MAX));
        row(subscription.at())..row(subscription.at() + 1)
    }

    fn sum(&self, rows: Range<usize>, keeps: Option<&[bool]>) -> i128 {
        let counts = |series: &u32| keeps.is_none_or(|keeps| keeps[*series as usize]);
        let columns = self.of_series[rows.clone()].iter().zip(&self.cost[rows]);
        columns.map(|(series, cost)| if counts(series) { i128::from(*cost) } else { 0 }).sum()
    }
}

/// What a part of a portfolio has of it.
impl MonthlyUsage {
    /// The rows of some subscriptions, in the order in which they are given.
    pub(super) fn part(&self, of: &[SubscriptionIx]) -> Self {
        let rows = || of.iter().map(|ix| self.rows(*ix));
        let (mut months, mut series) = (vec![false; self.months.len()], vec![false; self.series.len()]);
        for row in rows().flatten() {
            months[self.month[row] as usize] = true;
            series[self.of_series[row] as usize] = true;
        }
        let mut part = Self::default();
        if rows().all(|rows| rows.is_empty()) {
            return part;
        }
        let (month_places, series_places) = (places(&months), places(&series));
        part.start.push(0);
        for rows in rows() {
            for row in rows {
                part.month.extend(month_places[self.month[row] as usize]);
                part.of_series.extend(series_places[self.of_series[row] as usize]);
                part.cost.push(self.cost[row]);
                part.used.push(self.used[row]);
            }
            part.start.push(part.month.len() as u64);
        }
        part.months = self.months.iter().zip(months).filter(|(_, kept)| *kept).map(|(one, _)| *one).collect();
        part.series = self.series.iter().zip(series).filter(|(_, kept)| *kept).map(|(one, _)| one.clone()).collect();
        part
    }

    /// The same without a single cost.
    pub(super) fn without_cost(&self) -> Self {
        let mut blind = self.clone();
        blind.cost.fill(0);
        blind.months.iter_mut().for_each(|told| told.has_cost = false);
        blind
    }
}

/// The part of the cache file.
impl MonthlyUsage {
    pub(super) fn encode(&self, out: &mut Encoder) {
        out.list(self.series.iter(), |out, series| {
            out.text(&series.category);
            out.text(&series.unit);
        });
        out.list(self.months.iter(), |out, told| {
            out.i32(told.month.epoch_days());
            out.u8(u8::from(told.has_cost));
        });
        out.list(self.start.iter(), |out, row| out.u64(*row));
        out.list(self.month.iter(), |out, month| out.u32(*month));
        out.list(self.of_series.iter(), |out, series| out.u32(*series));
        out.list(self.cost.iter(), |out, cost| out.u64(cost.cast_unsigned()));
        out.list(self.used.iter(), |out, used| out.u8(u8::from(*used)));
    }

    pub(super) fn decode(input: &mut Decoder<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            series: input.list(|input| Ok(Series { category: input.text()?, unit: input.text()? }))?,
            months: input.list(|input| Ok(MonthTold { month: Day::from_epoch_days(input.i32()?), has_cost: input.flag()? }))?,
            start: input.list(Decoder::u64)?,
            month: input.list(Decoder::u32)?,
            of_series: input.list(Decoder::u32)?,
            cost: input.list(|input| input.u64().map(u64::cast_signed))?,
            used: input.list(Decoder::flag)?,
        })
    }

    /// What the accessors rely on, of a portfolio with so many subscriptions.
    pub(super) fn is_sound(&self, subscriptions: usize) -> bool {
        let rows = self.month.len();
        let starts = if rows == 0 { self.start.is_empty() } else { self.start.len() == subscriptions + 1 };
        starts
            && self.start.is_sorted()
            && self.start.first().is_none_or(|first| *first == 0)
            && self.start.last().is_none_or(|last| *last == rows as u64)
            && [self.of_series.len(), self.cost.len(), self.used.len()].iter().all(|column| *column == rows)
            && self.months.is_sorted_by(|one, next| one.month < next.month)
            && self.month.iter().all(|month| (*month as usize) < self.months.len())
            && self.of_series.iter().all(|series| (*series as usize) < self.series.len())
    }
}

/// A row before it is known which months are told by days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    /// By order of appearance, as is the series.
    subscription: u32,
    month: Day,
    series: u32,
    used: bool,
    cost: Option<Micros>,
}

/// The rows as the tables tell them.
#[derive(Debug, Default)]
pub(super) struct MonthlyTally {
    subscriptions: Numbers<String>,
    series: Numbers<Series>,
    rows: Vec<Row>,
}

/// Things by order of appearance.
#[derive(Debug)]
struct Numbers<T> {
    all: Vec<T>,
    numbers: HashMap<T, u32>,
}

impl<T> Default for Numbers<T> {
    fn default() -> Self {
        Self { all: Vec::new(), numbers: HashMap::new() }
    }
}

impl<T: Clone + Eq + std::hash::Hash> Numbers<T> {
    fn number(&mut self, one: T) -> u32 {
        let next = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        *self.numbers.entry(one).or_insert_with_key(|one| {
            self.all.push(one.clone());
            next
        })
    }
}

impl MonthlyTally {
    /// The number under which rows name a (category, unit).
    pub(super) fn series(&mut self, category: &str, unit: &str) -> u32 {
        self.series.number(Series { category: category.to_owned(), unit: unit.to_owned() })
    }

    /// Adds rows of one subscription: (a day of the month, series number, quantity, cost).
    pub(super) fn add(&mut self, subscription: &str, rows: impl Iterator<Item = (Day, u32, Micros, Option<Micros>)>) {
        let subscription = self.subscriptions.number(subscription.to_owned());
        self.rows.extend(rows.map(|(on, series, quantity, cost)| Row {
            subscription,
            month: on.month_start(),
            series,
            used: quantity.0 > 0,
            cost,
        }));
    }

    /// Leaves only what stays in a portfolio with these days, the first and the as-of day, and
    /// daily rows on `told`. Without an as-of day nothing does.
    pub(super) fn keep(&mut self, days: Option<(Day, Day)>, told: &BTreeSet<Day>) {
        let Some((_, as_of)) = days else { return self.rows.clear() };
        let by_day: BTreeSet<Day> = told.range(..=as_of).map(|day| day.month_start()).collect();
        self.rows.retain(|row| row.month.plus_months(1) - 1 <= as_of && !by_day.contains(&row.month));
    }

    /// The subscriptions of the rows.
    pub(super) fn subscriptions(&self) -> BTreeSet<&str> {
        let numbers: BTreeSet<u32> = self.rows.iter().map(|row| row.subscription).collect();
        numbers.into_iter().filter_map(|number| Some(self.subscriptions.all.get(number as usize)?.as_str())).collect()
    }

    /// The rows in their places. `subscriptions` ascend by id and hold everyone whom a row names.
    pub(super) fn finish(self, subscriptions: &[Subscription]) -> MonthlyUsage {
        if self.rows.is_empty() {
            return MonthlyUsage::default();
        }
        let used: BTreeSet<u32> = self.rows.iter().map(|row| row.series).collect();
        let mut series: Vec<(Series, u32)> =
            used.into_iter().filter_map(|number| Some((self.series.all.get(number as usize)?.clone(), number))).collect();
        series.sort();
        let series_places: HashMap<u32, u32> = series.iter().map(|(_, number)| *number).zip(0..).collect();
        let place = |id: &String| subscriptions.binary_search_by(|one| one.id.as_str().cmp(id)).ok().and_then(|at| u32::try_from(at).ok());
        let places: Vec<Option<u32>> = self.subscriptions.all.iter().map(place).collect();
        let months: BTreeSet<Day> = self.rows.iter().map(|row| row.month).collect();
        let mut months: Vec<MonthTold> = months.into_iter().map(|month| MonthTold { month, has_cost: false }).collect();

        let mut rows = self.rows;
        rows.retain_mut(|row| {
            let subscription = places.get(row.subscription as usize).copied().flatten();
            let Some((subscription, series)) = subscription.zip(series_places.get(&row.series).copied()) else { return false };
            (row.subscription, row.series) = (subscription, series);
            true
        });
        rows.sort_unstable();
        let mut found = MonthlyUsage { series: series.into_iter().map(|(series, _)| series).collect(), ..MonthlyUsage::default() };
        for row in &rows {
            let month = months.partition_point(|told| told.month < row.month);
            if let Some(told) = months.get_mut(month) {
                told.has_cost |= row.cost.is_some();
            }
            found.month.push(u32::try_from(month).unwrap_or(u32::MAX));
            found.of_series.push(row.series);
            found.cost.push(row.cost.map_or(0, |cost| cost.0));
            found.used.push(row.used);
        }
        let before = |number: u32| rows.partition_point(|row| row.subscription < number) as u64;
        found.start = (0..).take(subscriptions.len() + 1).map(before).collect();
        found.months = months;
        found
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Portfolio, PortfolioBuilder, SmallTables};
    use super::*;

    fn day(text: &str) -> Day {
        Day::parse(text).expect("a test's own date")
    }

    /// (subscription, month, category, quantity, cost)
    type MonthRow = (&'static str, &'static str, &'static str, i64, Option<i64>);

    /// Daily rows of `a` from January 20th to March 1st but for February, of `b` on March 3rd, and
    /// some by the month; settled for two days, so that the as-of day is March 1st.
    fn portfolio(rows: &[MonthRow]) -> Portfolio {
        let mut builder = PortfolioBuilder::new(1, 2, SmallTables::default());
        builder.series("Storage", "GB");
        let days = [("a", "2024-01-20"), ("a", "2024-03-01"), ("b", "2024-03-03")];
        for (id, on) in days {
            builder.count(id, std::iter::once((day(on), Micros(1))));
        }
        for (id, month, category, quantity, cost) in rows {
            let series = builder.monthly_series(category, "GB");
            builder.months(id, std::iter::once((day(month), series, Micros(*quantity), cost.map(Micros))));
        }
        let mut filler = builder.seal().expect("small");
        for (id, on) in days {
            filler.fill(id, std::iter::once((day(on), 0, Micros(1), None))).expect("counted");
        }
        filler.finish()
    }

    const ROWS: [MonthRow; 9] = [
        ("b", "2024-02-01", "SQL", 0, Some(7)),
        ("a", "2024-02-01", "Storage", 1, Some(5)),
        ("a", "2024-02-01", "Backup", 1, Some(-2)),
        ("a", "2023-12-01", "Backup", 1, None),
        ("a", "2023-11-01", "Backup", 1, Some(-3)),
        ("a", "2023-11-01", "Storage", 1, Some(2)),
        // January has days, March ends after the as-of day, and April begins after it.
        ("a", "2024-01-01", "Storage", 1, Some(1000)),
        ("a", "2024-03-01", "Storage", 1, Some(1000)),
        ("b", "2024-04-01", "Media", 1, Some(1000)),
    ];

    #[test]
    fn rows_by_the_month_come_out_by_subscription_and_month_whatever_their_order() {
        let whole = portfolio(&ROWS);
        let mut turned = ROWS;
        turned.reverse();
        assert_eq!(portfolio(&turned), whole);
        let usage = whole.monthly_usage();
        let months: Vec<_> = usage.months().iter().map(|told| (told.month.to_string(), told.has_cost)).collect();
        assert_eq!(months, [("2023-11-01".to_owned(), true), ("2023-12-01".to_owned(), false), ("2024-02-01".to_owned(), true)]);
        assert_eq!(usage.series().iter().map(|series| series.category.as_str()).collect::<Vec<_>>(), ["Backup", "SQL", "Storage"]);
        let [a, b] = ["a", "b"].map(|id| whole.find_subscription(id).expect("in the rows"));
        let february = usage.find(day("2024-02-01")).expect("told");
        assert_eq!((usage.cost(a, february, None), usage.cost(b, february, None)), (3, 7));
        let storage = [false, false, true];
        assert_eq!((usage.cost(a, february, Some(&storage)), usage.cost(b, february, Some(&storage))), (5, 0));
        // -1 in November, and 2 of it for Storage.
        assert!(!usage.had_cost_before(a, day("2024-02-01"), None) && usage.had_cost_before(a, day("2024-03-01"), None));
        assert!(usage.had_cost_before(a, day("2023-12-01"), Some(&storage)) && !usage.had_cost_before(a, day("2023-11-01"), None));
        assert!(usage.is_used(a, &storage) && !usage.is_used(b, &[true, true, true]), "a quantity of 0 is no use");
    }

    #[test]
    fn rows_by_the_month_change_nothing_else_of_a_portfolio() {
        let (with, without) = (portfolio(&ROWS), portfolio(&[]));
        assert_ne!(with, without);
        assert_eq!(Portfolio { months: MonthlyUsage::default(), ..with }, without);
    }

    #[test]
    fn what_was_encoded_is_decoded_and_what_cannot_be_is_not_sound() {
        let usage = portfolio(&ROWS).months;
        let mut out = Encoder::default();
        usage.encode(&mut out);
        let mut input = Decoder::new(&out.bytes);
        let decoded = MonthlyUsage::decode(&mut input).expect("whole");
        assert!(input.is_empty() && decoded == usage && decoded.is_sound(2) && !decoded.is_sound(3));
        assert!(MonthlyUsage::default().is_sound(2));
        let wrong: [fn(&mut MonthlyUsage); 6] = [
            |usage| usage.start[1] = 99,
            |usage| usage.month[0] = 3,
            |usage| usage.of_series[0] = 3,
            |usage| usage.months.swap(0, 1),
            |usage| usage.cost.truncate(1),
            |usage| usage.start.clear(),
        ];
        for (number, wrong) in wrong.into_iter().enumerate() {
            let mut usage = usage.clone();
            wrong(&mut usage);
            assert!(!usage.is_sound(2), "{number}");
        }
    }
}
