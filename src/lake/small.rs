//! The tables that are small beside usage, as rows by key: read whole, merged, written whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch};

use super::parquet::{days, flags, micros, texts};
use super::schema::Table;
use super::tables::{LakeError, Snapshot};
use crate::domain::{CommitmentId, CommitmentRow, CustomerId, CustomerRow, Day, EventKind, SubscriptionId, SubscriptionRow};

/// What is known of an event beside its day and kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct EventNote {
    pub(crate) reason: Option<String>,
    /// An export showed the state and not the day: the event is dated by the day of the export.
    pub(crate) is_observed: bool,
}

/// The events of one subscription.
pub(crate) type Events = BTreeMap<(Day, EventKind), EventNote>;

/// Rows by key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SmallRows {
    pub(crate) customers: BTreeMap<CustomerId, CustomerRow>,
    pub(crate) subscriptions: BTreeMap<SubscriptionId, SubscriptionRow>,
    pub(crate) lifecycle: BTreeMap<SubscriptionId, Events>,
    pub(crate) commitments: BTreeMap<CommitmentId, CommitmentRow>,
}

/// The rows of a snapshot; none without one.
pub(crate) fn read(snapshot: Option<&Snapshot>) -> Result<SmallRows, LakeError> {
    let mut rows = SmallRows::default();
    let Some(snapshot) = snapshot else { return Ok(rows) };
    rows.customers = snapshot.customers()?.into_iter().map(|row| (row.customer_id.clone(), row)).collect();
    rows.subscriptions = snapshot.subscriptions()?.into_iter().map(|row| (row.subscription_id.clone(), row)).collect();
    for (id, event, is_observed) in snapshot.noted_lifecycle()? {
        rows.lifecycle.entry(id).or_default().insert((event.on, event.kind), EventNote { reason: event.reason, is_observed });
    }
    rows.commitments = snapshot.commitments()?.into_iter().map(|row| (row.commitment_id.clone(), row)).collect();
    Ok(rows)
}

/// The tables whose rows differ, each as one batch in the order of its key.
pub(crate) fn changed(before: &SmallRows, after: &SmallRows) -> Result<Vec<(Table, RecordBatch)>, LakeError> {
    let mut tables = Vec::new();
    if before.customers != after.customers {
        tables.push((Table::Customers, customers(after)));
    }
    if before.subscriptions != after.subscriptions {
        tables.push((Table::Subscriptions, subscriptions(after)));
    }
    if before.lifecycle != after.lifecycle {
        tables.push((Table::Lifecycle, lifecycle(after)));
    }
    if before.commitments != after.commitments {
        tables.push((Table::Commitments, commitments(after)));
    }
    let batch = |(table, columns): (Table, Vec<ArrayRef>)| Ok((table, RecordBatch::try_new(Arc::clone(&table.arrow_schema()), columns)?));
    tables.into_iter().map(batch).collect()
}

fn customers(rows: &SmallRows) -> Vec<ArrayRef> {
    let rows = || rows.customers.values();
    vec![
        texts(rows().map(|row| Some(row.customer_id.as_str()))),
        texts(rows().map(|row| row.name.as_deref())),
        texts(rows().map(|row| row.country.as_deref())),
        texts(rows().map(|row| row.segment.as_deref())),
        texts(rows().map(|row| row.reseller_id.as_deref())),
        texts(rows().map(|row| row.reseller_name.as_deref())),
        days(rows().map(|row| row.told_on)),
    ]
}

fn subscriptions(rows: &SmallRows) -> Vec<ArrayRef> {
    let rows = || rows.subscriptions.values();
    vec![
        texts(rows().map(|row| Some(row.subscription_id.as_str()))),
        texts(rows().map(|row| Some(row.customer_id.as_str()))),
        texts(rows().map(|row| row.name.as_deref())),
        texts(rows().map(|row| row.product.as_deref())),
        days(rows().map(|row| row.created_on)),
        flags(rows().map(|row| row.auto_renew)),
        days(rows().map(|row| row.term_end_on)),
        flags(rows().map(|row| row.is_trial)),
        texts(rows().map(|row| row.status.as_deref())),
        days(rows().map(|row| row.status_on)),
        texts(rows().map(|row| row.vendor_level.as_deref())),
        days(rows().map(|row| row.vendor_level_on)),
        days(rows().map(|row| row.told_on)),
    ]
}

fn lifecycle(rows: &SmallRows) -> Vec<ArrayRef> {
    let rows = || rows.lifecycle.iter().flat_map(|(id, events)| events.iter().map(move |((on, kind), note)| (id, *on, *kind, note)));
    vec![
        texts(rows().map(|(id, ..)| Some(id.as_str()))),
        days(rows().map(|(_, on, ..)| Some(on))),
        texts(rows().map(|(_, _, kind, _)| Some(kind.as_str()))),
        texts(rows().map(|(.., note)| note.reason.as_deref())),
        flags(rows().map(|(.., note)| note.is_observed.then_some(true))),
    ]
}

fn commitments(rows: &SmallRows) -> Vec<ArrayRef> {
    let rows = || rows.commitments.values();
    vec![
        texts(rows().map(|row| Some(row.commitment_id.as_str()))),
        texts(rows().map(|row| row.subscription_id.as_ref().map(SubscriptionId::as_str))),
        texts(rows().map(|row| row.customer_id.as_ref().map(CustomerId::as_str))),
        texts(rows().map(|row| row.product.as_deref())),
        texts(rows().map(|row| Some(row.kind.as_str()))),
        micros(rows().map(|row| row.quantity)),
        days(rows().map(|row| row.ends_on)),
    ]
}
