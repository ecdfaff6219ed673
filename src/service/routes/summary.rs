//! GET /v1/summary

use actix_web::HttpResponse;
use serde::Serialize;

use crate::domain::MicrosSum;
use crate::metrics::{self, Filter, Summary};

use super::super::answer::{Asked, Envelope, Meta, Warning, versions};
use super::super::parameters::{Parameters, Query, Valid};
use super::super::period::AskedPeriod;
use super::super::problem::Problem;
use super::super::state::{CurrentPortfolio, PossibleModel, SharedRankings};
use super::at_risk::cost_at_risk;
use super::words::{doubts_about_cost, doubts_about_lives};

/// A period and the common filters.
#[derive(Debug, Clone)]
pub(super) struct SummaryQuery {
    period: AskedPeriod,
    filter: Filter,
}

impl Query for SummaryQuery {
    fn parse(parameters: &mut Parameters) -> Self {
        Self { period: AskedPeriod::parse(parameters), filter: parameters.filter() }
    }
}

#[derive(Debug, Serialize)]
struct SummaryAnswer {
    #[serde(flatten)]
    summary: Summary,
    /// Sum of risk times the cost of the last 30 days, on the as-of day; none without a model or cost.
    cost_at_risk: Option<MicrosSum>,
}

pub(super) async fn summary(
    asked: Asked,
    portfolio: CurrentPortfolio,
    model: PossibleModel,
    rankings: SharedRankings,
    query: Valid<SummaryQuery>,
) -> Result<HttpResponse, Problem> {
    let PossibleModel(model) = model;
    let versions = versions(Some(&portfolio), model.as_ref());
    asked
        .answer(versions, move || {
            let period = query.period.resolve(portfolio.as_of());
            let summary = metrics::summary(&portfolio, period, &query.filter);
            let mut meta = Meta::of(&portfolio).about(&portfolio, period);
            if portfolio.first_day().is_some_and(|first| period.preceding().from() < first && first <= period.from()) {
                meta.warn(Warning::new(
                    "preceding_before_data",
                    "the preceding period begins before the first day of usage; growth compares with less than a whole one",
                ));
            }
            meta.warn(doubts_about_cost(&portfolio));
            for warning in doubts_about_lives(&portfolio) {
                meta.warn(warning);
            }
            let mut at_risk = None;
            if let Some(model) = &model {
                let ranking = rankings.0.of(portfolio.shared(), model.shared());
                at_risk = cost_at_risk(&ranking, &query.filter.cut(&portfolio), portfolio.as_of());
                meta = meta.spoken_by(model);
            } else {
                meta.warn(Warning::new("no_model", "there is no model, so there is no cost at risk"));
            }
            Ok(Envelope { data: SummaryAnswer { summary, cost_at_risk: at_risk }, meta })
        })
        .await
}
