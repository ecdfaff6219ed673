//! The metrics agree with a second, slow and obvious implementation of METRICS.md on hostile
//! portfolios, periods and filters.

use churn_risk::domain::{Bucket, Day, Period, State};
use churn_risk::metrics::{Figure, RawFilter, churn, retention, summary, without_usage};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::support::oracle::{Oracle, days};
use crate::support::worlds::{World, any_filter, any_period, any_world, filter};

pub(crate) fn any_bucket() -> impl Strategy<Value = Bucket> {
    prop_oneof![Just(Bucket::Day), Just(Bucket::Week), Just(Bucket::Month)]
}

pub(crate) fn close(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() < 1e-12,
        (a, b) => a.is_none() && b.is_none(),
    }
}

pub(crate) fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[track_caller]
fn check_figure(figure: &Figure, oracle: &Oracle, period: Period, count: impl Fn(&Oracle, &[Day]) -> usize) {
    let value = count(oracle, &oracle.days(period));
    let preceding = count(oracle, &oracle.days(period.preceding()));
    assert_eq!((figure.value, figure.preceding), (value as u64, preceding as u64));
    let growth = (preceding > 0).then(|| (value as f64 - preceding as f64) / preceding as f64);
    assert!(close(figure.growth, growth), "{figure:?}");
    let bucket = if period.days() <= 92 { Bucket::Day } else { Bucket::Month };
    let series: Vec<_> = oracle.buckets(period, bucket).into_iter().map(|(start, days)| (start, count(oracle, &days) as u64)).collect();
    assert_eq!(figure.series.iter().map(|point| (point.slice.bucket, point.value)).collect::<Vec<_>>(), series);
}

fn check_summary(world: &World, period: Period, raw: &RawFilter) {
    let oracle = Oracle::new(world, raw);
    let seen = summary(&world.portfolio(), period, &filter(raw));
    check_figure(&seen.subscriptions_sold, &oracle, period, Oracle::sold);
    check_figure(&seen.customers_with_usage, &oracle, period, Oracle::customers_with_usage);
    check_figure(&seen.customers_without_usage, &oracle, period, Oracle::customers_without_usage);
    assert_eq!(seen.subscriptions_active, oracle.active_at(period.to()) as u64);
    let cost = oracle.has_cost.then(|| oracle.cost(&oracle.days(period)));
    assert_eq!(seen.usage_cost.map(|sum| sum.0), cost);
}

fn check_churn(world: &World, period: Period, bucket: Bucket, raw: &RawFilter) {
    let oracle = Oracle::new(world, raw);
    let seen = churn(&world.portfolio(), period, bucket, &filter(raw));
    let buckets = oracle.buckets(period, bucket);
    assert_eq!(seen.buckets.len(), buckets.len());
    for (slice, (start, days)) in seen.buckets.iter().zip(&buckets) {
        let (first, last) = (days[0], days[days.len() - 1]);
        assert_eq!((slice.slice.bucket, slice.slice.from, slice.slice.to), (*start, first, last));
        assert_eq!(slice.slice.partial, first != *start || last != bucket.next(*start) - 1);
        assert_eq!(slice.active, oracle.active_at(last) as u64);
        let count = |happened: &dyn Fn(&crate::support::oracle::Life, Day) -> bool| -> u64 {
            oracle.lives.iter().map(|life| days.iter().filter(|on| happened(life, **on)).count() as u64).sum()
        };
        let counts = slice.counts;
        assert_eq!(counts.created, count(&|life, on| life.created_on(on)));
        assert_eq!(counts.suspended, count(&|life, on| life.deprovisioned_on(on) == Some(State::Suspended)));
        assert_eq!(counts.ended, count(&|life, on| life.deprovisioned_on(on) == Some(State::Ended)));
        assert_eq!(counts.deprovisioned, counts.suspended + counts.ended);
        assert_eq!(counts.recovered, count(&|life, on| life.recovered_on(on)));
        assert_eq!(counts.renewed, count(&|life, on| life.renewed_on(on)));
    }
    let (before, end) = (period.from() - 1, period.to());
    let lost = oracle.lost(before, end);
    let rate = share(lost, oracle.active_at(before));
    assert_eq!((seen.active_before, seen.active_at_end), (oracle.active_at(before) as u64, oracle.active_at(end) as u64));
    assert_eq!(seen.lost, lost as u64);
    assert!(close(seen.churn_rate, rate));
    let known = oracle.days(period).len();
    let annualised = rate.filter(|_| known > 0).map(|rate| 1.0 - (1.0 - rate).powf(365.0 / known as f64));
    assert!(close(seen.annualised, annualised), "{:?} {annualised:?}", seen.annualised);
}

fn check_retention(world: &World, period: Period, bucket: Bucket, raw: &RawFilter) {
    let oracle = Oracle::new(world, raw);
    let seen = retention(&world.portfolio(), period, bucket, &filter(raw));
    let all = oracle.days(period);
    let renewed =
        |days: &[Day]| -> u64 { oracle.lives.iter().map(|life| days.iter().filter(|on| life.renewed_on(**on)).count() as u64).sum() };
    let due: Vec<_> = oracle.lives.iter().filter(|life| all.iter().any(|on| life.term_ends_on(*on))).collect();
    let kept = due.iter().filter(|life| all.iter().any(|on| life.renewed_on(*on))).count();
    assert_eq!((seen.renewed, seen.due, seen.renewed_of_due), (renewed(&all), due.len() as u64, kept as u64));
    assert!(close(seen.renewal_rate, share(kept, due.len())));
    let buckets: Vec<_> = oracle.buckets(period, bucket).into_iter().map(|(start, days)| (start, renewed(&days))).collect();
    assert_eq!(seen.buckets.iter().map(|one| (one.slice.bucket, one.renewed)).collect::<Vec<_>>(), buckets);
}

fn check_without_usage(world: &World, period: Period, raw: &RawFilter) {
    let oracle = Oracle::new(world, raw);
    let portfolio = world.portfolio();
    let seen: Vec<_> = without_usage(&portfolio, period, &filter(raw))
        .into_iter()
        .map(|row| {
            let id = portfolio.subscription(row.subscription).id.to_string();
            (id, row.state, row.created_on, row.last_used_on, row.days_since.map(|days| days as usize))
        })
        .collect();
    assert_eq!(seen, oracle.without_usage(&oracle.days(period)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, rng_seed: RngSeed::Fixed(2), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_summary_is_that_of_the_slow_and_obvious_way(world in any_world(), period in any_period(), raw in any_filter()) {
        check_summary(&world, period, &raw);
    }

    #[test]
    fn churn_is_that_of_the_slow_and_obvious_way(world in any_world(), period in any_period(), bucket in any_bucket(), raw in any_filter()) {
        check_churn(&world, period, bucket, &raw);
    }

    #[test]
    fn retention_is_that_of_the_slow_and_obvious_way(world in any_world(), period in any_period(), bucket in any_bucket(), raw in any_filter()) {
        check_retention(&world, period, bucket, &raw);
    }

    #[test]
    fn without_usage_is_that_of_the_slow_and_obvious_way(world in any_world(), period in any_period(), raw in any_filter()) {
        check_without_usage(&world, period, &raw);
    }
}

#[test]
fn a_period_of_the_oracle_has_both_of_its_ends() {
    let period = Period::last(3, Day::from_epoch_days(19_782));
    assert_eq!(days(period).len(), 3);
}
