//! What became of a subscription after an as-of day (MODEL.md, Question and label).
//!
//! The only place in which days after the as-of day are read: for training, and for the record
//! of what scores that were issued came to.

use super::{Label, Question};
use crate::domain::{Day, State};
use crate::features::{HANDOVER_DAYS, History, Kernel};
use crate::portfolio::{Portfolio, SubscriptionIx};

/// Why a row has no label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Censored {
    /// The label window, with the grace days of a status label, ends after the data.
    Window,
    /// It left for a reason that is not among those named.
    Reason,
    /// More than a quarter of the label window is feed gaps.
    Gaps,
    /// It left before the label window began, in the lead days.
    Lead,
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Labelled {
    Stays,
    Leaves,
    /// It left, and a new subscription of the same customer took over: no churn, counted apart.
    Migrates,
    Censored(Censored),
}

/// Labels the rows of one question over one portfolio.
#[derive(Debug)]
pub struct Labeller<'p, 'k> {
    pub portfolio: &'p Portfolio,
    pub kernel: &'k Kernel,
    pub question: &'k Question,
}

impl<'p, 'k> Labeller<'p, 'k> {
    #[must_use]
    pub const fn new(portfolio: &'p Portfolio, kernel: &'k Kernel, question: &'k Question) -> Self {
        Self { portfolio, kernel, question }
    }

    /// Whether the subscription has a row on `as_of`: active at its end, and of those that the
    /// question is about.
    #[must_use]
    pub fn has_row(&self, subscription: SubscriptionIx, as_of: Day) -> bool {
        self.portfolio.state_at(subscription, as_of) == State::Active
            && self.question.admits(&History::of(self.portfolio, subscription), as_of).is_ok()
    }

    /// What became of it in the label window `(as_of + lead, as_of + lead + horizon]`.
    #[must_use]
    pub fn label(&self, subscription: SubscriptionIx, as_of: Day) -> Labelled {
        let lead = i32::try_from(self.question.lead_days).unwrap_or(i32::MAX);
        let horizon = self.question.horizon_days.days();
        let (from, to) = (as_of + lead + 1, as_of + lead + horizon);
        let data_end = self.portfolio.as_of().unwrap_or(as_of);
        if as_of + self.question.label_days() > data_end {
            return Labelled::Censored(Censored::Window);
        }
        let gaps = horizon - i32::try_from(self.kernel.feed().count(from, to)).unwrap_or(horizon);
        if gaps * 4 > horizon {
            return Labelled::Censored(Censored::Gaps);
        }
        match self.question.label {
            Label::Status => self.by_status(subscription, as_of, from, to),
            Label::Silence => self.by_silence(subscription, as_of, from, to),
        }
    }

    fn grace(&self) -> i32 {
        i32::try_from(self.question.grace_days).unwrap_or(i32::MAX)
    }

    /// The first deprovisioning in the window that is not recovered within the grace days decides.
    fn by_status(&self, subscription: SubscriptionIx, as_of: Day, from: Day, to: Day) -> Labelled {
        match self.first_departure(subscription, as_of + 1, to) {
            None => Labelled::Stays,
            Some((on, _)) if on < from => Labelled::Censored(Censored::Lead),
            Some((_, false)) => Labelled::Censored(Censored::Reason),
            Some((on, true)) if self.taken_over(subscription, on - 1) => Labelled::Migrates,
            Some((_, true)) => Labelled::Leaves,
        }
    }

    fn by_silence(&self, subscription: SubscriptionIx, as_of: Day, from: Day, to: Day) -> Labelled {
        let usage = self.portfolio.usage(subscription);
        if usage.within(from, to).any_used() {
            return Labelled::Stays;
        }
        if let Some((_, false)) = self.first_departure(subscription, as_of + 1, to) {
            return Labelled::Censored(Censored::Reason);
        }
        let last_used = History::of(self.portfolio, subscription).last_used(from - 1).unwrap_or(as_of);
        if self.taken_over(subscription, last_used) { Labelled::Migrates } else { Labelled::Leaves }
    }

    /// The first unrecovered deprovisioning of `from..=to`, and whether its reason counts as churn.
    fn first_departure(&self, subscription: SubscriptionIx, from: Day, to: Day) -> Option<(Day, bool)> {
        let life = &self.portfolio.subscription(subscription).life;
        let within_grace = |on: Day| life.recoveries().any(|back| on < back && back <= on + self.grace());
        let left = life.deprovisionings().find(|left| from <= left.on && left.on <= to && !within_grace(left.on))?;
        let reasons = &self.question.churn_reasons;
        let counts = reasons.is_empty() || left.reason.is_some_and(|reason| reasons.iter().any(|named| named == reason));
        Some((left.on, counts))
    }

    /// Whether another subscription of the customer took over, as it turned out.
    fn taken_over(&self, subscription: SubscriptionIx, last_day: Day) -> bool {
        self.kernel.taken_over(self.portfolio, subscription, last_day, last_day + HANDOVER_DAYS)
    }
}
