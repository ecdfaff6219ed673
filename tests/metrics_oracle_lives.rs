//! Cohorts, revenue retention, gaps and single subscriptions agree with the slow and obvious
//! implementation on hostile portfolios, periods and filters.

use churn_risk::domain::{Day, MicrosSum, Period};
use churn_risk::metrics::{RawFilter, cohorts, gaps, revenue_retention, subscription_history};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::metrics_oracle::{close, share};
use crate::support::oracle::{Life, Oracle, days};
use crate::support::oracle_revenue::ByMonths;
use crate::support::worlds::{World, any_filter, any_period, any_world, filter};

fn check_cohorts(world: &World, period: Period, raw: &RawFilter) {
    let oracle = Oracle::new(world, raw);
    let seen = cohorts(&world.portfolio(), period, &filter(raw));
    let wanted = oracle.cohorts(period);
    assert_eq!(seen.len(), wanted.len());
    for (row, ((cohort, k), (size, active, using, cost, to, partial))) in seen.iter().zip(wanted) {
        assert_eq!((row.cohort, row.month, row.from, row.to), (cohort, k, to.month_start(), to));
        assert_eq!((row.size, row.active, row.using), (size as u64, active as u64, using as u64));
        assert_eq!(row.cost.map(|cost| cost.0), oracle.has_cost.then_some(cost));
        assert_eq!((row.partial, row.cohort_partial), (partial, oracle.month_is_cut(period, cohort)));
        assert!(close(row.active_share, share(active, size)) && close(row.using_share, share(using, size)));
    }
}

/// The nearest whole number, and of two the even one.
#[track_caller]
fn check_rounded(seen: MicrosSum, numerator: i128, denominator: i128) {
    let twice = 2 * (seen.0 * denominator - numerator).abs();
    assert!(twice < denominator || (twice == denominator && seen.0 % 2 == 0), "{seen} of {numerator}/{denominator}");
}

pub(crate) fn check_revenue(world: &World, period: Period, raw: &RawFilter) {
    let oracle = ByMonths::new(world, raw);
    let seen = revenue_retention(&world.portfolio(), period, &filter(raw));
    let Some([(start, start_days), (end, end_days)]) = oracle.revenue_months(period) else {
        assert_eq!((seen.start_month, seen.end_month, seen.flow), (None, None, None));
        return;
    };
    assert_eq!((seen.start_month, seen.end_month), (Some(start[0]), Some(end[0])));
    assert_eq!((seen.start_known_days as usize, seen.end_known_days as usize), (start_days, end_days));
    let wanted = oracle.revenue(period);
    assert_eq!(seen.flow.is_some(), wanted.is_some());
    let Some((flow, wanted)) = seen.flow.zip(wanted) else { return };
    let denominator = start_days as i128 * end_days as i128;
    check_rounded(flow.starting, wanted.starting, denominator);
    check_rounded(flow.ending, wanted.kept + wanted.reactivation.0 + wanted.new.0, denominator);
    let parts = [
        (flow.churned, flow.subscriptions_churned, wanted.churned),
        (flow.contraction, flow.subscriptions_contracted, wanted.contraction),
        (flow.expansion, flow.subscriptions_expanded, wanted.expansion),
        (flow.reactivation, flow.subscriptions_reactivated, wanted.reactivation),
        (flow.new, flow.subscriptions_new, wanted.new),
    ];
    for (amount, count, (sum, subscriptions)) in parts {
        check_rounded(amount, sum, denominator);
        assert_eq!(count, subscriptions);
    }
    let over = |part: i128, whole: i128| (whole > 0).then(|| part as f64 / whole as f64);
    let lost = wanted.churned.0 + wanted.contraction.0;
    assert!(close(flow.grr, over(lost, wanted.starting).map(|lost| 1.0 - lost)));
    assert!(close(flow.nrr, over(wanted.kept, wanted.starting)));
    let gained = wanted.new.0 + wanted.expansion.0 + wanted.reactivation.0;
    let quick_ratio = over(gained, lost);
    assert!(seen.flow.is_some_and(|flow| match (flow.quick_ratio, quick_ratio) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-12 * b.max(1.0),
        (a, b) => a.is_none() && b.is_none(),
    }));
}

/// Days of a period without a row, run by run.
fn check_gaps(world: &World, period: Period) {
    let oracle = Oracle::new(world, &RawFilter::default());
    let mut runs: Vec<(Day, Day, u32)> = Vec::new();
    for on in days(period) {
        let inside = oracle.first_day.is_some_and(|first| first <= on) && oracle.as_of.is_some_and(|as_of| on <= as_of);
        if !inside || oracle.known_days.contains(&on) {
            continue;
        }
        match runs.last_mut().filter(|(_, to, _)| *to + 1 == on) {
            Some((_, to, count)) => (*to, *count) = (on, *count + 1),
            None => runs.push((on, on, 1)),
        }
    }
    let seen: Vec<_> = gaps(&world.portfolio(), period).into_iter().map(|gap| (gap.from, gap.to, gap.days)).collect();
    assert_eq!(seen, runs);
}

fn check_subscription(world: &World, period: Period, raw: &RawFilter, id: &str) {
    let oracle = Oracle::new(world, raw);
    let portfolio = world.portfolio();
    let life = oracle.lives.iter().find(|life| life.id == id);
    let seen = portfolio.find_subscription(id).and_then(|ix| subscription_history(&portfolio, period, &filter(raw), ix));
    assert_eq!(seen.is_some(), life.is_some());
    let Some((seen, life)) = seen.zip(life) else { return };
    let end = oracle.as_of.map_or(period.to(), |as_of| as_of.min(period.to()));
    assert_eq!((portfolio.customer(seen.customer).id.as_str(), seen.state), (life.customer.as_str(), life.state(end)));
    let last = life.last_used(end);
    assert_eq!((seen.created_on, seen.last_used_on), (life.created, last));
    assert_eq!(seen.days_since.map(|days| days as usize), last.map(|last| oracle.known_between(last, end)));
    let states: Vec<_> = seen.states.iter().map(|change| (change.on, change.state, change.reason.clone())).collect();
    assert_eq!(states, life.changes());
    assert_eq!(seen.renewals, life.renewals.iter().copied().collect::<Vec<_>>());
    check_use(&oracle, life, period, &seen);
}

fn check_use(oracle: &Oracle, life: &Life, period: Period, seen: &churn_risk::metrics::SubscriptionHistory) {
    let known = oracle.days(period);
    let mut rows: Vec<_> = life.rows_on(&known).collect();
    rows.sort_by_key(|row| (row.on, row.category.clone(), row.unit.clone()));
    let wanted: Vec<_> =
        rows.iter().map(|row| (row.on, &row.category, &row.unit, row.quantity, oracle.has_cost.then_some(row.cost))).collect();
    let daily: Vec<_> =
        seen.daily.iter().map(|row| (row.on, &row.category, &row.unit, row.quantity.0, row.cost.map(|cost| cost.0))).collect();
    assert_eq!(daily, wanted);
    let used = |of: &dyn Fn(&str, &str) -> bool| -> u64 {
        known.iter().filter(|on| rows.iter().any(|row| row.on == **on && row.quantity > 0 && of(&row.category, &row.unit))).count() as u64
    };
    assert_eq!(seen.usage_days, used(&|_, _| true));
    assert_eq!(seen.cost.map(|cost| cost.0), oracle.has_cost.then(|| life.cost(&known)));
    let mut keys: Vec<_> = rows.iter().map(|row| (&row.category, &row.unit)).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(seen.totals.iter().map(|total| (&total.category, &total.unit)).collect::<Vec<_>>(), keys);
    for total in &seen.totals {
        let mine = || rows.iter().filter(|row| row.category == total.category && row.unit == total.unit);
        assert_eq!(total.quantity.0, mine().map(|row| i128::from(row.quantity)).sum::<i128>());
        assert_eq!(total.cost.map(|cost| cost.0), oracle.has_cost.then(|| mine().map(|row| i128::from(row.cost)).sum()));
        assert_eq!(total.usage_days, used(&|category, unit| category == total.category && unit == total.unit));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, rng_seed: RngSeed::Fixed(2), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cohorts_are_those_of_the_slow_and_obvious_way(world in any_world(), period in any_period(), raw in any_filter()) {
        check_cohorts(&world, period, &raw);
    }

    #[test]
    fn revenue_retention_is_that_of_the_slow_and_obvious_way(world in any_world(), period in any_period(), raw in any_filter()) {
        check_revenue(&world, period, &raw);
        check_revenue(&world, period, &RawFilter::default());
    }

    #[test]
    fn gaps_are_those_of_the_slow_and_obvious_way(world in any_world(), period in any_period()) {
        check_gaps(&world, period);
    }

    #[test]
    fn a_subscription_is_that_of_the_slow_and_obvious_way(
        world in any_world(), period in any_period(), raw in any_filter(), number in 0..10_usize
    ) {
        let id = format!("s{number}");
        check_subscription(&world, period, &raw, &id);
        check_subscription(&world, period, &RawFilter::default(), &id);
    }
}
