//! The at-risk list of a whole portfolio at its as-of day.
//!
//! Absent on purpose: filters and pages, which are the service's; a level for those of whom too
//! little is known. `unknown` is never `low`.

use crate::domain::{ChurnRisk, Day, Level, Micros, State};
use crate::portfolio::{Portfolio, SubscriptionIx};

use super::{ChurnModel, Scorer};

/// Youngest subscription that gets a risk, in days (METRICS.md, Risk).
pub const YOUNGEST_DAYS: u32 = 14;

/// Days over which `cost_30_days` is summed.
const COST_DAYS: i32 = 30;

/// Why a risk would be a guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownReason {
    /// Younger than 14 days, or than the model's own least age.
    TooYoung { days: u32, least_days: u32 },
    /// Never used, and the model knows only subscriptions in use.
    NoUsageYet,
    /// No usage day in the window that the model's rows had; it has fallen silent already.
    Silent { days: u32, window_days: u32 },
    /// More than a quarter of the last 28 days are feed gaps.
    Gap { gap_days: u32, of_days: u32 },
    /// The model reads cost, and the portfolio has none.
    NoCost,
    /// There is no model.
    NoModel,
}

/// A risk with its level, or why there is none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Standing {
    Known { risk: ChurnRisk, level: Level },
    Unknown { reason: UnknownReason },
}

/// One row of the list.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RankedSubscription {
    pub subscription: SubscriptionIx,
    pub standing: Standing,
    /// Cost of the 30 days that end on the as-of day; 0 where the portfolio has no cost.
    pub cost_30_days: Micros,
    pub last_used: Option<Day>,
}

/// The list: risk descending, then cost of the last 30 days descending, then id; unknown last.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranking {
    as_of: Option<Day>,
    rows: Vec<RankedSubscription>,
}

impl Ranking {
    /// Ranks every subscription that is active on the portfolio's as-of day by its risk at the
    /// model's first horizon.
    #[must_use]
    pub fn compute(portfolio: &Portfolio, model: &ChurnModel) -> Self {
        Self::ahead(&Scorer::new(portfolio, model)).swap_remove(0)
    }

    /// One list for each horizon of the scorer's model.
    #[must_use]
    pub fn ahead(scorer: &Scorer<'_>) -> Vec<Self> {
        let portfolio = scorer.portfolio;
        let horizons = scorer.model.heads().len();
        let Some(as_of) = portfolio.as_of() else { return vec![Self { as_of: None, rows: Vec::new() }; horizons] };
        let mut scoring = scorer.at(as_of);
        let mut lists = vec![Vec::new(); horizons];
        for row in unranked(portfolio, as_of) {
            for (list, standing) in lists.iter_mut().zip(scoring.standings(row.subscription)) {
                list.push(RankedSubscription { standing, ..row });
            }
        }
        lists.into_iter().map(|rows| Self::of(as_of, rows)).collect()
    }

    /// The list without a model: every row unknown.
    #[must_use]
    pub fn without_model(portfolio: &Portfolio) -> Self {
        portfolio.as_of().map_or(Self { as_of: None, rows: Vec::new() }, |as_of| Self::of(as_of, unranked(portfolio, as_of).collect()))
    }

    fn of(as_of: Day, mut rows: Vec<RankedSubscription>) -> Self {
        // Subscriptions stand in the order of their ids, so the place stands for the id.
        rows.sort_by(|a, b| {
            let by_risk = risk_key(b.standing).total_cmp(&risk_key(a.standing));
            by_risk.then(b.cost_30_days.cmp(&a.cost_30_days)).then(a.subscription.cmp(&b.subscription))
        });
        Self { as_of: Some(as_of), rows }
    }

    /// The day for which the list stands.
    #[must_use]
    pub const fn as_of(&self) -> Option<Day> {
        self.as_of
    }

    /// The rows, in order.
    #[must_use]
    pub fn rows(&self) -> &[RankedSubscription] {
        &self.rows
    }

    /// Sum of risk times the cost of the last 30 days over the rows with a risk, each row's
    /// product rounded to a micro-unit.
    #[must_use]
    pub fn cost_at_risk(&self) -> Micros {
        micros(self.rows.iter().map(|row| i128::from(row.cost_at_risk().0)).sum())
    }
}

impl RankedSubscription {
    /// Risk times the cost of the last 30 days, rounded to a micro-unit; 0 without a risk.
    #[must_use]
    pub fn cost_at_risk(&self) -> Micros {
        match self.standing {
            Standing::Known { risk, .. } =>
            {
                #[expect(clippy::cast_possible_truncation, reason = "the product is no larger than the cost, which is an i64")]
                Micros((risk.get() * self.cost_30_days.0 as f64).round() as i64)
            }
            Standing::Unknown { .. } => Micros(0),
        }
    }
}

/// Every active subscription, without a standing.
fn unranked(portfolio: &Portfolio, as_of: Day) -> impl Iterator<Item = RankedSubscription> {
    portfolio.subscription_indices().filter(move |each| portfolio.state_at(*each, as_of) == State::Active).map(move |subscription| {
        let usage = portfolio.usage(subscription);
        RankedSubscription {
            subscription,
            standing: Standing::Unknown { reason: UnknownReason::NoModel },
            cost_30_days: cost_30_days(portfolio, subscription, as_of),
            last_used: usage.last_used(),
        }
    })
}

/// The cost of the 30 days that end on a day.
#[must_use]
pub fn cost_30_days(portfolio: &Portfolio, subscription: SubscriptionIx, as_of: Day) -> Micros {
    let rows = portfolio.usage(subscription).within(as_of - (COST_DAYS - 1), as_of);
    micros(rows.iter().map(|row| i128::from(row.cost.0)).sum())
}

/// A sum as an amount. One past the ends of i64 (9e12 units) stands at the end.
fn micros(sum: i128) -> Micros {
    Micros(i64::try_from(sum).unwrap_or(if sum < 0 { i64::MIN } else { i64::MAX }))
}

/// Unknown rows come after every known one.
fn risk_key(standing: Standing) -> f64 {
    match standing {
        Standing::Known { risk, .. } => risk.get(),
        Standing::Unknown { .. } => -1.0,
    }
}
