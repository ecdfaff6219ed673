//! `rest-subscriptions`: the subscriptions of one customer, by Partner Center's REST interface.

use super::aliases::rest_subscriptions as columns;
use super::analytics::status;
use super::form::Form;
use super::intake::{At, Intake};
use super::rejects::{Kind, Refusal};
use super::row::{Fault, Row};
use super::sources::Source;
use super::states::Observation;
use crate::domain::{CustomerId, SubscriptionRow, UNKNOWN_CUSTOMER};

#[derive(Debug)]
pub(super) struct RestSubscriptions;

impl Source for RestSubscriptions {
    fn row(&self, form: &'static Form, row: &Row<'_>, _at: At, intake: &mut Intake) -> Result<(), Fault> {
        let on = intake.days_told.exported_on;
        let id = row.subscription_id(columns::SUBSCRIPTION)?;
        let (word, state) = status(row, columns::STATUS, form)?;
        let subscription = SubscriptionRow {
            name: row.owned(columns::NAME)?,
            product: row.owned(columns::PRODUCT)?,
            created_on: row.past_day(columns::CREATED_ON, intake.days_told.today)?,
            auto_renew: row.flag(columns::AUTO_RENEW)?,
            term_end_on: row.day_or_never(columns::TERM_END_ON)?,
            is_trial: row.flag(columns::IS_TRIAL)?,
            status: Some(word),
            status_on: Some(on),
            told_on: Some(on),
            ..SubscriptionRow::bare(id.clone(), customer(row)?)
        };
        let reason = subscription.status.as_deref().map(str::to_lowercase);
        intake.shown(&subscription, false);
        intake.told.subscription(subscription);
        intake.observe(id, Observation { on, state, ended_on: None, renewed_on: None, reason });
        Ok(())
    }
}

/// The customer: by its own name, or out of the link of the subscription to itself,
/// `/customers/{id}/subscriptions/{id}`.
fn customer(row: &Row<'_>) -> Result<CustomerId, Refusal> {
    const BEFORE: &str = "/customers/";
    let text = row.text(columns::CUSTOMER)?;
    let id = match text.as_deref() {
        None => UNKNOWN_CUSTOMER,
        Some(links) if links.starts_with('{') => {
            let after = links.find(BEFORE).map(|at| &links[at + BEFORE.len()..]);
            after.and_then(|rest| rest.split(['/', '"', '?']).next()).unwrap_or(UNKNOWN_CUSTOMER)
        }
        Some(id) => id,
    };
    CustomerId::parse(id).map_err(|error| row.refuse(columns::CUSTOMER, Kind::Id, id, error.to_string()))
}
