//! Expiring commitments a second time, slow and obvious, from the rows of the tables alone:
//! nothing of `src/metrics` or of the portfolio is used, and nothing of the other oracle.

use churn_risk::domain::{CommitmentId, CommitmentKind, CommitmentRow, CustomerId, Day, EventKind, Micros, UNKNOWN_CUSTOMER};
use churn_risk::metrics::RawFilter;
use proptest::prelude::*;

use super::worlds::{World, day, subscription_id};

/// Id, kind, customer, subscription, product, quantity, end, days to the end, window.
pub(crate) type Row = (String, CommitmentKind, Option<String>, Option<String>, Option<String>, Option<i64>, Day, i32, &'static str);

/// The windows, in order.
pub(crate) const WINDOWS: [&str; 5] = ["ended", "within_7_days", "within_15_days", "within_30_days", "later"];

/// Every row, ascending by end and id.
pub(crate) fn expiring(world: &World, commitments: &[CommitmentRow], filter: &RawFilter) -> Vec<Row> {
    let Some(as_of) = as_of(world) else { return Vec::new() };
    let mut rows: Vec<Row> = Vec::new();
    for one in commitments {
        let subscription = one.subscription_id.as_ref().map(ToString::to_string);
        let subscription_row = world.subscriptions.iter().find(|row| Some(row.subscription_id.to_string()) == subscription);
        let owner = subscription.as_ref().map(|_| subscription_row.map_or(UNKNOWN_CUSTOMER.to_owned(), |row| row.customer_id.to_string()));
        let customer = one.customer_id.as_ref().map(ToString::to_string).or(owner);
        let product = one.product.clone().or_else(|| subscription_row.and_then(|row| row.product.clone()));
        let (Some(ends_on), true) =
            (one.ends_on, passes(world, as_of, filter, customer.as_deref(), subscription.as_deref(), product.as_deref()))
        else {
            continue;
        };
        let Some(window) = window(as_of, ends_on) else { continue };
        let quantity = one.quantity.map(|quantity| quantity.0);
        rows.push((one.commitment_id.to_string(), one.kind, customer, subscription, product, quantity, ends_on, ends_on - as_of, window));
    }
    for row in &world.subscriptions {
        let id = row.subscription_id.to_string();
        let (customer, product) = (Some(row.customer_id.to_string()), row.product.clone());
        let Some(ends_on) = row.term_end_on else { continue };
        let is_told = commitments.iter().any(|one| {
            one.kind == CommitmentKind::Term && one.subscription_id.as_ref() == Some(&row.subscription_id) && one.ends_on == Some(ends_on)
        });
        let Some(window) = window(as_of, ends_on).filter(|_| !is_told && lives_on(world, &id, as_of)) else { continue };
        if passes(world, as_of, filter, customer.as_deref(), Some(&id), product.as_deref()) {
            rows.push((id.clone(), CommitmentKind::Term, customer, Some(id), product, None, ends_on, ends_on - as_of, window));
        }
    }
    // Stable: a commitment comes before a subscription of the same id.
    rows.sort_by(|a, b| (a.6, &a.0).cmp(&(b.6, &b.0)));
    rows
}

/// The last day with a quantity above 0, less the settle days; none where no row reaches it.
fn as_of(world: &World) -> Option<Day> {
    let last = world.usage.iter().filter(|(_, (quantity, _))| *quantity > 0).map(|((_, on, ..), _)| *on).max()?;
    let as_of = last - i32::try_from(world.settle_days).expect("few");
    world.usage.keys().any(|(_, on, ..)| *on <= as_of).then_some(as_of)
}

fn window(as_of: Day, ends_on: Day) -> Option<&'static str> {
    if (1..=30).any(|back| as_of - back == ends_on) {
        return Some("ended");
    }
    let within = |days: i32| (0..=days).any(|ahead| as_of + ahead == ends_on);
    match () {
        () if within(7) => Some("within_7_days"),
        () if within(15) => Some("within_15_days"),
        () if within(30) => Some("within_30_days"),
        () if ends_on > as_of => Some("later"),
        () => None,
    }
}

fn passes(
    world: &World,
    as_of: Day,
    filter: &RawFilter,
    customer: Option<&str>,
    subscription: Option<&str>,
    product: Option<&str>,
) -> bool {
    let among = |wanted: &[String], value: Option<&str>| wanted.is_empty() || wanted.iter().any(|one| Some(one.as_str()) == value);
    let row = world.customers.iter().find(|row| Some(row.customer_id.as_str()) == customer);
    let used = |category: &String| {
        world
            .usage
            .iter()
            .any(|((id, on, of, _), (quantity, _))| Some(id.as_str()) == subscription && of == category && *on <= as_of && *quantity > 0)
    };
    among(&filter.customer, customer)
        && among(&filter.country, row.and_then(|row| row.country.as_deref()))
        && among(&filter.reseller, row.and_then(|row| row.reseller_id.as_deref()))
        && among(&filter.product, product)
        && (filter.category.is_empty() || filter.category.iter().any(used))
}

/// Active or suspended at the end of `as_of`: created by then, and no end on or after its
/// creation has come.
fn lives_on(world: &World, id: &str, as_of: Day) -> bool {
    let events = || world.lifecycle.iter().filter(|(of, event)| of.as_str() == id && event.on <= as_of).map(|(_, event)| event);
    let told = events().filter(|event| event.kind == EventKind::Created).map(|event| event.on).min();
    let recorded = world.subscriptions.iter().find(|row| row.subscription_id.as_str() == id).and_then(|row| row.created_on);
    let heard = world.usage.keys().filter(|(of, ..)| of == id).map(|(_, on, ..)| *on).chain(events().map(|event| event.on)).min();
    let Some(created) = told.or(recorded).or(heard).filter(|on| *on <= as_of) else { return false };
    !events().any(|event| event.kind == EventKind::Ended && event.on >= created)
}

/// Commitments that name known, unknown and no subscriptions and customers, with ends around
/// the days of the random worlds.
pub(crate) fn any_commitments() -> impl Strategy<Value = Vec<CommitmentRow>> {
    let kind = prop_oneof![1 => Just(CommitmentKind::Reservation), 1 => Just(CommitmentKind::SavingsPlan), 2 => Just(CommitmentKind::Term)];
    let row = (
        proptest::option::weighted(0.7, 0..12_usize),
        proptest::option::of(0..8_usize),
        proptest::option::of(0..2_usize),
        kind,
        proptest::option::of(0..9_000_000_i64),
        proptest::option::weighted(0.9, 0..150_i32),
    );
    proptest::collection::vec(row, 0..25).prop_map(|rows| {
        let first = day("2023-12-10");
        rows.into_iter()
            .enumerate()
            .map(|(number, (subscription, customer, product, kind, quantity, ends_on))| CommitmentRow {
                // Some commitments have the id of a subscription.
                commitment_id: CommitmentId::parse(&format!("{}{number}", if number % 5 == 0 { "s" } else { "r" })).expect("an id"),
                subscription_id: subscription.map(|at| subscription_id(&format!("s{at}"))),
                customer_id: customer.map(|at| CustomerId::parse(&format!("c{at}")).expect("an id")),
                product: product.map(|at| ["Azure plan", "Reserved VM"][at].to_owned()),
                kind,
                quantity: quantity.map(Micros),
                ends_on: ends_on.map(|offset| first + offset),
            })
            .collect()
    })
}
