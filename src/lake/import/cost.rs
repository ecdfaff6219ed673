//! `azure-cost`: the cost and usage details of an enterprise or a customer agreement, actual or
//! amortised.
//!
//! The amortised file spreads purchases of reservations and savings plans over their use and is
//! the one for trends; the actual file has what was charged.

use super::aliases::cost;
use super::dates;
use super::focus::azure_id;
use super::form::Form;
use super::intake::{At, Grain, Intake, UNKNOWN, UsageColumns};
use super::money::Priced;
use super::rejects::Refusal;
use super::row::{Fault, Row};
use super::sources::Source;
use super::told::NameColumns;
use crate::domain::{CommitmentId, CommitmentKind};

#[derive(Debug)]
pub(super) struct AzureCost;

const USAGE: UsageColumns = UsageColumns {
    subscription: cost::SUBSCRIPTION,
    on: cost::ON,
    category: cost::CATEGORY,
    unit: cost::UNIT,
    quantity: cost::QUANTITY,
    otherwise: Some(UNKNOWN),
    is_unit_folded: true,
    grain: Grain::Day,
};

const NAMES: NameColumns = NameColumns {
    name: Some(cost::NAME),
    product: None,
    customer: Some(cost::CUSTOMER),
    customer_name: Some(cost::CUSTOMER_NAME),
    country: None,
    reseller: Some(cost::RESELLER),
    reseller_name: Some(cost::RESELLER_NAME),
};

const COST: [Priced; 3] = [
    Priced::in_column(cost::COST, cost::CURRENCY),
    Priced::in_column(cost::PRICING_COST, cost::PRICING_CURRENCY),
    Priced::in_usd(cost::COST_IN_USD),
];

impl Source for AzureCost {
    fn row(&self, _form: &'static Form, row: &Row<'_>, at: At, intake: &mut Intake) -> Result<(), Fault> {
        commitment_of(row, at, intake)?;
        if !is_consumption(row) {
            intake.set_aside(row, at, cost::CHARGE_TYPE);
            return Ok(());
        }
        let id = azure_id(row.bytes(cost::SUBSCRIPTION).unwrap_or_default());
        intake.usage(row, at, &USAGE, dates::parse_american, (Some(&NAMES), id), |money, row| money.cost(row, &COST))
    }
}

/// Whether a row is consumption. Files of before have no `ChargeType`.
fn is_consumption(row: &Row<'_>) -> bool {
    row.bytes(cost::CHARGE_TYPE).is_none_or(|charge| charge.eq_ignore_ascii_case(b"usage"))
}

/// The reservation or savings plan that a row is covered by, or buys.
fn commitment_of(row: &Row<'_>, at: At, intake: &mut Intake) -> Result<(), Refusal> {
    let Some(id) = row.possible_id(cost::COMMITMENT, CommitmentId::parse)? else { return Ok(()) };
    let text = id.as_str().to_ascii_lowercase();
    match () {
        // A purchase that has not been filled yet names the order alone.
        () if text.ends_with('/') => {}
        () if text.contains("savingsplan") => intake.benefit(id, CommitmentKind::SavingsPlan, row.owned(cost::COMMITMENT_NAME)?),
        () if text.contains("reservation") => intake.benefit(id, CommitmentKind::Reservation, row.owned(cost::COMMITMENT_NAME)?),
        () => intake.remark(at, "rows name a benefit that is neither a reservation nor a savings plan"),
    }
    Ok(())
}
