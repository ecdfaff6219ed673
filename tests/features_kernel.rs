//! Features: what the catalogue says in words, by hand; nothing of the future; always finite.

use churn_risk::domain::{Day, EventKind, State};
use churn_risk::features::{FEATURES, FeatureVector, History, Kernel, SeriesScale, Usual, VolumeScale, catalogue};
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
    let kernel = Kernel::new(portfolio, scale);
    kernel.at(as_of, Usual::of(&kernel, portfolio, as_of)).features(&History::of(portfolio, ix)).values().to_vec()
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
            // Of the two silences so far only that of 20 days was longer than the present one.
            ("longer_silences", (1.5_f64 / 3.0).ln()),
            ("fading_use_28", (-10.0_f64 / 28.0).exp() + (-20.0_f64 / 28.0).exp() + (-40.0_f64 / 28.0).exp()),
            ("activity_against_life", ((2.0 / 28.0 + 0.01) / (3.0 / 100.0 + 0.01_f64)).ln()),
            ("categories_silent", 0.0),
            ("largest_share_84", 1.0),
            ("entropy_84", 0.0),
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
    check(&row, &[("active_share_84", 1.0), ("volume_84", 2.0), ("young", 1.0), ("variation_84", 0.0)]);
    check(&row, &[("longest_silence_84", 0.0), ("volume_trend_14", 0.0), ("last_7_of_best_7", 1.0)]);
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

/// `feed` is used on all of its 100 days, `s` on the days that end 10, 20 and 40 days before the
/// last: what is told against the usual is told against the mean of the two.
#[test]
fn what_grows_with_the_data_is_told_against_what_is_usual() {
    let mut world = world(&[]);
    use_on(&mut world, &[(10, 4), (20, 2), (40, 6)]);
    let portfolio = world.portfolio();
    let [own, other] = ["s", "feed"].map(|id| row(&portfolio, &VolumeScale::Cost, id, day(LAST)));
    let fading = |ages: &mut dyn Iterator<Item = i32>| ages.map(|age| (-f64::from(age) / 180.0).exp()).sum::<f64>().ln_1p();
    let numbers = [
        ("usage_days_relative", 3.0_f64.ln_1p(), 100.0_f64.ln_1p()),
        ("usage_share_life_relative", (4.0_f64 / 48.0).ln(), (101.0_f64 / 107.0).ln()),
        ("volume_life_relative", 12.0_f64.ln_1p(), 100.0_f64.ln_1p()),
        ("fading_use_180_relative", fading(&mut [10, 20, 40].into_iter()), fading(&mut (0..100))),
        ("longest_silence_relative", 20.0_f64.ln_1p(), 1.0_f64.ln_1p()),
        ("long_silences_relative", 0.0, 0.0),
        ("tenure_relative", 99.0_f64.ln_1p(), 99.0_f64.ln_1p()),
    ];
    for (name, of_s, of_feed) in numbers {
        let usual = f64::midpoint(of_s, of_feed);
        let at = catalogue::index(name);
        assert!(
            (own[at] - (of_s - usual)).abs() < 1e-12 && (other[at] - (of_feed - usual)).abs() < 1e-12,
            "{name}: {} {}",
            own[at],
            other[at]
        );
    }
    // The slopes of a subscription and of the portfolio: `feed` has none.
    let slope = catalogue::index("volume_slope_28_relative");
    assert!(own[slope] < 0.0 && (own[slope] + other[slope]).abs() < 1e-12);
}

#[test]
fn nobody_else_makes_everybody_usual_and_silent_ones_do_not_count() {
    let mut world = world(&[]);
    use_on(&mut world, &[(29, 4), (30, 4)]);
    let portfolio = world.portfolio();
    // `s` was last used 29 days before, so `feed` alone is what is usual.
    let [own, other] = ["s", "feed"].map(|id| row(&portfolio, &VolumeScale::Cost, id, day(LAST)));
    let at = catalogue::index("usage_days_relative");
    assert!(other[at].abs() < 1e-12 && (own[at] - (2.0_f64.ln_1p() - 100.0_f64.ln_1p())).abs() < 1e-12);
    let ix = portfolio.find_subscription("s").expect("in the world");
    let kernel = Kernel::new(&portfolio, &VolumeScale::Cost);
    assert!(kernel.at(day(LAST), Usual::UNKNOWN).features(&History::of(&portfolio, ix)).values()[at].abs() < 1e-12);
}

#[test]
fn a_customers_other_subscriptions_count_by_day_of_use_and_by_loss() {
    let mut world = world(&[]);
    for (id, left) in [("t", None), ("u", Some("2024-05-01")), ("v", Some("2024-03-01"))] {
        world.subscription(id, "c", Some("2024-01-01"));
        if let Some(left) = left {
            world.event(id, left, EventKind::Ended);
        }
    }
    // Of `t`: 2 days in the last 28 and 5 in the 28 before; `feed` has 28 and 28.
    for age in [0, 27, 28, 30, 40, 50, 55, 56] {
        world.used("t", &(day(LAST) - age).to_string(), 1);
    }
    let portfolio = world.portfolio();
    check(
        &row(&portfolio, &VolumeScale::Cost, "s", day(LAST)),
        &[("siblings", 2.0), ("siblings_trend_28", (31.0_f64 / 34.0).ln()), ("siblings_lost_90", 1.0)],
    );
    check(
        &row(&portfolio, &VolumeScale::Cost, "t", day(LAST)),
        &[("siblings", 2.0), ("siblings_trend_28", 0.0), ("siblings_lost_90", 1.0)],
    );
    // Before the end of `u` it is one of the active ones.
    check(&row(&portfolio, &VolumeScale::Cost, "s", day("2024-04-30")), &[("siblings", 3.0), ("siblings_lost_90", 1.0)]);
}

/// `old` is used every day until the 20th day before the last; what its customer begins then counts
/// where it is new and large enough, and not before it has begun.
#[test]
fn usage_that_went_over_to_a_new_subscription_is_known_from_the_day_after() {
    let last_used = day(LAST) - 20;
    let over = |begins: i32, units: i64, customer: &str| {
        let mut world = world(&[]);
        world.subscription("old", "mover", Some("2024-01-01"));
        world.subscription("new", customer, Some("2024-01-01"));
        for age in 0..80 {
            world.used("old", &(last_used - age).to_string(), 10);
        }
        for offset in begins..=20 {
            world.used("new", &(last_used + offset).to_string(), units);
        }
        let portfolio = world.portfolio();
        [0, 1, 20].map(|after| {
            let row = row(&portfolio, &VolumeScale::Cost, "old", last_used + after);
            row[FEATURES.iter().position(|feature| feature.name == "handed_over").expect("a feature")] > 0.5
        })
    };
    assert_eq!(over(1, 5, "mover"), [false, true, true]);
    // Less than half, more than twice, older than 14 days, later than 14 days, somebody else's.
    for nothing in [over(1, 4, "mover"), over(1, 21, "mover"), over(-20, 5, "mover"), over(15, 5, "mover"), over(1, 5, "other")] {
        assert_eq!(nothing, [false; 3]);
    }
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
        // Rows and events that contradict each other about a creation, and a customer that is told
        // later: no table of that day knew it so.
        let same = |ix| later.find_subscription(earlier.subscription(ix).id.as_str()).expect("it is in all of the tables");
        let known_later = later.subscription_indices().filter(|ix| later.state_at(*ix, as_of) != State::None).count();
        let known_then = earlier.subscription_indices().filter(|ix| earlier.state_at(*ix, as_of) != State::None).count();
        let customer = |portfolio: &Portfolio, ix| portfolio.customer(portfolio.subscription(ix).customer).id.clone();
        let told_otherwise = |ix| {
            earlier.state_at(ix, as_of) != later.state_at(same(ix), as_of) || customer(&earlier, ix) != customer(&later, same(ix))
        };
        if known_later != known_then || earlier.subscription_indices().any(told_otherwise) {
            return Ok(());
        }
        let (before, after) = (Kernel::new(&earlier, &scale), Kernel::new(&later, &scale));
        let usual = (Usual::of(&before, &earlier, as_of), Usual::of(&after, &later, as_of));
        let (mut before, mut after) = (before.at(as_of, usual.0), after.at(as_of, usual.1));
        for ix in earlier.subscription_indices().filter(|ix| earlier.state_at(*ix, as_of) == State::Active) {
            let (known, told) = (before.features(&History::of(&earlier, ix)), after.features(&History::of(&later, same(ix))));
            prop_assert_eq!(known, told, "{} on {}", earlier.subscription(ix).id.as_str(), as_of);
        }
    }

    /// Bit for bit, with gaps of the feed, lives that begin between the days, and days that are
    /// left out, repeated, out of order, or outside the data.
    #[test]
    fn rolling_over_days_gives_the_rows_of_each_day_alone(
        world in any_world(),
        mut days in proptest::collection::vec(-20..260_i32, 1..9),
        (ascending, left_out) in (proptest::bool::weighted(0.8), 2..9_i32),
    ) {
        if ascending {
            days.sort_unstable();
        }
        let days: Vec<Day> = days.into_iter().map(|offset| day("2023-12-18") + offset).collect();
        let portfolio = world.portfolio();
        let Some(last) = portfolio.as_of() else { return Ok(()) };
        let kernel = Kernel::new(&portfolio, &VolumeScale::fit(&portfolio, last));
        let usual = Usual::of_days(&kernel, &portfolio, &days);
        let mut roll = kernel.roll(days.iter().copied().zip(usual.iter().copied()));
        let mut alone: Vec<_> = days
            .iter()
            .zip(&usual)
            .map(|(day, usual)| {
                assert_eq!(*usual, Usual::of(&kernel, &portfolio, *day), "on {day}");
                kernel.at(*day, *usual)
            })
            .collect();
        let bits = |row: &FeatureVector| row.values().iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        for ix in portfolio.subscription_indices() {
            let history = History::of(&portfolio, ix);
            let (mut at, mut seen) = (0.., 0);
            let wanted = |on: Day| at.next().filter(|_| (on.epoch_days() + ix.0.cast_signed()) % left_out != 0);
            roll.features(&history, wanted, |at: usize, row| {
                assert_eq!(bits(row), bits(&alone[at].features(&history)), "{} on {}", portfolio.subscription(ix).id.as_str(), days[at]);
                seen += 1;
            });
            let expected = days.iter().filter(|on| (on.epoch_days() + ix.0.cast_signed()) % left_out != 0).count();
            prop_assert_eq!(seen, expected);
        }
    }

    #[test]
    fn every_feature_is_finite_whatever_the_tables_hold(world in any_world(), ahead in -100..30_i32) {
        let portfolio = world.portfolio();
        let Some(last) = portfolio.as_of() else { return Ok(()) };
        for scale in [VolumeScale::Cost, VolumeScale::fit(&portfolio, last), VolumeScale::Quantity(Vec::new())] {
            let kernel = Kernel::new(&portfolio, &scale);
            let mut at = kernel.at(last + ahead, Usual::of(&kernel, &portfolio, last + ahead));
            for ix in portfolio.subscription_indices() {
                let row = at.features(&History::of(&portfolio, ix));
                for (feature, value) in FEATURES.iter().zip(row.values()) {
                    prop_assert!(value.is_finite(), "{} is {value}", feature.name);
                }
            }
        }
    }
}
