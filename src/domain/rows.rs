//! Rows of the canonical tables (FORMATS.md), as they stand after import.

use super::{CommitmentId, CommitmentKind, CustomerId, Day, Exact, Micros, SubscriptionId};

/// One row of `customers`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CustomerRow {
    pub customer_id: CustomerId,
    pub name: Option<String>,
    /// ISO 3166 code, as the source gives it.
    pub country: Option<String>,
    pub segment: Option<String>,
    pub reseller_id: Option<String>,
    pub reseller_name: Option<String>,
    /// The day as of which other sources than ours told the names; none where a file of ours did,
    /// whose word is the last.
    pub told_on: Option<Day>,
}

impl CustomerRow {
    /// A customer of whom nothing is known but the id.
    #[must_use]
    pub const fn bare(customer_id: CustomerId) -> Self {
        Self { customer_id, name: None, country: None, segment: None, reseller_id: None, reseller_name: None, told_on: None }
    }
}

/// One row of `subscriptions`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
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
    /// The day of the export that said so, which also told the columns from `created_on` on.
    pub status_on: Option<Day>,
    /// The vendor's own risk level, in its words, and the day of the export that had it. Kept for
    /// comparison alone, never a feature.
    pub vendor_level: Option<String>,
    pub vendor_level_on: Option<Day>,
    /// As in [`CustomerRow`], of the name and the customer.
    pub told_on: Option<Day>,
}

impl SubscriptionRow {
    /// A subscription of which nothing is known but whose it is.
    #[must_use]
    pub const fn bare(subscription_id: SubscriptionId, customer_id: CustomerId) -> Self {
        Self {
            subscription_id,
            customer_id,
            name: None,
            product: None,
            created_on: None,
            auto_renew: None,
            term_end_on: None,
            is_trial: None,
            status: None,
            status_on: None,
            vendor_level: None,
            vendor_level_on: None,
            told_on: None,
        }
    }
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
