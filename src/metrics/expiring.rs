//! What ends soon: reservations, savings plans and terms.
//!
//! Absent on purpose: whether it will be renewed. That is what the reader is to see to.

use serde::Serialize;
use utoipa::ToSchema;

use super::{Cut, Filter};
use crate::domain::{CommitmentKind, Day, Micros, State};
use crate::portfolio::{Commitment, CustomerIx, Portfolio, SubscriptionIx};

/// Days after its end for which a commitment is still listed.
const ENDED_DAYS: i32 = 30;

/// When a commitment ends, counted from the as-of day. Each row is in the first that holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// It ended on one of the 30 days before the as-of day.
    Ended,
    /// It ends on the as-of day or within the 7 days after it.
    #[serde(rename = "within_7_days")]
    Within7Days,
    /// Within 15 days, and not within 7.
    #[serde(rename = "within_15_days")]
    Within15Days,
    /// Within 30 days, and not within 15.
    #[serde(rename = "within_30_days")]
    Within30Days,
    Later,
}

impl Window {
    /// The window of a number of days to the end; none for what ended longer ago.
    const fn of(days_to_end: i32) -> Option<Self> {
        match days_to_end {
            ..0 if days_to_end >= -ENDED_DAYS => Some(Self::Ended),
            ..0 => None,
            0..=7 => Some(Self::Within7Days),
            8..=15 => Some(Self::Within15Days),
            16..=30 => Some(Self::Within30Days),
            31.. => Some(Self::Later),
        }
    }
}

/// One reservation, savings plan or term.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpiringRow<'a> {
    /// The commitment's id; for a term that a subscription records, the subscription's.
    pub id: &'a str,
    pub kind: CommitmentKind,
    /// None where neither the commitment nor its subscription names one.
    pub customer: Option<CustomerIx>,
    pub subscription: Option<SubscriptionIx>,
    /// Of the commitment; where it names none, of its subscription.
    pub product: Option<&'a str>,
    pub quantity: Option<Micros>,
    /// The last day that it holds.
    pub ends_on: Day,
    /// Days from the as-of day to the end; below 0 where it has ended.
    pub days_to_end: i32,
    pub window: Window,
}

/// Rows by window: each row counts once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ExpiringCounts {
    pub ended: u64,
    pub within_7_days: u64,
    pub within_15_days: u64,
    pub within_30_days: u64,
    pub later: u64,
}

/// What ends, and when.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expiring {
    pub counts: ExpiringCounts,
    /// Ascending by end, then id.
    pub expiries: Vec<Expiry>,
}

/// One that ends, of which the portfolio tells the rest: a list of all is 16 bytes each, and only
/// what is shown becomes a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expiry {
    pub ends_on: Day,
    pub window: Window,
    of: Of,
}

/// What ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    /// The place among the commitments.
    Commitment(u32),
    /// The term of a subscription.
    Term(SubscriptionIx),
}

impl Expiry {
    fn new(ends_on: Day, as_of: Day, of: Of) -> Option<Self> {
        Window::of(ends_on - as_of).map(|window| Self { ends_on, window, of })
    }

    fn id(self, portfolio: &Portfolio) -> &str {
        match self.of {
            Of::Commitment(at) => portfolio.commitments()[at as usize].id.as_str(),
            Of::Term(ix) => portfolio.subscription(ix).id.as_str(),
        }
    }

    /// The whole row, from the portfolio that the expiry is of.
    #[must_use]
    pub fn row(self, portfolio: &Portfolio) -> ExpiringRow<'_> {
        let days_to_end = portfolio.as_of().map_or(0, |as_of| self.ends_on - as_of);
        match self.of {
            Of::Commitment(at) => {
                let commitment = &portfolio.commitments()[at as usize];
                ExpiringRow {
                    id: commitment.id.as_str(),
                    kind: commitment.kind,
                    customer: commitment.customer,
                    subscription: commitment.subscription,
                    product: product(portfolio, commitment),
                    quantity: commitment.quantity,
                    ends_on: self.ends_on,
                    days_to_end,
                    window: self.window,
                }
            }
            Of::Term(ix) => {
                let subscription = portfolio.subscription(ix);
                ExpiringRow {
                    id: subscription.id.as_str(),
                    kind: CommitmentKind::Term,
                    customer: Some(subscription.customer),
                    subscription: Some(ix),
                    product: subscription.product.as_deref(),
                    quantity: None,
                    ends_on: self.ends_on,
                    days_to_end,
                    window: self.window,
                }
            }
        }
    }
}

/// The product of a commitment; where it names none, of its subscription.
fn product<'a>(portfolio: &'a Portfolio, commitment: &'a Commitment) -> Option<&'a str> {
    let of_subscription = || commitment.subscription.and_then(|ix| portfolio.subscription(ix).product.as_deref());
    commitment.product.as_deref().or_else(of_subscription)
}

/// Reservations, savings plans and terms that end within 7, 15, 30 days after the as-of day,
/// later, or ended in the last 30 (METRICS.md, Beyond the seed).
///
/// The rows are the commitments with a known end, and the terms that subscriptions record as
/// `term_end_on`, as long as they are active or suspended at the end of the as-of day. A term
/// that is also a commitment (of the same subscription, ending on the same day) is told once, as
/// the commitment.
///
/// Filters: `customer`, `country`, `reseller` and `product` read the commitment's own customer
/// and product, and those of its subscription where it names none; `category` keeps what belongs
/// to a subscription that used it. What names no customer passes no filter on customers.
#[must_use]
pub fn expiring(portfolio: &Portfolio, filter: &Filter) -> Expiring {
    let Some(as_of) = portfolio.as_of() else { return Expiring::default() };
    let mut expiries = merged(portfolio, commitments(portfolio, filter, as_of), recorded_terms(&filter.cut(portfolio), as_of));
    // Both stand in the order of ids, so that a stable sort need not compare them: of 120,000
    // rows, most of the time.
    expiries.sort_by_key(|expiry| expiry.ends_on);
    let mut counts = ExpiringCounts::default();
    for expiry in &expiries {
        let count = match expiry.window {
            Window::Ended => &mut counts.ended,
            Window::Within7Days => &mut counts.within_7_days,
            Window::Within15Days => &mut counts.within_15_days,
            Window::Within30Days => &mut counts.within_30_days,
            Window::Later => &mut counts.later,
        };
        *count += 1;
    }
    Expiring { counts, expiries }
}

/// Both by id; a commitment before a subscription of the same id.
fn merged(portfolio: &Portfolio, commitments: Vec<Expiry>, terms: Vec<Expiry>) -> Vec<Expiry> {
    let mut rows = Vec::with_capacity(commitments.len() + terms.len());
    let mut terms = terms.into_iter().peekable();
    for commitment in commitments {
        while let Some(term) = terms.next_if(|term| term.id(portfolio) < commitment.id(portfolio)) {
            rows.push(term);
        }
        rows.push(commitment);
    }
    rows.extend(terms);
    rows
}

/// Ascending by id.
fn commitments(portfolio: &Portfolio, filter: &Filter, as_of: Day) -> Vec<Expiry> {
    let categories = filter.of_categories();
    let by_category = (categories != Filter::default()).then(|| categories.cut(portfolio));
    let keeps = |commitment: &Commitment| {
        filter.passes_columns(commitment.customer.map(|ix| portfolio.customer(ix)), product(portfolio, commitment))
            && by_category.as_ref().is_none_or(|cut| commitment.subscription.is_some_and(|ix| cut.keeps(ix)))
    };
    let expiry = |(at, commitment): (u32, &Commitment)| {
        Expiry::new(commitment.ends_on?, as_of, Of::Commitment(at)).filter(|_| *filter == Filter::default() || keeps(commitment))
    };
    (0..).zip(portfolio.commitments()).filter_map(expiry).collect()
}

/// Ascending by id.
fn recorded_terms(cut: &Cut<'_>, as_of: Day) -> Vec<Expiry> {
    let portfolio = cut.portfolio();
    let told = |commitment: &Commitment| {
        let is_term = commitment.kind == CommitmentKind::Term;
        commitment.subscription.zip(commitment.ends_on).filter(|_| is_term)
    };
    let mut told: Vec<(SubscriptionIx, Day)> = portfolio.commitments().iter().filter_map(told).collect();
    told.sort_unstable();
    let mut told = told.into_iter().peekable();
    let mut is_told = |term: (SubscriptionIx, Day)| {
        while told.next_if(|other| *other < term).is_some() {}
        told.peek() == Some(&term)
    };
    let expiry = |ix: SubscriptionIx| {
        let ends_on = portfolio.subscription(ix).term_end_on?;
        let expiry = Expiry::new(ends_on, as_of, Of::Term(ix))?;
        let is_alive = matches!(portfolio.state_at(ix, as_of), State::Active | State::Suspended);
        (is_alive && !is_told((ix, ends_on))).then_some(expiry)
    };
    cut.subscriptions().filter_map(expiry).collect()
}
