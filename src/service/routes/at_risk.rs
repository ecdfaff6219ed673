//! GET /v1/subscriptions/at-risk

use std::cmp::Ordering;

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{ChurnRisk, Day, HorizonDays, MicrosSum};
use crate::metrics::{Cut, Filter};
use crate::model::{LoadedModel, RankedSubscription, Ranking, Standing};

use super::super::cursor::Key;
use super::super::endpoint::{About, Listing};
use super::super::meta::{Meta, Warning};
use super::super::parameters::{Kind, Parameters, Query, Spec};
use super::super::problem::{Fault, Problem};
use super::super::version::Version;
use super::words::{COST_DAYS, FactorRow, Judgement, Stakes, Standpoint, Who, at_risk_of};

/// Factors told of each row of a list; the route of one subscription tells them all.
const FACTORS_IN_LIST: usize = 5;

const LEVEL: Spec =
    Spec::new("level", Kind::Choice(Standpoint::NAMES), "Levels to list; all where nothing is said. `unknown` has no risk, and says why.")
        .such_as("high");
const MIN_RISK: Spec = Spec::new("min_risk", Kind::Number { least: 0.0, most: 1.0 }, "Least risk to list.").such_as("0.2");
const HORIZON: Spec = Spec::new(
    "horizon",
    Kind::Whole { least: 1, most: 365 },
    "Days that the risk looks ahead. The shortest of the model in service where nothing is said; one that it does not know gets 422 with those that it does.",
)
.such_as("30");

/// Levels, a least risk, the horizon, the common filters.
#[derive(Debug, Clone)]
pub(super) struct AtRiskQuery {
    levels: Vec<Standpoint>,
    min_risk: Option<f64>,
    horizon: Option<HorizonDays>,
    filter: Filter,
}

impl Query for AtRiskQuery {
    fn parse(parameters: &mut Parameters) -> Self {
        Self {
            levels: parameters.choices(&LEVEL, &Standpoint::ALL),
            min_risk: parameters.number(&MIN_RISK),
            horizon: horizon(parameters),
            filter: parameters.filter(),
        }
    }
}

/// `horizon`, in days.
pub(super) fn horizon(parameters: &mut Parameters) -> Option<HorizonDays> {
    parameters.whole(&HORIZON).and_then(|days| HorizonDays::new(days).ok())
}

/// The place of the horizon in the model in service; that of its first where none is asked for.
pub(super) fn known_horizon(asked: Option<HorizonDays>, loaded: &LoadedModel) -> Result<usize, Problem> {
    if let Some(head) = loaded.model.head_of(asked) {
        return Ok(head);
    }
    let known: Vec<String> = loaded.model.heads().iter().map(|head| head.horizon_days.get().to_string()).collect();
    let detail = format!("the model in service speaks of {} days", known.join(", "));
    Err(Problem::ImpossibleParameters(vec![Fault::parameter(HORIZON.name, detail)]))
}

/// One subscription of the list.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AtRisk)]
pub(super) struct Row {
    #[serde(flatten)]
    who: Who,
    #[serde(flatten)]
    judgement: Judgement,
    #[serde(flatten)]
    stakes: Stakes,
    /// The strongest pushes, the strongest first.
    factors: Vec<FactorRow>,
}

/// A row of the ranking, its cost cut by the filter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chosen {
    ranked: RankedSubscription,
    cost_30_days: MicrosSum,
}

/// The at-risk list.
#[derive(Debug)]
pub(super) struct AtRisk;

impl Listing for AtRisk {
    const ABOUT: About = About {
        path: "/v1/subscriptions/at-risk",
        id: "at_risk",
        tag: "risk",
        summary: "Who is about to leave, and why",
        what: "Every active subscription with the probability that it leaves within the horizon, the riskiest first, then the dearest; those of whom nothing can be said come last, with the reason. Each with the features that push its risk most, in sentences.",
        fails: &[410],
    };
    type Query = AtRiskQuery;
    type Entry = Chosen;
    type Row = Row;

    fn entries(version: &Version, query: &AtRiskQuery) -> Result<(Vec<Chosen>, Meta), Problem> {
        let sight = version.sight()?;
        let loaded = version.needed_model()?;
        let head = known_horizon(query.horizon, loaded)?;
        let cut = query.filter.cut(sight.portfolio);
        let rows = chosen(version.ranking(loaded, head), &cut, query, sight.as_of);
        let mut meta = Meta::of(sight).spoken_by(loaded).ahead(loaded, head);
        meta.warn(Warning::doubts_about_cost(sight.portfolio));
        meta.warn(Warning::gaps(sight.portfolio, sight.as_of - (COST_DAYS - 1), sight.as_of));
        Ok((rows, meta))
    }

    fn key(entry: &Chosen) -> Key {
        // Risks are no smaller than 0, so their bits ascend with them; no risk comes last.
        let risk = match entry.ranked.standing {
            Standing::Known { risk, .. } => u64::MAX - 1 - risk.get().to_bits(),
            Standing::Unknown { .. } => u64::MAX,
        };
        Key(risk, -entry.cost_30_days.0, entry.ranked.subscription.0)
    }

    fn rows(version: &Version, query: &AtRiskQuery, entries: &[Chosen], take: &mut dyn FnMut(Row) -> bool) -> Result<(), Problem> {
        let sight = version.sight()?;
        let loaded = version.needed_model()?;
        let head = known_horizon(query.horizon, loaded)?;
        let scorer = version.scorer(loaded);
        let mut scoring = scorer.at(sight.as_of);
        let cut = query.filter.cut(sight.portfolio);
        for entry in entries {
            let ix = entry.ranked.subscription;
            let standing = entry.ranked.standing;
            let factors: Vec<FactorRow> = scoring.judged(ix, head, FACTORS_IN_LIST).1.into_iter().map(FactorRow::from).collect();
            let row = Row {
                who: Who::of(sight.portfolio, ix),
                judgement: Judgement::of(standing, &factors),
                stakes: Stakes::of(&cut, ix, sight.as_of, Some(standing), Some(entry.cost_30_days)),
                factors,
            };
            if !take(row) {
                break;
            }
        }
        Ok(())
    }
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
    AtRisk::key(a).cmp(&AtRisk::key(b))
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

/// Cost at risk of what a filter leaves: the sum of risk times the cost of the last 30 days,
/// each product rounded to a micro-unit (METRICS.md, Risk). None where there is no cost.
pub(super) fn cost_at_risk(ranking: &Ranking, cut: &Cut<'_>, as_of: Day) -> Option<MicrosSum> {
    let of = |row: &RankedSubscription| at_risk_of(row.standing, cost_30_days(row, cut, as_of)).map_or(0, |sum| sum.0);
    let sum = || MicrosSum(ranking.rows().iter().filter(|row| cut.keeps(row.subscription)).map(of).sum());
    cut.portfolio().has_cost().then(sum)
}
