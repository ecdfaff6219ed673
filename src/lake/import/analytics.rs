//! `usage-analytics` and `subscription-analytics`: the lists of Partner Center's analytics
//! interface.

use super::aliases::{subscription_analytics as subscriptions, usage_analytics as usage};
use super::dates;
use super::form::Form;
use super::intake::{At, Grain, Intake, UNKNOWN, UsageColumns};
use super::rejects::{Kind, Refusal};
use super::row::{Fault, Row};
use super::sources::Source;
use super::states::{self, Observation};
use super::told::NameColumns;
use crate::domain::{CustomerRow, State, SubscriptionRow};

#[derive(Debug)]
pub(super) struct UsageAnalytics;

const USAGE: UsageColumns = UsageColumns {
    subscription: usage::SUBSCRIPTION,
    on: usage::ON,
    category: usage::CATEGORY,
    unit: usage::UNIT,
    quantity: usage::QUANTITY,
    otherwise: Some(UNKNOWN),
    is_unit_folded: true,
    grain: Grain::Day,
};

const NAMES: NameColumns = NameColumns {
    name: Some(usage::NAME),
    product: None,
    customer: Some(usage::CUSTOMER),
    customer_name: Some(usage::CUSTOMER_NAME),
    country: None,
    reseller: None,
    reseller_name: None,
};

impl Source for UsageAnalytics {
    fn row(&self, _form: &'static Form, row: &Row<'_>, at: At, intake: &mut Intake) -> Result<(), Fault> {
        let id = row.bytes(usage::SUBSCRIPTION).unwrap_or_default();
        intake.usage(row, at, &USAGE, dates::parse, (Some(&NAMES), id), |_, _| Ok(None))
    }
}

/// A list of all subscriptions of a partner, with their states on the day of the export.
#[derive(Debug)]
pub(super) struct SubscriptionAnalytics;

impl Source for SubscriptionAnalytics {
    fn row(&self, form: &'static Form, row: &Row<'_>, at: At, intake: &mut Intake) -> Result<(), Fault> {
        if row.bytes(subscriptions::TYPE).is_some_and(|kind| !kind.eq_ignore_ascii_case(b"azure")) {
            intake.set_aside(row, at, subscriptions::TYPE);
            return Ok(());
        }
        let on = intake.days_told.exported_on;
        let id = row.subscription_id(subscriptions::SUBSCRIPTION)?;
        let customer_id = row.customer_id(subscriptions::CUSTOMER)?;
        let (status, state) = status(row, subscriptions::STATUS, form)?;
        let is_trial = row.day_or_never(subscriptions::TRIAL_FROM)?.is_some()
            && row.day_or_never(subscriptions::TRIAL_PAID_ON)?.is_none()
            && row.day_or_never(subscriptions::TRIAL_TO)?.is_none_or(|end| end >= on);
        let subscription = SubscriptionRow {
            name: row.owned(subscriptions::NAME)?,
            product: row.owned(subscriptions::PRODUCT)?,
            created_on: row.past_day(subscriptions::CREATED_ON, intake.days_told.today)?,
            auto_renew: row.flag(subscriptions::AUTO_RENEW)?,
            term_end_on: row.day_or_never(subscriptions::TERM_END_ON)?,
            is_trial: Some(is_trial),
            status: Some(status),
            status_on: Some(on),
            vendor_level: row.owned(subscriptions::VENDOR_LEVEL)?,
            vendor_level_on: row.bytes(subscriptions::VENDOR_LEVEL).map(|_| on),
            told_on: Some(on),
            ..SubscriptionRow::bare(id.clone(), customer_id.clone())
        };
        let customer = CustomerRow {
            customer_id,
            name: row.owned(subscriptions::CUSTOMER_NAME)?,
            country: row.owned(subscriptions::COUNTRY)?,
            segment: None,
            reseller_id: None,
            reseller_name: None,
            told_on: Some(on),
        };
        let reason = subscription.status.as_deref().map(str::to_lowercase);
        let ended_on = row.day_or_never(subscriptions::ENDED_ON)?.filter(|_| state == Some(State::Ended));
        let renewed_on = row.day_or_never(subscriptions::RENEWED_ON)?.filter(|day| *day <= on);
        intake.shown(&subscription, true);
        intake.told.customer(customer);
        intake.told.subscription(subscription);
        intake.observe(id, Observation { on, state, ended_on, renewed_on, reason });
        Ok(())
    }
}

/// The status as the source writes it, and the state that it means.
pub(super) fn status(row: &Row<'_>, column: usize, form: &Form) -> Result<(String, Option<State>), Refusal> {
    let text = row.required(column)?;
    let state = states::state(form.source, &text).map_err(|reason| row.refuse(column, Kind::Status, &text, reason))?;
    Ok((text.into_owned(), state))
}
