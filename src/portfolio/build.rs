//! Building a portfolio: count the rows of each subscription, then put each row in its place.
//! The counting sort needs no second copy of the usage in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use thiserror::Error;

use super::commitments::interned;
use super::index::UsageIndex;
use super::monthly::MonthlyTally;
use super::{Customer, CustomerIx, Portfolio, Series, Subscription, SubscriptionIx, Usage};
use crate::domain::{
    CommitmentRow, CustomerRow, Day, Event, EventKind, Micros, SubscriptionId, SubscriptionRow, Timeline, UNKNOWN_CUSTOMER,
};

/// Why the tables do not fit in memory in the form of [`Portfolio`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BuildError {
    #[error("{0} different (category, unit) pairs are more than 65,536: was a column of ids taken for the category?")]
    TooManySeries(usize),
    #[error("usage from {first} to {last} spans more than 65,536 days")]
    SpanTooLong { first: Day, last: Day },
    #[error("{0} subscriptions are more than 4,294,967,295")]
    TooManySubscriptions(usize),
    #[error("usage rows of {0} came in the second pass that were not counted in the first")]
    PassesDiffer(String),
}

/// The tables that are small beside usage.
#[derive(Debug, Clone, Default)]
pub struct SmallTables {
    pub customers: Vec<CustomerRow>,
    pub subscriptions: Vec<SubscriptionRow>,
    pub lifecycle: Vec<(SubscriptionId, Event)>,
    pub commitments: Vec<CommitmentRow>,
}

/// What the first pass over the usage learns of one subscription.
#[derive(Debug, Clone, Default)]
struct Tally {
    /// Rows by day since the epoch, only while the as-of day is unknown.
    rows: u64,
    first: Option<Day>,
}

/// The first pass: which subscriptions have usage, how much, and on which days.
#[derive(Debug)]
pub struct PortfolioBuilder {
    version: u64,
    settle_days: u32,
    currency: Option<String>,
    tables: SmallTables,
    tallies: HashMap<String, Tally>,
    days: BTreeSet<Day>,
    last_used: Option<Day>,
    series: BTreeSet<Series>,
    months: MonthlyTally,
}

impl PortfolioBuilder {
    /// Begins with the small tables of version `version`. The as-of day will be the last usage
    /// day less `settle_days`.
    #[must_use]
    pub fn new(version: u64, settle_days: u32, tables: SmallTables) -> Self {
        Self {
            version,
            settle_days,
            currency: None,
            tables,
            tallies: HashMap::new(),
            days: BTreeSet::new(),
            last_used: None,
            series: BTreeSet::new(),
            months: MonthlyTally::default(),
        }
    }

    /// Tells the currency of every cost.
    #[must_use]
    pub fn costs_in(mut self, currency: Option<&str>) -> Self {
        self.currency = currency.map(str::to_owned);
        self
    }

    /// Tells the days and quantities of some usage rows of one subscription.
    pub fn count(&mut self, subscription: &str, rows: impl Iterator<Item = (Day, Micros)>) {
        if !self.tallies.contains_key(subscription) {
            self.tallies.insert(subscription.to_owned(), Tally::default());
        }
        let Some(tally) = self.tallies.get_mut(subscription) else { return };
        let mut last_seen = None;
        for (on, quantity) in rows {
            tally.rows += 1;
            tally.first = Some(tally.first.map_or(on, |first| first.min(on)));
            if quantity.0 > 0 {
                self.last_used = self.last_used.max(Some(on));
            }
            if last_seen != Some(on) {
                self.days.insert(on);
                last_seen = Some(on);
            }
        }
    }

    /// Tells a (category, unit) that the rows have.
    pub fn series(&mut self, category: &str, unit: &str) {
        self.series.insert(Series { category: category.to_owned(), unit: unit.to_owned() });
    }

    /// The number under which rows by the month name a (category, unit). Such a series is none of
    /// the daily rows'.
    pub fn monthly_series(&mut self, category: &str, unit: &str) -> u32 {
        self.months.series(category, unit)
    }

    /// Tells usage rows by the month of one subscription: (a day of the month, number of
    /// [`PortfolioBuilder::monthly_series`], quantity, cost). Those of a month with a daily row of
    /// anybody, or that ends after the as-of day, are left out.
    pub fn months(&mut self, subscription: &str, rows: impl Iterator<Item = (Day, u32, Micros, Option<Micros>)>) {
        self.months.add(subscription, rows);
    }

    /// Ends the first pass: every id, day and series is known.
    ///
    /// # Errors
    /// Where the tables have more series, days or subscriptions than the columns can number.
    pub fn seal(mut self) -> Result<UsageFiller, BuildError> {
        let as_of = self.last_used.map(|last| last - i32::try_from(self.settle_days).unwrap_or(i32::MAX));
        let first = self.days.first().copied();
        let days = first.zip(as_of).filter(|(first, as_of)| first <= as_of);
        if let Some((first, last)) = days.filter(|(first, last)| *last - *first > i32::from(u16::MAX)) {
            return Err(BuildError::SpanTooLong { first, last });
        }
        if self.series.len() > usize::from(u16::MAX) + 1 {
            return Err(BuildError::TooManySeries(self.series.len()));
        }
        let gaps = days.map_or_else(Vec::new, |(first, last)| {
            (0..=last - first).map(|offset| first + offset).filter(|day| !self.days.contains(day)).collect()
        });
        self.months.keep(days, &self.days);
        let (customers, mut subscriptions) = people(&self.tables, &self.tallies, &self.months.subscriptions());
        let commitments = interned(std::mem::take(&mut self.tables.commitments), &customers, &subscriptions);
        if u32::try_from(subscriptions.len()).is_err() {
            return Err(BuildError::TooManySubscriptions(subscriptions.len()));
        }
        let months = self.months.finish(&subscriptions);
        let data_errors = lives(&mut subscriptions, self.tables, &self.tallies, as_of);
        let (customer_start, by_customer) = group_by_customer(customers.len(), &subscriptions);
        let mut start = Vec::with_capacity(subscriptions.len() + 1);
        let mut total = 0_u64;
        for subscription in &subscriptions {
            start.push(total);
            total += self.tallies.get(subscription.id.as_str()).map_or(0, |tally| tally.rows);
        }
        start.push(total);
        let rows = usize::try_from(total).unwrap_or(usize::MAX);
        let usage =
            Usage { day: vec![0; rows], series: vec![0; rows], quantity: vec![0; rows], cost: vec![0; rows], start, has_cost: false };
        let next = usage.start.clone();
        let portfolio = Portfolio {
            version: self.version,
            settle_days: self.settle_days,
            currency: self.currency,
            days,
            customers,
            subscriptions,
            customer_start,
            by_customer,
            series: self.series.into_iter().collect(),
            usage,
            index: UsageIndex::default(),
            months,
            gaps,
            data_errors,
            commitments,
            cost_hidden: false,
        };
        Ok(UsageFiller { portfolio, next })
    }
}

/// The second pass: each row goes to its place.
#[derive(Debug)]
pub struct UsageFiller {
    portfolio: Portfolio,
    /// Where the next row of each subscription goes.
    next: Vec<u64>,
}

impl UsageFiller {
    /// The number of a (category, unit) in the finished portfolio.
    #[must_use]
    pub fn series_number(&self, category: &str, unit: &str) -> Option<u16> {
        let wanted = (category, unit);
        let at = self.portfolio.series.binary_search_by(|series| (series.category.as_str(), series.unit.as_str()).cmp(&wanted)).ok()?;
        u16::try_from(at).ok()
    }

    /// Puts rows of one subscription in place: (day, series number, quantity, cost). Rows after
    /// the as-of day are left out.
    ///
    /// # Errors
    /// Where the first pass did not count them.
    pub fn fill(&mut self, subscription: &str, rows: impl Iterator<Item = (Day, u16, Micros, Option<Micros>)>) -> Result<(), BuildError> {
        let Some((first, as_of)) = self.portfolio.days else { return Ok(()) };
        let differ = || BuildError::PassesDiffer(subscription.to_owned());
        let ix = self.portfolio.find_subscription(subscription).ok_or_else(differ)?;
        let end = self.portfolio.usage.start[ix.at() + 1];
        let mut at = self.next[ix.at()];
        let usage = &mut self.portfolio.usage;
        for (on, series, quantity, cost) in rows {
            if on > as_of {
                continue;
            }
            let slot = usize::try_from(at).ok().filter(|_| at < end).ok_or_else(differ)?;
            usage.day[slot] = u16::try_from(on - first).map_err(|_| differ())?;
            usage.series[slot] = series;
            usage.quantity[slot] = quantity.0;
            usage.cost[slot] = cost.map_or(0, |cost| cost.0);
            usage.has_cost |= cost.is_some();
            at += 1;
        }
        self.next[ix.at()] = at;
        Ok(())
    }

    /// The portfolio: rows after the as-of day closed up, each subscription's rows in day order.
    #[must_use]
    pub fn finish(mut self) -> Portfolio {
        self.close_up();
        self.sort_rows();
        self.portfolio.with_index()
    }

    /// Moves rows forward over the places that rows after the as-of day would have had.
    fn close_up(&mut self) {
        let usage = &mut self.portfolio.usage;
        let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        let mut to = 0_usize;
        let mut start = Vec::with_capacity(usage.start.len());
        for (from, end) in usage.start.iter().zip(&self.next) {
            start.push(to as u64);
            let (from, end) = (place(*from), place(*end));
            if to != from {
                usage.day.copy_within(from..end, to);
                usage.series.copy_within(from..end, to);
                usage.quantity.copy_within(from..end, to);
                usage.cost.copy_within(from..end, to);
            }
            to += end - from;
            if start.len() == self.portfolio.subscriptions.len() {
                break;
            }
        }
        start.push(to as u64);
        if self.portfolio.subscriptions.is_empty() {
            start = vec![0];
        }
        usage.start = start;
        usage.day.truncate(to);
        usage.series.truncate(to);
        usage.quantity.truncate(to);
        usage.cost.truncate(to);
    }

    /// Rows come from month files in day order, so this finds nothing to do there; rows from
    /// elsewhere are put in order.
    fn sort_rows(&mut self) {
        let usage = &mut self.portfolio.usage;
        for bounds in usage.start.windows(2) {
            let (Ok(from), Ok(to)) = (usize::try_from(bounds[0]), usize::try_from(bounds[1])) else { continue };
            let key = |at: &usize| (usage.day[*at], usage.series[*at]);
            let mut order: Vec<usize> = Vec::new();
            if !(from..to).is_sorted_by_key(|at| key(&at)) {
                order.extend(from..to);
                order.sort_by_key(key);
            }
            let rows: Vec<_> = order.iter().map(|at| (usage.day[*at], usage.series[*at], usage.quantity[*at], usage.cost[*at])).collect();
            for (at, row) in (from..to).zip(rows) {
                (usage.day[at], usage.series[at], usage.quantity[at], usage.cost[at]) = row;
            }
        }
    }
}

/// Customers and subscriptions, each ascending by id, those included that only a row of
/// another table names. A subscription that only a commitment or a row of a month (`by_month`)
/// names has no life, so it is in no figure but the money of months.
fn people(tables: &SmallTables, tallies: &HashMap<String, Tally>, by_month: &BTreeSet<&str>) -> (Vec<Customer>, Vec<Subscription>) {
    let mut rows: BTreeMap<&str, Option<&SubscriptionRow>> = tallies.keys().map(|id| (id.as_str(), None)).collect();
    rows.extend(by_month.iter().map(|id| (*id, None)));
    rows.extend(tables.lifecycle.iter().map(|(id, _)| (id.as_str(), None)));
    rows.extend(tables.commitments.iter().filter_map(|row| Some((row.subscription_id.as_ref()?.as_str(), None))));
    rows.extend(tables.subscriptions.iter().map(|row| (row.subscription_id.as_str(), Some(row))));

    let mut customers: BTreeMap<&str, Option<&CustomerRow>> =
        rows.values().map(|row| (row.map_or(UNKNOWN_CUSTOMER, |row| row.customer_id.as_str()), None)).collect();
    customers.extend(tables.commitments.iter().filter_map(|row| Some((row.customer_id.as_ref()?.as_str(), None))));
    customers.extend(tables.customers.iter().map(|row| (row.customer_id.as_str(), Some(row))));
    let numbers: HashMap<&str, u32> = customers.keys().copied().zip(0..).collect();

    let subscriptions = rows
        .iter()
        .filter_map(|(id, row)| {
            let owner = row.map_or(UNKNOWN_CUSTOMER, |row| row.customer_id.as_str());
            Some(Subscription {
                id: SubscriptionId::parse(id).ok()?,
                customer: CustomerIx(*numbers.get(owner)?),
                name: row.and_then(|row| row.name.clone()),
                product: row.and_then(|row| row.product.clone()),
                auto_renew: row.and_then(|row| row.auto_renew),
                term_end_on: row.and_then(|row| row.term_end_on),
                is_trial: row.and_then(|row| row.is_trial).unwrap_or(false),
                life: Timeline::default(),
                creation_is_derived: false,
            })
        })
        .collect();
    let customers = customers
        .into_iter()
        .map(|(id, row)| Customer {
            id: id.to_owned(),
            name: row.and_then(|row| row.name.clone()),
            country: row.and_then(|row| row.country.clone()),
            segment: row.and_then(|row| row.segment.clone()),
            reseller_id: row.and_then(|row| row.reseller_id.clone()),
            reseller_name: row.and_then(|row| row.reseller_name.clone()),
            has_row: row.is_some(),
        })
        .collect();
    (customers, subscriptions)
}

/// Gives each subscription its life up to the as-of day; returns the events without effect.
fn lives(
    subscriptions: &mut [Subscription],
    tables: SmallTables,
    tallies: &HashMap<String, Tally>,
    as_of: Option<Day>,
) -> Vec<(SubscriptionIx, crate::domain::DataError)> {
    let known = |day: Day| as_of.is_none_or(|as_of| day <= as_of);
    let mut events: HashMap<String, Vec<Event>> = HashMap::new();
    for (id, event) in tables.lifecycle.into_iter().filter(|(_, event)| known(event.on)) {
        events.entry(id.as_str().to_owned()).or_default().push(event);
    }
    let recorded: HashMap<&str, Day> =
        tables.subscriptions.iter().filter_map(|row| Some((row.subscription_id.as_str(), row.created_on?))).collect();
    let mut data_errors = Vec::new();
    for (number, subscription) in (0..).zip(subscriptions) {
        let id = subscription.id.as_str();
        let events = events.remove(id).unwrap_or_default();
        let has_event = events.iter().any(|event| event.kind == EventKind::Created);
        let mut created = recorded.get(id).copied();
        if created.is_none() && !has_event {
            let first_row = tallies.get(id).and_then(|tally| tally.first);
            created = first_row.into_iter().chain(events.iter().map(|event| event.on)).min();
            subscription.creation_is_derived = created.is_some();
        }
        let (life, errors) = Timeline::build(created.filter(|day| known(*day)), events);
        subscription.life = life;
        data_errors.extend(errors.into_iter().map(|error| (SubscriptionIx(number), error)));
    }
    data_errors
}

/// Counting sort of subscriptions by customer.
pub(super) fn group_by_customer(customers: usize, subscriptions: &[Subscription]) -> (Vec<u32>, Vec<SubscriptionIx>) {
    let mut start = vec![0_u32; customers + 1];
    for subscription in subscriptions {
        start[subscription.customer.at() + 1] += 1;
    }
    for at in 1..start.len() {
        start[at] += start[at - 1];
    }
    let mut next = start.clone();
    let mut grouped = vec![SubscriptionIx(0); subscriptions.len()];
    for (number, subscription) in (0..).zip(subscriptions) {
        let slot = &mut next[subscription.customer.at()];
        grouped[*slot as usize] = SubscriptionIx(number);
        *slot += 1;
    }
    (start, grouped)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::State;

    fn day(number: i32) -> Day {
        Day::from_epoch_days(20_000 + number)
    }

    fn build(settle_days: u32, rows: &[(&str, i32, i64)]) -> Portfolio {
        let mut builder = PortfolioBuilder::new(7, settle_days, SmallTables::default());
        builder.series("Storage", "GB");
        for (id, on, quantity) in rows {
            builder.count(id, std::iter::once((day(*on), Micros(*quantity))));
        }
        let mut filler = builder.seal().expect("small");
        for (id, on, quantity) in rows {
            filler.fill(id, std::iter::once((day(*on), 0, Micros(*quantity), None))).expect("counted");
        }
        filler.finish()
    }

    #[test]
    fn rows_come_out_by_subscription_in_day_order_and_end_on_the_as_of_day() {
        let rows = [("b", 3, 5), ("a", 2, 1), ("b", 1, 4), ("a", 9, 0), ("c", 8, 2), ("b", 8, 1)];
        let portfolio = build(1, &rows);
        assert_eq!(portfolio.as_of(), Some(day(7)));
        assert_eq!(portfolio.usage_rows(), 3);
        let seen = |id| {
            let ix = portfolio.find_subscription(id).expect("in the rows");
            portfolio.usage(ix).iter().map(|point| (point.on - day(0), point.quantity.0)).collect::<Vec<_>>()
        };
        assert_eq!((seen("a"), seen("b"), seen("c")), (vec![(2, 1)], vec![(1, 4), (3, 5)], vec![]));
        assert_eq!(portfolio.gaps(), [day(4), day(5), day(6), day(7)]);
    }

    #[test]
    fn a_subscription_known_from_usage_alone_lives_from_its_first_row() {
        let portfolio = build(0, &[("a", 2, 1), ("a", 4, 1)]);
        let ix = portfolio.find_subscription("a").expect("in the rows");
        assert!(portfolio.subscription(ix).creation_is_derived);
        assert_eq!((portfolio.state_at(ix, day(1)), portfolio.state_at(ix, day(2))), (State::None, State::Active));
        assert_eq!(portfolio.customer(portfolio.subscription(ix).customer).id, UNKNOWN_CUSTOMER);
    }

    #[test]
    fn no_rows_at_all_are_an_empty_portfolio() {
        let portfolio = build(0, &[]);
        assert_eq!((portfolio.as_of(), portfolio.usage_rows(), portfolio.subscriptions().len()), (None, 0, 0));
    }
}
