//! What must hold between the figures, whatever the portfolio.

use churn_risk::domain::{Bucket, Period};
use churn_risk::metrics::{
    CustomerFlow, Filter, Measure, RawFilter, anomalies, categories, churn, cohorts, customer_count, retention, revenue_retention,
    subscription_history, summary, top_customers, without_usage,
};
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

    #[test]
    fn the_customer_count_of_days_weeks_and_months_adds_up(world in any_world(), period in any_period(), raw in any_filter()) {
        let portfolio = world.portfolio();
        let filter = filter(&raw);
        for bucket in [Bucket::Day, Bucket::Week, Bucket::Month] {
            let seen = customer_count(&portfolio, period, bucket, &filter);
            let mut active = i64::try_from(seen.active_before).expect("few");
            let mut new = 0;
            let flows: Vec<CustomerFlow> = seen.buckets.iter().map(|bucket| bucket.flow).chain([seen.total]).collect();
            for flow in &flows {
                // New customers that are still active are what net leaves over.
                let still_active = flow.net - i64::try_from(flow.returned_customers).expect("few") + i64::try_from(flow.lost_customers).expect("few");
                prop_assert!((0..=i64::try_from(flow.new_customers).expect("few")).contains(&still_active), "{:?}", flow);
            }
            for flow in seen.buckets.iter().map(|bucket| bucket.flow) {
                active += flow.net;
                new += flow.new_customers;
                prop_assert_eq!(u64::try_from(active), Ok(flow.active_customers));
            }
            prop_assert_eq!(u64::try_from(active), Ok(seen.total.active_customers));
            prop_assert_eq!(new, seen.total.new_customers);
        }
    }

    #[test]
    fn shares_of_the_top_add_up_to_one_where_nobody_is_left_out(world in any_world(), period in any_period(), raw in any_filter(), limit in 1..4_usize) {
        let portfolio = world.portfolio();
        let top = |filter: &Filter, measure: &Measure, limit| top_customers(&portfolio, period, filter, measure, limit);
        let sum = |rows: &[churn_risk::metrics::TopCustomer]| rows.iter().filter_map(|row| row.share).sum::<f64>();
        let some = top(&filter(&raw), &Measure::Cost, limit).expect("by cost");
        let all = top(&filter(&raw), &Measure::Cost, usize::MAX).expect("by cost");
        // Where there are credits, a total is less than what those above 0 come to.
        let has_credits = world.usage.values().any(|(_, cost)| cost.is_some_and(|cost| cost < 0));
        prop_assert!(has_credits || sum(&some.rows) <= 1.0 + 1e-12);
        prop_assert!(has_credits || all.rows.is_empty() || (sum(&all.rows) - 1.0).abs() < 1e-12);
        prop_assert_eq!(&some.rows[..], &all.rows[..limit.min(all.rows.len())]);
        prop_assert_eq!((some.total, some.customers), (all.total, all.rows.len() as u64));
        // By quantity, the total of each (category, unit) is that of the categories.
        for row in categories(&portfolio, period, &Filter::default()) {
            let only = filter(&RawFilter { category: vec![row.category.clone()], ..RawFilter::default() });
            let top = top(&only, &Measure::Quantity { unit: Some(row.unit.clone()) }, usize::MAX).expect("a unit is chosen");
            prop_assert!(top.rows.is_empty() || (sum(&top.rows) - 1.0).abs() < 1e-12);
            // A subscription that never used the category is cut, but then its rows are 0.
            prop_assert_eq!(top.total, row.quantity);
            prop_assert_eq!(top.customers, row.customers);
        }
    }

    #[test]
    fn categories_and_customers_share_out_the_usage_cost(world in any_world(), period in any_period(), raw in any_filter()) {
        let portfolio = world.portfolio();
        let filter = filter(&raw);
        let seen = summary(&portfolio, period, &filter);
        let categories = categories(&portfolio, period, &filter);
        let by_category: i128 = categories.iter().filter_map(|row| row.cost).map(|cost| cost.0).sum();
        prop_assert_eq!(seen.usage_cost.map_or(0, |cost| cost.0), by_category);
        prop_assert_eq!(top_customers(&portfolio, period, &filter, &Measure::Cost, 1).expect("by cost").total.0, by_category);
        let with_usage = seen.customers_with_usage.value;
        prop_assert!(categories.iter().all(|row| row.customers <= with_usage));
        prop_assert!(categories.iter().map(|row| row.customers).sum::<u64>() >= with_usage);
        let one_by_one: i128 = portfolio
            .subscription_indices()
            .filter_map(|ix| subscription_history(&portfolio, period, &filter, ix)?.cost)
            .map(|cost| cost.0)
            .sum();
        prop_assert_eq!(one_by_one, by_category);
    }

    #[test]
    fn a_cohort_begins_with_what_was_created_and_ends_with_what_is_there(world in any_world(), period in any_period(), raw in any_filter()) {
        let portfolio = world.portfolio();
        let filter = filter(&raw);
        let rows = cohorts(&portfolio, period, &filter);
        let created = churn(&portfolio, period, Bucket::Month, &filter);
        let first: Vec<_> = rows.iter().filter(|row| row.month == 0).collect();
        prop_assert_eq!(first.iter().map(|row| row.size).sum::<u64>(), created.total.created);
        for row in &first {
            let bucket = created.buckets.iter().find(|bucket| bucket.slice.bucket == row.cohort);
            prop_assert_eq!(bucket.map(|bucket| (bucket.counts.created, bucket.slice.partial)), Some((row.size, row.cohort_partial)));
        }
        for row in &rows {
            prop_assert!(row.size > 0 && row.active <= row.size && row.using <= row.size);
            prop_assert_eq!(row.from, row.cohort.plus_months(i32::try_from(row.month).expect("few")));
        }
        // All cohorts together, at the end of the running month, are those of everybody that is active.
        if let Some(as_of) = portfolio.as_of() {
            let always = Period::new(as_of - 2_000, as_of).expect("forwards");
            let last = cohorts(&portfolio, always, &filter).into_iter().filter(|row| row.to == as_of).map(|row| row.active);
            prop_assert_eq!(last.sum::<u64>(), summary(&portfolio, always, &filter).subscriptions_active);
        }
    }

    #[test]
    fn gross_retention_is_never_above_one_or_above_net_retention(world in any_world(), period in any_period(), raw in any_filter()) {
        let portfolio = world.portfolio();
        let Some(flow) = revenue_retention(&portfolio, period, &filter(&raw)).flow else { return Ok(()) };
        prop_assert!(flow.grr.is_none_or(|grr| (0.0..=1.0).contains(&grr)));
        prop_assert!(flow.grr.zip(flow.nrr).is_none_or(|(grr, nrr)| grr <= nrr));
        prop_assert_eq!(flow.grr.is_some(), flow.nrr.is_some());
        // Each of the five is rounded once.
        let moved = flow.expansion.0 + flow.reactivation.0 + flow.new.0 - flow.churned.0 - flow.contraction.0;
        prop_assert!((flow.starting.0 + moved - flow.ending.0).abs() <= 3);
    }

    #[test]
    fn new_metrics_do_not_see_past_the_as_of_day_or_the_order_of_rows(world in any_world(), period in any_period(), raw in any_filter()) {
        let mut turned = world.clone();
        turned.customers.reverse();
        turned.subscriptions.reverse();
        turned.lifecycle.reverse();
        let (one, two) = (world.portfolio(), turned.portfolio());
        let filter = filter(&raw);
        prop_assert_eq!(customer_count(&one, period, Bucket::Week, &filter), customer_count(&two, period, Bucket::Week, &filter));
        prop_assert_eq!(cohorts(&one, period, &filter), cohorts(&two, period, &filter));
        prop_assert_eq!(revenue_retention(&one, period, &filter), revenue_retention(&two, period, &filter));
        prop_assert_eq!(categories(&one, period, &filter), categories(&two, period, &filter));
        let Some(as_of) = one.as_of() else { return Ok(()) };
        let at = Period::new(period.from(), period.to().max(as_of)).expect("forwards");
        let after = Period::new(period.from(), at.to() + 40).expect("forwards");
        prop_assert_eq!(customer_count(&one, at, Bucket::Week, &filter), customer_count(&one, after, Bucket::Week, &filter));
        prop_assert_eq!(cohorts(&one, at, &filter), cohorts(&one, after, &filter));
        prop_assert_eq!(revenue_retention(&one, at, &filter), revenue_retention(&one, after, &filter));
        prop_assert_eq!(categories(&one, at, &filter), categories(&one, after, &filter));
        prop_assert_eq!(anomalies(&one, at, &filter), anomalies(&one, after, &filter));
    }
}
