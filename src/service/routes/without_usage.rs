//! GET /v1/subscriptions/without-usage

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{Day, State};
use crate::metrics::{self, Filter, WithoutUsage};

use super::super::cursor::Key;
use super::super::endpoint::{About, Listing};
use super::super::meta::Meta;
use super::super::parameters::{Parameters, Query};
use super::super::period::AskedPeriod;
use super::super::problem::Problem;
use super::super::version::Version;
use super::words::Who;

/// A period and the common filters.
#[derive(Debug, Clone)]
pub(super) struct UnusedQuery {
    period: AskedPeriod,
    filter: Filter,
}

impl Query for UnusedQuery {
    fn parse(parameters: &mut Parameters) -> Self {
        Self { period: AskedPeriod::parse(parameters), filter: parameters.filter() }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WithoutUsage)]
pub(super) struct Row {
    #[serde(flatten)]
    who: Who,
    /// At the end of the period.
    state: State,
    created_on: Option<Day>,
    /// Null where it was never used.
    last_used_on: Option<Day>,
    /// Days on which the feed had a row since then; null where it was never used.
    days_since: Option<u32>,
}

/// Subscriptions that somebody has and nobody uses.
#[derive(Debug)]
pub(super) struct Unused;

impl Listing for Unused {
    const ABOUT: About = About {
        path: "/v1/subscriptions/without-usage",
        id: "without_usage",
        tag: "subscriptions",
        summary: "Active, and not used",
        what: "Subscriptions active on at least one day of the period with no usage day in it: the never-used first, then the longest silent.",
        fails: &[410],
    };
    type Query = UnusedQuery;
    type Entry = WithoutUsage;
    type Row = Row;

    fn entries(version: &Version, query: &UnusedQuery) -> Result<(Vec<WithoutUsage>, Meta), Problem> {
        let sight = version.sight()?;
        let period = query.period.resolve(sight.as_of);
        Ok((metrics::without_usage(sight.portfolio, period, &query.filter), Meta::of(sight).about(sight, period)))
    }

    fn key(entry: &WithoutUsage) -> Key {
        // Never used comes first; days of 1970 and later are no smaller than 0.
        let last = entry.last_used_on.map_or(0, |day| 1 + u64::try_from(day.epoch_days()).unwrap_or(0));
        Key(last, 0, entry.subscription.0)
    }

    fn rows(version: &Version, _: &UnusedQuery, entries: &[WithoutUsage], take: &mut dyn FnMut(Row) -> bool) -> Result<(), Problem> {
        let sight = version.sight()?;
        for entry in entries {
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
