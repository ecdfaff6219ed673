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
pub struct Expiring<'a> {
    pub counts: ExpiringCounts,
    /// Ascending by end, then id.
    pub rows: Vec<ExpiringRow<'a>>,
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
pub fn expiring<'a>(portfolio: &'a Portfolio, filter: &Filter) -> Expiring<'a> {
    let Some(as_of) = portfolio.as_of() else { return Expiring::default() };
    let mut rows = merged(commitments(portfolio, filter, as_of), recorded_terms(&filter.cut(portfolio), as_of));
    // Both stand in the order of ids, so that a stable sort need not compare them: of 120,000
    // rows, most of the time.
    rows.sort_by_key(|row| row.ends_on);
    let mut counts = ExpiringCounts::default();
    for row in &rows {
        let count = match row.window {
            Window::Ended => &mut counts.ended,
            Window::Within7Days => &mut counts.within_7_days,
            Window::Within15Days => &mut counts.within_15_days,
            Window::Within30Days => &mut counts.within_30_days,
            Window::Later => &mut counts.later,
        };
        *count += 1;
    }
    Expiring { counts, rows }
}

/// Both by id; a commitment before a subscription of the same id.
fn merged<'a>(commitments: Vec<ExpiringRow<'a>>, terms: Vec<ExpiringRow<'a>>) -> Vec<ExpiringRow<'a>> {
    let mut rows = Vec::with_capacity(commitments.len() + terms.len());
    let mut terms = terms.into_iter().peekable();
    for commitment in commitments {
        while let Some(term) = terms.next_if(|term| term.id < commitment.id) {
            rows.push(term);
        }
        rows.push(commitment);
    }
    rows.extend(terms);
    rows
}

/// Ascending by id.
fn commitments<'a>(portfolio: &'a Portfolio, filter: &Filter, as_of: Day) -> Vec<ExpiringRow<'a>> {
    let categories = filter.of_categories();
    let by_category = (categories != Filter::default()).then(|| categories.cut(portfolio));
    let keeps = |commitment: &Commitment, product: Option<&str>| {
        filter.passes_columns(commitment.customer.map(|ix| portfolio.customer(ix)), product)
            && by_category.as_ref().is_none_or(|cut| commitment.subscription.is_some_and(|ix| cut.keeps(ix)))
    };
    let row = |commitment: &'a Commitment| {
        let ends_on = commitment.ends_on?;
        let days_to_end = ends_on - as_of;
        let window = Window::of(days_to_end)?;
        let of_subscription = || commitment.subscription.and_then(|ix| portfolio.subscription(ix).product.as_deref());
        let product = commitment.product.as_deref().or_else(of_subscription);
        keeps(commitment, product).then_some(ExpiringRow {
            id: commitment.id.as_str(),
            kind: commitment.kind,
            customer: commitment.customer,
            subscription: commitment.subscription,
            product,
            quantity: commitment.quantity,
            ends_on,
            days_to_end,
            window,
        })
    };
    portfolio.commitments().iter().filter_map(row).collect()
}

/// Ascending by id.
fn recorded_terms<'a>(cut: &Cut<'a>, as_of: Day) -> Vec<ExpiringRow<'a>> {
    let portfolio = cut.portfolio();
    let told = |commitment: &Commitment| {
        let is_term = commitment.kind == CommitmentKind::Term;
        commitment.subscription.zip(commitment.ends_on).filter(|_| is_term)
    };
    let mut told: Vec<(SubscriptionIx, Day)> = portfolio.commitments().iter().filter_map(told).collect();
    told.sort_unstable();
    let row = |ix: SubscriptionIx| {
        let subscription = portfolio.subscription(ix);
        let ends_on = subscription.term_end_on?;
        let days_to_end = ends_on - as_of;
        let window = Window::of(days_to_end)?;
        let is_alive = matches!(portfolio.state_at(ix, as_of), State::Active | State::Suspended);
        (is_alive && told.binary_search(&(ix, ends_on)).is_err()).then(|| ExpiringRow {
            id: subscription.id.as_str(),
            kind: CommitmentKind::Term,
            customer: Some(subscription.customer),
            subscription: Some(ix),
            product: subscription.product.as_deref(),
            quantity: None,
            ends_on,
            days_to_end,
            window,
        })
    };
    cut.subscriptions().filter_map(row).collect()
}
