//! Features: what the catalogue says in words, by hand; nothing of the future; always finite.

use churn_risk::domain::{Day, EventKind, State};
use churn_risk::features::{FEATURES, History, Kernel, SeriesScale, VolumeScale, catalogue};
use churn_risk::portfolio::Portfolio;
use proptest::prelude::*;

use crate::support::worlds::{World, any_world, day};

/// The last day of the worlds made by hand: a Sunday.
const LAST: &str = "2024-06-30";

/// A world in which `feed` is used every day of the 100 that end on [`LAST`], but for `gaps`
/// (days before the last), and `s` was created on the first of them.
fn world(gaps: &[i32]) -> World {
    let mut world = World { version: 1, ..World::default() };
    let first = day(LAST) - 99;
    world.subscription("feed", "c", Some(&first.to_string()));
    world.subscription("s", "c", Some(&first.to_string()));
    for age in (0..100).filter(|age| !gaps.contains(age)) {
        world.used("feed", &(day(LAST) - age).to_string(), 1);
    }
    world
}

fn use_on(world: &mut World, ages: &[(i32, i64)]) {
    for (age, gigabytes) in ages {
        world.used("s", &(day(LAST) - *age).to_string(), *gigabytes);
    }
}

fn row(portfolio: &Portfolio, scale: &VolumeScale, id: &str, as_of: Day) -> Vec<f64> {
    let ix = portfolio.find_subscription(id).expect("in the world");
    Kernel::new(portfolio, scale).at(as_of).features(&History::of(portfolio, ix)).values().to_vec()
}

#[track_caller]
fn check(row: &[f64], expected: &[(&str, f64)]) {
    for (name, value) in expected {
        let seen = row[catalogue::index(name)];
        assert!((seen - value).abs() < 1e-12, "{name} is {seen}, and {value} by hand");
    }
}

#[test]
fn a_history_gives_the_numbers_that_a_hand_gives() {
    let mut world = world(&[]);
    use_on(&mut world, &[(10, 4), (20, 2), (40, 6)]);
    world.event("s", "2024-05-01", EventKind::Renewed);
    world.event("s", "2024-06-01", EventKind::Renewed);
    world.event("s", "2024-06-10", EventKind::Suspended);
    world.event("s", "2024-06-12", EventKind::Reactivated);
    let row = row(&world.portfolio(), &VolumeScale::Cost, "s", day(LAST));
    let floor: f64 = 0.05 * 12.0 / 84.0;
    check(
        &row,
        &[
            ("volume_7", 0.0),
            ("volume_14", 4.0 / 14.0),
            ("volume_28", 6.0 / 28.0),
            ("volume_84", 12.0 / 84.0),
            ("active_share_28", 2.0 / 28.0),
            ("days_since_usage", 10.0),
            // Two gaps of 10 and 20 days between three days of use.
            ("silence_against_usual", (11.0_f64 / 16.0).ln()),
            ("silence_surprise", -10.0 * (1.0_f64 - 3.5 / 85.0).ln()),
            ("volume_trend_14", ((4.0 / 14.0 + floor) / (2.0 / 14.0 + floor)).ln()),
            ("activity_change_28", 1.0 / 28.0),
            ("last_7_of_best_7", 0.0),
            // From the 41st to the 83rd day back.
            ("longest_silence_84", 43.0),
            // 20 and 10 June were a Thursday and a Monday; 21 May a Tuesday.
            ("weekend_share_84", 0.0),
            ("categories_28", 1.0),
            ("usage_days_life", 3.0),
            ("activity_against_life", ((2.0 / 28.0 + 0.01) / (3.0 / 100.0 + 0.01_f64)).ln()),
            ("categories_silent", 0.0),
            ("largest_share_84", 1.0),
            ("entropy_84", 0.0),
            ("tenure_days", 99.0),
            ("young", 0.0),
            // A term of 31 days, from 1 May to 1 June, ends on 2 July.
            ("days_to_term_end", 2.0),
            ("has_term", 1.0),
            ("days_since_renewal", 29.0),
            ("earlier_suspensions", 1.0),
        ],
    );
    // Three days of 4, 2 and 6: mean 4, variance 8/3.
    check(&row, &[("variation_84", (8.0_f64 / 3.0).sqrt() / 4.0)]);
}

#[test]
fn days_without_a_feed_are_unknown_and_not_zero() {
    let mut world = world(&[3, 4]);
    use_on(&mut world, &[(10, 4), (13, 1)]);
    let row = row(&world.portfolio(), &VolumeScale::Cost, "s", day(LAST));
    check(&row, &[("days_since_usage", 8.0), ("active_share_14", 2.0 / 12.0), ("volume_14", 5.0 / 12.0), ("volume_7", 0.0)]);
}

#[test]
fn a_young_subscription_is_measured_over_its_own_days() {
    let mut world = world(&[]);
    world.subscriptions.retain(|row| row.subscription_id.as_str() != "s");
    world.subscription("s", "c", Some(&(day(LAST) - 4).to_string()));
    use_on(&mut world, &[(0, 2), (1, 2), (2, 2), (3, 2), (4, 2)]);
    let row = row(&world.portfolio(), &VolumeScale::Cost, "s", day(LAST));
    check(&row, &[("active_share_84", 1.0), ("volume_84", 2.0), ("young", 1.0), ("tenure_days", 4.0), ("variation_84", 0.0)]);
    check(&row, &[("longest_silence_84", 0.0), ("volume_slope_84", 0.0), ("volume_trend_14", 0.0), ("last_7_of_best_7", 1.0)]);
}

#[test]
fn a_usual_day_of_any_category_counts_as_one_where_there_is_no_cost() {
    let mut world = world(&[]);
    use_on(&mut world, &[(0, 5)]);
    for (_, cost) in world.usage.values_mut() {
        *cost = None;
    }
    let portfolio = world.portfolio();
    let fitted = VolumeScale::fit(&portfolio, day(LAST));
    let usual = SeriesScale { category: "Storage".to_owned(), unit: "GB".to_owned(), median: 1.0 };
    assert_eq!(fitted, VolumeScale::Quantity(vec![usual]));
    check(&row(&portfolio, &fitted, "s", day(LAST)), &[("volume_7", 5.0 / 7.0)]);
    // A series that the scale does not know: a usage day is a usual day.
    check(&row(&portfolio, &VolumeScale::Quantity(Vec::new()), "s", day(LAST)), &[("volume_7", 1.0 / 7.0)]);
}

/// The tables as they stood at the end of `until`.
fn known(world: &World, until: Day) -> World {
    let mut known = world.clone();
    known.usage.retain(|(_, on, _, _), _| *on <= until);
    known.lifecycle.retain(|(_, event)| event.on <= until);
    known.subscriptions.retain(|row| row.created_on.is_none_or(|created| created <= until));
    for row in &mut known.subscriptions {
        (row.term_end_on, row.auto_renew, row.status) = (None, None, None);
    }
    known
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Rows, events and recorded term ends after the day, whatever they are, move no feature.
    #[test]
    fn nothing_of_the_future_moves_a_feature(world in any_world(), cut in 0..90_i32) {
        let whole = World { settle_days: 0, ..world };
        let earlier = known(&whole, day("2023-12-18") + cut).portfolio();
        let Some(as_of) = earlier.as_of() else { return Ok(()) };
        let later = whole.portfolio();
        let scale = VolumeScale::fit(&earlier, as_of);
        prop_assume!(earlier.has_cost() == later.has_cost());
        let (before, after) = (Kernel::new(&earlier, &scale), Kernel::new(&later, &scale));
        let (mut before, mut after) = (before.at(as_of), after.at(as_of));
        for ix in earlier.subscription_indices().filter(|ix| earlier.state_at(*ix, as_of) == State::Active) {
            let id = earlier.subscription(ix).id.as_str();
            let same = later.find_subscription(id).expect("it is in all of the tables");
            // An event `created` dated after the day says that it was not there yet: it has no row then.
            if later.state_at(same, as_of) != State::Active {
                continue;
            }
            prop_assert_eq!(before.features(&History::of(&earlier, ix)), after.features(&History::of(&later, same)), "{} on {}", id, as_of);
        }
    }

    #[test]
    fn every_feature_is_finite_whatever_the_tables_hold(world in any_world(), ahead in -100..30_i32) {
        let portfolio = world.portfolio();
        let Some(last) = portfolio.as_of() else { return Ok(()) };
        for scale in [VolumeScale::Cost, VolumeScale::fit(&portfolio, last), VolumeScale::Quantity(Vec::new())] {
            let kernel = Kernel::new(&portfolio, &scale);
            let mut at = kernel.at(last + ahead);
            for ix in portfolio.subscription_indices() {
                let row = at.features(&History::of(&portfolio, ix));
                for (feature, value) in FEATURES.iter().zip(row.values()) {
                    prop_assert!(value.is_finite(), "{} is {value}", feature.name);
                }
            }
        }
    }
}
