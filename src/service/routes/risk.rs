//! GET /v1/subscriptions/{id}/risk

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use futures::future::{Ready, ready};
use serde::Serialize;

use crate::domain::{ChurnRisk, Day, HorizonDays, MicrosSum, State, SubscriptionId};
use crate::metrics::{Cut, Filter};
use crate::model::{Explanation, Scorer, Standing};
use crate::portfolio::SubscriptionIx;

use super::super::answer::{Asked, Envelope, Meta, Warning, versions};
use super::super::parameters::{Parameters, Query, Valid};
use super::super::period::last_months;
use super::super::problem::{Fault, Problem};
use super::super::state::{CurrentModel, CurrentPortfolio};
use super::at_risk::{at_risk_of, horizon, known_horizon};
use super::words::{FactorRow, Reason, Standpoint, doubts_about_cost};

/// The day to stand on, and the horizon.
#[derive(Debug, Clone, Copy)]
pub(super) struct RiskQuery {
    as_of: Option<Day>,
    horizon: Option<HorizonDays>,
}

impl Query for RiskQuery {
    fn parse(parameters: &mut Parameters) -> Self {
        Self { as_of: parameters.parsed("as_of", |text| Day::parse(text).map_err(|error| error.to_string())), horizon: horizon(parameters) }
    }
}

/// The subscription that the path names.
#[derive(Debug, Clone)]
pub(super) struct Named(SubscriptionId);

impl FromRequest for Named {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;
    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let wrong = |detail: String| Problem::BadParameters(vec![Fault::parameter("id", detail)]);
        // The path's own deserialiser undoes every escape, those of `/` and `%` too.
        let text = web::Path::<String>::from_request(request, payload).into_inner().map_err(|error| wrong(error.to_string()));
        ready(text.and_then(|text| SubscriptionId::parse(&text).map(Self).map_err(|error| wrong(error.to_string()))))
    }
}

#[derive(Debug, Serialize)]
struct RiskAnswer {
    subscription_id: String,
    subscription_name: Option<String>,
    customer_id: String,
    customer_name: Option<String>,
    country: Option<String>,
    product: Option<String>,
    /// The day on which the score stands.
    as_of: Day,
    state: State,
    /// None where it would be a guess.
    risk: Option<ChurnRisk>,
    level: Standpoint,
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown_reason: Option<Reason>,
    /// Log-odds of the risk: those of a typical subscription and all contributions.
    log_odds: Option<f64>,
    base_log_odds: Option<f64>,
    /// Every feature, the strongest push first.
    factors: Vec<FactorRow>,
    created_on: Option<Day>,
    last_used_on: Option<Day>,
    cost_30_days: Option<MicrosSum>,
    cost_12_months: Option<MicrosSum>,
    cost_at_risk: Option<MicrosSum>,
    /// As last recorded, whatever the day.
    term_end_on: Option<Day>,
    auto_renew: Option<bool>,
}

pub(super) async fn risk(
    asked: Asked,
    portfolio: CurrentPortfolio,
    model: CurrentModel,
    Named(id): Named,
    query: Valid<RiskQuery>,
) -> Result<HttpResponse, Problem> {
    known_horizon(query.horizon, &model)?;
    let as_of = known_day(query.as_of, &portfolio)?;
    let Some(ix) = portfolio.find_subscription(id.as_str()) else { return Err(Problem::NoSuchSubscription(id)) };
    let versions = versions(Some(&portfolio), Some(&model));
    asked
        .answer(versions, move || {
            let scorer = Scorer::new(&portfolio, &model.model);
            let mut scoring = scorer.at(as_of);
            // Only subscriptions active on the as-of day have a risk (METRICS.md, Risk).
            let is_active = portfolio.state_at(ix, as_of) == State::Active;
            let standing = is_active.then(|| scoring.standing(ix));
            let explanation = is_active.then(|| scoring.explain(ix)).flatten();
            let mut meta = Meta::of(&portfolio).spoken_by(&model);
            meta.warn(doubts_about_cost(&portfolio));
            meta.warn(Warning::gaps(&portfolio, as_of - 29, as_of));
            let learnt = learnt_through(&model);
            if as_of < learnt {
                let detail = format!("the model learnt from what happened up to {learnt}; a score on an earlier day is no forecast");
                meta.warn(Warning::new("seen_in_training", detail));
            }
            let data = RiskAnswer::of(&Filter::default().cut(&portfolio), ix, as_of, standing, explanation);
            Ok(Envelope { data, meta })
        })
        .await
}

/// The last day that the labels of training read.
fn learnt_through(model: &CurrentModel) -> Day {
    let question = model.model.question();
    let label_days = question.lead_days + question.horizon_days.get() + question.grace_days;
    model.model.trained_through() + i32::try_from(label_days).unwrap_or(i32::MAX)
}

/// The day to stand on: the as-of day, or an earlier one with data.
fn known_day(asked: Option<Day>, portfolio: &CurrentPortfolio) -> Result<Day, Problem> {
    let (first, last) = (portfolio.first_day().unwrap_or(portfolio.as_of()), portfolio.as_of());
    let day = asked.unwrap_or(last);
    if (first..=last).contains(&day) {
        return Ok(day);
    }
    let detail = format!("{day} is outside the data, which run from {first} to the as-of day {last}");
    Err(Problem::ImpossibleParameters(vec![Fault::parameter("as_of", detail)]))
}

impl RiskAnswer {
    fn of(cut: &Cut<'_>, ix: SubscriptionIx, as_of: Day, standing: Option<Standing>, explanation: Option<Explanation>) -> Self {
        let portfolio = cut.portfolio();
        let subscription = portfolio.subscription(ix);
        let customer = portfolio.customer(subscription.customer);
        let state = portfolio.state_at(ix, as_of);
        let year = last_months(12, as_of);
        let cost_30_days = cut.cost(ix, as_of - 29, as_of);
        let unknown_reason = match standing {
            Some(Standing::Known { .. }) => None,
            Some(Standing::Unknown { reason }) => Some(reason.into()),
            None => Some(not_active(state, as_of)),
        };
        Self {
            subscription_id: subscription.id.to_string(),
            subscription_name: subscription.name.clone(),
            customer_id: customer.id.clone(),
            customer_name: customer.name.clone(),
            country: customer.country.clone(),
            product: subscription.product.clone(),
            as_of,
            state,
            risk: explanation.as_ref().map(|told| told.risk),
            level: standing.map_or(Standpoint::Unknown, Standpoint::of),
            unknown_reason,
            log_odds: explanation.as_ref().map(|told| told.log_odds),
            base_log_odds: explanation.as_ref().map(|told| told.base_log_odds),
            factors: explanation.map(|told| told.factors).unwrap_or_default().into_iter().map(FactorRow::from).collect(),
            created_on: subscription.life.created(),
            last_used_on: cut.last_used(ix, as_of),
            cost_30_days: portfolio.has_cost().then_some(cost_30_days),
            cost_12_months: portfolio.has_cost().then(|| cut.cost(ix, year.from(), year.to())),
            cost_at_risk: standing.and_then(|standing| at_risk_of(standing, cost_30_days)).filter(|_| portfolio.has_cost()),
            term_end_on: subscription.term_end_on,
            auto_renew: subscription.auto_renew,
        }
    }
}

fn not_active(state: State, as_of: Day) -> Reason {
    let what = match state {
        State::None => "not created yet",
        State::Active => "active",
        State::Suspended => "suspended",
        State::Ended => "ended",
    };
    Reason { code: "not_active", detail: format!("{what} on {as_of}; only active subscriptions have a risk") }
}
