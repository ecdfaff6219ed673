//! Labels: who left, who only paused, and of whom nobody can say.

use churn_risk::domain::{Day, Event, EventKind, HorizonDays};
use churn_risk::features::{Kernel, VolumeScale};
use churn_risk::model::{Censored, Label, Labelled, Labeller, Question};

use crate::support::worlds::{World, day, subscription_id};

/// The first of 200 days of data.
const FIRST: &str = "2024-01-01";

fn on(offset: i32) -> Day {
    day(FIRST) + offset
}

/// 200 days in which `feed`, of another customer, is used every day outside `gaps`.
fn world(gaps: std::ops::Range<i32>) -> World {
    let mut world = World { version: 1, ..World::default() };
    world.subscription("feed", "other", Some(FIRST));
    for offset in (0..200).filter(|offset| !gaps.contains(offset)) {
        world.used("feed", &on(offset).to_string(), 1);
    }
    for customer in ["c", "other"] {
        world.customer(customer, None, None);
    }
    world.subscription("s", "c", Some(FIRST));
    world
}

fn use_daily(world: &mut World, id: &str, days: std::ops::Range<i32>) {
    for offset in days {
        world.used(id, &on(offset).to_string(), 2);
    }
}

fn event(world: &mut World, id: &str, offset: i32, kind: EventKind, reason: Option<&str>) {
    world.lifecycle.push((subscription_id(id), Event { on: on(offset), kind, reason: reason.map(str::to_owned) }));
}

fn question(label: Label) -> Question {
    Question {
        label,
        churn_reasons: Vec::new(),
        horizon_days: HorizonDays::new(30).expect("a month"),
        lead_days: 0,
        grace_days: 7,
        active_window_days: (label == Label::Silence).then_some(28),
        min_age_days: 0,
    }
}

#[track_caller]
fn check(world: &World, question: &Question, as_of: i32, expected: Labelled) {
    let portfolio = world.portfolio();
    let kernel = Kernel::new(&portfolio, &VolumeScale::Cost);
    let labeller = Labeller::new(&portfolio, &kernel, question);
    let ix = portfolio.find_subscription("s").expect("in the world");
    assert!(labeller.has_row(ix, on(as_of)));
    assert_eq!(labeller.label(ix, on(as_of)), expected, "{as_of}");
}

#[test]
fn a_deprovisioning_counts_in_the_window_after_the_as_of_day() {
    let mut world = world(0..0);
    event(&mut world, "s", 100, EventKind::Ended, None);
    let question = question(Label::Status);
    check(&world, &question, 69, Labelled::Stays);
    check(&world, &question, 70, Labelled::Leaves);
    check(&world, &question, 99, Labelled::Leaves);
}

#[test]
fn a_suspension_that_recovers_within_the_grace_days_is_no_churn() {
    for (back, expected) in [(107, Labelled::Stays), (108, Labelled::Leaves)] {
        let mut world = world(0..0);
        event(&mut world, "s", 100, EventKind::Suspended, None);
        event(&mut world, "s", back, EventKind::Reactivated, None);
        check(&world, &question(Label::Status), 80, expected);
    }
}

#[test]
fn a_window_that_passes_the_end_of_data_is_censored_with_its_grace_days() {
    let world = world(0..0);
    // The last day of data is 199: 199 - 30 - 7 is the last as-of day whose label is known.
    check(&world, &question(Label::Status), 162, Labelled::Stays);
    check(&world, &question(Label::Status), 163, Labelled::Censored(Censored::Window));
}

#[test]
fn an_end_for_another_reason_is_censored_where_reasons_are_named() {
    let mut world = world(0..0);
    event(&mut world, "s", 100, EventKind::Ended, Some("completed"));
    let named = Question { churn_reasons: vec!["cancelled".to_owned()], ..question(Label::Status) };
    check(&world, &named, 80, Labelled::Censored(Censored::Reason));
    check(&world, &named, 60, Labelled::Stays);
    check(&world, &Question { churn_reasons: vec!["completed".to_owned()], ..named }, 80, Labelled::Leaves);
    check(&world, &question(Label::Status), 80, Labelled::Leaves);
}

#[test]
fn who_leaves_in_the_lead_days_is_censored() {
    let mut world = world(0..0);
    event(&mut world, "s", 100, EventKind::Ended, None);
    let late = Question { lead_days: 10, ..question(Label::Status) };
    check(&world, &late, 90, Labelled::Censored(Censored::Lead));
    check(&world, &late, 89, Labelled::Leaves);
    check(&world, &late, 59, Labelled::Stays);
}

#[test]
fn silence_is_no_usage_day_in_the_window_and_gaps_count_neither_way() {
    let mut world = world(110..114);
    use_daily(&mut world, "s", 0..101);
    check(&world, &question(Label::Silence), 70, Labelled::Stays);
    check(&world, &question(Label::Silence), 100, Labelled::Leaves);
    let mut mostly_gaps = self::world(105..113);
    use_daily(&mut mostly_gaps, "s", 0..101);
    check(&mostly_gaps, &question(Label::Silence), 100, Labelled::Censored(Censored::Gaps));
    // 8 of the 30 days from 84 on are gaps, and 7 of those from 82 on.
    check(&mostly_gaps, &question(Label::Status), 83, Labelled::Censored(Censored::Gaps));
    check(&mostly_gaps, &question(Label::Status), 81, Labelled::Stays);
}

#[test]
fn a_new_subscription_of_the_customer_that_takes_over_makes_it_a_migration() {
    for (used, expected) in [(95..200, Labelled::Migrates), (60..200, Labelled::Leaves), (120..200, Labelled::Leaves)] {
        let mut world = world(0..0);
        use_daily(&mut world, "s", 0..100);
        event(&mut world, "s", 100, EventKind::Ended, None);
        world.subscription("heir", "c", Some(&on(used.start).to_string()));
        use_daily(&mut world, "heir", used);
        check(&world, &question(Label::Status), 80, expected);
        check(&world, &question(Label::Silence), 99, expected);
    }
}
