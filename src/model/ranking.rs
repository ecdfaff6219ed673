//! The at-risk list of a whole portfolio at its as-of day.
//!
//! Absent on purpose: filters and pages, which are the service's; a level for those of whom too
//! little is known. `unknown` is never `low`.

use std::borrow::Cow;

use crate::domain::{ChurnRisk, Day, Level, Micros, State};
use crate::features::{AsOf, History, Kernel, Usual};
use crate::portfolio::{Portfolio, SubscriptionIx};

use super::{Case, ChurnModel, Explanation, Factor};

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
    /// Ranks every subscription that is active on the portfolio's as-of day.
    #[must_use]
    pub fn compute(portfolio: &Portfolio, model: &ChurnModel) -> Self {
        Self::by(&Scorer::new(portfolio, model))
    }

    /// The same by a scorer that was made before.
    #[must_use]
    pub fn by(scorer: &Scorer<'_>) -> Self {
        Self::of(scorer.portfolio, Some(scorer))
    }

    /// The list without a model: every row unknown.
    #[must_use]
    pub fn without_model(portfolio: &Portfolio) -> Self {
        Self::of(portfolio, None)
    }

    fn of(portfolio: &Portfolio, scorer: Option<&Scorer<'_>>) -> Self {
        let Some(as_of) = portfolio.as_of() else { return Self { as_of: None, rows: Vec::new() } };
        let mut scoring = scorer.map(|scorer| scorer.at(as_of));
        let mut rows: Vec<RankedSubscription> = portfolio
            .subscription_indices()
            .filter(|subscription| portfolio.state_at(*subscription, as_of) == State::Active)
            .map(|subscription| {
                let usage = portfolio.usage(subscription);
                let cost = usage.within(as_of - (COST_DAYS - 1), as_of).iter().map(|row| i128::from(row.cost.0)).sum();
                let no_model = Standing::Unknown { reason: UnknownReason::NoModel };
                RankedSubscription {
                    subscription,
                    standing: scoring.as_mut().map_or(no_model, |scoring| scoring.standing(subscription)),
                    cost_30_days: micros(cost),
                    last_used: usage.last_used(),
                }
            })
            .collect();
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

/// A model over a portfolio, for one or many as-of days.
#[derive(Debug)]
pub struct Scorer<'a> {
    portfolio: &'a Portfolio,
    model: &'a ChurnModel,
    kernel: Cow<'a, Kernel>,
    /// What is usual on a day on which many are scored.
    usual: Option<(Day, Usual)>,
}

impl<'a> Scorer<'a> {
    fn case(&self, subscription: SubscriptionIx, as_of: Day) -> Case<'_> {
        let history = History::of(self.portfolio, subscription);
        Case { history, as_of, feed: self.kernel.feed(), has_cost: self.portfolio.has_cost() }
    }

    #[must_use]
    pub fn new(portfolio: &'a Portfolio, model: &'a ChurnModel) -> Self {
        Self { portfolio, model, kernel: Cow::Owned(Kernel::new(portfolio, model.volume_scale())), usual: None }
    }

    /// The same with a kernel, and what is usual on one day, that were made before, of this
    /// portfolio and the model's scale of volume: making them reads much of the portfolio.
    #[must_use]
    pub const fn over(kernel: &'a Kernel, usual: Option<(Day, Usual)>, portfolio: &'a Portfolio, model: &'a ChurnModel) -> Self {
        Self { portfolio, model, kernel: Cow::Borrowed(kernel), usual }
    }

    /// Ready to score at one as-of day, which may lie before the portfolio's own.
    #[must_use]
    pub fn at(&self, as_of: Day) -> Scoring<'_> {
        let known = self.usual.filter(|(day, _)| *day == as_of).map(|(_, usual)| usual);
        let usual = known.unwrap_or_else(|| Usual::of(&self.kernel, self.portfolio, as_of));
        Scoring { scorer: self, as_of, kernel: self.kernel.at(as_of, usual) }
    }
}

/// A model over a portfolio at one as-of day.
#[derive(Debug)]
pub struct Scoring<'s> {
    scorer: &'s Scorer<'s>,
    as_of: Day,
    kernel: AsOf<'s>,
}

impl Scoring<'_> {
    /// The risk of a subscription that is active on the as-of day, or why it has none.
    pub fn standing(&mut self, subscription: SubscriptionIx) -> Standing {
        self.judged(subscription, 0).0
    }

    /// The same, and the features that push the risk most: at most `most` of them.
    pub fn judged(&mut self, subscription: SubscriptionIx, most: usize) -> (Standing, Vec<Factor>) {
        let case = self.scorer.case(subscription, self.as_of);
        self.scorer.model.judge(&mut self.kernel, &case, most)
    }

    /// The standing, and the risk taken apart where there is one.
    pub fn explained(&mut self, subscription: SubscriptionIx) -> (Standing, Option<Explanation>) {
        let case = self.scorer.case(subscription, self.as_of);
        self.scorer.model.take_apart(&mut self.kernel, &case)
    }

    /// The risk taken apart; none where it would be a guess.
    pub fn explain(&mut self, subscription: SubscriptionIx) -> Option<Explanation> {
        self.explained(subscription).1
    }
}
