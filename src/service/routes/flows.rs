//! GET /v1/churn and GET /v1/retention

use actix_web::HttpResponse;

use crate::domain::{Bucket, Period};
use crate::metrics::{self, Filter};

use super::super::answer::{Asked, Envelope, Meta, versions};
use super::super::parameters::{Parameters, Query, Valid};
use super::super::period::AskedPeriod;
use super::super::problem::Problem;
use super::super::state::CurrentPortfolio;
use super::words::doubts_about_lives;

/// A period, how it is cut, and the common filters.
#[derive(Debug, Clone)]
pub(super) struct FlowQuery {
    period: AskedPeriod,
    bucket: Bucket,
    filter: Filter,
}

impl Query for FlowQuery {
    fn parse(parameters: &mut Parameters) -> Self {
        Self { period: AskedPeriod::parse(parameters), bucket: parameters.bucket(), filter: parameters.filter() }
    }
}

pub(super) async fn churn(asked: Asked, portfolio: CurrentPortfolio, query: Valid<FlowQuery>) -> Result<HttpResponse, Problem> {
    let versions = versions(Some(&portfolio), None);
    let work = move || {
        let period = query.period.resolve(portfolio.as_of());
        let data = metrics::churn(&portfolio, period, query.bucket, &query.filter);
        Ok(Envelope { data, meta: about_lives(&portfolio, period) })
    };
    asked.answer(versions, work).await
}

pub(super) async fn retention(asked: Asked, portfolio: CurrentPortfolio, query: Valid<FlowQuery>) -> Result<HttpResponse, Problem> {
    let versions = versions(Some(&portfolio), None);
    let work = move || {
        let period = query.period.resolve(portfolio.as_of());
        let data = metrics::retention(&portfolio, period, query.bucket, &query.filter);
        Ok(Envelope { data, meta: about_lives(&portfolio, period) })
    };
    asked.answer(versions, work).await
}

fn about_lives(portfolio: &CurrentPortfolio, period: Period) -> Meta {
    let mut meta = Meta::of(portfolio).about(portfolio, period);
    for warning in doubts_about_lives(portfolio) {
        meta.warn(warning);
    }
    meta
}
