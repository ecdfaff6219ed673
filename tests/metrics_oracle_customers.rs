//! Top customers, categories and the customer count agree with the slow and obvious
//! implementation on hostile portfolios, periods and filters.

use churn_risk::domain::{Bucket, Period};
use churn_risk::metrics::{CustomerFlow, Measure, RawFilter, TopError, categories, customer_count, top_customers};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::metrics_oracle::{any_bucket, close};
use crate::support::oracle::Oracle;
use crate::support::oracle_customers::{Flow, Wanted};
use crate::support::worlds::{World, any_filter, any_period, any_world, filter};

fn any_measure() -> impl Strategy<Value = Measure> {
    let unit = prop_oneof![3 => Just(None), 2 => Just(Some("h")), 2 => Just(Some("GB")), 1 => Just(Some("none"))];
    prop_oneof![2 => Just(Measure::Cost), 3 => unit.prop_map(|unit| Measure::Quantity { unit: unit.map(str::to_owned) })]
}

fn any_limit() -> impl Strategy<Value = usize> {
    prop_oneof![Just(1), Just(2), Just(3), Just(usize::MAX)]
}

fn check_top(world: &World, period: Period, raw: &RawFilter, measure: &Measure, limit: usize) {
    let oracle = Oracle::new(world, raw);
    let portfolio = world.portfolio();
    let seen = top_customers(&portfolio, period, &filter(raw), measure, limit);
    let wanted = match (measure, raw.category.as_slice()) {
        (Measure::Cost, _) => Wanted::Cost,
        (Measure::Quantity { unit }, [category]) => Wanted::Quantity { category: category.clone(), unit: unit.clone() },
        (Measure::Quantity { .. }, several) => {
            assert_eq!(seen, Err(TopError::OneCategory(several.len())));
            return;
        }
    };
    let top = match oracle.top(&wanted, period, limit) {
        Ok(top) => top,
        Err(units) => {
            assert_eq!(seen, Err(TopError::UnitNeeded { category: raw.category[0].clone(), units }));
            return;
        }
    };
    let seen = seen.expect("the oracle has an answer");
    assert_eq!((seen.unit.as_ref(), seen.total.0, seen.customers), (top.unit.as_ref(), top.total, top.customers as u64));
    assert_eq!(seen.rows.len(), top.rows.len());
    for (row, (id, value, preceding, used)) in seen.rows.iter().zip(&top.rows) {
        let customer = &portfolio.customer(row.customer).id;
        assert_eq!((customer, row.value.0, row.preceding.0, row.subscriptions_used), (id, *value, *preceding, *used as u64));
        assert!(close(row.share, (top.total > 0).then(|| *value as f64 / top.total as f64)));
        assert!(close(row.growth, (*preceding > 0).then(|| (value - preceding) as f64 / *preceding as f64)));
    }
}

fn check_categories(world: &World, period: Period, raw: &RawFilter) {
    let oracle = Oracle::new(world, raw);
    let seen = categories(&world.portfolio(), period, &filter(raw));
    let seen: Vec<_> =
        seen.into_iter().map(|row| ((row.category, row.unit), row.quantity.0, row.cost.map(|cost| cost.0), row.customers)).collect();
    let wanted: Vec<_> = oracle
        .categories(period)
        .into_iter()
        .map(|(key, (quantity, cost, customers))| (key, quantity, oracle.has_cost.then_some(cost), customers.len() as u64))
        .collect();
    assert_eq!(seen, wanted);
}

#[track_caller]
fn check_flow(flow: CustomerFlow, (new, lost, returned, active, net): Flow) {
    let wanted = CustomerFlow {
        new_customers: new as u64,
        lost_customers: lost as u64,
        returned_customers: returned as u64,
        active_customers: active as u64,
        net,
    };
    assert_eq!(flow, wanted);
}

fn check_count(world: &World, period: Period, bucket: Bucket, raw: &RawFilter) {
    let oracle = Oracle::new(world, raw);
    let seen = customer_count(&world.portfolio(), period, bucket, &filter(raw));
    assert_eq!(seen.active_before, oracle.active_customers(period.from() - 1) as u64);
    check_flow(seen.total, oracle.customer_flow(period.from(), period.to()));
    let buckets = oracle.buckets(period, bucket);
    assert_eq!(seen.buckets.len(), buckets.len());
    for (row, (start, days)) in seen.buckets.iter().zip(&buckets) {
        let (first, last) = (days[0], days[days.len() - 1]);
        assert_eq!((row.slice.bucket, row.slice.from, row.slice.to), (*start, first, last));
        check_flow(row.flow, oracle.customer_flow(first, last));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, rng_seed: RngSeed::Fixed(2), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn top_customers_are_those_of_the_slow_and_obvious_way(
        world in any_world(), period in any_period(), raw in any_filter(), measure in any_measure(), limit in any_limit()
    ) {
        check_top(&world, period, &raw, &measure, limit);
        // Most filters name no category; by quantity one is needed.
        for category in ["Compute", "Storage", "SQL", "Nothing"] {
            check_top(&world, period, &RawFilter { category: vec![category.to_owned()], ..raw.clone() }, &measure, limit);
        }
    }

    #[test]
    fn categories_are_those_of_the_slow_and_obvious_way(world in any_world(), period in any_period(), raw in any_filter()) {
        check_categories(&world, period, &raw);
    }

    #[test]
    fn the_customer_count_is_that_of_the_slow_and_obvious_way(
        world in any_world(), period in any_period(), bucket in any_bucket(), raw in any_filter()
    ) {
        check_count(&world, period, bucket, &raw);
    }
}
