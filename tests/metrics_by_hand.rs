//! Five customers, worked out by hand.
//!
//! | customer | country | subscription | life | usage (GB, 1.00 a GB) |
//! | --- | --- | --- | --- | --- |
//! | ada | DE | a1 | created 2024-01-10 | every day from 02-01 to 03-02 |
//! | | | a2 | created 2024-02-29 (a trial) | none |
//! | bob | DE | b1 | created 2023-12-31, suspended 02-10, reactivated 02-12, ended 02-28 | 02-05 |
//! | cy | FR | c1 | created 2024-01-01, term ends 02-20, renewed 02-20 | 01-15, and a row of 0 on 02-15 |
//! | | | c2 | created and ended 2024-02-14 | none |
//! | dee | FR | d1 | created 2024-01-05, term ends 02-25, suspended 02-26 | none |
//! | eve | - | none | | |
//!
//! The as-of day is 2024-03-02; the period is February, 29 days; the one before it runs from
//! 2024-01-03 to 2024-01-31.

use churn_risk::domain::{Bucket, EventKind, MicrosSum, Period, State};
use churn_risk::metrics::{ChurnCounts, Filter, FilterError, RawFilter, churn, retention, summary, without_usage};

use crate::support::worlds::{World, day, filter};

pub(crate) fn five_customers() -> World {
    let mut world = World { version: 3, ..World::default() };
    for (id, country) in [("ada", Some("DE")), ("bob", Some("DE")), ("cy", Some("FR")), ("dee", Some("FR")), ("eve", None)] {
        world.customer(id, country, None);
    }
    world.subscription("a1", "ada", Some("2024-01-10"));
    world.subscription("a2", "ada", Some("2024-02-29")).is_trial = Some(true);
    world.subscription("b1", "bob", Some("2023-12-31"));
    world.subscription("c1", "cy", Some("2024-01-01")).term_end_on = Some(day("2024-02-20"));
    world.subscription("c2", "cy", Some("2024-02-14"));
    world.subscription("d1", "dee", Some("2024-01-05")).term_end_on = Some(day("2024-02-25"));
    world.event("b1", "2024-02-10", EventKind::Suspended);
    world.event("b1", "2024-02-12", EventKind::Reactivated);
    world.event("b1", "2024-02-28", EventKind::Ended);
    world.event("c1", "2024-02-20", EventKind::Renewed);
    world.event("c2", "2024-02-14", EventKind::Ended);
    world.event("d1", "2024-02-26", EventKind::Suspended);
    for offset in 0..31 {
        world.used("a1", &(day("2024-02-01") + offset).to_string(), 2);
    }
    world.used("b1", "2024-02-05", 3);
    world.used("c1", "2024-01-15", 5);
    world.used("c1", "2024-02-15", 0);
    world
}

fn february() -> Period {
    Period::new(day("2024-02-01"), day("2024-02-29")).expect("forwards")
}

#[test]
fn the_summary_of_five_customers_is_what_a_hand_finds() {
    let seen = summary(&five_customers().portfolio(), february(), &Filter::default());
    // c2; the trial a2 is left out. Before: a1 and d1, for c1 came on January 1st.
    assert_eq!((seen.subscriptions_sold.value, seen.subscriptions_sold.preceding), (1, 2));
    assert_eq!(seen.subscriptions_sold.growth, Some(-0.5));
    // ada and bob; before: cy.
    assert_eq!((seen.customers_with_usage.value, seen.customers_with_usage.preceding), (2, 1));
    assert_eq!(seen.customers_with_usage.growth, Some(1.0));
    // cy (a row of 0 is no use) and dee; before: ada, bob, dee. eve has no subscription.
    assert_eq!((seen.customers_without_usage.value, seen.customers_without_usage.preceding), (2, 3));
    let by_day = &seen.customers_with_usage.series;
    assert_eq!((by_day.len(), by_day[4].value, by_day[5].value), (29, 2, 1));
    // a1, a2 and c1.
    assert_eq!(seen.subscriptions_active, 3);
    assert_eq!(seen.usage_cost, Some(MicrosSum(61_000_000)));
}

#[test]
fn the_churn_of_five_customers_is_what_a_hand_finds() {
    let seen = churn(&five_customers().portfolio(), february(), Bucket::Week, &Filter::default());
    // Before: a1, b1, c1, d1. Lost: b1 and d1. At the end: a1, a2, c1.
    assert_eq!((seen.active_before, seen.lost, seen.active_at_end), (4, 2, 3));
    assert_eq!(seen.churn_rate, Some(0.5));
    let annualised = seen.annualised.expect("over 4");
    assert!((annualised - (1.0 - 0.5_f64.powf(365.0 / 29.0))).abs() < 1e-15, "{annualised}");
    // b1 twice, c2 and d1; b1 came back once.
    let total = ChurnCounts { deprovisioned: 4, suspended: 2, ended: 2, recovered: 1, created: 2, renewed: 1 };
    assert_eq!(seen.total, total);
    let weeks: Vec<_> = seen
        .buckets
        .iter()
        .map(|week| (week.slice.bucket.to_string(), week.slice.partial, week.active, week.counts.deprovisioned))
        .collect();
    let week = |start: &str, partial, active, left| (start.to_owned(), partial, active, left);
    assert_eq!(
        weeks,
        [
            week("2024-01-29", true, 4, 0),
            week("2024-02-05", false, 3, 1),
            week("2024-02-12", false, 4, 1),
            week("2024-02-19", false, 4, 0),
            week("2024-02-26", true, 3, 2),
        ]
    );
}

#[test]
fn the_retention_of_five_customers_is_what_a_hand_finds() {
    let seen = retention(&five_customers().portfolio(), february(), Bucket::Month, &Filter::default());
    // c1, whose term end and renewal are one day, and d1, which was active on the 24th.
    assert_eq!((seen.due, seen.renewed_of_due, seen.renewed), (2, 1, 1));
    assert_eq!(seen.renewal_rate, Some(0.5));
    assert_eq!(seen.buckets.len(), 1);
}

#[test]
fn the_unused_of_five_customers_are_what_a_hand_finds() {
    let portfolio = five_customers().portfolio();
    let rows: Vec<_> = without_usage(&portfolio, february(), &Filter::default())
        .into_iter()
        .map(|row| (portfolio.subscription(row.subscription).id.to_string(), row.state, row.last_used_on, row.days_since))
        .collect();
    // Never used first. The feed had a row on 29 of the 45 days since January 15th. c2 was active on no day.
    assert_eq!(
        rows,
        [
            ("a2".to_owned(), State::Active, None, None),
            ("d1".to_owned(), State::Suspended, None, None),
            ("c1".to_owned(), State::Active, Some(day("2024-01-15")), Some(29)),
        ]
    );
}

#[test]
fn filters_combine_and_their_values_are_alternatives() {
    let portfolio = five_customers().portfolio();
    let active = |raw: RawFilter| summary(&portfolio, february(), &filter(&raw)).subscriptions_active;
    let one = |value: &str| vec![value.to_owned()];
    assert_eq!(active(RawFilter { country: one("DE"), ..RawFilter::default() }), 2);
    assert_eq!(active(RawFilter { country: vec!["DE".to_owned(), "FR".to_owned()], ..RawFilter::default() }), 3);
    assert_eq!(active(RawFilter { country: one("DE"), customer: one("cy"), ..RawFilter::default() }), 0);
    // Only subscriptions that ever used it: a1, b1 and c1, of which b1 has ended.
    assert_eq!(active(RawFilter { category: one(" Storage "), ..RawFilter::default() }), 2);
    assert_eq!(active(RawFilter { category: one("storage"), ..RawFilter::default() }), 0);
}

#[test]
fn every_malformed_filter_value_is_told_at_once() {
    let raw = RawFilter { country: vec![" ".to_owned()], customer: vec!["a\u{7}".to_owned(), "x".repeat(300)], ..RawFilter::default() };
    let errors = Filter::parse(&raw).expect_err("three bad values");
    assert_eq!(errors.iter().map(FilterError::parameter).collect::<Vec<_>>(), ["customer", "customer", "country"]);
}
