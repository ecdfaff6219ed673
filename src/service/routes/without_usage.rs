//! GET /v1/subscriptions/without-usage

use actix_web::HttpResponse;
use serde::Serialize;

use crate::domain::{Day, State};
use crate::metrics::{self, Filter, WithoutUsage};
use crate::portfolio::Portfolio;

use super::super::answer::{Asked, Envelope, Meta, Page, versions};
use super::super::cursor::Cursor;
use super::super::parameters::{Parameters, Query, Valid};
use super::super::period::AskedPeriod;
use super::super::problem::Problem;
use super::super::state::CurrentPortfolio;

/// A period, the common filters, a page.
#[derive(Debug, Clone)]
pub(super) struct WithoutUsageQuery {
    period: AskedPeriod,
    filter: Filter,
    limit: usize,
    cursor: Option<Cursor>,
}

impl Query for WithoutUsageQuery {
    fn parse(parameters: &mut Parameters) -> Self {
        Self { period: AskedPeriod::parse(parameters), filter: parameters.filter(), limit: parameters.limit(), cursor: parameters.cursor() }
    }
}

#[derive(Debug, Serialize)]
struct Row {
    subscription_id: String,
    subscription_name: Option<String>,
    customer_id: String,
    customer_name: Option<String>,
    state: State,
    created_on: Option<Day>,
    /// None where it was never used.
    last_used_on: Option<Day>,
    /// Days on which the feed had a row since then; none where it was never used.
    days_since: Option<u32>,
}

impl Row {
    fn of(portfolio: &Portfolio, row: &WithoutUsage) -> Self {
        let subscription = portfolio.subscription(row.subscription);
        let customer = portfolio.customer(subscription.customer);
        Self {
            subscription_id: subscription.id.to_string(),
            subscription_name: subscription.name.clone(),
            customer_id: customer.id.clone(),
            customer_name: customer.name.clone(),
            state: row.state,
            created_on: row.created_on,
            last_used_on: row.last_used_on,
            days_since: row.days_since,
        }
    }
}

pub(super) async fn without_usage(
    asked: Asked,
    portfolio: CurrentPortfolio,
    query: Valid<WithoutUsageQuery>,
) -> Result<HttpResponse, Problem> {
    let versions = versions(Some(&portfolio), None);
    let period = query.period.resolve(portfolio.as_of());
    let page = Page::new(versions, asked.list(Some(period)), query.cursor, query.limit)?;
    asked
        .answer(versions, move || {
            let rows = metrics::without_usage(&portfolio, period, &query.filter);
            let mut meta = Meta::of(&portfolio).about(&portfolio, period);
            let data: Vec<Row> = page.cut(&rows, &mut meta).iter().map(|row| Row::of(&portfolio, row)).collect();
            Ok(Envelope { data, meta })
        })
        .await
}
