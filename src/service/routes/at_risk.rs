//! GET /v1/subscriptions/at-risk

use std::cmp::Ordering;

use actix_web::HttpResponse;
use serde::Serialize;

use crate::domain::{ChurnRisk, Day, HorizonDays, MicrosSum};
use crate::metrics::{Cut, Filter};
use crate::model::{RankedSubscription, Ranking, Scorer, Scoring, Standing};

use super::super::answer::{Asked, Envelope, Meta, Page, Warning, versions};
use super::super::cursor::Cursor;
use super::super::parameters::{Parameters, Query, Valid, number};
use super::super::period::last_months;
use super::super::problem::{Fault, Problem};
use super::super::state::{CurrentModel, CurrentPortfolio, SharedRankings};
use super::words::{FactorRow, Reason, Standpoint, doubts_about_cost};

/// Factors told of each row of a list; the route of one subscription tells them all.
const FACTORS_IN_LIST: usize = 5;

/// Days over which "cost of 30 days" is summed, the as-of day included.
const COST_DAYS: i32 = 30;

/// Levels, a least risk, the horizon, the common filters, a page.
#[derive(Debug, Clone)]
pub(super) struct AtRiskQuery {
    levels: Vec<Standpoint>,
    min_risk: Option<f64>,
    horizon: Option<HorizonDays>,
    filter: Filter,
    limit: usize,
    cursor: Option<Cursor>,
}

impl Query for AtRiskQuery {
    fn parse(parameters: &mut Parameters) -> Self {
        let mut levels = Vec::new();
        for name in parameters.all("level") {
            match Standpoint::ALL.into_iter().find(|(known, _)| *known == name.trim()) {
                Some((_, level)) => levels.push(level),
                None => parameters.fault("level", format!("`{name}` is none of high, medium, low, unknown")),
            }
        }
        Self {
            levels,
            min_risk: parameters.parsed("min_risk", |text| number::<f64>(text, 0.0, 1.0)),
            horizon: horizon(parameters),
            filter: parameters.filter(),
            limit: parameters.limit(),
            cursor: parameters.cursor(),
        }
    }
}

/// `horizon`, in days.
pub(super) fn horizon(parameters: &mut Parameters) -> Option<HorizonDays> {
    parameters.parsed("horizon", |text| {
        let days = number::<u32>(text, 1, 365)?;
        HorizonDays::new(days).map_err(|error| error.to_string())
    })
}

/// Whether the model in service speaks of this horizon.
pub(super) fn known_horizon(asked: Option<HorizonDays>, model: &CurrentModel) -> Result<(), Problem> {
    let known = model.model.horizon();
    if asked.is_none_or(|asked| asked == known) {
        return Ok(());
    }
    let detail = format!("the model in service speaks of {} days alone", known.get());
    Err(Problem::ImpossibleParameters(vec![Fault::parameter("horizon", detail)]))
}

/// One subscription of the list.
#[derive(Debug, Serialize)]
struct Row {
    subscription_id: String,
    subscription_name: Option<String>,
    customer_id: String,
    customer_name: Option<String>,
    country: Option<String>,
    product: Option<String>,
    /// None where it would be a guess.
    risk: Option<ChurnRisk>,
    level: Standpoint,
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown_reason: Option<Reason>,
    factors: Vec<FactorRow>,
    created_on: Option<Day>,
    last_used_on: Option<Day>,
    /// Of the 30 days that end on the as-of day; none where the tables have no cost.
    cost_30_days: Option<MicrosSum>,
    /// Of the twelve months that end on the as-of day.
    cost_12_months: Option<MicrosSum>,
    /// Risk times the cost of 30 days.
    cost_at_risk: Option<MicrosSum>,
    term_end_on: Option<Day>,
    auto_renew: Option<bool>,
}

pub(super) async fn at_risk(
    asked: Asked,
    portfolio: CurrentPortfolio,
    model: CurrentModel,
    rankings: SharedRankings,
    query: Valid<AtRiskQuery>,
) -> Result<HttpResponse, Problem> {
    known_horizon(query.horizon, &model)?;
    let versions = versions(Some(&portfolio), Some(&model));
    let page = Page::new(versions, asked.list(None), query.cursor, query.limit)?;
    asked
        .answer(versions, move || {
            let ranking = rankings.0.of(portfolio.shared(), model.shared());
            let cut = query.filter.cut(&portfolio);
            let rows = chosen(&ranking, &cut, &query, portfolio.as_of());
            let mut meta = Meta::of(&portfolio).spoken_by(&model);
            meta.warn(doubts_about_cost(&portfolio));
            meta.warn(Warning::gaps(&portfolio, portfolio.as_of() - (COST_DAYS - 1), portfolio.as_of()));
            let scorer = Scorer::new(&portfolio, &model.model);
            let mut scoring = scorer.at(portfolio.as_of());
            let data: Vec<Row> = page.cut(&rows, &mut meta).iter().map(|row| Row::of(row, &cut, portfolio.as_of(), &mut scoring)).collect();
            Ok(Envelope { data, meta })
        })
        .await
}

/// A row of the ranking, its cost cut by the filter.
#[derive(Debug, Clone, Copy)]
struct Chosen {
    ranked: RankedSubscription,
    cost_30_days: MicrosSum,
}

/// The rows that the query keeps, in the order of the list: risk descending, then cost of the
/// last 30 days descending, then id; unknown ones last.
///
/// The risk is that of the whole subscription whatever the filter; costs are those of the rows
/// that a category leaves, so its ties are settled anew.
fn chosen(ranking: &Ranking, cut: &Cut<'_>, query: &AtRiskQuery, as_of: Day) -> Vec<Chosen> {
    let wanted = |row: &&RankedSubscription| {
        let by_level = query.levels.is_empty() || query.levels.contains(&Standpoint::of(row.standing));
        let by_risk = query.min_risk.is_none_or(|least| risk(row.standing).is_some_and(|risk| risk.get() >= least));
        by_level && by_risk && cut.keeps(row.subscription)
    };
    let mut rows: Vec<Chosen> =
        ranking.rows().iter().filter(wanted).map(|row| Chosen { ranked: *row, cost_30_days: cost_30_days(row, cut, as_of) }).collect();
    if cut.cuts_rows() {
        rows.sort_by(order);
    }
    rows
}

fn order(a: &Chosen, b: &Chosen) -> Ordering {
    let risk = |row: &Chosen| risk(row.ranked.standing).map_or(-1.0, ChurnRisk::get);
    risk(b).total_cmp(&risk(a)).then(b.cost_30_days.cmp(&a.cost_30_days)).then(a.ranked.subscription.cmp(&b.ranked.subscription))
}

fn risk(standing: Standing) -> Option<ChurnRisk> {
    match standing {
        Standing::Known { risk, .. } => Some(risk),
        Standing::Unknown { .. } => None,
    }
}

fn cost_30_days(row: &RankedSubscription, cut: &Cut<'_>, as_of: Day) -> MicrosSum {
    if cut.cuts_rows() { cut.cost(row.subscription, as_of - (COST_DAYS - 1), as_of) } else { MicrosSum(i128::from(row.cost_30_days.0)) }
}

/// Risk times cost, rounded to a micro-unit; none without a risk.
pub(super) fn at_risk_of(standing: Standing, cost: MicrosSum) -> Option<MicrosSum> {
    #[expect(clippy::cast_possible_truncation, reason = "the product is no larger than the cost, which is an i128")]
    risk(standing).map(|risk| MicrosSum((risk.get() * cost.0 as f64).round() as i128))
}

/// Cost at risk of what a filter leaves: the sum of risk times the cost of the last 30 days,
/// each product rounded to a micro-unit (METRICS.md, Risk). None where there is no cost.
pub(super) fn cost_at_risk(ranking: &Ranking, cut: &Cut<'_>, as_of: Day) -> Option<MicrosSum> {
    let of = |row: &RankedSubscription| at_risk_of(row.standing, cost_30_days(row, cut, as_of)).map_or(0, |sum| sum.0);
    let sum = || MicrosSum(ranking.rows().iter().filter(|row| cut.keeps(row.subscription)).map(of).sum());
    cut.portfolio().has_cost().then(sum)
}

impl Row {
    fn of(row: &Chosen, cut: &Cut<'_>, as_of: Day, scoring: &mut Scoring<'_>) -> Self {
        let portfolio = cut.portfolio();
        let ix = row.ranked.subscription;
        let subscription = portfolio.subscription(ix);
        let customer = portfolio.customer(subscription.customer);
        let standing = row.ranked.standing;
        let explanation = scoring.explain(ix);
        let factors = explanation.map(|told| told.factors).unwrap_or_default();
        let year = last_months(12, as_of);
        Self {
            subscription_id: subscription.id.to_string(),
            subscription_name: subscription.name.clone(),
            customer_id: customer.id.clone(),
            customer_name: customer.name.clone(),
            country: customer.country.clone(),
            product: subscription.product.clone(),
            risk: risk(standing),
            level: Standpoint::of(standing),
            unknown_reason: if let Standing::Unknown { reason } = standing { Some(reason.into()) } else { None },
            factors: factors.into_iter().filter(|factor| factor.contribution != 0.0).take(FACTORS_IN_LIST).map(FactorRow::from).collect(),
            created_on: subscription.life.created(),
            last_used_on: cut.last_used(ix, as_of),
            cost_30_days: portfolio.has_cost().then_some(row.cost_30_days),
            cost_12_months: portfolio.has_cost().then(|| cut.cost(ix, year.from(), year.to())),
            cost_at_risk: at_risk_of(standing, row.cost_30_days).filter(|_| portfolio.has_cost()),
            term_end_on: subscription.term_end_on,
            auto_renew: subscription.auto_renew,
        }
    }
}
