//! What must hold between the figures, whatever the portfolio.

use churn_risk::domain::{Bucket, Period};
use churn_risk::metrics::{Filter, RawFilter, churn, retention, summary, without_usage};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::support::worlds::{any_filter, any_period, any_world, filter};

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, rng_seed: RngSeed::Fixed(2), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn active_at_the_end_is_active_at_the_start_and_what_came_less_what_left(world in any_world(), period in any_period(), raw in any_filter()) {
        let portfolio = world.portfolio();
        for bucket in [Bucket::Day, Bucket::Week, Bucket::Month] {
            let seen = churn(&portfolio, period, bucket, &filter(&raw));
            let mut active = seen.active_before;
            for slice in &seen.buckets {
                let counts = slice.counts;
                prop_assert_eq!(counts.deprovisioned, counts.suspended + counts.ended);
                prop_assert_eq!(slice.active + counts.deprovisioned, active + counts.created + counts.recovered);
                active = slice.active;
            }
            prop_assert_eq!(active, seen.active_at_end);
            prop_assert!(seen.churn_rate.is_none_or(|rate| (0.0..=1.0).contains(&rate)));
        }
    }

    #[test]
    fn days_weeks_and_months_add_up_to_the_same(world in any_world(), period in any_period(), raw in any_filter()) {
        let portfolio = world.portfolio();
        let filter = filter(&raw);
        let by_day = churn(&portfolio, period, Bucket::Day, &filter);
        for bucket in [Bucket::Week, Bucket::Month] {
            let seen = churn(&portfolio, period, bucket, &filter);
            prop_assert_eq!(seen.total, by_day.total);
            prop_assert_eq!((seen.churn_rate, seen.annualised), (by_day.churn_rate, by_day.annualised));
            prop_assert_eq!(retention(&portfolio, period, bucket, &filter).renewed, by_day.total.renewed);
        }
    }

    #[test]
    fn the_summary_stands_beside_churn_and_the_list(world in any_world(), period in any_period(), raw in any_filter()) {
        let portfolio = world.portfolio();
        let filter = filter(&raw);
        let seen = summary(&portfolio, period, &filter);
        let churn = churn(&portfolio, period, Bucket::Month, &filter);
        prop_assert_eq!(seen.subscriptions_active, churn.active_at_end);
        prop_assert!(seen.subscriptions_sold.value <= churn.total.created);
        prop_assert_eq!(seen.subscriptions_sold.value, seen.subscriptions_sold.series.iter().map(|point| point.value).sum::<u64>());
        // Each customer without usage has at least one subscription in the list.
        prop_assert!(seen.customers_without_usage.value <= without_usage(&portfolio, period, &filter).len() as u64);
    }

    #[test]
    fn countries_part_the_portfolio(world in any_world(), period in any_period()) {
        let portfolio = world.portfolio();
        let country = |codes: &[&str]| {
            let raw = RawFilter { country: codes.iter().map(|code| (*code).to_owned()).collect(), ..RawFilter::default() };
            summary(&portfolio, period, &filter(&raw))
        };
        let (germany, france, both) = (country(&["DE"]), country(&["FR"]), country(&["FR", "DE"]));
        prop_assert_eq!(germany.customers_with_usage.value + france.customers_with_usage.value, both.customers_with_usage.value);
        prop_assert_eq!(germany.subscriptions_active + france.subscriptions_active, both.subscriptions_active);
        let cost = |one: &churn_risk::metrics::Summary| one.usage_cost.map_or(0, |sum| sum.0);
        prop_assert_eq!(cost(&germany) + cost(&france), cost(&both));
        prop_assert!(both.subscriptions_active <= summary(&portfolio, period, &Filter::default()).subscriptions_active);
    }

    #[test]
    fn the_order_of_rows_changes_nothing(world in any_world(), period in any_period(), raw in any_filter()) {
        let mut turned = world.clone();
        turned.customers.reverse();
        turned.subscriptions.reverse();
        turned.lifecycle.reverse();
        let (one, two) = (world.portfolio(), turned.portfolio());
        let filter = filter(&raw);
        prop_assert_eq!(summary(&one, period, &filter), summary(&two, period, &filter));
        prop_assert_eq!(churn(&one, period, Bucket::Week, &filter), churn(&two, period, Bucket::Week, &filter));
        prop_assert_eq!(without_usage(&one, period, &filter), without_usage(&two, period, &filter));
    }

    #[test]
    fn what_is_dated_after_the_as_of_day_moves_no_figure(world in any_world(), period in any_period()) {
        let portfolio = world.portfolio();
        let Some(as_of) = portfolio.as_of() else { return Ok(()) };
        let mut cut = world.clone();
        cut.lifecycle.retain(|(_, event)| event.on <= as_of);
        let filter = Filter::default();
        prop_assert_eq!(churn(&portfolio, period, Bucket::Day, &filter), churn(&cut.portfolio(), period, Bucket::Day, &filter));
        let beyond = Period::new(period.from(), period.to().max(as_of)).expect("forwards");
        let further = Period::new(period.from(), beyond.to() + 40).expect("forwards");
        let (at, after) = (churn(&portfolio, beyond, Bucket::Day, &filter), churn(&portfolio, further, Bucket::Day, &filter));
        prop_assert_eq!(at, after);
    }
}
