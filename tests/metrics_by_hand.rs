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
use churn_risk::metrics::{
    ChurnCounts, CustomerFlow, Filter, FilterError, Measure, RawFilter, TopError, categories, churn, cohorts, customer_count, gaps,
    retention, revenue_retention, subscription_history, summary, top_customers, without_usage,
};

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

#[test]
fn the_top_of_five_customers_is_what_a_hand_finds() {
    let mut world = five_customers();
    world.usage.insert(("a1".to_owned(), day("2024-02-02"), "Storage".to_owned(), "h".to_owned()), (1, Some(0)));
    let portfolio = world.portfolio();
    let storage = filter(&RawFilter { category: vec!["Storage".to_owned()], ..RawFilter::default() });
    let gigabytes = Measure::Quantity { unit: Some("GB".to_owned()) };
    let seen = top_customers(&portfolio, february(), &storage, &gigabytes, 5).expect("a unit is chosen");
    // ada 58, bob 3; cy's row is 0. In the 29 days before, cy alone used something.
    let rows: Vec<_> = seen.rows.iter().map(|row| (portfolio.customer(row.customer).id.as_str(), row.value.0, row.growth)).collect();
    assert_eq!(rows, [("ada", 58_000_000, None), ("bob", 3_000_000, None)]);
    assert_eq!((seen.total, seen.rows[0].share, seen.rows[0].subscriptions_used), (MicrosSum(61_000_000), Some(58.0 / 61.0), 1));
    let units = vec!["GB".to_owned(), "h".to_owned()];
    let unsaid = Measure::Quantity { unit: None };
    let needed = TopError::UnitNeeded { category: "Storage".to_owned(), units };
    assert_eq!(needed.to_string(), "quantities of Storage are counted in several units: GB, h");
    assert_eq!(top_customers(&portfolio, february(), &storage, &unsaid, 5), Err(needed));
    assert_eq!(top_customers(&portfolio, february(), &Filter::default(), &unsaid, 5), Err(TopError::OneCategory(0)));
}

#[test]
fn the_categories_of_five_customers_are_what_a_hand_finds() {
    let mut world = five_customers();
    let key = |on: &str, unit: &str| ("d1".to_owned(), day(on), "Backup".to_owned(), unit.to_owned());
    world.usage.insert(key("2024-02-03", "GB"), (0, Some(0)));
    world.usage.insert(key("2024-01-31", "h"), (1, Some(0)));
    let rows: Vec<_> = categories(&world.portfolio(), february(), &Filter::default())
        .into_iter()
        .map(|row| (row.category, row.unit, row.quantity.0, row.cost.map(|cost| cost.0), row.customers))
        .collect();
    // A row of 0 is a row; Backup in hours has none in February. ada and bob used Storage.
    let row = |category: &str, amount, customers| (category.to_owned(), "GB".to_owned(), amount, Some(amount), customers);
    assert_eq!(rows, [row("Backup", 0, 0), row("Storage", 61_000_000, 2)]);
}

#[test]
fn the_customer_count_of_five_customers_is_what_a_hand_finds() {
    let seen = customer_count(&five_customers().portfolio(), february(), Bucket::Week, &Filter::default());
    // ada, bob, cy and dee before; ada and cy at the end. All came before February, eve never.
    assert_eq!(seen.active_before, 4);
    let total = CustomerFlow { new_customers: 0, lost_customers: 2, returned_customers: 0, active_customers: 2, net: -2 };
    assert_eq!(seen.total, total);
    // bob is away from the 10th to the 11th, over a week's end, and leaves with dee in the last week.
    let weeks: Vec<_> = seen.buckets.iter().map(|week| (week.flow.lost_customers, week.flow.returned_customers, week.flow.net)).collect();
    assert_eq!(weeks, [(0, 0, 0), (1, 0, -1), (0, 1, 1), (0, 0, 0), (2, 0, -2)]);
}

#[test]
fn the_cohorts_of_five_customers_are_what_a_hand_finds() {
    let period = Period::new(day("2024-01-05"), day("2024-02-29")).expect("forwards");
    let rows: Vec<_> = cohorts(&five_customers().portfolio(), period, &Filter::default())
        .into_iter()
        .map(|row| {
            (row.cohort.to_string(), row.month, row.size, row.active, row.using, row.cost.map_or(0, |cost| cost.0 / 1_000_000), row.partial)
        })
        .collect();
    let row = |cohort: &str, month, size, active, using, cost, partial| (cohort.to_owned(), month, size, active, using, cost, partial);
    assert_eq!(
        rows,
        [
            // a1 and d1, which is suspended on February 26th; c1 came before the 5th.
            row("2024-01-01", 0, 2, 2, 0, 0, false),
            row("2024-01-01", 1, 2, 1, 1, 58, false),
            row("2024-01-01", 2, 2, 1, 1, 4, true),
            // a2 and c2.
            row("2024-02-01", 0, 2, 1, 0, 0, false),
            row("2024-02-01", 1, 2, 1, 0, 0, true),
        ]
    );
}

#[test]
fn the_revenue_of_six_subscriptions_is_what_a_hand_finds() {
    let mut world = World { version: 1, ..World::default() };
    // Cost in February, March and April, all on the first.
    let costs = [
        ("gone", [0, 310, 0]),
        ("less", [0, 620, 300]),
        ("more", [0, 310, 600]),
        ("same", [0, 31, 30]),
        ("back", [5, 0, 90]),
        ("new", [0, 0, 60]),
    ];
    for (id, months) in costs {
        world.subscription(id, "ada", Some("2024-01-01"));
        for (first, cost) in ["2024-02-01", "2024-03-01", "2024-04-01"].into_iter().zip(months).filter(|(_, cost)| *cost > 0) {
            world.used(id, first, cost);
        }
    }
    // Every day is known.
    world.subscription("clock", "bob", Some("2024-01-01"));
    for offset in 0..95 {
        let key = ("clock".to_owned(), day("2024-02-01") + offset, "Storage".to_owned(), "GB".to_owned());
        world.usage.insert(key, (1, Some(0)));
    }
    let portfolio = world.portfolio();
    let ask = |from: &str, to: &str| revenue_retention(&portfolio, Period::new(day(from), day(to)).expect("forwards"), &Filter::default());
    let seen = ask("2024-04-02", "2024-05-04");
    assert_eq!((seen.start_month, seen.end_month), (Some(day("2024-03-01")), Some(day("2024-04-01"))));
    assert_eq!((seen.start_known_days, seen.end_known_days), (31, 30));
    let flow = seen.flow.expect("March is known");
    // A day of March: 10, 20, 10, 1; of April: 10, 20, 1, 3, 2.
    let units = |amount: MicrosSum| amount.0 as f64 / 1e6;
    assert_eq!((units(flow.starting), units(flow.ending)), (41.0, 36.0));
    assert_eq!((units(flow.churned), units(flow.contraction), units(flow.expansion)), (10.0, 10.0, 10.0));
    assert_eq!((units(flow.reactivation), units(flow.new)), (3.0, 2.0));
    assert_eq!((flow.grr, flow.nrr, flow.quick_ratio), (Some(21.0 / 41.0), Some(31.0 / 41.0), Some(0.75)));
    assert_eq!((flow.subscriptions_churned, flow.subscriptions_contracted, flow.subscriptions_expanded), (1, 1, 1));
    // A short period in April: its last full month is March, and S the one before.
    assert_eq!(ask("2024-04-10", "2024-04-20").start_month, Some(day("2024-02-01")));
    // S would be January, before the first day of data.
    assert_eq!(ask("2024-02-10", "2024-03-10").flow, None);
}

#[test]
fn one_of_five_customers_subscriptions_is_what_a_hand_finds() {
    let portfolio = five_customers().portfolio();
    let ix = portfolio.find_subscription("b1").expect("in the tables");
    let seen = subscription_history(&portfolio, february(), &Filter::default(), ix).expect("not filtered");
    let states: Vec<_> = seen.states.iter().map(|change| (change.on.to_string(), change.state)).collect();
    let state = |on: &str, state| (on.to_owned(), state);
    assert_eq!(
        states,
        [
            state("2023-12-31", State::Active),
            state("2024-02-10", State::Suspended),
            state("2024-02-12", State::Active),
            state("2024-02-28", State::Ended),
        ]
    );
    assert_eq!((seen.state, seen.last_used_on, seen.usage_days), (State::Ended, Some(day("2024-02-05")), 1));
    assert_eq!((seen.daily.len(), seen.totals.len(), seen.cost), (1, 1, Some(MicrosSum(3_000_000))));
    let backup = filter(&RawFilter { category: vec!["Backup".to_owned()], ..RawFilter::default() });
    assert_eq!(subscription_history(&portfolio, february(), &backup, ix), None);
}

#[test]
fn the_gaps_of_five_customers_are_what_a_hand_finds() {
    // A row on January 15th, and from February 1st on each day.
    let seen = gaps(&five_customers().portfolio(), Period::new(day("2024-01-10"), day("2024-03-31")).expect("forwards"));
    assert_eq!(seen.iter().map(|gap| (gap.from, gap.to, gap.days)).collect::<Vec<_>>(), [(day("2024-01-16"), day("2024-01-31"), 16)]);
    let late = gaps(&five_customers().portfolio(), Period::new(day("2024-01-30"), day("2024-02-10")).expect("forwards"));
    assert_eq!(late.iter().map(|gap| gap.days).collect::<Vec<_>>(), [2]);
}
