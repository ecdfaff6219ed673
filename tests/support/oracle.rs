//! METRICS.md a second time, slow and obvious: it starts from the rows of the tables, replays
//! every day of every life and counts by looking. Nothing of `src/metrics` or of the portfolio
//! is used.

use std::collections::{BTreeMap, BTreeSet};

use churn_risk::domain::{Bucket, Day, EventKind, Period, State, UNKNOWN_CUSTOMER};
use churn_risk::metrics::RawFilter;

use super::worlds::World;

/// A subscription as the oracle sees it: what it is at the end of each day it looked at.
#[derive(Debug, Clone)]
pub(crate) struct Life {
    pub(crate) id: String,
    pub(crate) customer: String,
    pub(crate) is_trial: bool,
    term_end_on: Option<Day>,
    pub(crate) created: Option<Day>,
    states: BTreeMap<Day, State>,
    /// The reason that an event gave; of several on one day, the first in order.
    reasons: BTreeMap<(Day, EventKind), Option<String>>,
    pub(crate) renewals: BTreeSet<Day>,
    /// The rows that the filter left, by day, category and unit.
    pub(crate) rows: Vec<Row>,
}

/// A usage row.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) on: Day,
    pub(crate) category: String,
    pub(crate) unit: String,
    pub(crate) quantity: i64,
    pub(crate) cost: i64,
}

/// (id, state, created, last used, known days since).
pub(crate) type Unused = (String, State, Option<Day>, Option<Day>, Option<usize>);

/// The tables, cut.
#[derive(Debug, Clone)]
pub(crate) struct Oracle {
    pub(crate) as_of: Option<Day>,
    pub(crate) lives: Vec<Life>,
    pub(crate) first_day: Option<Day>,
    /// Days with a row of anybody.
    pub(crate) known_days: BTreeSet<Day>,
    pub(crate) has_cost: bool,
}

impl Oracle {
    pub(crate) fn new(world: &World, filter: &RawFilter) -> Self {
        let settle = i32::try_from(world.settle_days).expect("few");
        let last_used = world.usage.iter().filter(|(_, (quantity, _))| *quantity > 0).map(|((_, on, _, _), _)| *on).max();
        let as_of = last_used.map(|last| last - settle);
        let known = |on: &Day| as_of.is_none_or(|as_of| *on <= as_of);
        let ids: BTreeSet<String> = world
            .subscriptions
            .iter()
            .map(|row| row.subscription_id.to_string())
            .chain(world.lifecycle.iter().map(|(id, _)| id.to_string()))
            .chain(world.usage.keys().map(|(id, ..)| id.clone()))
            .collect();
        let lives = ids.iter().filter_map(|id| Life::new(world, id, as_of, filter)).collect();
        let first_row = world.usage.keys().map(|(_, on, ..)| *on).min();
        let known_days = world.usage.keys().map(|(_, on, ..)| *on).filter(known).collect();
        // A feed whose first row comes after its as-of day has no days at all.
        let as_of = as_of.filter(|as_of| first_row.is_some_and(|first| first <= *as_of));
        let has_cost = as_of.is_some() && world.usage.iter().any(|((_, on, ..), (_, cost))| known(on) && cost.is_some());
        let first_day = first_row.filter(|_| as_of.is_some());
        Self { as_of, lives, first_day, known_days, has_cost }
    }

    /// The days of a period that are not after the as-of day.
    pub(crate) fn days(&self, period: Period) -> Vec<Day> {
        days(period).into_iter().filter(|on| self.as_of.is_some_and(|as_of| *on <= as_of)).collect()
    }

    /// The days of a period by bucket, without those after the as-of day.
    pub(crate) fn buckets(&self, period: Period, bucket: Bucket) -> BTreeMap<Day, Vec<Day>> {
        let mut buckets: BTreeMap<Day, Vec<Day>> = BTreeMap::new();
        for on in self.days(period) {
            buckets.entry(bucket.start(on)).or_default().push(on);
        }
        buckets
    }

    pub(crate) fn sold(&self, days: &[Day]) -> usize {
        self.lives.iter().filter(|life| !life.is_trial && life.created.is_some_and(|on| days.contains(&on))).count()
    }

    pub(crate) fn customers_with_usage(&self, days: &[Day]) -> usize {
        let used: BTreeSet<&str> = self.lives.iter().filter(|life| life.used_on_any(days)).map(|life| life.customer.as_str()).collect();
        used.len()
    }

    pub(crate) fn customers_without_usage(&self, days: &[Day]) -> usize {
        let used: BTreeSet<&str> = self.lives.iter().filter(|life| life.used_on_any(days)).map(|life| life.customer.as_str()).collect();
        let active: BTreeSet<&str> = self.lives.iter().filter(|life| life.active_on_any(days)).map(|life| life.customer.as_str()).collect();
        active.difference(&used).count()
    }

    pub(crate) fn active_at(&self, on: Day) -> usize {
        self.lives.iter().filter(|life| self.as_of.is_some() && life.state(on) == State::Active).count()
    }

    pub(crate) fn cost(&self, days: &[Day]) -> i128 {
        self.lives.iter().map(|life| life.cost(days)).sum()
    }

    pub(crate) fn lost(&self, before: Day, end: Day) -> usize {
        let stood = |life: &&Life| self.as_of.is_some() && life.state(before) == State::Active && life.state(end) != State::Active;
        self.lives.iter().filter(stood).count()
    }

    pub(crate) fn without_usage(&self, days: &[Day]) -> Vec<Unused> {
        let Some(end) = days.last().copied() else { return Vec::new() };
        let mut rows: Vec<_> = self
            .lives
            .iter()
            .filter(|life| life.active_on_any(days) && !life.used_on_any(days))
            .map(|life| {
                let last = life.last_used(end);
                let since = last.map(|last| self.known_between(last, end));
                (life.id.clone(), life.state(end), life.created, last, since)
            })
            .collect();
        rows.sort_by(|a, b| (a.3, &a.0).cmp(&(b.3, &b.0)));
        rows
    }

    /// Known days after `last`, up to `end`.
    pub(crate) fn known_between(&self, last: Day, end: Day) -> usize {
        self.known_days.iter().filter(|on| last < **on && **on <= end).count()
    }
}

impl Life {
    /// The life of one subscription, unless the filter cuts it.
    fn new(world: &World, id: &str, as_of: Option<Day>, filter: &RawFilter) -> Option<Self> {
        let known = |on: Day| as_of.is_none_or(|as_of| on <= as_of);
        let row = world.subscriptions.iter().find(|row| row.subscription_id.as_str() == id);
        let customer = row.map_or(UNKNOWN_CUSTOMER, |row| row.customer_id.as_str());
        let customer_row = world.customers.iter().find(|row| row.customer_id.as_str() == customer);
        let passes = |wanted: &[String], value: Option<&str>| wanted.is_empty() || wanted.iter().any(|one| Some(one.as_str()) == value);
        let mut kept = passes(&filter.customer, Some(customer))
            && passes(&filter.country, customer_row.and_then(|row| row.country.as_deref()))
            && passes(&filter.reseller, customer_row.and_then(|row| row.reseller_id.as_deref()))
            && passes(&filter.product, row.and_then(|row| row.product.as_deref()));
        let mine = || world.usage.iter().filter(|((sub, on, ..), _)| sub == id && known(*on));
        let rows: Vec<_> = mine()
            .filter(|((_, _, category, _), _)| as_of.is_some() && passes(&filter.category, Some(category)))
            .map(|((_, on, category, unit), (quantity, cost))| Row {
                on: *on,
                category: category.clone(),
                unit: unit.clone(),
                quantity: *quantity,
                cost: cost.unwrap_or(0),
            })
            .collect();
        kept &= filter.category.is_empty() || rows.iter().any(|row| row.quantity > 0);
        let mut reasons: BTreeMap<(Day, EventKind), Option<String>> = BTreeMap::new();
        for (_, event) in world.lifecycle.iter().filter(|(sub, event)| sub.as_str() == id && known(event.on)) {
            let first = reasons.entry((event.on, event.kind)).or_insert_with(|| event.reason.clone());
            *first = first.clone().min(event.reason.clone());
        }
        let events: BTreeSet<(Day, EventKind)> = reasons.keys().copied().collect();
        // Creation: the first `created` event, else the recorded day, else the first that is heard of it.
        let told = events.iter().filter(|(_, kind)| *kind == EventKind::Created).map(|(on, _)| *on).min();
        let recorded = row.and_then(|row| row.created_on);
        let heard = world.usage.keys().filter(|(sub, ..)| sub == id).map(|(_, on, ..)| *on).chain(events.iter().map(|(on, _)| *on)).min();
        let created = told.or(recorded).or(heard).filter(|on| known(*on));
        let (states, renewals) = replay(created, &events);
        kept.then(|| Self {
            id: id.to_owned(),
            customer: customer.to_owned(),
            is_trial: row.and_then(|row| row.is_trial).unwrap_or(false),
            term_end_on: row.and_then(|row| row.term_end_on),
            created,
            states,
            reasons,
            renewals,
            rows,
        })
    }

    pub(crate) fn state(&self, on: Day) -> State {
        self.states.range(..=on).next_back().map_or(State::None, |(_, state)| *state)
    }

    pub(crate) fn used_on_any(&self, days: &[Day]) -> bool {
        self.rows_on(days).any(|row| row.quantity > 0)
    }

    /// The rows of some days in a row.
    pub(crate) fn rows_on<'a>(&'a self, days: &[Day]) -> impl Iterator<Item = &'a Row> + use<'a> {
        let ends = days.first().copied().zip(days.last().copied());
        self.rows.iter().filter(move |row| ends.is_some_and(|(first, last)| first <= row.on && row.on <= last))
    }

    pub(crate) fn cost(&self, days: &[Day]) -> i128 {
        self.rows_on(days).map(|row| i128::from(row.cost)).sum()
    }

    pub(crate) fn last_used(&self, end: Day) -> Option<Day> {
        self.rows.iter().filter(|row| row.quantity > 0 && row.on <= end).map(|row| row.on).max()
    }

    /// The days at whose end the state is another than the day before, and why.
    pub(crate) fn changes(&self) -> Vec<(Day, State, Option<String>)> {
        let differs = |on: &&Day| self.state(**on) != self.state(**on - 1);
        let cause = |on: Day| match self.state(on) {
            State::Ended => EventKind::Ended,
            State::Suspended => EventKind::Suspended,
            State::Active | State::None if self.created_on(on) => EventKind::Created,
            State::Active | State::None => EventKind::Reactivated,
        };
        let reason = |on: Day| self.reasons.get(&(on, cause(on))).cloned().flatten();
        self.states.keys().filter(differs).map(|on| (*on, self.state(*on), reason(*on))).collect()
    }

    fn active_on_any(&self, days: &[Day]) -> bool {
        days.iter().any(|on| self.state(*on) == State::Active)
    }

    pub(crate) fn created_on(&self, on: Day) -> bool {
        self.created == Some(on)
    }

    /// (Active at the end of the day before, or created on the day) and not active at its end.
    pub(crate) fn deprovisioned_on(&self, on: Day) -> Option<State> {
        let stood = self.state(on - 1) == State::Active || self.created_on(on);
        (stood && self.state(on) != State::Active).then(|| self.state(on))
    }

    pub(crate) fn recovered_on(&self, on: Day) -> bool {
        self.state(on - 1) == State::Suspended && self.state(on) == State::Active
    }

    pub(crate) fn renewed_on(&self, on: Day) -> bool {
        self.renewals.contains(&on)
    }

    pub(crate) fn term_ends_on(&self, on: Day) -> bool {
        let alive = matches!(self.state(on - 1), State::Active | State::Suspended);
        self.renewed_on(on) || (self.term_end_on == Some(on) && alive)
    }
}

pub(crate) fn days(period: Period) -> Vec<Day> {
    (0..period.days()).map(|offset| period.from() + offset).collect()
}

/// Applies the events of each day in the order created, renewed, reactivated, suspended, ended.
fn replay(created: Option<Day>, events: &BTreeSet<(Day, EventKind)>) -> (BTreeMap<Day, State>, BTreeSet<Day>) {
    let (mut states, mut renewals) = (BTreeMap::new(), BTreeSet::new());
    let Some(created) = created else { return (states, renewals) };
    let mut state = State::Active;
    let all: BTreeSet<Day> = events.iter().map(|(on, _)| *on).filter(|on| *on >= created).chain([created]).collect();
    for on in all {
        let has = |kind| events.contains(&(on, kind));
        if state == State::Ended {
            break;
        }
        if has(EventKind::Renewed) {
            renewals.insert(on);
        }
        match (has(EventKind::Reactivated), has(EventKind::Suspended)) {
            (true, true) | (false, false) => {}
            (true, false) => state = State::Active,
            (false, true) => state = State::Suspended,
        }
        if has(EventKind::Ended) {
            state = State::Ended;
        }
        states.insert(on, state);
    }
    (states, renewals)
}
