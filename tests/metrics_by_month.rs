//! Usage that a source tells by the month alone feeds the money of months, and nothing else.

use std::collections::BTreeMap;
use std::fs;

use churn_risk::domain::{Bucket, Currency, Day, MicrosSum, Period};
use churn_risk::features::{FeatureVector, History, Kernel, Usual, VolumeScale};
use churn_risk::lake::import;
use churn_risk::metrics::{
    Filter, Measure, RawFilter, RevenueFlow, anomalies, categories, churn, cohorts, customer_count, expiring, gaps, retention,
    revenue_retention, subscription_history, summary, top_customers, without_usage,
};
use churn_risk::model::Ranking;
use churn_risk::portfolio::{Portfolio, load};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngSeed, TestRunner};

use crate::metrics_oracle_lives::check_revenue;
use crate::support::lakes::{Desk, sentence};
use crate::support::oracle_revenue::ByMonths;
use crate::support::worlds::{World, any_filter, any_period, any_world_by_month, day, filter};

/// Daily rows from March 1st to April 2nd, 2024, of whole units of money a day.
///
/// | | January | February | March, a day | |
/// | --- | --- | --- | --- | --- |
/// | less | 310 | 290 | 3 | contraction of 10 - 3 a day |
/// | back | 31 | | 1 | reactivation |
/// | gone | | 29 of Backup | | churned |
/// | new | | | 2 | |
/// | never | | -5 | | below 0 is nothing |
fn world() -> World {
    let mut world = World { version: 1, ..World::default() };
    for id in ["less", "back", "gone", "new", "never"] {
        world.subscription(id, "ada", Some("2023-06-01"));
    }
    for (id, daily) in [("less", 3), ("back", 1), ("new", 2)] {
        for offset in 0..33 {
            world.used(id, &(day("2024-03-01") + offset).to_string(), daily);
        }
    }
    let mut by_month = |id: &str, month: &str, category: &str, money: i64| {
        let key = (id.to_owned(), day(month), category.to_owned(), "GB".to_owned());
        world.monthly.insert(key, (1_000_000, Some(money * 1_000_000)));
    };
    by_month("less", "2024-01-01", "Storage", 310);
    by_month("back", "2024-01-01", "Storage", 31);
    by_month("less", "2024-02-01", "Storage", 290);
    by_month("gone", "2024-02-01", "Backup", 29);
    by_month("never", "2024-02-01", "Storage", -5);
    // Days tell March, and April is not over.
    by_month("gone", "2024-03-01", "Storage", 999);
    by_month("gone", "2024-04-01", "Storage", 999);
    world
}

fn ask(world: &World, from: &str, to: &str, filter: &Filter) -> ([Option<Day>; 2], [u32; 2], Option<RevenueFlow>) {
    let seen = revenue_retention(&world.portfolio(), Period::new(day(from), day(to)).expect("forwards"), filter);
    ([seen.start_month, seen.end_month], [seen.start_known_days, seen.end_known_days], seen.flow)
}

fn units(amount: MicrosSum) -> f64 {
    amount.0 as f64 / 1e6
}

#[test]
fn a_month_without_days_is_told_by_the_month_and_one_with_days_by_its_days() {
    let (months, known, flow) = ask(&world(), "2024-03-01", "2024-03-31", &Filter::default());
    assert_eq!((months, known), ([Some(day("2024-02-01")), Some(day("2024-03-01"))], [29, 31]));
    let flow = flow.expect("both are told");
    assert_eq!((units(flow.starting), units(flow.ending)), (11.0, 6.0));
    assert_eq!((units(flow.contraction), units(flow.churned), units(flow.reactivation), units(flow.new)), (7.0, 1.0, 1.0, 2.0));
    assert_eq!((flow.subscriptions_churned, flow.subscriptions_reactivated, flow.subscriptions_new), (1, 1, 1));
    // Both by the month, though no day was known then.
    let (months, known, flow) = ask(&world(), "2024-02-01", "2024-02-29", &Filter::default());
    assert_eq!((months, known), ([Some(day("2024-01-01")), Some(day("2024-02-01"))], [31, 29]));
    let flow = flow.expect("both are told");
    assert_eq!((units(flow.starting), units(flow.ending), units(flow.new)), (11.0, 11.0, 1.0));
    // December is before the first month.
    assert_eq!(ask(&world(), "2024-01-01", "2024-01-31", &Filter::default()).2, None);
}

#[test]
fn filters_cut_usage_by_the_month_too() {
    let of = |categories: &[&str]| RawFilter { category: categories.iter().map(|one| (*one).to_owned()).collect(), ..RawFilter::default() };
    // Nobody used it on any day.
    let backup = ask(&world(), "2024-03-01", "2024-03-31", &filter(&of(&["Backup"]))).2.expect("both are told");
    assert_eq!((units(backup.starting), units(backup.churned), units(backup.ending)), (1.0, 1.0, 0.0));
    let storage = ask(&world(), "2024-03-01", "2024-03-31", &filter(&of(&["Storage"]))).2.expect("both are told");
    assert_eq!((units(storage.starting), units(storage.churned), units(storage.ending)), (10.0, 0.0, 6.0));
    let nobody = RawFilter { customer: vec!["bob".to_owned()], ..RawFilter::default() };
    assert_eq!(ask(&world(), "2024-03-01", "2024-03-31", &filter(&nobody)).2.map(|flow| flow.starting), Some(MicrosSum(0)));
}

#[test]
fn months_without_a_cost_are_not_held_beside_months_with_one() {
    let mut silent = world();
    silent.monthly.values_mut().for_each(|(_, cost)| *cost = None);
    assert_eq!(ask(&silent, "2024-03-01", "2024-03-31", &Filter::default()).2, None);
    let mut silent = world();
    silent.usage.values_mut().for_each(|(_, cost)| *cost = None);
    assert_eq!(ask(&silent, "2024-03-01", "2024-03-31", &Filter::default()).2, None);
    assert!(ask(&silent, "2024-02-01", "2024-02-29", &Filter::default()).2.is_some(), "no day is needed for these two");
}

#[test]
fn usage_by_the_month_alone_has_no_as_of_day_and_no_figures() {
    let world = World { usage: BTreeMap::new(), ..world() };
    let portfolio = world.portfolio();
    assert_eq!((portfolio.as_of(), portfolio.monthly_usage().months()), (None, [].as_slice()));
    assert_eq!(ask(&world, "2024-02-01", "2024-02-29", &Filter::default()), ([None, None], [0, 0], None));
}

#[test]
fn who_is_named_by_months_alone_pays_and_does_not_live() {
    let mut world = world();
    world.monthly.insert(("late".to_owned(), day("2024-02-01"), "Storage".to_owned(), "GB".to_owned()), (1, Some(58_000_000)));
    let portfolio = world.portfolio();
    let ix = portfolio.find_subscription("late").expect("named");
    assert_eq!(portfolio.subscription(ix).life.created(), None);
    let flow = ask(&world, "2024-03-01", "2024-03-31", &Filter::default()).2.expect("both are told");
    assert_eq!((units(flow.starting), units(flow.churned), flow.subscriptions_churned), (13.0, 3.0, 2));
}

/// The features of everybody, on the as-of day.
fn features(portfolio: &Portfolio) -> Vec<FeatureVector> {
    let Some(as_of) = portfolio.as_of() else { return Vec::new() };
    let kernel = Kernel::new(portfolio, &VolumeScale::fit(portfolio, as_of));
    let mut at = kernel.at(as_of, Usual::of(&kernel, portfolio, as_of));
    portfolio.subscription_indices().map(|ix| at.features(&History::of(portfolio, ix))).collect()
}

/// Every figure but revenue.
fn figures(portfolio: &Portfolio, period: Period, filter: &Filter) -> Vec<String> {
    let lists = [Bucket::Day, Bucket::Week, Bucket::Month].map(|bucket| {
        let (churn, retention) = (churn(portfolio, period, bucket, filter), retention(portfolio, period, bucket, filter));
        format!("{churn:?} {retention:?} {:?}", customer_count(portfolio, period, bucket, filter))
    });
    let quantity = Measure::Quantity { unit: None };
    let of_one = |ix| subscription_history(portfolio, period, filter, ix);
    let rest = [
        format!("{:?}", (portfolio.as_of(), portfolio.first_day(), portfolio.has_cost(), portfolio.usage_rows(), portfolio.series())),
        format!("{:?} {:?}", portfolio.subscriptions(), portfolio.customers()),
        format!("{:?}", summary(portfolio, period, filter)),
        format!("{:?}", without_usage(portfolio, period, filter)),
        format!("{:?}", top_customers(portfolio, period, filter, &Measure::Cost, 5)),
        format!("{:?}", top_customers(portfolio, period, filter, &quantity, 5)),
        format!("{:?}", categories(portfolio, period, filter)),
        format!("{:?}", cohorts(portfolio, period, filter)),
        format!("{:?}", anomalies(portfolio, period, filter)),
        format!("{:?}", expiring(portfolio, filter)),
        format!("{:?}", gaps(portfolio, period)),
        format!("{:?}", portfolio.subscription_indices().map(of_one).collect::<Vec<_>>()),
        format!("{:?}", Ranking::without_model(portfolio).rows()),
        format!("{:?}", features(portfolio)),
    ];
    lists.into_iter().chain(rest).collect()
}

/// Whom the tables name without usage by the month.
fn knows(world: &World, id: &str) -> bool {
    world.subscriptions.iter().any(|row| row.subscription_id.as_str() == id)
        || world.lifecycle.iter().any(|(of, _)| of.as_str() == id)
        || world.usage.keys().any(|(of, ..)| of == id)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, rng_seed: RngSeed::Fixed(2), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn revenue_with_months_is_that_of_the_slow_and_obvious_way(world in any_world_by_month(), period in any_period(), raw in any_filter()) {
        check_revenue(&world, period, &raw);
        check_revenue(&world, period, &RawFilter::default());
        check_revenue(&world, period, &RawFilter { category: vec!["Backup".to_owned()], ..raw });
    }

    #[test]
    fn usage_by_the_month_changes_no_figure_but_revenue(world in any_world_by_month(), period in any_period(), raw in any_filter()) {
        let monthly = world.monthly.iter().filter(|((id, ..), _)| knows(&world, id)).map(|(key, row)| (key.clone(), *row)).collect();
        let world = World { monthly, ..world };
        let without = World { monthly: BTreeMap::new(), ..world.clone() };
        let (with, without) = (world.portfolio(), without.portfolio());
        for filter in [Filter::default(), filter(&raw)] {
            prop_assert_eq!(figures(&with, period, &filter), figures(&without, period, &filter));
        }
    }
}

#[test]
fn random_tables_reach_months_of_both_kinds() {
    let config = ProptestConfig { rng_seed: RngSeed::Fixed(2), failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = TestRunner::new(config);
    let mut seen = BTreeMap::new();
    for _ in 0..300 {
        let (world, period) = (any_world_by_month(), any_period()).new_tree(&mut runner).expect("a tree").current();
        let oracle = ByMonths::new(&world, &RawFilter::default());
        if oracle.revenue(period).is_some() {
            *seen.entry(oracle.by_month(period)).or_insert(0) += 1;
        }
    }
    for kinds in [[false, false], [false, true], [true, false], [true, true]] {
        assert!(seen.get(&Some(kinds)).is_some_and(|times| *times >= 10), "{seen:?}");
    }
}

#[test]
fn a_download_by_the_month_stands_before_days_of_an_export() {
    const USED: &str = "5ab50071-1b20-4d00-9b00-000000005071";
    let desk = Desk::new();
    let fixture = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/insights-azure-usage/input");
    let mut request = desk.request(&[fixture]);
    request.max_rejects = 1.0;
    request.reading.exported_on = Some(day("2026-06-30"));
    request.currency = Some(Currency::parse("USD").expect("a currency"));
    import(&request).unwrap_or_else(|error| panic!("{}", sentence(&error)));
    let rows: Vec<String> = (1..=30).map(|on| format!("{USED},2026-06-{on:02},Virtual Machines,Hours,24,1.5\n")).collect();
    desk.accept(&[desk.usage("june.csv", &rows.concat())]);

    let portfolio = load(&desk.lake(), 0).unwrap_or_else(|error| panic!("{}", sentence(&error)));
    assert_eq!((portfolio.first_day(), portfolio.usage_rows()), (Some(day("2026-06-01")), 30));
    let months: Vec<_> = portfolio.monthly_usage().months().iter().map(|told| told.month.to_string()).collect();
    assert_eq!(months, ["2026-04-01", "2026-05-01"]);
    let june = Period::new(day("2026-06-01"), day("2026-06-30")).expect("forwards");
    let seen = revenue_retention(&portfolio, june, &Filter::default());
    assert_eq!((seen.start_known_days, seen.end_known_days), (31, 30));
    // May: 0.5 and 43.776 (and credits of 0.2 of one who had nothing else) over 31 days.
    let flow = seen.flow.expect("May is told by the month");
    assert_eq!((flow.starting, flow.ending, flow.churned), (MicrosSum(1_428_258), MicrosSum(1_500_000), MicrosSum(1_412_129)));

    // Only a cache can answer from here on.
    for table in ["usage_daily", "usage_monthly"] {
        for entry in fs::read_dir(desk.lake().join(table)).expect("a table").map(|entry| entry.expect("an entry")) {
            if entry.file_name().to_string_lossy().starts_with("month=") {
                fs::remove_dir_all(entry.path()).expect("a month");
            }
        }
    }
    assert!(load(&desk.lake(), 1).is_err(), "the tables have no rows left");
    assert_eq!(load(&desk.lake(), 0).expect("from the cache"), portfolio);
}
