//! GET /v1/subscriptions/at-risk

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{ChurnRisk, Day, HorizonDays, MicrosSum};
use crate::metrics::{Cut, Filter};
use crate::model::{LoadedModel, RankedSubscription, Ranking, Standing};

use super::super::cursor::Key;
use super::super::endpoint::{About, Listing};
use super::super::meta::{Meta, Warning};
use super::super::operation::Operation;
use super::super::parameters::{Kind, Parameters, Query, Spec};
use super::super::problem::{Fault, Problem};
use super::super::version::Version;
use super::ordering::{Order, Search};
use super::words::{COST_DAYS, FactorRow, Judgement, Stakes, Standpoint, Who, at_risk_of, cost_12_months};

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

/// What the list can be ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Risk,
    Customer,
    Subscription,
    LastUsed,
    Cost30Days,
    Cost12Months,
    TermEnd,
}

/// The orders by name.
pub(in crate::service) const SORTS: &[&str] = &[
    "-risk",
    "risk",
    "customer",
    "-customer",
    "subscription",
    "-subscription",
    "last_used_on",
    "-last_used_on",
    "cost_30_days",
    "-cost_30_days",
    "cost_12_months",
    "-cost_12_months",
    "term_end_on",
    "-term_end_on",
];

const SORT: Spec = Spec::new(
    "sort",
    Kind::Choice(SORTS),
    "The column to order by, with `-` before it from the largest down; `-risk` where nothing is said, which settles ties by cost. Rows without a value come last either way.",
)
.such_as("-cost_30_days");

/// In the order of [`SORTS`].
const ORDERS: [Order<Column>; 14] = [
    Order::down(Column::Risk),
    Order::up(Column::Risk),
    Order::up(Column::Customer),
    Order::down(Column::Customer),
    Order::up(Column::Subscription),
    Order::down(Column::Subscription),
    Order::up(Column::LastUsed),
    Order::down(Column::LastUsed),
    Order::up(Column::Cost30Days),
    Order::down(Column::Cost30Days),
    Order::up(Column::Cost12Months),
    Order::down(Column::Cost12Months),
    Order::up(Column::TermEnd),
    Order::down(Column::TermEnd),
];

/// The order in which a ranking stands.
const AS_RANKED: Order<Column> = ORDERS[0];

/// Levels, a least risk, the horizon, a search, an order, the common filters.
#[derive(Debug, Clone)]
pub(in crate::service) struct AtRiskQuery {
    levels: Vec<Standpoint>,
    min_risk: Option<f64>,
    horizon: Option<HorizonDays>,
    search: Search,
    order: Order<Column>,
    filter: Filter,
}

impl Query for AtRiskQuery {
    fn parse(parameters: &mut Parameters) -> Self {
        Self {
            levels: parameters.choices(&LEVEL, &Standpoint::ALL),
            min_risk: parameters.number(&MIN_RISK),
            horizon: horizon(parameters),
            search: Search::parse(parameters),
            order: parameters.choice(&SORT, &ORDERS).unwrap_or(AS_RANKED),
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
pub(in crate::service) struct Row {
    #[serde(flatten)]
    pub(in crate::service) who: Who,
    #[serde(flatten)]
    pub(in crate::service) judgement: Judgement,
    #[serde(flatten)]
    pub(in crate::service) stakes: Stakes,
    /// The strongest pushes, the strongest first.
    pub(in crate::service) factors: Vec<FactorRow>,
}

/// A row of the ranking, its cost cut by the filter.
#[derive(Debug, Clone, Copy)]
pub(in crate::service) struct Chosen {
    ranked: RankedSubscription,
    cost_30_days: MicrosSum,
    key: Key,
}

impl Chosen {
    /// The level of the row.
    pub(in crate::service) fn level(&self) -> Standpoint {
        Standpoint::of(self.ranked.standing)
    }
}

/// The at-risk list.
#[derive(Debug)]
pub(in crate::service) struct AtRisk;

impl Listing for AtRisk {
    const ABOUT: About = About {
        path: "/v1/subscriptions/at-risk",
        operation: Operation::AtRisk,
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
        let rows = chosen(version, version.ranking(loaded, head), &cut, query, sight.as_of);
        let mut meta = Meta::of(sight).spoken_by(loaded).ahead(loaded, head);
        meta.warn(Warning::doubts_about_cost(sight.portfolio));
        meta.warn(Warning::gaps(sight.portfolio, sight.as_of - (COST_DAYS - 1), sight.as_of));
        Ok((rows, meta))
    }

    fn key(entry: &Chosen) -> Key {
        entry.key
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
            let factors = FactorRow::strongest(FACTORS_IN_LIST, version, |most| scoring.judged(ix, head, most).1);
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

/// Where a row stands in the order that was asked for.
fn key(version: &Version, cut: &Cut<'_>, order: Order<Column>, row: &RankedSubscription, cost: MicrosSum, as_of: Day) -> Key {
    let ix = row.subscription;
    let day = |day: Option<Day>| day.map(|day| i128::from(day.epoch_days()));
    let value = match order.column {
        Column::Risk => {
            // Risks are no smaller than 0, so their bits ascend with them; no risk comes last.
            let place = match row.standing {
                Standing::Known { risk, .. } if order.descending => u64::MAX - 1 - risk.get().to_bits(),
                Standing::Known { risk, .. } => risk.get().to_bits(),
                Standing::Unknown { .. } => u64::MAX,
            };
            return Key(place, -cost.0, ix.0);
        }
        Column::Customer => Some(i128::from(version.alphabet().customer(cut.portfolio().subscription(ix).customer))),
        Column::Subscription => Some(i128::from(version.alphabet().subscription(ix))),
        Column::LastUsed => day(cut.last_used(ix, as_of)),
        Column::Cost30Days => Some(cost.0),
        Column::Cost12Months => Some(cost_12_months(cut, ix, as_of).0),
        Column::TermEnd => day(cut.portfolio().subscription(ix).term_end_on),
    };
    order.place(value, ix)
}

/// The rows that the query keeps, in the order of the list: where nothing else is asked for, risk
/// descending, then cost of the last 30 days descending, then id; unknown ones last.
///
/// The risk is that of the whole subscription whatever the filter; costs are those of the rows
/// that a category leaves, so its ties are settled anew.
fn chosen(version: &Version, ranking: &Ranking, cut: &Cut<'_>, query: &AtRiskQuery, as_of: Day) -> Vec<Chosen> {
    let wanted = |row: &&RankedSubscription| {
        let by_level = query.levels.is_empty() || query.levels.contains(&Standpoint::of(row.standing));
        let by_risk = query.min_risk.is_none_or(|least| risk(row.standing).is_some_and(|risk| risk.get() >= least));
        by_level && by_risk && cut.keeps(row.subscription) && query.search.finds(cut.portfolio(), row.subscription)
    };
    let placed = |row: &RankedSubscription| {
        let cost_30_days = cost_30_days(row, cut, as_of);
        Chosen { ranked: *row, cost_30_days, key: key(version, cut, query.order, row, cost_30_days, as_of) }
    };
    let mut rows: Vec<Chosen> = ranking.rows().iter().filter(wanted).map(placed).collect();
    if cut.cuts_rows() || cut.portfolio().hides_cost() || query.order != AS_RANKED {
        rows.sort_unstable_by_key(|row| row.key);
    }
    rows
}

fn risk(standing: Standing) -> Option<ChurnRisk> {
    match standing {
        Standing::Known { risk, .. } => Some(risk),
        Standing::Unknown { .. } => None,
    }
}

fn cost_30_days(row: &RankedSubscription, cut: &Cut<'_>, as_of: Day) -> MicrosSum {
    // A ranking knows costs that may be kept from whoever asks; an order, or the place in it that a cursor holds,
    // would tell them.
    if cut.portfolio().hides_cost() {
        return MicrosSum(0);
    }
    if cut.cuts_rows() { cut.cost(row.subscription, as_of - (COST_DAYS - 1), as_of) } else { MicrosSum(i128::from(row.cost_30_days.0)) }
}

/// Cost at risk of what a filter leaves: the sum of risk times the cost of the last 30 days,
/// each product rounded to a micro-unit (METRICS.md, Risk). None where there is no cost.
pub(super) fn cost_at_risk(ranking: &Ranking, cut: &Cut<'_>, as_of: Day) -> Option<MicrosSum> {
    let of = |row: &RankedSubscription| at_risk_of(row.standing, cost_30_days(row, cut, as_of)).map_or(0, |sum| sum.0);
    let sum = || MicrosSum(ranking.rows().iter().filter(|row| cut.keeps(row.subscription)).map(of).sum());
    cut.portfolio().has_cost().then(sum)
}
