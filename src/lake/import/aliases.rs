//! The columns of every form and the names that they go by, as data: a new name of a column is one
//! more word in its line.
//!
//! Names are compared without regard to case. The first name is the one that messages ask for.
//! Sources: FORMATS.md; the `FinOps` Open Cost and Usage Specification 1.0 to 1.4; Microsoft's pages
//! on daily-rated usage reconciliation files, on the Partner Center analytics resources, on the
//! data definitions of Partner Insights, and on the fields of cost and usage details.

use super::form::{Column, Form, Need};
use crate::lake::schema::Table;

/// Declares the columns of a form: `NAME required|optional [alias, ...];`. Each name becomes the
/// number of its column, and `COLUMNS` is the list.
macro_rules! columns {
    ($(#[$doc:meta])* $module:ident { $($name:ident $need:ident [$($alias:literal),+];)+ }) => {
        $(#[$doc])*
        pub(super) mod $module {
            use super::{Column, Need, position};

            const NAMES: &[&str] = &[$(stringify!($name)),+];

            $(pub(in super::super) const $name: usize = position(NAMES, stringify!($name));)+

            pub(super) const COLUMNS: &[Column] = &[$(Column { aliases: &[$($alias),+], need: columns!(@$need) }),+];
        }
    };
    (@required) => { Need::Required };
    (@optional) => { Need::Optional };
}

/// The place of a name that stands in a list.
const fn position(names: &[&str], name: &str) -> usize {
    let mut at = 0;
    while at < names.len() {
        let (known, name) = (names[at].as_bytes(), name.as_bytes());
        let mut byte = 0;
        while known.len() == name.len() && byte < name.len() && known[byte] == name[byte] {
            byte += 1;
        }
        if known.len() == name.len() && byte == name.len() {
            return at;
        }
        at += 1;
    }
    names.len()
}

columns! {
    /// Our own usage.
    usage {
        SUBSCRIPTION required ["subscription_id"];
        ON required ["on"];
        CATEGORY required ["category"];
        UNIT required ["unit"];
        QUANTITY required ["quantity"];
        COST optional ["cost"];
        CURRENCY optional ["currency"];
    }
}

columns! {
    lifecycle {
        SUBSCRIPTION required ["subscription_id"];
        ON required ["on"];
        EVENT required ["event"];
        REASON optional ["reason"];
        OBSERVED optional ["observed"];
    }
}

columns! {
    commitments {
        COMMITMENT required ["commitment_id"];
        KIND required ["kind"];
        ENDS_ON required ["ends_on"];
        SUBSCRIPTION optional ["subscription_id"];
        CUSTOMER optional ["customer_id"];
        PRODUCT optional ["product"];
        QUANTITY optional ["quantity"];
    }
}

columns! {
    subscriptions {
        SUBSCRIPTION required ["subscription_id"];
        CUSTOMER required ["customer_id"];
        NAME optional ["name"];
        PRODUCT optional ["product"];
        CREATED_ON optional ["created_on"];
        AUTO_RENEW optional ["auto_renew"];
        TERM_END_ON optional ["term_end_on"];
        IS_TRIAL optional ["is_trial"];
        STATUS optional ["status"];
        STATUS_ON optional ["status_on"];
    }
}

columns! {
    customers {
        CUSTOMER required ["customer_id"];
        NAME optional ["name"];
        COUNTRY optional ["country"];
        SEGMENT optional ["segment"];
        RESELLER optional ["reseller_id"];
        RESELLER_NAME optional ["reseller_name"];
    }
}

columns! {
    /// FOCUS Cost and Usage, 1.0 to 1.4.
    focus {
        SUBSCRIPTION required ["SubAccountId"];
        START required ["ChargePeriodStart"];
        END optional ["ChargePeriodEnd"];
        CHARGE_CATEGORY required ["ChargeCategory"];
        CHARGE_CLASS optional ["ChargeClass"];
        COMMITMENT_STATUS optional ["CommitmentDiscountStatus"];
        CATEGORY required ["x_SkuMeterCategory", "ServiceName", "ServiceCategory"];
        UNIT required ["ConsumedUnit", "UsageUnit"];
        QUANTITY required ["ConsumedQuantity", "UsageQuantity"];
        EFFECTIVE_COST required ["EffectiveCost"];
        BILLED_COST optional ["BilledCost"];
        CURRENCY required ["BillingCurrency"];
        EFFECTIVE_COST_IN_USD optional ["x_EffectiveCostInUsd"];
        BILLED_COST_IN_USD optional ["x_BilledCostInUsd"];
        PRICING_EFFECTIVE_COST optional ["PricingCurrencyEffectiveCost"];
        PRICING_CURRENCY optional ["PricingCurrency", "x_PricingCurrency"];
        NAME optional ["SubAccountName"];
        CUSTOMER optional ["x_CustomerId"];
        CUSTOMER_NAME optional ["x_CustomerName"];
        RESELLER optional ["x_ResellerId"];
        RESELLER_NAME optional ["x_ResellerName"];
        COMMITMENT optional ["CommitmentDiscountId"];
        COMMITMENT_NAME optional ["CommitmentDiscountName"];
        COMMITMENT_TYPE optional ["CommitmentDiscountType"];
    }
}

columns! {
    /// FOCUS Contract Commitment, 1.3 and later.
    contracts {
        COMMITMENT required ["ContractCommitmentId"];
        KIND required ["ContractCommitmentType"];
        PERIOD_END required ["ContractCommitmentPeriodEnd"];
        DESCRIPTION optional ["ContractCommitmentDescription"];
        QUANTITY optional ["ContractCommitmentQuantity"];
        STATUS optional ["ContractCommitmentLifecycleStatus"];
    }
}

columns! {
    /// Daily-rated usage: the reconciliation file, the Graph export, line items.
    daily_rated {
        SUBSCRIPTION required ["EntitlementId", "SubscriptionId"];
        CUSTOMER required ["CustomerId"];
        ON required ["UsageDate"];
        QUANTITY required ["Quantity"];
        CATEGORY optional ["MeterCategory"];
        UNIT optional ["Unit", "UnitOfMeasure", "UnitType"];
        BILLING_COST optional ["BillingPreTaxTotal"];
        BILLING_CURRENCY optional ["BillingCurrency", "BillingCurrencyCode"];
        PRICING_COST optional ["PricingPreTaxTotal"];
        PRICING_CURRENCY optional ["PricingCurrency", "PricingCurrencyCode"];
        EXCHANGE_RATE optional ["PCToBCExchangeRate"];
        CHARGE_TYPE optional ["ChargeType"];
        CUSTOMER_NAME optional ["CustomerName"];
        COUNTRY optional ["CustomerCountry"];
        NAME optional ["EntitlementDescription"];
        PRODUCT optional ["SubscriptionDescription", "ProductName"];
        RESELLER optional ["ResellerMPNID", "Tier2MpnId", "ResellerMpnId"];
    }
}

columns! {
    /// Cost and usage details of an enterprise or a customer agreement, actual or amortised.
    cost {
        SUBSCRIPTION required ["SubscriptionId", "SubscriptionGuid"];
        ON required ["Date", "UsageDateTime"];
        CATEGORY required ["MeterCategory"];
        UNIT required ["UnitOfMeasure"];
        QUANTITY required ["Quantity", "UsageQuantity"];
        COST required ["CostInBillingCurrency", "Cost", "PreTaxCost"];
        CURRENCY required ["BillingCurrency", "BillingCurrencyCode", "Currency"];
        COST_IN_USD optional ["CostInUsd"];
        PRICING_COST optional ["CostInPricingCurrency"];
        PRICING_CURRENCY optional ["PricingCurrency", "PricingCurrencyCode"];
        CHARGE_TYPE optional ["ChargeType"];
        NAME optional ["SubscriptionName"];
        CUSTOMER optional ["CustomerTenantId"];
        CUSTOMER_NAME optional ["CustomerName"];
        RESELLER optional ["ResellerMpnId"];
        RESELLER_NAME optional ["ResellerName"];
        COMMITMENT optional ["BenefitId"];
        COMMITMENT_NAME optional ["BenefitName"];
    }
}

columns! {
    /// `GET /partner/v1/analytics/usage/azure`.
    usage_analytics {
        CUSTOMER required ["customerTenantId"];
        SUBSCRIPTION required ["subscriptionId"];
        ON required ["usageDate"];
        CATEGORY required ["meterCategory"];
        UNIT required ["meterUnit"];
        QUANTITY required ["quantity"];
        CUSTOMER_NAME optional ["customerName"];
        NAME optional ["subscriptionName"];
    }
}

columns! {
    /// `GET /partner/v1/analytics/subscriptions`.
    subscription_analytics {
        SUBSCRIPTION required ["id", "subscriptionId"];
        CUSTOMER required ["customerTenantId"];
        STATUS required ["status"];
        TYPE optional ["subscriptionType"];
        CUSTOMER_NAME optional ["customerName"];
        COUNTRY optional ["customerMarket"];
        NAME optional ["friendlyName"];
        PRODUCT optional ["productName"];
        AUTO_RENEW optional ["autoRenewEnabled"];
        CREATED_ON required ["creationDate", "effectiveStartDate"];
        TERM_END_ON optional ["commitmentEndDate"];
        ENDED_ON optional ["deprovisionedDate"];
        RENEWED_ON optional ["lastRenewalDate"];
        TRIAL_FROM optional ["trialStartDate"];
        TRIAL_TO optional ["trialEndDate"];
        TRIAL_PAID_ON optional ["trialToPaidConversionDate"];
        VENDOR_LEVEL optional ["churnRisk"];
    }
}

columns! {
    /// The Azure usage of Partner Insights, by month.
    insights_usage {
        SUBSCRIPTION required ["SubscriptionId"];
        CUSTOMER required ["CustomerTenantId"];
        MONTH required ["Month"];
        CATEGORY required ["MeterCategory", "ServiceLevel2"];
        UNIT required ["UsageUnits"];
        QUANTITY required ["UsageQuantity"];
        COST_IN_USD optional ["ACR_USD"];
        STATUS optional ["SubscriptionState"];
        CREATED_ON optional ["SubscriptionStartDate"];
        ENDED_ON optional ["SubscriptionEndDate"];
        IS_DUPLICATE optional ["IsACRDuplicateAtPGALevel"];
        CUSTOMER_NAME optional ["CustomerName"];
        COUNTRY optional ["CustomerMarket"];
        SEGMENT optional ["CustomerSegment"];
        RESELLER optional ["ResellerId"];
        RESELLER_NAME optional ["ResellerName"];
    }
}

columns! {
    /// Seats, subscriptions and revenue of Partner Insights.
    insights_subscriptions {
        SUBSCRIPTION required ["SubscriptionId"];
        CUSTOMER required ["CustomerTenantId"];
        STATUS required ["SubscriptionState"];
        CREATED_ON required ["SubscriptionStartDate"];
        ENDED_ON required ["SubscriptionEndDate"];
        AUTO_RENEW optional ["IsAutoRenew"];
        MONTH optional ["Month"];
        IS_DUPLICATE optional ["IsDuplicateRowForPGA"];
        CUSTOMER_NAME optional ["CustomerName"];
        COUNTRY optional ["CustomerMarket"];
        SEGMENT optional ["CustomerSegment"];
        PRODUCT optional ["Product"];
        RESELLER optional ["ResellerId"];
        RESELLER_NAME optional ["ResellerName"];
    }
}

columns! {
    /// The subscriptions of one customer, by the REST interface.
    rest_subscriptions {
        SUBSCRIPTION required ["id"];
        STATUS required ["status"];
        CREATED_ON required ["creationDate", "effectiveStartDate"];
        CUSTOMER optional ["customerId", "links"];
        TERM_END_ON optional ["commitmentEndDate"];
        AUTO_RENEW optional ["autoRenewEnabled"];
        IS_TRIAL optional ["isTrial"];
        NAME optional ["friendlyName"];
        PRODUCT optional ["offerName"];
    }
}

const PLAIN: Form = Form { source: "", name: "", table: Table::UsageDaily, columns: &[], foreign: &[], is_strict: false };

/// Every form, the more it asks for the earlier.
pub(super) const FORMS: [Form; 14] = [
    Form { source: "focus", name: "cost", columns: focus::COLUMNS, ..PLAIN },
    Form { source: "focus", name: "contract commitments", table: Table::Commitments, columns: contracts::COLUMNS, ..PLAIN },
    Form { source: "daily-rated", columns: daily_rated::COLUMNS, ..PLAIN },
    Form { source: "azure-cost", columns: cost::COLUMNS, ..PLAIN },
    Form { source: "insights-azure-usage", table: Table::UsageMonthly, columns: insights_usage::COLUMNS, ..PLAIN },
    Form { source: "insights-subscriptions", table: Table::Subscriptions, columns: insights_subscriptions::COLUMNS, ..PLAIN },
    Form { source: "usage-analytics", columns: usage_analytics::COLUMNS, ..PLAIN },
    Form { source: "subscription-analytics", table: Table::Subscriptions, columns: subscription_analytics::COLUMNS, ..PLAIN },
    Form {
        source: "rest-subscriptions",
        table: Table::Subscriptions,
        columns: rest_subscriptions::COLUMNS,
        foreign: &["customerTenantId"],
        ..PLAIN
    },
    Form { source: "generic", name: "usage_daily", columns: usage::COLUMNS, is_strict: true, ..PLAIN },
    Form { source: "generic", name: "lifecycle", table: Table::Lifecycle, columns: lifecycle::COLUMNS, is_strict: true, ..PLAIN },
    Form { source: "generic", name: "commitments", table: Table::Commitments, columns: commitments::COLUMNS, is_strict: true, ..PLAIN },
    Form {
        source: "generic",
        name: "subscriptions",
        table: Table::Subscriptions,
        columns: subscriptions::COLUMNS,
        foreign: &["commitment_id"],
        is_strict: true,
    },
    Form {
        source: "generic",
        name: "customers",
        table: Table::Customers,
        columns: customers::COLUMNS,
        foreign: &["commitment_id"],
        is_strict: true,
    },
];
