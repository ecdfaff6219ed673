//! GET /v1/retention

use crate::metrics::{self, RenewalSlice, Retention};

use super::super::endpoint::{About, Figures};
use super::super::meta::{Meta, Warning};
use super::super::problem::Problem;
use super::super::version::Version;
use super::churn::FlowQuery;

/// Renewals of a period.
#[derive(Debug)]
pub(super) struct RetentionOfPeriod;

impl Figures for RetentionOfPeriod {
    const ABOUT: About = About {
        path: "/v1/retention",
        id: "retention",
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
