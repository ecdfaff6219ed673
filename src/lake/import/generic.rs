//! The `generic` source: one file a canonical table, columns by their names (FORMATS.md).

use super::aliases::{commitments, customers, lifecycle, subscriptions, usage};
use super::dates;
use super::form::Form;
use super::intake::{At, Grain, Intake, UsageColumns};
use super::money::Priced;
use super::rejects::{Kind, Refusal};
use super::row::{Fault, Row};
use super::sources::Source;
use super::taken::{Conflict, Lacking};
use crate::domain::{
    CommitmentId, CommitmentRow, CustomerId, CustomerRow, Day, EventKind, SubscriptionId, SubscriptionRow, UnknownCommitmentKind,
    UnknownEvent,
};
use crate::lake::schema::Table;

/// The source's name in `imports` and in messages.
pub(super) const SOURCE: &str = "generic";

#[derive(Debug)]
pub(super) struct Generic;

const USAGE: UsageColumns = UsageColumns {
    subscription: usage::SUBSCRIPTION,
    on: usage::ON,
    category: usage::CATEGORY,
    unit: usage::UNIT,
    quantity: usage::QUANTITY,
    otherwise: None,
    is_unit_folded: false,
    grain: Grain::Day,
};

const COST: [Priced; 1] = [Priced::in_column(usage::COST, usage::CURRENCY)];

impl Source for Generic {
    fn row(&self, form: &'static Form, row: &Row<'_>, at: At, intake: &mut Intake) -> Result<(), Fault> {
        let today = intake.days_told.today;
        match form.table {
            Table::Customers => take_customer(row, at, intake),
            Table::Subscriptions => take_subscription(row, at, intake, today),
            Table::Commitments => take_commitment(row, at, intake),
            Table::Lifecycle => take_event(row, intake, today),
            _ => {
                let id = row.bytes(usage::SUBSCRIPTION).unwrap_or_default();
                intake.usage(row, at, &USAGE, dates::parse, (None, id), |money, row| money.cost(row, &COST))
            }
        }
    }
}

fn take_customer(row: &Row<'_>, at: At, intake: &mut Intake) -> Result<(), Fault> {
    let taken = customer(row)?;
    let id = taken.customer_id.clone();
    let lacking = Lacking::absent(row.columns());
    Ok(intake.customers.take(id, taken, at.file, lacking).map_err(|Conflict| row.conflict(customers::CUSTOMER, "customer"))?)
}

fn take_subscription(row: &Row<'_>, at: At, intake: &mut Intake, today: Day) -> Result<(), Fault> {
    let taken = subscription(row, today)?;
    let known = intake.subscriptions.get(&taken.subscription_id);
    if let Some(known) = known.filter(|known| known.customer_id != taken.customer_id) {
        let reason = format!("subscription {} belongs to customer {} in an earlier row", taken.subscription_id, known.customer_id);
        return Err(row.refuse(subscriptions::CUSTOMER, Kind::TwoCustomers, taken.customer_id.as_str(), reason).into());
    }
    let id = taken.subscription_id.clone();
    let lacking = Lacking::absent(row.columns());
    let conflict = |Conflict| row.conflict(subscriptions::SUBSCRIPTION, "subscription");
    Ok(intake.subscriptions.take(id, taken, at.file, lacking).map_err(conflict)?)
}

fn take_commitment(row: &Row<'_>, at: At, intake: &mut Intake) -> Result<(), Fault> {
    let taken = commitment(row)?;
    let id = taken.commitment_id.clone();
    let lacking = Lacking::absent(row.columns());
    Ok(intake.commitments.take(id, taken, at.file, lacking).map_err(|Conflict| row.conflict(commitments::COMMITMENT, "commitment"))?)
}

/// The same event twice on a day is one; a reason is kept wherever it was given. An event that one
/// file has observed and another dates is dated.
fn take_event(row: &Row<'_>, intake: &mut Intake, today: Day) -> Result<(), Fault> {
    let subscription = row.subscription_id(lifecycle::SUBSCRIPTION)?;
    let on = row.required_day(lifecycle::ON, today, dates::parse)?;
    let text = row.required(lifecycle::EVENT)?;
    let unknown = |error: UnknownEvent| row.refuse(lifecycle::EVENT, Kind::Event, &text, error.to_string());
    let kind: EventKind = text.parse().map_err(unknown)?;
    let (reason, is_observed) = (row.owned(lifecycle::REASON)?, row.flag(lifecycle::OBSERVED)?.unwrap_or(false));
    let events = intake.lifecycle.entry(subscription).or_default();
    let is_new = !events.contains_key(&(on, kind));
    let note = events.entry((on, kind)).or_default();
    note.is_observed = is_observed && (is_new || note.is_observed);
    if note.reason.is_none() {
        note.reason = reason;
    }
    Ok(())
}

/// A row of `customers`.
fn customer(row: &Row<'_>) -> Result<CustomerRow, Refusal> {
    Ok(CustomerRow {
        customer_id: row.customer_id(customers::CUSTOMER)?,
        name: row.owned(customers::NAME)?,
        country: row.owned(customers::COUNTRY)?,
        segment: row.owned(customers::SEGMENT)?,
        reseller_id: row.owned(customers::RESELLER)?,
        reseller_name: row.owned(customers::RESELLER_NAME)?,
        told_on: None,
    })
}

/// A row of `subscriptions`.
fn subscription(row: &Row<'_>, today: Day) -> Result<SubscriptionRow, Refusal> {
    let bare = SubscriptionRow::bare(row.subscription_id(subscriptions::SUBSCRIPTION)?, row.customer_id(subscriptions::CUSTOMER)?);
    Ok(SubscriptionRow {
        name: row.owned(subscriptions::NAME)?,
        product: row.owned(subscriptions::PRODUCT)?,
        created_on: row.past_day(subscriptions::CREATED_ON, today)?,
        auto_renew: row.flag(subscriptions::AUTO_RENEW)?,
        term_end_on: row.day_or_never(subscriptions::TERM_END_ON)?,
        is_trial: row.flag(subscriptions::IS_TRIAL)?,
        status: row.owned(subscriptions::STATUS)?,
        status_on: row.past_day(subscriptions::STATUS_ON, today)?,
        ..bare
    })
}

/// A row of `commitments`.
fn commitment(row: &Row<'_>) -> Result<CommitmentRow, Refusal> {
    let text = row.required(commitments::KIND)?;
    let unknown = |error: UnknownCommitmentKind| row.refuse(commitments::KIND, Kind::Commitment, &text, error.to_string());
    Ok(CommitmentRow {
        commitment_id: row.id(commitments::COMMITMENT, CommitmentId::parse)?,
        subscription_id: row.possible_id(commitments::SUBSCRIPTION, SubscriptionId::parse)?,
        customer_id: row.possible_id(commitments::CUSTOMER, CustomerId::parse)?,
        product: row.owned(commitments::PRODUCT)?,
        kind: text.parse().map_err(unknown)?,
        quantity: row.micros(commitments::QUANTITY)?,
        ends_on: row.day_or_never(commitments::ENDS_ON)?,
    })
}
