//! GET /v1/subscriptions/{id}/risk

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{ChurnRisk, Day, HorizonDays, IssuedScore, Period, ScoreStanding, State, SubscriptionId};
use crate::features::Family;
use crate::metrics::Filter;
use crate::model::{Counterfactual, Explanation, Standing};
use crate::portfolio::SubscriptionIx;

use super::super::endpoint::{About, Figures};
use super::super::meta::{Meta, Warning};
use super::super::operation::Operation;
use super::super::parameters::{Kind, Parameters, Query, Spec};
use super::super::problem::{Fault, Problem};
use super::super::version::{Sight, Version};
use super::at_risk::{horizon, known_horizon};
use super::words::{COST_DAYS, FactorRow, Stakes, Standpoint, Who, not_active, reason};

/// Days up to the as-of day whose scores are in the history.
const HISTORY_DAYS: u32 = 400;

const AS_OF: Spec = Spec::new(
    "as_of",
    Kind::Day,
    "The day to stand on; the as-of day of the tables where nothing is said. Nothing dated after it is read.",
);

/// The subscription, the day to stand on, the horizon.
#[derive(Debug, Clone)]
pub(in crate::service) struct RiskQuery {
    subscription: Option<SubscriptionId>,
    as_of: Option<Day>,
    horizon: Option<HorizonDays>,
}

impl Query for RiskQuery {
    fn parse(parameters: &mut Parameters) -> Self {
        Self { subscription: parameters.subscription(), as_of: parameters.day(&AS_OF), horizon: horizon(parameters) }
    }
}

/// One subscription's risk, taken apart.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Risk)]
pub(in crate::service) struct RiskAnswer {
    #[serde(flatten)]
    pub(in crate::service) who: Who,
    /// The day on which the score stands.
    pub(in crate::service) as_of: Day,
    /// The state at the end of that day.
    pub(in crate::service) state: State,
    /// The probability that it leaves within the horizon; null where it would be a guess.
    pub(in crate::service) risk: Option<ChurnRisk>,
    pub(in crate::service) level: Standpoint,
    /// Why there is no risk, for programs; null where there is one.
    #[schema(examples("too_young"))]
    pub(in crate::service) unknown_code: Option<&'static str>,
    pub(in crate::service) unknown_detail: Option<String>,
    /// Log-odds of the risk: those of a typical subscription and all contributions.
    pub(in crate::service) log_odds: Option<f64>,
    pub(in crate::service) base_log_odds: Option<f64>,
    #[serde(flatten)]
    pub(in crate::service) stakes: Stakes,
    /// What each family of features adds to the log-odds, the strongest push first.
    pub(in crate::service) families: Vec<FamilyRow>,
    /// The risk that it would have with the usage of four weeks ago; null where either is a guess.
    pub(in crate::service) counterfactual: Option<CounterfactualRow>,
    /// Every feature, the strongest push first.
    pub(in crate::service) factors: Vec<FactorRow>,
    /// The scores of this horizon as they were issued, the latest last: one for each scoring of the
    /// portfolio that is recorded, of the 400 days that end on the day to stand on. Null where
    /// they do not read.
    pub(in crate::service) history: Option<Vec<PastScore>>,
}

/// A score as it was issued.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ScoreIssued)]
pub(in crate::service) struct PastScore {
    /// The day on which the score stood.
    pub(in crate::service) as_of: Day,
    #[schema(examples("2026-08-28-5d0c7a1e"))]
    pub(in crate::service) model_version: String,
    /// The version of the tables that was scored.
    pub(in crate::service) table_version: u64,
    pub(in crate::service) horizon_days: HorizonDays,
    /// Null where it would have been a guess.
    pub(in crate::service) risk: Option<ChurnRisk>,
    pub(in crate::service) level: Standpoint,
    /// Why there was no risk, for programs; null where there was one.
    #[schema(examples("too_young"))]
    pub(in crate::service) unknown_code: Option<String>,
}

impl From<IssuedScore> for PastScore {
    fn from(IssuedScore { scoring, score }: IssuedScore) -> Self {
        let (risk, level, unknown_code) = match score.standing {
            ScoreStanding::Known { risk, level } => (Some(risk), Standpoint::at(level), None),
            ScoreStanding::Unknown { reason } => (None, Standpoint::Unknown, Some(reason.into_owned())),
        };
        Self {
            as_of: scoring.as_of,
            model_version: scoring.model_version,
            table_version: scoring.table_version,
            horizon_days: score.horizon_days,
            risk,
            level,
            unknown_code,
        }
    }
}

/// What a family of features adds.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FamilyOfFactors)]
pub(in crate::service) struct FamilyRow {
    #[schema(value_type = String, examples("recency"))]
    pub(in crate::service) family: Family,
    /// Sum of the contributions of its features.
    pub(in crate::service) contribution: f64,
}

impl FamilyRow {
    fn all(explanation: &Explanation) -> Vec<Self> {
        explanation.families().into_iter().map(|(family, contribution)| Self { family, contribution }).collect()
    }
}

/// The risk with the usage of another day.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Counterfactual)]
pub(in crate::service) struct CounterfactualRow {
    /// The day whose usage it is; life and customer are those of now.
    pub(in crate::service) usage_of: Day,
    pub(in crate::service) risk: ChurnRisk,
    #[schema(examples("at the usage of four weeks ago: 12 % instead of 61 %"))]
    pub(in crate::service) sentence: String,
}

impl From<Counterfactual> for CounterfactualRow {
    fn from(counterfactual: Counterfactual) -> Self {
        let Counterfactual { usage_of, risk, sentence } = counterfactual;
        Self { usage_of, risk, sentence }
    }
}

/// The risk of one subscription.
#[derive(Debug)]
pub(in crate::service) struct OneRisk;

impl Figures for OneRisk {
    const ABOUT: About = About {
        path: "/v1/subscriptions/{id}/risk",
        operation: Operation::Risk,
        tag: "risk",
        summary: "One subscription's risk, with every factor and the scores issued before",
        what: "The probability that it leaves within the horizon, and what each feature adds to its log-odds over a typical subscription: the base and all contributions add up to the log-odds exactly. The history has the scores as they were issued, by whichever model then spoke.",
        fails: &[404],
    };
    type Query = RiskQuery;
    type Answer = RiskAnswer;
    type Row = FactorRow;
    const OF_SCORES: bool = true;

    fn answer(version: &Version, query: &RiskQuery) -> Result<(RiskAnswer, Meta), Problem> {
        let sight = version.sight()?;
        let loaded = version.needed_model()?;
        let head = known_horizon(query.horizon, loaded)?;
        let as_of = known_day(query.as_of, sight)?;
        let ix = sight.find(query.subscription.as_ref())?;
        let scorer = version.scorer_with_before(loaded);
        let mut scoring = scorer.at(as_of);
        // Only subscriptions active on the as-of day have a risk (METRICS.md, Risk).
        let state = sight.portfolio.state_at(ix, as_of);
        let (standing, explanation) = if state == State::Active {
            let (standing, explanation) = scoring.explained(ix, head);
            (Some(standing), explanation)
        } else {
            (None, None)
        };
        let counterfactual = explanation.as_ref().and_then(|_| scoring.counterfactual(ix, head)).map(CounterfactualRow::from);
        let unknown = match standing {
            Some(Standing::Known { .. }) => None,
            Some(Standing::Unknown { reason: why }) => Some(reason(why)),
            None => Some(not_active(state, as_of)),
        };
        let (unknown_code, unknown_detail) = unknown.unzip();
        let mut meta = Meta::of(sight).spoken_by(loaded).ahead(loaded, head);
        meta.warn(Warning::doubts_about_cost(sight.portfolio));
        meta.warn(Warning::gaps(sight.portfolio, as_of - (COST_DAYS - 1), as_of));
        let learnt = loaded.model.learnt_through();
        if as_of < learnt {
            let detail = format!("the model learnt from what happened up to {learnt}; a score on an earlier day is no forecast");
            meta.warn(Warning::new("seen_in_training", detail));
        }
        let history = history(version, ix, as_of, loaded.model.heads()[head].horizon_days, &mut meta);
        let answer = RiskAnswer {
            who: Who::of(sight.portfolio, ix),
            as_of,
            state,
            risk: explanation.as_ref().map(|told| told.risk),
            level: standing.map_or(Standpoint::Unknown, Standpoint::of),
            unknown_code,
            unknown_detail,
            log_odds: explanation.as_ref().map(|told| told.log_odds),
            base_log_odds: explanation.as_ref().map(|told| told.base_log_odds),
            stakes: Stakes::of(&Filter::default().cut(sight.portfolio), ix, as_of, standing, None),
            families: explanation.as_ref().map(FamilyRow::all).unwrap_or_default(),
            counterfactual,
            factors: FactorRow::all(explanation.map(|told| told.factors).unwrap_or_default(), version),
            history,
        };
        Ok((answer, meta))
    }

    fn rows(answer: &RiskAnswer) -> &[FactorRow] {
        &answer.factors
    }
}

/// The scores of a horizon that were issued up to a day.
fn history(version: &Version, ix: SubscriptionIx, as_of: Day, horizon_days: HorizonDays, meta: &mut Meta) -> Option<Vec<PastScore>> {
    let id = &version.tables().portfolio.subscription(ix).id;
    match version.issued().history(id, Period::last(HISTORY_DAYS, as_of)) {
        Ok(history) => Some(history.into_iter().filter(|issued| issued.score.horizon_days == horizon_days).map(PastScore::from).collect()),
        Err(why) => {
            tracing::error!(why, "the recorded scores of a subscription do not read");
            meta.warn(Warning::new("scores_unreadable", format!("the recorded scores do not read: {why}")));
            None
        }
    }
}

/// The day to stand on: the as-of day, or an earlier one with data.
fn known_day(asked: Option<Day>, sight: Sight<'_>) -> Result<Day, Problem> {
    let (first, last) = (sight.portfolio.first_day().unwrap_or(sight.as_of), sight.as_of);
    let day = asked.unwrap_or(last);
    if (first..=last).contains(&day) {
        return Ok(day);
    }
    let detail = format!("{day} is outside the data, which run from {first} to the as-of day {last}");
    Err(Problem::ImpossibleParameters(vec![Fault::parameter(AS_OF.name, detail)]))
}
