//! GET /v1/subscriptions/without-usage

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{Day, State};
use crate::metrics::{self, Filter, WithoutUsage};

use super::super::cursor::Key;
use super::super::endpoint::{About, Listing};
use super::super::meta::Meta;
use super::super::operation::Operation;
use super::super::parameters::{Kind, Parameters, Query, Spec};
use super::super::period::AskedPeriod;
use super::super::problem::Problem;
use super::super::version::Version;
use super::ordering::{Order, Search};
use super::words::Who;

/// What the list can be ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Customer,
    Subscription,
    Created,
    LastUsed,
}

/// The orders by name.
pub(in crate::service) const SORTS: &[&str] =
    &["customer", "-customer", "subscription", "-subscription", "created_on", "-created_on", "last_used_on", "-last_used_on"];

const SORT: Spec = Spec::new(
    "sort",
    Kind::Choice(SORTS),
    "The column to order by, with `-` before it from the largest down. Where nothing is said, the never used come first, then the longest silent; where something is, rows without a value come last.",
)
.such_as("-created_on");

/// In the order of [`SORTS`].
const ORDERS: [Order<Column>; 8] = [
    Order::up(Column::Customer),
    Order::down(Column::Customer),
    Order::up(Column::Subscription),
    Order::down(Column::Subscription),
    Order::up(Column::Created),
    Order::down(Column::Created),
    Order::up(Column::LastUsed),
    Order::down(Column::LastUsed),
];

/// A period, a search, an order, the common filters.
#[derive(Debug, Clone)]
pub(in crate::service) struct UnusedQuery {
    period: AskedPeriod,
    search: Search,
    order: Option<Order<Column>>,
    filter: Filter,
}

impl Query for UnusedQuery {
    fn parse(parameters: &mut Parameters) -> Self {
        Self {
            period: AskedPeriod::parse(parameters),
            search: Search::parse(parameters),
            order: parameters.choice(&SORT, &ORDERS),
            filter: parameters.filter(),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WithoutUsage)]
pub(in crate::service) struct Row {
    #[serde(flatten)]
    pub(in crate::service) who: Who,
    /// At the end of the period.
    pub(in crate::service) state: State,
    pub(in crate::service) created_on: Option<Day>,
    /// Null where it was never used.
    pub(in crate::service) last_used_on: Option<Day>,
    /// Days on which the feed had a row since then; null where it was never used.
    pub(in crate::service) days_since: Option<u32>,
}

/// A row and its place.
#[derive(Debug, Clone, Copy)]
pub(in crate::service) struct Placed {
    row: WithoutUsage,
    key: Key,
}

/// Subscriptions that somebody has and nobody uses.
#[derive(Debug)]
pub(in crate::service) struct Unused;

impl Listing for Unused {
    const ABOUT: About = About {
        path: "/v1/subscriptions/without-usage",
        operation: Operation::WithoutUsage,
        tag: "subscriptions",
        summary: "Active, and not used",
        what: "Subscriptions active on at least one day of the period with no usage day in it: the never-used first, then the longest silent.",
        fails: &[410],
    };
    type Query = UnusedQuery;
    type Entry = Placed;
    type Row = Row;

    fn entries(version: &Version, query: &UnusedQuery) -> Result<(Vec<Placed>, Meta), Problem> {
        let sight = version.sight()?;
        let period = query.period.resolve(sight.as_of);
        let found = metrics::without_usage(sight.portfolio, period, &query.filter).into_iter();
        let wanted = found.filter(|row| query.search.finds(sight.portfolio, row.subscription));
        let mut rows: Vec<Placed> = wanted.map(|row| Placed { key: key(version, query.order, &row), row }).collect();
        if query.order.is_some() {
            rows.sort_unstable_by_key(|row| row.key);
        }
        Ok((rows, Meta::of(sight).about(sight, period)))
    }

    fn key(entry: &Placed) -> Key {
        entry.key
    }

    fn rows(version: &Version, _: &UnusedQuery, entries: &[Placed], take: &mut dyn FnMut(Row) -> bool) -> Result<(), Problem> {
        let sight = version.sight()?;
        for Placed { row: entry, .. } in entries {
            let row = Row {
                who: Who::of(sight.portfolio, entry.subscription),
                state: entry.state,
                created_on: entry.created_on,
                last_used_on: entry.last_used_on,
                days_since: entry.days_since,
            };
            if !take(row) {
                break;
            }
        }
        Ok(())
    }
}

/// Where a row stands in the order that was asked for.
fn key(version: &Version, order: Option<Order<Column>>, row: &WithoutUsage) -> Key {
    let day = |day: Day| i128::from(day.epoch_days());
    let ix = row.subscription;
    let Some(order) = order else {
        // Never used comes first; days of 1970 and later are no smaller than 0.
        return Key(0, row.last_used_on.map_or(-1, day), ix.0);
    };
    let value = match order.column {
        Column::Customer => Some(i128::from(version.alphabet().customer(version.tables().portfolio.subscription(ix).customer))),
        Column::Subscription => Some(i128::from(version.alphabet().subscription(ix))),
        Column::Created => row.created_on.map(day),
        Column::LastUsed => row.last_used_on.map(day),
    };
    order.place(value, ix)
}
