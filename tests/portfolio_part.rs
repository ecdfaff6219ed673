//! A part of a portfolio is the portfolio of that part: as if the tables had never held anybody else.

use std::collections::BTreeSet;

use churn_risk::domain::Day;
use churn_risk::portfolio::Portfolio;
use proptest::prelude::*;

use crate::support::worlds::{World, any_world, any_world_by_month};

/// Somebody who is always in the part, and used on every day on which anybody is: the days of the feed
/// are then those of the part.
const BEAT: &str = "beat";

fn with_beat(mut world: World) -> World {
    let days: BTreeSet<Day> = world.usage.keys().map(|(_, on, ..)| *on).collect();
    world.customer("h0", None, None);
    world.subscription(BEAT, "h0", None);
    for day in days {
        world.used(BEAT, &day.to_string(), 1);
    }
    world
}

/// One reseller, one customer who mostly has no row, and the beat.
fn is_kept(id: &str, reseller: Option<&str>) -> bool {
    reseller == Some("r0") || ["c4", "h0"].contains(&id)
}

/// The tables without anybody else.
fn lone(world: &World) -> World {
    let reseller = |id: &str| world.customers.iter().find(|row| row.customer_id.as_str() == id).and_then(|row| row.reseller_id.as_deref());
    let mut lone = world.clone();
    lone.customers.retain(|row| is_kept(row.customer_id.as_str(), row.reseller_id.as_deref()));
    lone.subscriptions.retain(|row| is_kept(row.customer_id.as_str(), reseller(row.customer_id.as_str())));
    let kept: BTreeSet<String> = lone.subscriptions.iter().map(|row| row.subscription_id.to_string()).collect();
    lone.lifecycle.retain(|(id, _)| kept.contains(id.as_str()));
    lone.usage.retain(|(id, ..), _| kept.contains(id));
    lone.monthly.retain(|(id, ..), _| kept.contains(id));
    lone
}

fn costs(portfolio: &Portfolio) -> i128 {
    let months = portfolio.monthly_usage();
    let by_day = portfolio.subscription_indices().flat_map(|ix| portfolio.usage(ix).iter()).map(|point| i128::from(point.cost.0).abs());
    let by_month = months
        .months()
        .iter()
        .filter_map(|told| months.find(told.month))
        .flat_map(|month| portfolio.subscription_indices().map(move |ix| months.cost(ix, month, None).abs()));
    by_day.sum::<i128>() + by_month.sum::<i128>()
}

proptest! {
    #[test]
    fn a_part_is_the_portfolio_of_that_part(world in any_world()) {
        let world = with_beat(world);
        let part = world.portfolio().part(|customer| is_kept(&customer.id, customer.reseller_id.as_deref()));
        // The tables of the part may name a series of which no row is left up to the as-of day.
        prop_assert_eq!(part, lone(&world).portfolio().part(|_| true));
    }

    #[test]
    fn everybody_is_the_whole_and_nobody_is_empty(world in any_world_by_month()) {
        let whole = world.portfolio();
        let all = whole.part(|_| true);
        prop_assert_eq!((all.subscriptions(), all.customers()), (whole.subscriptions(), whole.customers()));
        prop_assert_eq!((all.usage_rows(), costs(&all), all.gaps()), (whole.usage_rows(), costs(&whole), whole.gaps()));
        prop_assert_eq!(all.part(|_| true), all);
        let nobody = whole.part(|_| false);
        prop_assert!(nobody.subscriptions().is_empty() && nobody.customers().is_empty() && nobody.series().is_empty());
        prop_assert_eq!(nobody.as_of(), whole.as_of());
    }

    #[test]
    fn without_costs_none_is_left(world in any_world_by_month()) {
        let whole = world.portfolio();
        let blind = whole.without_cost();
        prop_assert_eq!(costs(&blind), 0);
        prop_assert!(!blind.has_cost() && blind.hides_cost() && !whole.hides_cost());
        let (months, used) = (blind.monthly_usage(), blind.usage_rows());
        prop_assert!(months.months().iter().all(|told| !told.has_cost) && used == whole.usage_rows());
    }
}
