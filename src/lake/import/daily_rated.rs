//! `daily-rated`: Partner Center's daily-rated usage, as reconciliation file, as Graph export or as
//! line items.
//!
//! `EntitlementId` is the Azure subscription. `SubscriptionId` is that of the shop, and stands in
//! where there is no other.

use super::aliases::daily_rated;
use super::dates;
use super::form::Form;
use super::intake::{At, Grain, Intake, UNKNOWN, UsageColumns};
use super::money::{CurrencyOf, Priced};
use super::row::{Fault, Row};
use super::sources::Source;
use super::told::NameColumns;

#[derive(Debug)]
pub(super) struct DailyRated;

const USAGE: UsageColumns = UsageColumns {
    subscription: daily_rated::SUBSCRIPTION,
    on: daily_rated::ON,
    category: daily_rated::CATEGORY,
    unit: daily_rated::UNIT,
    quantity: daily_rated::QUANTITY,
    otherwise: Some(UNKNOWN),
    is_unit_folded: true,
    grain: Grain::Day,
};

const NAMES: NameColumns = NameColumns {
    name: Some(daily_rated::NAME),
    product: Some(daily_rated::PRODUCT),
    customer: Some(daily_rated::CUSTOMER),
    customer_name: Some(daily_rated::CUSTOMER_NAME),
    country: Some(daily_rated::COUNTRY),
    reseller: Some(daily_rated::RESELLER),
    reseller_name: None,
};

/// The billed amount; where there is none, the priced one by the row's own rate; the priced one.
const COST: [Priced; 3] = [
    Priced::in_column(daily_rated::BILLING_COST, daily_rated::BILLING_CURRENCY),
    Priced {
        amount: daily_rated::PRICING_COST,
        currency: CurrencyOf::Column(daily_rated::BILLING_CURRENCY),
        rate: Some(daily_rated::EXCHANGE_RATE),
    },
    Priced::in_column(daily_rated::PRICING_COST, daily_rated::PRICING_CURRENCY),
];

impl Source for DailyRated {
    fn row(&self, _form: &'static Form, row: &Row<'_>, at: At, intake: &mut Intake) -> Result<(), Fault> {
        if !is_consumption(row) {
            intake.set_aside(row, at, daily_rated::CHARGE_TYPE);
            return Ok(());
        }
        if row.bytes(daily_rated::CATEGORY).is_none() {
            intake.remark(at, "rows name no MeterCategory and are in the category `unknown`");
        }
        let id = row.bytes(daily_rated::SUBSCRIPTION).unwrap_or_default();
        intake.usage(row, at, &USAGE, dates::parse, (Some(&NAMES), id), |money, row| money.cost(row, &COST))
    }
}

/// Whether a row is consumption; one that does not say what sort of charge it is, is.
fn is_consumption(row: &Row<'_>) -> bool {
    let is = |charge: &[u8], word: &str| charge.eq_ignore_ascii_case(word.as_bytes());
    row.bytes(daily_rated::CHARGE_TYPE).is_none_or(|charge| is(&charge, "new") || is(&charge, "usage"))
}
