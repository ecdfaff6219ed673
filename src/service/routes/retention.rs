//! GET /v1/retention, /v1/retention/cohorts and /v1/retention/revenue

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::MicrosSum;
use crate::metrics::{self, CohortMonth, RenewalSlice, Retention, RevenueRetention};

use super::super::endpoint::{About, Figures};
use super::super::meta::{Meta, Warning};
use super::super::operation::Operation;
use super::super::problem::Problem;
use super::super::version::Version;
use super::churn::FlowQuery;
use super::customers::PeriodQuery;

/// Renewals of a period.
#[derive(Debug)]
pub(in crate::service) struct RetentionOfPeriod;

impl Figures for RetentionOfPeriod {
    const ABOUT: About = About {
        path: "/v1/retention",
        operation: Operation::Retention,
        tag: "metrics",
        summary: "Renewals, terms due, renewal rate",
        what: "Renewals by day, ISO week or month; the subscriptions whose term ended in the period, each once, and the share of them that renewed in it.",
        fails: &[],
    };
    type Query = FlowQuery;
    type Answer = Retention;
    type Row = RenewalSlice;

    fn answer(version: &Version, query: &FlowQuery) -> Result<(Retention, Meta), Problem> {
        let sight = version.sight()?;
        let period = query.period.resolve(sight.as_of);
        let retention = metrics::retention(sight.portfolio, period, query.bucket, &query.filter);
        Ok((retention, Meta::of(sight).about(sight, period).warned(Warning::doubts_about_lives(sight.portfolio))))
    }

    fn rows(answer: &Retention) -> &[RenewalSlice] {
        &answer.buckets
    }
}

/// The cohort table.
#[derive(Debug)]
pub(in crate::service) struct Cohorts;

impl Figures for Cohorts {
    const ABOUT: About = About {
        path: "/v1/retention/cohorts",
        operation: Operation::Cohorts,
        tag: "metrics",
        summary: "What became of those who came in a month",
        what: "Subscriptions created inside the period, by month of creation: how many are still active, and still used, k months later, and what they cost then. One row a cohort and month; ask for `period=last_12_months` to see a year of them.",
        fails: &[],
    };
    type Query = PeriodQuery;
    type Answer = Vec<CohortMonth>;
    type Row = CohortMonth;

    fn answer(version: &Version, query: &PeriodQuery) -> Result<(Vec<CohortMonth>, Meta), Problem> {
        let sight = version.sight()?;
        let period = query.period.resolve(sight.as_of);
        let mut meta = Meta::of(sight).about(sight, period).warned(Warning::doubts_about_lives(sight.portfolio));
        meta.warn(Warning::doubts_about_cost(sight.portfolio));
        Ok((metrics::cohorts(sight.portfolio, period, &query.filter), meta))
    }

    fn rows(answer: &Vec<CohortMonth>) -> &[CohortMonth] {
        answer
    }
}

/// What became of the cost per day, with its steps as rows.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RevenueRetentionAnswer)]
pub(in crate::service) struct RevenueAnswer {
    #[serde(flatten)]
    pub(in crate::service) revenue: RevenueRetention,
    /// From what was there to what is there, step by step.
    pub(in crate::service) steps: Vec<RevenueStep>,
}

/// One step: an amount a day, and how many subscriptions it is.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::service) struct RevenueStep {
    #[schema(examples("churned"))]
    pub(in crate::service) step: &'static str,
    /// Cost a day; below 0 where it went away.
    pub(in crate::service) amount_per_day: MicrosSum,
    /// Null for the two ends.
    pub(in crate::service) subscriptions: Option<u64>,
}

/// Revenue retention.
#[derive(Debug)]
pub(in crate::service) struct Revenue;

impl Figures for Revenue {
    const ABOUT: About = About {
        path: "/v1/retention/revenue",
        operation: Operation::RevenueRetention,
        tag: "metrics",
        summary: "GRR, NRR, quick ratio",
        what: "Cost per known day of the last full month of the period beside that of the last full month before it: what was lost, what shrank, grew, came back and came new. A month without any daily row is told by the rows that a source gives by the month. `flow` is null where there is no such month with data, or no cost.",
        fails: &[],
    };
    type Query = PeriodQuery;
    type Answer = RevenueAnswer;
    type Row = RevenueStep;

    fn answer(version: &Version, query: &PeriodQuery) -> Result<(RevenueAnswer, Meta), Problem> {
        let sight = version.sight()?;
        let period = query.period.resolve(sight.as_of);
        let revenue = metrics::revenue_retention(sight.portfolio, period, &query.filter);
        let mut meta = Meta::of(sight).about(sight, period);
        meta.warn(Warning::doubts_about_cost(sight.portfolio).filter(|_| revenue.flow.is_none()));
        let steps = revenue.flow.as_ref().map_or_else(Vec::new, |flow| {
            let less = |amount: MicrosSum| MicrosSum(-amount.0);
            let step = |step, amount_per_day, subscriptions| RevenueStep { step, amount_per_day, subscriptions };
            vec![
                step("starting", flow.starting, None),
                step("churned", less(flow.churned), Some(flow.subscriptions_churned)),
                step("contraction", less(flow.contraction), Some(flow.subscriptions_contracted)),
                step("expansion", flow.expansion, Some(flow.subscriptions_expanded)),
                step("reactivation", flow.reactivation, Some(flow.subscriptions_reactivated)),
                step("new", flow.new, Some(flow.subscriptions_new)),
                step("ending", flow.ending, None),
            ]
        });
        Ok((RevenueAnswer { revenue, steps }, meta))
    }

    fn rows(answer: &RevenueAnswer) -> &[RevenueStep] {
        &answer.steps
    }
}
