//! A model over a portfolio, for one or many as-of days.

use std::borrow::Cow;

use super::{Case, ChurnModel, Explanation, Factor, Standing};
use crate::domain::{ChurnRisk, Day};
use crate::features::{AsOf, FeatureVector, History, Kernel, Usual};
use crate::portfolio::{Portfolio, SubscriptionIx};

/// How many days back the usage lies that a risk is held against: four weeks.
pub const BEFORE_DAYS: i32 = 28;

/// The risk that a subscription would have with the usage that it had four weeks ago, all else
/// as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Counterfactual {
    /// The day whose usage it is.
    pub usage_of: Day,
    pub risk: ChurnRisk,
    pub sentence: String,
}

/// A model over a portfolio.
#[derive(Debug)]
pub struct Scorer<'a> {
    pub(super) portfolio: &'a Portfolio,
    pub(super) model: &'a ChurnModel,
    kernel: Cow<'a, Kernel>,
    /// What is usual on days on which many are scored.
    usual: Vec<(Day, Usual)>,
}

impl<'a> Scorer<'a> {
    #[must_use]
    pub fn new(portfolio: &'a Portfolio, model: &'a ChurnModel) -> Self {
        Self { portfolio, model, kernel: Cow::Owned(Kernel::new(portfolio, model.volume_scale())), usual: Vec::new() }
    }

    /// The same with a kernel, and what is usual on some days, that were made before, of this
    /// portfolio and the model's scale of volume: making them reads much of the portfolio.
    #[must_use]
    pub const fn over(kernel: &'a Kernel, usual: Vec<(Day, Usual)>, portfolio: &'a Portfolio, model: &'a ChurnModel) -> Self {
        Self { portfolio, model, kernel: Cow::Borrowed(kernel), usual }
    }

    /// Ready to score at one as-of day, which may lie before the portfolio's own.
    #[must_use]
    pub fn at(&self, as_of: Day) -> Scoring<'_> {
        Scoring { scorer: self, as_of, kernel: self.kernel_at(as_of) }
    }

    fn kernel_at(&self, as_of: Day) -> AsOf<'_> {
        let known = self.usual.iter().find(|(day, _)| *day == as_of).map(|(_, usual)| *usual);
        self.kernel.at(as_of, known.unwrap_or_else(|| Usual::of(&self.kernel, self.portfolio, as_of)))
    }

    fn case(&self, subscription: SubscriptionIx, as_of: Day) -> Case<'_> {
        let history = History::of(self.portfolio, subscription);
        Case { history, as_of, feed: self.kernel.feed(), has_cost: self.portfolio.has_cost() }
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
    /// The risk at the first horizon of a subscription that is active on the as-of day, or why it has none.
    pub fn standing(&mut self, subscription: SubscriptionIx) -> Standing {
        self.judged(subscription, 0, 0).0
    }

    /// The standing at every horizon.
    pub fn standings(&mut self, subscription: SubscriptionIx) -> Vec<Standing> {
        let case = self.scorer.case(subscription, self.as_of);
        self.scorer.model.judge_ahead(&mut self.kernel, &case)
    }

    /// The standing at one horizon, and the features that push the risk most: at most `most` of them.
    pub fn judged(&mut self, subscription: SubscriptionIx, head: usize, most: usize) -> (Standing, Vec<Factor>) {
        let case = self.scorer.case(subscription, self.as_of);
        self.scorer.model.judge(&mut self.kernel, &case, head, most)
    }

    /// The standing at one horizon, and the risk taken apart where there is one.
    pub fn explained(&mut self, subscription: SubscriptionIx, head: usize) -> (Standing, Option<Explanation>) {
        let case = self.scorer.case(subscription, self.as_of);
        self.scorer.model.take_apart(&mut self.kernel, &case, head)
    }

    /// The risk at the first horizon taken apart; none where it would be a guess.
    pub fn explain(&mut self, subscription: SubscriptionIx) -> Option<Explanation> {
        self.explained(subscription, 0).1
    }

    /// The features of a subscription, whether or not a risk would be a guess.
    pub fn features(&mut self, subscription: SubscriptionIx) -> FeatureVector {
        let history = History::of(self.scorer.portfolio, subscription);
        self.kernel.features(&history)
    }

    /// The features of a subscription whose risk is no guess.
    pub fn known_features(&mut self, subscription: SubscriptionIx) -> Option<FeatureVector> {
        let case = self.scorer.case(subscription, self.as_of);
        self.scorer.model.known(&mut self.kernel, &case).ok()
    }

    /// What the usage of four weeks ago would make of the risk at a horizon; none where the risk
    /// of now, or one on that day, would be a guess.
    pub fn counterfactual(&mut self, subscription: SubscriptionIx, head: usize) -> Option<Counterfactual> {
        let (scorer, model) = (self.scorer, self.scorer.model);
        let usage_of = self.as_of - BEFORE_DAYS;
        let (now, then) = (scorer.case(subscription, self.as_of), scorer.case(subscription, usage_of));
        let features = model.known(&mut self.kernel, &now).ok()?;
        let earlier = model.known(&mut scorer.kernel_at(usage_of), &then).ok()?;
        let ahead = |features: &FeatureVector| model.strongest(features, head, 0).0;
        let (risk, present) = (ahead(&features.with_usage_of(&earlier)), ahead(&features));
        let percent = |risk: ChurnRisk| format!("{:.0} %", risk.get() * 100.0);
        let sentence = if percent(risk) == percent(present) {
            format!("at the usage of four weeks ago: {}, as it is now", percent(risk))
        } else {
            format!("at the usage of four weeks ago: {} instead of {}", percent(risk), percent(present))
        };
        Some(Counterfactual { usage_of, risk, sentence })
    }
}
