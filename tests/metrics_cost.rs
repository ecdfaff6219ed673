//! The cost of a period, beside the period before and by date.

use churn_risk::domain::{MicrosSum, Period};
use churn_risk::metrics::{Filter, RawFilter, summary, usage_cost};
use proptest::prelude::{ProptestConfig, prop_assert, prop_assert_eq, proptest};

use crate::metrics_by_hand::five_customers;
use crate::support::worlds::{any_filter, any_period, any_world, day, filter};

#[test]
fn the_cost_of_five_customers_is_what_a_hand_finds() {
    let portfolio = five_customers().portfolio();
    let february = Period::new(day("2024-02-01"), day("2024-02-29")).expect("forwards");
    let cost = usage_cost(&portfolio, february, &Filter::default()).expect("there is cost");
    // a1: 29 days of 2; b1: 3. Before: c1, 5.
    assert_eq!((cost.value, cost.preceding), (MicrosSum(61_000_000), MicrosSum(5_000_000)));
    assert_eq!(cost.growth, Some(56.0 / 5.0));
    assert_eq!(cost.series.len(), 29);
    assert_eq!((cost.series[4].value, cost.series[5].value), (MicrosSum(5_000_000), MicrosSum(2_000_000)));
    let german = filter(&RawFilter { country: vec!["FR".to_owned()], ..RawFilter::default() });
    let french = usage_cost(&portfolio, february, &german).expect("there is cost");
    assert_eq!((french.value, french.preceding, french.growth), (MicrosSum(0), MicrosSum(5_000_000), Some(-1.0)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Whatever is filtered: the series adds up to the value, which is that of the summary, and
    /// what precedes is what the period before cost.
    #[test]
    fn the_series_adds_up_and_agrees_with_the_summary(world in any_world(), period in any_period(), raw in any_filter()) {
        let portfolio = world.portfolio();
        let filter = filter(&raw);
        let told = summary(&portfolio, period, &filter).usage_cost;
        match usage_cost(&portfolio, period, &filter) {
            None => prop_assert!(told.is_none()),
            Some(cost) => {
                prop_assert_eq!(Some(cost.value), told);
                prop_assert_eq!(cost.series.iter().map(|point| point.value.0).sum::<i128>(), cost.value.0);
                prop_assert_eq!(Some(cost.preceding), summary(&portfolio, period.preceding(), &filter).usage_cost);
            }
        }
    }
}
