//! GET /v1/subscriptions/{id}

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{Day, MicrosSum, State, SubscriptionId};
use crate::metrics::{self, DailyUse, Filter, StateChange, UseTotal};

use super::super::endpoint::{About, Figures};
use super::super::meta::{Meta, Warning};
use super::super::operation::Operation;
use super::super::parameters::{Parameters, Query};
use super::super::period::AskedPeriod;
use super::super::problem::Problem;
use super::super::version::Version;
use super::words::Who;

/// The subscription and a period.
#[derive(Debug, Clone)]
pub(in crate::service) struct OneQuery {
    subscription: Option<SubscriptionId>,
    period: AskedPeriod,
}

impl Query for OneQuery {
    fn parse(parameters: &mut Parameters) -> Self {
        Self { subscription: parameters.subscription(), period: AskedPeriod::parse(parameters) }
    }
}

/// One subscription: what it is, what happened to it, what it used in the period.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Subscription)]
pub(in crate::service) struct SubscriptionAnswer {
    #[serde(flatten)]
    pub(in crate::service) who: Who,
    /// At the end of the period, at most at the as-of day.
    pub(in crate::service) state: State,
    pub(in crate::service) is_trial: bool,
    pub(in crate::service) created_on: Option<Day>,
    /// Whether no table records its creation: it then lives from its first row or event.
    pub(in crate::service) creation_is_derived: bool,
    /// End of the running term as last recorded.
    pub(in crate::service) term_end_on: Option<Day>,
    pub(in crate::service) auto_renew: Option<bool>,
    /// The last usage day up to the end of the period; null where it was never used.
    pub(in crate::service) last_used_on: Option<Day>,
    /// Days with a feed since then.
    pub(in crate::service) days_since: Option<u32>,
    /// What the period cost; null where the tables have no cost.
    pub(in crate::service) cost: Option<MicrosSum>,
    /// Usage days of the period.
    pub(in crate::service) usage_days: u64,
    /// Every change of state since its creation.
    pub(in crate::service) states: Vec<StateChange>,
    pub(in crate::service) renewals: Vec<Day>,
    /// What the period used, by category and unit.
    pub(in crate::service) totals: Vec<UseTotal>,
    /// The same by day.
    pub(in crate::service) daily: Vec<DailyUse>,
}

/// One subscription.
#[derive(Debug)]
pub(in crate::service) struct OneSubscription;

impl Figures for OneSubscription {
    const ABOUT: About = About {
        path: "/v1/subscriptions/{id}",
        operation: Operation::Subscription,
        tag: "subscriptions",
        summary: "One subscription: states, renewals, daily use",
        what: "What it is and whose, every change of its state, its renewals, and what it used in the period by day, category and unit. As a table: the daily use.",
        fails: &[404],
    };
    type Query = OneQuery;
    type Answer = SubscriptionAnswer;
    type Row = DailyUse;

    fn answer(version: &Version, query: &OneQuery) -> Result<(SubscriptionAnswer, Meta), Problem> {
        let sight = version.sight()?;
        let ix = sight.find(query.subscription.as_ref())?;
        let period = query.period.resolve(sight.as_of);
        let history = metrics::subscription_history(sight.portfolio, period, &Filter::default(), ix).ok_or(Problem::NoSuchRoute)?;
        let subscription = sight.portfolio.subscription(ix);
        let mut meta = Meta::of(sight).about(sight, period);
        meta.warn(Warning::doubts_about_cost(sight.portfolio));
        let answer = SubscriptionAnswer {
            who: Who::of(sight.portfolio, ix),
            state: history.state,
            is_trial: subscription.is_trial,
            created_on: history.created_on,
            creation_is_derived: subscription.creation_is_derived,
            term_end_on: subscription.term_end_on,
            auto_renew: subscription.auto_renew,
            last_used_on: history.last_used_on,
            days_since: history.days_since,
            cost: history.cost,
            usage_days: history.usage_days,
            states: history.states,
            renewals: history.renewals,
            totals: history.totals,
            daily: history.daily,
        };
        Ok((answer, meta))
    }

    fn rows(answer: &SubscriptionAnswer) -> &[DailyUse] {
        &answer.daily
    }
}
