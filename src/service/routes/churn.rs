//! GET /v1/churn

use crate::domain::Bucket;
use crate::metrics::{self, Churn, ChurnSlice, Filter};

use super::super::endpoint::{About, Figures};
use super::super::meta::{Meta, Warning};
use super::super::operation::Operation;
use super::super::parameters::{Parameters, Query};
use super::super::period::AskedPeriod;
use super::super::problem::Problem;
use super::super::version::Version;

/// A period, how it is cut, and the common filters.
#[derive(Debug, Clone)]
pub(in crate::service) struct FlowQuery {
    pub(super) period: AskedPeriod,
    pub(super) bucket: Bucket,
    pub(super) filter: Filter,
}

impl Query for FlowQuery {
    fn parse(parameters: &mut Parameters) -> Self {
        Self { period: AskedPeriod::parse(parameters), bucket: parameters.bucket(), filter: parameters.filter() }
    }
}

/// Churn of a period.
#[derive(Debug)]
pub(in crate::service) struct ChurnOfPeriod;

impl Figures for ChurnOfPeriod {
    const ABOUT: About = About {
        path: "/v1/churn",
        operation: Operation::Churn,
        tag: "metrics",
        summary: "Who left, came back, came and renewed, by date",
        what: "Active, deprovisioned (suspended and ended), recovered, created and renewed by day, ISO week or month. In every bucket active at its end is active at its start, and created, and recovered, less deprovisioned. The rate of the period, and what it comes to in a year.",
        fails: &[],
    };
    type Query = FlowQuery;
    type Answer = Churn;
    type Row = ChurnSlice;

    fn answer(version: &Version, query: &FlowQuery) -> Result<(Churn, Meta), Problem> {
        let sight = version.sight()?;
        let period = query.period.resolve(sight.as_of);
        let churn = metrics::churn(sight.portfolio, period, query.bucket, &query.filter);
        Ok((churn, Meta::of(sight).about(sight, period).warned(Warning::doubts_about_lives(sight.portfolio))))
    }

    fn rows(answer: &Churn) -> &[ChurnSlice] {
        &answer.buckets
    }
}
