//! `insights-azure-usage` and `insights-subscriptions`: downloads of Partner Insights, a row a
//! month.
//!
//! States are those of the day of the export (FORMATS.md); where the rows of a subscription
//! differ, the one of its latest month is right.

use super::aliases::{insights_subscriptions as subscriptions, insights_usage as usage};
use super::analytics::status;
use super::dates;
use super::form::Form;
use super::intake::{At, Grain, Intake, UNKNOWN, UsageColumns};
use super::money::Priced;
use super::rejects::Refusal;
use super::row::{Fault, Row};
use super::sources::Source;
use super::states::Observation;
use crate::domain::{CustomerRow, Day, State, SubscriptionId, SubscriptionRow};

#[derive(Debug)]
pub(super) struct AzureUsage;

const USAGE: UsageColumns = UsageColumns {
    subscription: usage::SUBSCRIPTION,
    on: usage::MONTH,
    category: usage::CATEGORY,
    unit: usage::UNIT,
    quantity: usage::QUANTITY,
    otherwise: Some(UNKNOWN),
    is_unit_folded: true,
    grain: Grain::Month,
};

const COST: [Priced; 1] = [Priced::in_usd(usage::COST_IN_USD)];

/// What one row says of its subscription and of the customer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Monthly {
    /// First, so that the latest month is the greatest.
    month: Option<Day>,
    subscription: SubscriptionRow,
    customer: CustomerRow,
    seen: Option<Observation>,
}

impl Monthly {
    pub(super) const fn subscription_id(&self) -> &SubscriptionId {
        &self.subscription.subscription_id
    }

    /// Tells what the latest month of a subscription says.
    pub(super) fn tell(self, intake: &mut Intake) {
        if let Some(seen) = self.seen {
            intake.observe(self.subscription.subscription_id.clone(), seen);
        }
        intake.told.customer(self.customer);
        intake.told.subscription(self.subscription);
    }
}

impl Source for AzureUsage {
    fn row(&self, form: &'static Form, row: &Row<'_>, at: At, intake: &mut Intake) -> Result<(), Fault> {
        if row.flag(usage::IS_DUPLICATE)? == Some(true) {
            intake.set_aside(row, at, usage::IS_DUPLICATE);
            return Ok(());
        }
        let monthly = USAGE_COLUMNS.read(form, row, intake)?;
        let id = row.bytes(usage::SUBSCRIPTION).unwrap_or_default();
        intake.usage(row, at, &USAGE, dates::parse_month, (None, id), |money, row| money.cost(row, &COST))?;
        intake.monthly_row(monthly);
        Ok(())
    }
}

#[derive(Debug)]
pub(super) struct Subscriptions;

impl Source for Subscriptions {
    fn row(&self, form: &'static Form, row: &Row<'_>, at: At, intake: &mut Intake) -> Result<(), Fault> {
        if row.flag(subscriptions::IS_DUPLICATE)? == Some(true) {
            intake.set_aside(row, at, subscriptions::IS_DUPLICATE);
            return Ok(());
        }
        let mut monthly = SUBSCRIPTION_COLUMNS.read(form, row, intake)?;
        let has_ended = monthly.seen.as_ref().is_some_and(|seen| seen.state == Some(State::Ended));
        // The end of one that is alive is the end of its term.
        monthly.subscription.term_end_on = row.day_or_never(subscriptions::ENDED_ON)?.filter(|_| !has_ended);
        monthly.subscription.product = row.owned(subscriptions::PRODUCT)?;
        monthly.subscription.auto_renew = row.flag(subscriptions::AUTO_RENEW)?;
        intake.shown(&monthly.subscription, true);
        intake.monthly_row(monthly);
        Ok(())
    }
}

/// Where the downloads have what they share.
struct Columns {
    subscription: usize,
    customer: usize,
    month: usize,
    status: usize,
    created_on: usize,
    ended_on: usize,
    customer_name: usize,
    country: usize,
    segment: usize,
    reseller: usize,
    reseller_name: usize,
}

const USAGE_COLUMNS: Columns = Columns {
    subscription: usage::SUBSCRIPTION,
    customer: usage::CUSTOMER,
    month: usage::MONTH,
    status: usage::STATUS,
    created_on: usage::CREATED_ON,
    ended_on: usage::ENDED_ON,
    customer_name: usage::CUSTOMER_NAME,
    country: usage::COUNTRY,
    segment: usage::SEGMENT,
    reseller: usage::RESELLER,
    reseller_name: usage::RESELLER_NAME,
};

const SUBSCRIPTION_COLUMNS: Columns = Columns {
    subscription: subscriptions::SUBSCRIPTION,
    customer: subscriptions::CUSTOMER,
    month: subscriptions::MONTH,
    status: subscriptions::STATUS,
    created_on: subscriptions::CREATED_ON,
    ended_on: subscriptions::ENDED_ON,
    customer_name: subscriptions::CUSTOMER_NAME,
    country: subscriptions::COUNTRY,
    segment: subscriptions::SEGMENT,
    reseller: subscriptions::RESELLER,
    reseller_name: subscriptions::RESELLER_NAME,
};

impl Columns {
    fn read(&self, form: &'static Form, row: &Row<'_>, intake: &Intake) -> Result<Monthly, Refusal> {
        let (today, on) = (intake.days_told.today, intake.days_told.exported_on);
        let customer_id = row.customer_id(self.customer)?;
        let bare = SubscriptionRow::bare(row.subscription_id(self.subscription)?, customer_id.clone());
        let month = match row.bytes(self.month) {
            None => None,
            Some(_) => Some(row.required_day(self.month, today, dates::parse_month)?),
        };
        let seen = match row.bytes(self.status) {
            None => None,
            Some(_) => Some(status(row, self.status, form)?),
        };
        let ended_on = row.day_or_never(self.ended_on)?;
        let observation = |(word, state): &(String, Option<State>)| Observation {
            on,
            state: *state,
            ended_on: ended_on.filter(|day| *state == Some(State::Ended) && *day <= on),
            renewed_on: None,
            reason: Some(word.to_lowercase()),
        };
        let customer = CustomerRow {
            name: row.owned(self.customer_name)?,
            country: row.owned(self.country)?,
            segment: row.owned(self.segment)?,
            reseller_id: row.owned(self.reseller)?,
            reseller_name: row.owned(self.reseller_name)?,
            told_on: Some(on),
            ..CustomerRow::bare(customer_id)
        };
        let observed = seen.as_ref().map(observation);
        let subscription = SubscriptionRow {
            created_on: row.past_day(self.created_on, today)?,
            status_on: seen.as_ref().map(|_| on),
            status: seen.map(|(word, _)| word),
            told_on: Some(on),
            ..bare
        };
        Ok(Monthly { month, subscription, customer, seen: observed })
    }
}
