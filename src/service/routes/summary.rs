//! GET /v1/summary

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::MicrosSum;
use crate::metrics::{self, CostFigure, Figure, Filter, Summary};

use super::super::endpoint::{About, Figures};
use super::super::meta::{Meta, Warning};
use super::super::operation::Operation;
use super::super::parameters::{Parameters, Query};
use super::super::period::AskedPeriod;
use super::super::problem::Problem;
use super::super::version::Version;
use super::at_risk::cost_at_risk;

/// A period and the common filters.
#[derive(Debug, Clone)]
pub(in crate::service) struct SummaryQuery {
    period: AskedPeriod,
    filter: Filter,
}

impl Query for SummaryQuery {
    fn parse(parameters: &mut Parameters) -> Self {
        Self { period: AskedPeriod::parse(parameters), filter: parameters.filter() }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Summary)]
pub(in crate::service) struct SummaryAnswer {
    #[serde(flatten)]
    pub(in crate::service) summary: Summary,
    /// The cost of the usage beside the preceding period, and by date; null where the tables have no cost.
    pub(in crate::service) cost: Option<CostFigure>,
    /// Sum of risk times the cost of the last 30 days, on the as-of day; null without a model or cost.
    pub(in crate::service) cost_at_risk: Option<MicrosSum>,
    /// The figures as rows.
    pub(in crate::service) figures: Vec<FigureRow>,
}

/// One figure of the summary.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::service) struct FigureRow {
    #[schema(examples("subscriptions_sold"))]
    pub(in crate::service) figure: &'static str,
    pub(in crate::service) value: u64,
    /// The same figure for the preceding period of equal length.
    pub(in crate::service) preceding: u64,
    /// `(value - preceding) / preceding`; null where the earlier is 0.
    pub(in crate::service) growth: Option<f64>,
}

impl FigureRow {
    fn of(name: &'static str, figure: &Figure) -> Self {
        Self { figure: name, value: figure.value, preceding: figure.preceding, growth: figure.growth }
    }
}

/// The summary of a period.
#[derive(Debug)]
pub(in crate::service) struct SummaryOfPeriod;

impl Figures for SummaryOfPeriod {
    const ABOUT: About = About {
        path: "/v1/summary",
        operation: Operation::Summary,
        tag: "metrics",
        summary: "Sold, used, unused, cost, cost at risk",
        what: "Subscriptions sold in the period, customers with usage and without, each beside the preceding period of equal length and with a series for a sparkline; subscriptions active at its end, what its usage cost, and the cost at risk.",
        fails: &[],
    };
    type Query = SummaryQuery;
    type Answer = SummaryAnswer;
    type Row = FigureRow;

    fn answer(version: &Version, query: &SummaryQuery) -> Result<(SummaryAnswer, Meta), Problem> {
        let sight = version.sight()?;
        let period = query.period.resolve(sight.as_of);
        let summary = metrics::summary(sight.portfolio, period, &query.filter);
        let mut meta = Meta::of(sight).about(sight, period);
        if sight.portfolio.first_day().is_some_and(|first| period.preceding().from() < first && first <= period.from()) {
            meta.warn(Warning::new(
                "preceding_before_data",
                "the preceding period begins before the first day of usage; growth compares with less than a whole one",
            ));
        }
        meta.warn(Warning::doubts_about_cost(sight.portfolio));
        let mut meta = meta.warned(Warning::doubts_about_lives(sight.portfolio));
        let mut at_risk = None;
        if let Some(loaded) = version.model() {
            at_risk = cost_at_risk(version.ranking(loaded, 0), &query.filter.cut(sight.portfolio), sight.as_of);
            meta = meta.spoken_by(loaded);
        } else {
            meta.warn(Warning::new("no_model", "there is no model, so there is no cost at risk"));
        }
        let figures = vec![
            FigureRow::of("subscriptions_sold", &summary.subscriptions_sold),
            FigureRow::of("customers_with_usage", &summary.customers_with_usage),
            FigureRow::of("customers_without_usage", &summary.customers_without_usage),
        ];
        let cost = metrics::usage_cost(sight.portfolio, period, &query.filter);
        Ok((SummaryAnswer { summary, cost, cost_at_risk: at_risk, figures }, meta))
    }

    fn rows(answer: &SummaryAnswer) -> &[FigureRow] {
        &answer.figures
    }
}
