//! `focus`: FOCUS Cost and Usage 1.0 to 1.4 of any cloud, Azure's own columns (`x_`) among them,
//! and FOCUS Contract Commitment.
//!
//! A row counts where it is consumption: `ChargeCategory` is `Usage`, `ChargeClass` null, and it is
//! no unused part of a commitment (METRICS.md, Words).

use std::borrow::Cow;

use super::aliases::{contracts, focus};
use super::form::Form;
use super::intake::{At, Grain, Intake, UNKNOWN, UsageColumns};
use super::money::Priced;
use super::rejects::Refusal;
use super::row::{Fault, Row};
use super::sources::Source;
use super::taken::Lacking;
use super::told::NameColumns;
use super::{CostBasis, dates};
use crate::domain::{CommitmentId, CommitmentKind, CommitmentRow, Day, IdError, SubscriptionId};
use crate::lake::schema::Table;

#[derive(Debug)]
pub(super) struct Focus;

const USAGE: UsageColumns = UsageColumns {
    subscription: focus::SUBSCRIPTION,
    on: focus::START,
    category: focus::CATEGORY,
    unit: focus::UNIT,
    quantity: focus::QUANTITY,
    otherwise: Some(UNKNOWN),
    is_unit_folded: true,
    grain: Grain::Day,
};

const NAMES: NameColumns = NameColumns {
    name: Some(focus::NAME),
    product: None,
    customer: Some(focus::CUSTOMER),
    customer_name: Some(focus::CUSTOMER_NAME),
    country: None,
    reseller: Some(focus::RESELLER),
    reseller_name: Some(focus::RESELLER_NAME),
};

const EFFECTIVE: [Priced; 3] = [
    Priced::in_column(focus::EFFECTIVE_COST, focus::CURRENCY),
    Priced::in_column(focus::PRICING_EFFECTIVE_COST, focus::PRICING_CURRENCY),
    Priced::in_usd(focus::EFFECTIVE_COST_IN_USD),
];

const BILLED: [Priced; 2] = [Priced::in_column(focus::BILLED_COST, focus::CURRENCY), Priced::in_usd(focus::BILLED_COST_IN_USD)];

impl Source for Focus {
    fn row(&self, form: &'static Form, row: &Row<'_>, at: At, intake: &mut Intake) -> Result<(), Fault> {
        if form.table == Table::Commitments {
            return Ok(contract(row, at, intake)?);
        }
        commitment_of(row, at, intake)?;
        if let Some(column) = no_consumption(row)? {
            intake.set_aside(row, at, column);
            return Ok(());
        }
        if lasts_days(row) {
            intake.remark(at, "usage rows last longer than a day and are dated by their first");
        }
        let costs: &[Priced] = match intake.cost_basis {
            CostBasis::Effective => &EFFECTIVE,
            CostBasis::Billed => &BILLED,
        };
        let id = azure_id(row.bytes(focus::SUBSCRIPTION).unwrap_or_default());
        intake.usage(row, at, &USAGE, dates::parse, (Some(&NAMES), id), |money, row| money.cost(row, costs))
    }
}

/// The column that says that a row is no consumption; none where it is.
fn no_consumption(row: &Row<'_>) -> Result<Option<usize>, Refusal> {
    let is = |column: usize, word: &str| row.bytes(column).is_some_and(|bytes| bytes.eq_ignore_ascii_case(word.as_bytes()));
    Ok(if !is(focus::CHARGE_CATEGORY, "usage") {
        row.required(focus::CHARGE_CATEGORY)?;
        Some(focus::CHARGE_CATEGORY)
    } else if row.bytes(focus::CHARGE_CLASS).is_some() {
        Some(focus::CHARGE_CLASS)
    } else {
        is(focus::COMMITMENT_STATUS, "unused").then_some(focus::COMMITMENT_STATUS)
    })
}

/// Whether the row's charge period is longer than a day. What is no date there is refused with the
/// usage row itself, or plays no part.
fn lasts_days(row: &Row<'_>) -> bool {
    let day = |column: usize| row.day(column).ok().flatten();
    match (row.bytes(focus::START), row.bytes(focus::END)) {
        // The day parts are equal for nearly every row, which lasts an hour.
        (Some(start), Some(end)) if start.get(..10) != end.get(..10) => {
            day(focus::START).zip(day(focus::END)).is_some_and(|(start, end)| end - start > 1)
        }
        _ => false,
    }
}

/// The GUID in `/subscriptions/{guid}/...`; another cloud's id is left as it is.
pub(super) fn azure_id(bytes: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    const BEFORE: &[u8] = b"/subscriptions/";
    let is_azure = bytes.get(..BEFORE.len()).is_some_and(|start| start.eq_ignore_ascii_case(BEFORE));
    if !is_azure {
        return bytes;
    }
    let guid = |bytes: &[u8]| {
        BEFORE.len()..bytes[BEFORE.len()..].iter().position(|byte| *byte == b'/').map_or(bytes.len(), |at| BEFORE.len() + at)
    };
    match bytes {
        Cow::Borrowed(bytes) => Cow::Borrowed(&bytes[guid(bytes)]),
        Cow::Owned(bytes) => Cow::Owned(bytes[guid(&bytes)].to_vec()),
    }
}

/// The subscription that the id of a resource is below; none where it is below none.
pub(super) fn subscription_of(resource: &str) -> Result<Option<SubscriptionId>, IdError> {
    match azure_id(Cow::Borrowed(resource.as_bytes())) {
        Cow::Borrowed(id) if id.len() < resource.len() => SubscriptionId::parse(&String::from_utf8_lossy(id)).map(Some),
        _ => Ok(None),
    }
}

/// The commitment that a row of cost and usage names, whatever the row is.
fn commitment_of(row: &Row<'_>, at: At, intake: &mut Intake) -> Result<(), Refusal> {
    let Some(id) = row.possible_id(focus::COMMITMENT, CommitmentId::parse)? else { return Ok(()) };
    match row.text(focus::COMMITMENT_TYPE)?.and_then(|text| text.parse().ok()) {
        Some(kind) => intake.benefit(id, kind, row.owned(focus::COMMITMENT_NAME)?),
        None => intake.remark(at, "rows name a commitment of a kind that is neither a reservation nor a savings plan"),
    }
    Ok(())
}

/// The last day of a period whose end, which is exclusive, lies on `end`.
fn last_day(row: &Row<'_>, end: Day) -> Day {
    let text = row.bytes(contracts::PERIOD_END).unwrap_or_default();
    // A time of day with any digit but 0 in it is after midnight.
    let is_midnight = !text.get(10..).unwrap_or_default().iter().any(|byte| (b'1'..=b'9').contains(byte));
    if is_midnight { end + -1 } else { end }
}

/// A row of Contract Commitment.
fn contract(row: &Row<'_>, at: At, intake: &mut Intake) -> Result<(), Refusal> {
    let status = row.text(contracts::STATUS)?.unwrap_or_default().to_ascii_lowercase();
    if matches!(status.as_str(), "proposed" | "canceled" | "cancelled" | "superseded") {
        intake.set_aside(row, at, contracts::STATUS);
        return Ok(());
    }
    // Minimum spends, rate cards and the like are terms of a contract: they end as those do.
    let kind = row.required(contracts::KIND)?.parse().unwrap_or(CommitmentKind::Term);
    let commitment_id = row.id(contracts::COMMITMENT, CommitmentId::parse)?;
    let subscription_id = subscription_of(commitment_id.as_str()).ok().flatten();
    let ends_on = row.day_or_never(contracts::PERIOD_END)?.map(|end| last_day(row, end));
    let taken = CommitmentRow {
        commitment_id: commitment_id.clone(),
        subscription_id,
        customer_id: None,
        product: row.owned(contracts::DESCRIPTION)?,
        kind,
        quantity: row.micros(contracts::QUANTITY)?,
        ends_on,
    };
    let lacking = Lacking::CUSTOMER_OF_COMMITMENT;
    intake.commitments.take(commitment_id, taken, at.file, lacking).map_err(|_| row.conflict(contracts::COMMITMENT, "commitment"))
}
