//! The small tables of an import laid over those of the lake: files of ours first, then what
//! other sources tell, then whatever only usage or an event names, then the events that states
//! which came as snapshots have led to.

use std::collections::BTreeSet;

use super::intake::Intake;
use super::states::{self, Contradictions, Observation};
use crate::domain::{CustomerId, Day, IdError, State, SubscriptionId, SubscriptionRow, UNKNOWN_CUSTOMER};
use crate::lake::small::SmallRows;

/// Lays what the files held over `merged`, and tells what a person should know of it.
///
/// # Errors
/// None but where the name for an unknown customer is no id.
pub(super) fn merge(
    intake: &mut Intake,
    merged: &mut SmallRows,
    missing_means_ended: bool,
    warnings: &mut Vec<String>,
) -> Result<(), IdError> {
    intake.tell_latest();
    std::mem::take(&mut intake.customers).merge_into(&mut merged.customers, |_, _| ());
    let mut moved = 0_u64;
    std::mem::take(&mut intake.subscriptions).merge_into(&mut merged.subscriptions, |before, after| {
        moved += u64::from(before.customer_id != after.customer_id && before.customer_id.as_str() != UNKNOWN_CUSTOMER);
    });
    let known_before: BTreeSet<SubscriptionId> = merged.subscriptions.keys().cloned().collect();
    moved += std::mem::take(&mut intake.told).lay_over(&mut merged.customers, &mut merged.subscriptions);
    if moved > 0 {
        warnings.push(format!("{moved} subscriptions now belong to another customer than before this import"));
    }
    for (id, events) in std::mem::take(&mut intake.lifecycle) {
        let known = merged.lifecycle.entry(id).or_default();
        for (key, note) in events {
            let is_new = !known.contains_key(&key);
            let kept = known.entry(key).or_default();
            kept.is_observed = note.is_observed && (is_new || kept.is_observed);
            if note.reason.is_some() {
                kept.reason = note.reason;
            }
        }
    }
    std::mem::take(&mut intake.commitments).merge_into(&mut merged.commitments, |_, _| ());
    for (id, benefit) in std::mem::take(&mut intake.benefits) {
        let known = merged.commitments.entry(id).or_insert_with(|| benefit.clone());
        // What tells an end is a contract, and its words stay.
        if known.ends_on.is_none() {
            known.product = known.product.take().max(benefit.product);
        }
    }
    adopt_unknown(intake, merged, &known_before, warnings)?;
    take_states(intake, merged, missing_means_ended, warnings);
    Ok(())
}

/// Gives subscriptions that only usage or an event names a row with the customer `unknown`, and
/// tells of them together with those that usage names without a customer.
fn adopt_unknown(
    intake: &Intake,
    merged: &mut SmallRows,
    known_before: &BTreeSet<SubscriptionId>,
    warnings: &mut Vec<String>,
) -> Result<(), IdError> {
    let unknown = CustomerId::parse(UNKNOWN_CUSTOMER)?;
    let used = intake.usage.daily.ids.iter().chain(intake.usage.monthly.ids.iter());
    let named: BTreeSet<&SubscriptionId> = used.chain(merged.lifecycle.keys()).collect();
    let named: Vec<SubscriptionId> = named.into_iter().cloned().collect();
    let (mut adopted, mut rows) = (0_u64, 0_u64);
    for id in named {
        let row = merged.subscriptions.entry(id.clone()).or_insert_with(|| SubscriptionRow::bare(id.clone(), unknown.clone()));
        if row.customer_id == unknown && !known_before.contains(&id) {
            adopted += 1;
            rows += intake.usage.daily.rows_of(&id) + intake.usage.monthly.rows_of(&id);
        }
    }
    if adopted > 0 {
        warnings.push(format!(
            "{adopted} subscriptions ({rows} usage rows) are in no subscriptions file; they are kept under the customer `{UNKNOWN_CUSTOMER}`"
        ));
    }
    Ok(())
}

/// Makes events of states that came as snapshots, and looks who is missing.
fn take_states(intake: &mut Intake, merged: &mut SmallRows, missing_means_ended: bool, warnings: &mut Vec<String>) {
    let mut observations = std::mem::take(&mut intake.observations);
    if observations.is_empty() {
        return;
    }
    let on = intake.days_told.exported_on;
    let missing = missing(intake, merged, on);
    if let Some(first) = missing.first() {
        let count = missing.len();
        let what = if missing_means_ended { "they are taken as ended" } else { "--missing-means-ended takes such as ended" };
        warnings.push(format!(
            "{count} subscriptions that an earlier export showed are not in this one, which should have all, the first of them {first}; {what}"
        ));
    }
    if missing_means_ended {
        for id in missing {
            let gone = Observation { on, state: Some(State::Ended), ended_on: None, renewed_on: None, reason: Some("missing".to_owned()) };
            observations.entry(id).or_default().push(gone);
        }
    }
    let Contradictions { count, first } = states::derive(observations, &merged.subscriptions, &mut merged.lifecycle);
    if let Some(first) = first {
        warnings.push(format!(
            "{count} subscriptions are shown alive after they had ended, the first of them {first}; an end is for good, so they stay ended"
        ));
    }
}

/// Subscriptions that an earlier export showed alive and that are not in the exports of all
/// subscriptions that this import holds.
fn missing(intake: &Intake, merged: &SmallRows, on: Day) -> Vec<SubscriptionId> {
    if intake.exports.is_empty() {
        return Vec::new();
    }
    let is_of = |id: &CustomerId| intake.exports.values().any(|export| export.customers.contains(id));
    let is_whole = intake.exports.values().any(|export| export.is_whole);
    let shown = |id: &SubscriptionId| intake.exports.values().any(|export| export.subscriptions.contains(id));
    let is_due = |row: &&SubscriptionRow| {
        let is_alive = row.status_on.is_some_and(|day| day < on) && states::newest_state(row).is_some_and(|state| state != State::Ended);
        is_alive && (is_whole || is_of(&row.customer_id)) && !shown(&row.subscription_id)
    };
    merged.subscriptions.values().filter(is_due).map(|row| row.subscription_id.clone()).collect()
}
