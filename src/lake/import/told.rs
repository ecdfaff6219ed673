//! What other sources than ours tell of customers and subscriptions beside usage and states: names,
//! whose a subscription is, terms. Each is told as of a day, and the later day is right, in
//! whatever order the files come in.
//!
//! A value that is not told takes none away. What a file of ours has told stays: it is somebody's
//! own word.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::rejects::Refusal;
use super::row::Row;
use crate::domain::{CustomerId, CustomerRow, Day, SubscriptionId, SubscriptionRow, UNKNOWN_CUSTOMER};

/// How a told value meets the one that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meets {
    /// It is the later one.
    Newer,
    /// It is of the same day: the greater is taken, so that the order of files does not matter.
    Equal,
    /// It is the earlier one, or only files of ours may change what is known.
    Older,
}

fn meets(known: Option<Day>, told: Option<Day>) -> Meets {
    match (known, told) {
        (Some(known), Some(told)) => match told.cmp(&known) {
            Ordering::Greater => Meets::Newer,
            Ordering::Equal => Meets::Equal,
            Ordering::Less => Meets::Older,
        },
        (None, _) | (_, None) => Meets::Older,
    }
}

impl Meets {
    fn take<T: Ord + Clone>(self, known: &mut Option<T>, told: Option<&T>) {
        let stays = match (self, &*known, told) {
            (_, _, None) | (Self::Older, Some(_), _) => true,
            (Self::Equal, Some(before), Some(after)) => before >= after,
            _ => false,
        };
        if !stays {
            *known = told.cloned();
        }
    }
}

/// Lays what is told of a customer over what is known of it.
fn lay_customer(known: &mut CustomerRow, told: &CustomerRow) {
    let names = meets(known.told_on, told.told_on);
    names.take(&mut known.name, told.name.as_ref());
    names.take(&mut known.country, told.country.as_ref());
    names.take(&mut known.segment, told.segment.as_ref());
    names.take(&mut known.reseller_id, told.reseller_id.as_ref());
    names.take(&mut known.reseller_name, told.reseller_name.as_ref());
    known.told_on = known.told_on.map(|day| told.told_on.map_or(day, |told| told.max(day)));
}

/// The same of a subscription. Its name, product and customer go by `told_on`, what an export of
/// subscriptions alone tells by `status_on`.
fn lay_subscription(known: &mut SubscriptionRow, told: &SubscriptionRow) {
    let names = meets(known.told_on, told.told_on);
    names.take(&mut known.name, told.name.as_ref());
    names.take(&mut known.product, told.product.as_ref());
    let is_unknown = |id: &CustomerId| id.as_str() == UNKNOWN_CUSTOMER;
    if is_unknown(&known.customer_id)
        || (names == Meets::Newer && !is_unknown(&told.customer_id))
        || (names == Meets::Equal && !is_unknown(&told.customer_id) && told.customer_id > known.customer_id)
    {
        // Nobody has told whose it is before, so no file of ours has.
        if is_unknown(&known.customer_id) && known.told_on.is_none() {
            known.told_on = told.told_on;
        }
        known.customer_id = told.customer_id.clone();
    }
    known.told_on = known.told_on.map(|day| told.told_on.map_or(day, |told| told.max(day)));
    // An export is the last word on these, where it is the latest of exports.
    let export = if known.status_on.is_none() && told.status_on.is_some() { Meets::Newer } else { meets(known.status_on, told.status_on) };
    export.take(&mut known.created_on, told.created_on.as_ref());
    export.take(&mut known.auto_renew, told.auto_renew.as_ref());
    export.take(&mut known.term_end_on, told.term_end_on.as_ref());
    export.take(&mut known.is_trial, told.is_trial.as_ref());
    export.take(&mut known.status, told.status.as_ref());
    known.status_on = known.status_on.max(told.status_on);
    let level = if known.vendor_level_on.is_none() { Meets::Newer } else { meets(known.vendor_level_on, told.vendor_level_on) };
    if told.vendor_level.is_some() {
        level.take(&mut known.vendor_level, told.vendor_level.as_ref());
        known.vendor_level_on = known.vendor_level_on.max(told.vendor_level_on);
    }
}

/// What the files of an import have told, by the day as of which.
#[derive(Debug, Default)]
pub(super) struct Told {
    customers: BTreeMap<(CustomerId, Option<Day>), Vec<CustomerRow>>,
    subscriptions: BTreeMap<(SubscriptionId, Option<Day>), Vec<SubscriptionRow>>,
    names: Names,
}

impl Told {
    pub(super) fn customer(&mut self, row: CustomerRow) {
        push(self.customers.entry((row.customer_id.clone(), row.told_on)).or_default(), row);
    }

    pub(super) fn subscription(&mut self, row: SubscriptionRow) {
        push(self.subscriptions.entry((row.subscription_id.clone(), row.told_on)).or_default(), row);
    }

    /// Takes the names that a usage row of the day `on` carries.
    pub(super) fn names(&mut self, row: &Row<'_>, id: &[u8], on: Day, columns: &NameColumns) -> Result<(), Refusal> {
        self.names.tell(row, id, on, columns)
    }

    /// Lays all of it over what is known, earlier days first. Returns how many subscriptions
    /// belong to another customer than before.
    pub(super) fn lay_over(
        mut self,
        customers: &mut BTreeMap<CustomerId, CustomerRow>,
        subscriptions: &mut BTreeMap<SubscriptionId, SubscriptionRow>,
    ) -> u64 {
        for record in std::mem::take(&mut self.names).records() {
            if let Some(customer) = record.customer {
                self.customer(customer);
            }
            if let Some(subscription) = record.subscription {
                self.subscription(subscription);
            }
        }
        for ((id, _), mut rows) in self.customers {
            rows.sort();
            for row in rows {
                // A customer of whom nothing but the id is told has no row.
                if (CustomerRow { told_on: None, ..row.clone() }) == CustomerRow::bare(id.clone()) {
                    continue;
                }
                customers.entry(id.clone()).and_modify(|known| lay_customer(known, &row)).or_insert(row);
            }
        }
        let mut moved = 0;
        for ((id, _), mut rows) in self.subscriptions {
            rows.sort();
            for row in rows {
                let Some(known) = subscriptions.get_mut(&id) else {
                    subscriptions.insert(id.clone(), row);
                    continue;
                };
                let before = known.customer_id.clone();
                lay_subscription(known, &row);
                moved += u64::from(before != known.customer_id && before.as_str() != UNKNOWN_CUSTOMER);
            }
        }
        moved
    }
}

fn push<R: PartialEq>(rows: &mut Vec<R>, row: R) {
    if !rows.contains(&row) {
        rows.push(row);
    }
}

/// Which columns of a form name whose a usage row is; none where the source does not.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct NameColumns {
    pub(super) name: Option<usize>,
    pub(super) product: Option<usize>,
    pub(super) customer: Option<usize>,
    pub(super) customer_name: Option<usize>,
    pub(super) country: Option<usize>,
    pub(super) reseller: Option<usize>,
    pub(super) reseller_name: Option<usize>,
}

impl NameColumns {
    fn all(&self) -> impl Iterator<Item = usize> {
        [self.name, self.product, self.customer, self.customer_name, self.country, self.reseller, self.reseller_name].into_iter().flatten()
    }
}

/// A subscription and a customer as some usage rows name them.
#[derive(Debug)]
struct Record {
    subscription: Option<SubscriptionRow>,
    customer: Option<CustomerRow>,
}

/// The names on usage rows. Rows that name the same are known by their bytes, so that each
/// combination is read once.
#[derive(Debug, Default)]
struct Names {
    seen: HashMap<Box<[u8]>, (Day, usize)>,
    records: Vec<Record>,
    key: Vec<u8>,
}

impl Names {
    fn tell(&mut self, row: &Row<'_>, id: &[u8], on: Day, columns: &NameColumns) -> Result<(), Refusal> {
        self.key.clear();
        self.key.extend_from_slice(id);
        for column in columns.all() {
            // No cell holds this byte: it is in no UTF-8 text.
            self.key.push(0xff);
            self.key.extend_from_slice(&row.bytes(column).unwrap_or_default());
        }
        if let Some((last, _)) = self.seen.get_mut(self.key.as_slice()) {
            *last = on.max(*last);
            return Ok(());
        }
        let record = Self::record(row, id, columns)?;
        self.seen.insert(self.key.as_slice().into(), (on, self.records.len()));
        self.records.push(record);
        Ok(())
    }

    fn record(row: &Row<'_>, id: &[u8], columns: &NameColumns) -> Result<Record, Refusal> {
        let text = |column: Option<usize>| column.map_or(Ok(None), |column| row.owned(column));
        let customer_id = columns.customer.map_or(Ok(None), |column| row.possible_id(column, CustomerId::parse))?;
        // An id that is none refuses the row itself, and then names nobody.
        let Ok(id) = SubscriptionId::parse(&String::from_utf8_lossy(id)) else { return Ok(Record { subscription: None, customer: None }) };
        let unknown = CustomerId::parse(UNKNOWN_CUSTOMER).ok();
        let subscription = customer_id.clone().or(unknown).map(|customer| SubscriptionRow::bare(id, customer));
        let (name, product) = (text(columns.name)?, text(columns.product)?);
        let customer = match customer_id {
            None => None,
            Some(customer_id) => Some(CustomerRow {
                name: text(columns.customer_name)?,
                country: text(columns.country)?,
                reseller_id: text(columns.reseller)?,
                reseller_name: text(columns.reseller_name)?,
                ..CustomerRow::bare(customer_id)
            }),
        };
        Ok(Record { subscription: subscription.map(|row| SubscriptionRow { name, product, ..row }), customer })
    }

    /// Each combination, as of the last day on which it was told.
    fn records(self) -> Vec<Record> {
        let mut records = self.records;
        for (on, at) in self.seen.into_values() {
            let Record { subscription, customer } = &mut records[at];
            if let Some(row) = subscription {
                row.told_on = Some(on);
            }
            if let Some(row) = customer {
                row.told_on = Some(on);
            }
        }
        records
    }
}
