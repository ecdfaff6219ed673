//! Expiring commitments: worked out by hand, and held against a slow and obvious second way on
//! hostile tables and filters.

use churn_risk::domain::{CommitmentId, CommitmentKind, CommitmentRow, CustomerId, Day, EventKind, Micros};
use churn_risk::metrics::{ExpiringCounts, Filter, RawFilter, Window, expiring};
use churn_risk::portfolio::Portfolio;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::support::expiring_oracle::{self, Row, WINDOWS, any_commitments};
use crate::support::worlds::{World, any_filter, any_world, day, filter, subscription_id};

/// The name that an answer gives a window.
fn name(window: Window) -> String {
    serde_json::to_value(window).expect("a word").as_str().expect("a word").to_owned()
}

fn rows(portfolio: &Portfolio, filter: &Filter) -> Vec<Row> {
    let text = |text: &str| text.to_owned();
    let seen = expiring(portfolio, filter).expiries.into_iter().map(|expiry| expiry.row(portfolio)).map(|row| {
        let customer = row.customer.map(|ix| portfolio.customer(ix).id.clone());
        let subscription = row.subscription.map(|ix| portfolio.subscription(ix).id.to_string());
        let window = WINDOWS.into_iter().find(|window| *window == name(row.window)).expect("one of the windows");
        let quantity = row.quantity.map(|quantity| quantity.0);
        (text(row.id), row.kind, customer, subscription, row.product.map(text), quantity, row.ends_on, row.days_to_end, window)
    });
    seen.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, rng_seed: RngSeed::Fixed(5), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_expires_is_that_of_the_slow_and_obvious_way(world in any_world(), commitments in any_commitments(), raw in any_filter()) {
        let portfolio = world.portfolio_with(commitments.clone());
        let wanted = expiring_oracle::expiring(&world, &commitments, &raw);
        let counts = expiring(&portfolio, &filter(&raw)).counts;
        let counted = [counts.ended, counts.within_7_days, counts.within_15_days, counts.within_30_days, counts.later];
        prop_assert_eq!(counted, WINDOWS.map(|window| wanted.iter().filter(|row| row.8 == window).count() as u64));
        prop_assert_eq!(rows(&portfolio, &filter(&raw)), wanted);
    }

    #[test]
    fn commitments_are_in_no_other_figure(world in any_world(), commitments in any_commitments(), raw in any_filter()) {
        let (with, without) = (world.portfolio_with(commitments), world.portfolio());
        let period = churn_risk::domain::Period::last(60, day("2024-03-01"));
        let bucket = churn_risk::domain::Bucket::Week;
        prop_assert_eq!(
            churn_risk::metrics::churn(&with, period, bucket, &filter(&raw)),
            churn_risk::metrics::churn(&without, period, bucket, &filter(&raw))
        );
        let summary = |portfolio| churn_risk::metrics::summary(portfolio, period, &filter(&raw));
        prop_assert_eq!(summary(&with), summary(&without));
    }
}

fn reservation(id: &str, ends_on: Day) -> CommitmentRow {
    CommitmentRow {
        commitment_id: CommitmentId::parse(id).expect("an id"),
        subscription_id: None,
        customer_id: Some(CustomerId::parse("ada").expect("an id")),
        product: Some("Reserved VM".to_owned()),
        kind: CommitmentKind::Reservation,
        quantity: Some(Micros(3_000_000)),
        ends_on: Some(ends_on),
    }
}

/// ada in Germany with two subscriptions, one of them ended; the as-of day is 2024-03-01.
fn ada() -> World {
    let mut world = World::default();
    world.customer("ada", Some("DE"), None);
    world.subscription("a1", "ada", Some("2024-01-10")).term_end_on = Some(day("2024-03-16"));
    world.subscription("a2", "ada", Some("2024-01-10")).term_end_on = Some(day("2024-03-02"));
    world.event("a2", "2024-02-10", EventKind::Ended);
    world.used("a1", "2024-03-01", 1);
    world
}

#[test]
fn windows_are_counted_from_the_as_of_day_and_the_longest_ended_come_first() {
    let as_of = day("2024-03-01");
    let commitments: Vec<CommitmentRow> =
        [-31, -30, -1, 0, 7, 8, 15, 16, 30, 31, 4000].into_iter().map(|days| reservation(&format!("r{days}"), as_of + days)).collect();
    let portfolio = ada().portfolio_with(commitments);
    let seen: Vec<_> = rows(&portfolio, &Filter::default()).into_iter().map(|row| (row.0, row.7, row.8)).collect();
    let wanted = [
        ("r-30", -30, "ended"),
        ("r-1", -1, "ended"),
        ("r0", 0, "within_7_days"),
        ("r7", 7, "within_7_days"),
        ("r8", 8, "within_15_days"),
        // The term of a1; a2 has ended, so its term is nobody's concern.
        ("a1", 15, "within_15_days"),
        ("r15", 15, "within_15_days"),
        ("r16", 16, "within_30_days"),
        ("r30", 30, "within_30_days"),
        ("r31", 31, "later"),
        ("r4000", 4000, "later"),
    ];
    assert_eq!(seen, wanted.map(|(id, days, window)| (id.to_owned(), days, window)));
    let counts = expiring(&portfolio, &Filter::default()).counts;
    let wanted = ExpiringCounts { ended: 2, within_7_days: 2, within_15_days: 3, within_30_days: 2, later: 2 };
    assert_eq!(counts, wanted);
}

#[test]
fn a_term_that_both_tables_tell_is_told_once() {
    let term = CommitmentRow {
        subscription_id: Some(subscription_id("a1")),
        kind: CommitmentKind::Term,
        product: None,
        ..reservation("t1", day("2024-03-16"))
    };
    let other =
        CommitmentRow { commitment_id: CommitmentId::parse("t2").expect("an id"), ends_on: Some(day("2024-03-17")), ..term.clone() };
    let ids = |commitments: &[&CommitmentRow]| {
        let portfolio = ada().portfolio_with(commitments.iter().map(|one| (*one).clone()).collect());
        rows(&portfolio, &Filter::default()).into_iter().map(|row| row.0).collect::<Vec<_>>()
    };
    assert_eq!(ids(&[&term]), ["t1"]);
    assert_eq!(ids(&[&other]), ["a1", "t2"], "another day is another term");
}

#[test]
fn filters_read_the_columns_of_the_commitment_itself() {
    let shared = CommitmentRow { customer_id: None, ..reservation("shared", day("2024-03-05")) };
    let named = reservation("named", day("2024-03-05"));
    let portfolio = ada().portfolio_with(vec![shared, named]);
    let ids = |raw: RawFilter| rows(&portfolio, &filter(&raw)).into_iter().map(|row| row.0).collect::<Vec<_>>();
    let some = |value: &str| vec![value.to_owned()];
    assert_eq!(ids(RawFilter::default()), ["named", "shared", "a1"]);
    assert_eq!(ids(RawFilter { country: some("DE"), ..RawFilter::default() }), ["named", "a1"]);
    assert_eq!(ids(RawFilter { customer: some("bob"), ..RawFilter::default() }), [""; 0]);
    assert_eq!(ids(RawFilter { product: some("Reserved VM"), ..RawFilter::default() }), ["named", "shared"]);
    assert_eq!(ids(RawFilter { category: some("Storage"), ..RawFilter::default() }), ["a1"], "no subscription, no category");
}

#[test]
fn without_an_as_of_day_nothing_is_said() {
    let portfolio = World::default().portfolio_with(vec![reservation("r1", day("2024-03-05"))]);
    assert_eq!(expiring(&portfolio, &Filter::default()), churn_risk::metrics::Expiring::default());
    assert_eq!(portfolio.commitments().len(), 1);
}
