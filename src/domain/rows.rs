//! Rows of the canonical tables (FORMATS.md), as they stand after import.

use super::{CommitmentId, CommitmentKind, CustomerId, Day, Exact, Micros, SubscriptionId};

/// One row of `customers`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerRow {
    pub customer_id: CustomerId,
    pub name: Option<String>,
    /// ISO 3166 code, as the source gives it.
    pub country: Option<String>,
    pub segment: Option<String>,
    pub reseller_id: Option<String>,
    pub reseller_name: Option<String>,
}

/// One row of `subscriptions`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionRow {
    pub subscription_id: SubscriptionId,
    pub customer_id: CustomerId,
    pub name: Option<String>,
    pub product: Option<String>,
    pub created_on: Option<Day>,
    pub auto_renew: Option<bool>,
    pub term_end_on: Option<Day>,
    pub is_trial: Option<bool>,
    /// The state as the source last reported it, in its own words.
    pub status: Option<String>,
    pub status_on: Option<Day>,
}

/// One row of `commitments`. It may name a subscription or a customer that no other table has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitmentRow {
    pub commitment_id: CommitmentId,
    /// None where it is shared, or the source does not say.
    pub subscription_id: Option<SubscriptionId>,
    pub customer_id: Option<CustomerId>,
    pub product: Option<String>,
    pub kind: CommitmentKind,
    /// Never negative. Instances of a reservation, money an hour of a savings plan, licences of a
    /// term: never added up.
    pub quantity: Option<Micros>,
    /// The last day that it holds. None where it has no end, or the source does not say.
    pub ends_on: Option<Day>,
}

/// One row of `usage_daily` before roll-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRow {
    pub subscription_id: SubscriptionId,
    pub on: Day,
    pub category: String,
    pub unit: String,
    /// Never negative.
    pub quantity: Exact,
    /// None where the source has no cost.
    pub cost: Option<Exact>,
}
