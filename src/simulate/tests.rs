//! What a made-up portfolio promises: known hazards, lives without contradictions, no usage
//! outside of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::*;
use crate::domain::{EventKind, State, Timeline};

fn plan(subscriptions: u32, days: u32, seed: u64) -> Plan {
    let until = Day::from_ymd(2026, 10, 31).expect("a date");
    Plan::new(subscriptions, days, seed, until).expect("in bounds")
}

fn lives(partner: &Partner) -> Vec<Timeline> {
    partner
        .events()
        .map(|(number, events)| {
            let (life, errors) = Timeline::build(None, events);
            assert_eq!(errors, [], "subscription {number}");
            life
        })
        .collect()
}

/// Counts against what the known hazards lead to expect, within four standard deviations of a
/// Poisson count: a right simulation fails once in 16,000 seeds, and the seed is fixed.
#[track_caller]
fn check(what: &str, seen: u32, expected: f64) {
    let tolerance = 4.0 * expected.sqrt();
    assert!(expected > 200.0, "{what}: {expected} expected are too few to tell");
    assert!((f64::from(seen) - expected).abs() < tolerance, "{what}: {seen} seen, {expected:.0} +- {tolerance:.0} expected");
}

#[test]
fn realised_hazards_are_the_known_ones() {
    let partner = Partner::new(plan(30_000, 365, 11));
    let (first, until) = (partner.plan().first_day(), partner.plan().until());
    let (mut cancelled, mut expired, mut suspended) = (0, 0, 0);
    let (mut cancelled_expected, mut expired_expected, mut suspended_expected) = (0.0, 0.0, 0.0);
    for ((truth, life), (number, events)) in partner.truths().zip(lives(&partner)).zip(partner.events()) {
        let days = f64::from(partner.days_at_risk(number));
        cancelled_expected += days * truth.known.cancelled_per_day;
        suspended_expected += days * truth.known.suspended_per_day;
        let left = truth.left.filter(|(on, _)| *on <= until).map(|(_, kind)| kind);
        cancelled += u32::from(left == Some(LeaveKind::Cancelled));
        expired += u32::from(left == Some(LeaveKind::Expired));
        let within = |event: &&Event| first <= event.on && event.on <= until;
        suspended += events.iter().filter(within).filter(|event| event.kind == EventKind::Suspended).count();
        // A term end that was met active ended in a renewal or in an expiry.
        let renewals = life.renewals().iter().filter(|on| first <= **on && life.state_at(**on - 1) == State::Active).count();
        let met = renewals + usize::from(left == Some(LeaveKind::Expired));
        expired_expected += met as f64 * truth.known.expiry_per_term_end;
    }
    check("cancellations", cancelled, cancelled_expected);
    check("expiries", expired, expired_expected);
    check("suspensions", u32::try_from(suspended).expect("few"), suspended_expected);
}

#[test]
fn suspensions_are_survived_as_often_as_they_should_be() {
    let partner = Partner::new(plan(30_000, 365, 12));
    // Those of the last 30 days may still be open.
    let last = partner.plan().until() - 30;
    let (mut survived, mut all) = (0, 0);
    for life in lives(&partner) {
        let recovered: Vec<Day> = life.recoveries().collect();
        for left in life.deprovisionings().filter(|left| left.to == State::Suspended && left.on <= last) {
            all += 1;
            survived += u32::from(recovered.iter().any(|back| left.on < *back));
        }
    }
    // Trials that end while suspended are not survived: a fraction of a percent.
    check("recoveries", survived, f64::from(all) * HAZARDS.recovery_share);
}

#[test]
fn a_year_loses_about_18_percent_and_uses_about_60_percent_of_the_days() {
    let partner = Partner::new(plan(10_000, 365, 1));
    let until = partner.plan().until();
    let left = partner.truths().filter(|truth| truth.left.is_some_and(|(on, _)| on <= until)).count();
    assert!((1_600..2_100).contains(&left), "{left}");
    let used: usize = partner.plan().each_day().map(|day| used_on(&partner, day).len()).sum();
    let share = used as f64 / (10_000.0 * 365.0);
    assert!((0.55..0.65).contains(&share), "{share}");
}

/// Rows by subscription on a day.
fn used_on(partner: &Partner, day: Day) -> BTreeMap<u32, Vec<Use>> {
    let mut by_subscription: BTreeMap<u32, Vec<Use>> = BTreeMap::new();
    for row in partner.usage_on(day) {
        by_subscription.entry(row.subscription).or_default().push(row);
    }
    by_subscription
}

#[test]
fn usage_lies_on_active_days_alone_and_a_row_a_key() {
    let partner = Partner::new(plan(3_000, 300, 2));
    let lives = lives(&partner);
    let left: HashMap<u32, Day> = partner.truths().filter_map(|truth| Some((truth.subscription, truth.left?.0))).collect();
    for day in partner.plan().each_day() {
        for (number, rows) in used_on(&partner, day) {
            assert_eq!(lives[number as usize].state_at(day), State::Active, "subscription {number} on {day}");
            assert!(left.get(&number).is_none_or(|gone| day < *gone));
            assert!(rows.iter().all(|row| row.quantity.0 > 0 && row.cost.0 >= 0));
            assert!(rows.len() == 1 || rows.len() == 2 && rows[0].series != rows[1].series, "subscription {number} on {day}");
        }
    }
    assert_eq!(partner.usage_on(partner.plan().first_day() - 1).count() + partner.usage_on(partner.plan().until() + 1).count(), 0);
}

#[test]
fn the_truth_is_the_last_deprovisioning_that_is_not_recovered() {
    let partner = Partner::new(plan(5_000, 365, 3));
    let until = partner.plan().until();
    for (truth, life) in partner.truths().zip(lives(&partner)) {
        let told = truth.left.map(|(on, _)| on).filter(|on| *on <= until);
        let last = life.deprovisionings().last().map(|left| left.on);
        let back = life.recoveries().last();
        match told {
            Some(on) => assert_eq!((last, back.is_none_or(|back| back < on)), (Some(on), true)),
            // A suspension that is open on the last day and will be survived.
            None => assert!(last.is_none() || back >= last || life.state_at(until) == State::Suspended),
        }
        assert!(truth.fades_from.is_none_or(|from| told.is_none_or(|on| from < on)));
    }
}

#[test]
fn a_migration_moves_to_another_subscription_of_the_same_customer_within_14_days() {
    let partner = Partner::new(plan(20_000, 365, 4));
    let rows: Vec<SubscriptionRow> = partner.subscriptions().collect::<Result<_, _>>().expect("ids");
    let moved: Vec<(Truth, Day)> =
        partner.truths().filter_map(|truth| Some((truth, truth.left?.0))).filter(|(truth, _)| truth.successor.is_some()).collect();
    assert!(moved.len() > 200, "{}", moved.len());
    let mut in_time: HashMap<u32, Day> = HashMap::new();
    for (truth, gone) in &moved {
        let successor = truth.successor.expect("filtered");
        assert_eq!(truth.left.map(|(_, kind)| kind), Some(LeaveKind::Migrated));
        assert_eq!(rows[truth.subscription as usize].customer_id, rows[successor as usize].customer_id);
        in_time.insert(successor, *gone + 14);
    }
    let mut used = BTreeSet::new();
    for day in partner.plan().each_day() {
        used.extend(
            partner.usage_on(day).map(|row| row.subscription).filter(|number| in_time.get(number).is_some_and(|last| day <= *last)),
        );
    }
    // The rest never used anything, or hardly ever.
    assert!(used.len() * 100 > moved.len() * 90, "{} of {}", used.len(), moved.len());
}

#[test]
fn usage_fades_before_those_leavings_that_are_announced_and_no_other() {
    let partner = Partner::new(plan(6_000, 400, 5));
    let until = partner.plan().until();
    let mut volume: HashMap<(u32, bool), (i64, i32)> = HashMap::new();
    let gone: HashMap<u32, (Day, bool)> = partner
        .truths()
        .filter_map(|truth| Some((truth.subscription, (truth.left?.0, truth.fades_from.is_some()))))
        .filter(|(_, (on, _))| *on <= until && *on - 200 >= partner.plan().first_day())
        .collect();
    for day in partner.plan().each_day() {
        for row in partner.usage_on(day) {
            let Some((on, _)) = gone.get(&row.subscription) else { continue };
            let before = *on - day;
            if before <= 15 || (125..=200).contains(&before) {
                let sum = volume.entry((row.subscription, before <= 15)).or_default();
                sum.0 += row.quantity.0;
                sum.1 += 1;
            }
        }
    }
    let share_that_fell = |announced: bool| {
        let those: Vec<u32> = gone.iter().filter(|(_, (_, fades))| *fades == announced).map(|(number, _)| *number).collect();
        let daily = |number, late, days: f64| volume.get(&(number, late)).map_or(0.0, |(sum, _)| *sum as f64 / days);
        let used: Vec<u32> = those.into_iter().filter(|number| volume.contains_key(&(*number, false))).collect();
        let fell = used.iter().filter(|number| daily(**number, true, 15.0) < 0.3 * daily(**number, false, 76.0)).count();
        (fell as f64 / used.len() as f64, used.len())
    };
    let ((announced, many), (silent, others)) = (share_that_fell(true), share_that_fell(false));
    assert!(many > 100 && others > 60, "{many}, {others}");
    assert!(announced > 0.9 && silent < 0.4, "{announced} of the announced, {silent} of the others");
}

#[test]
fn a_portfolio_holds_one_of_each_kind() {
    let partner = Partner::new(plan(5_000, 365, 6));
    let rows: Vec<SubscriptionRow> = partner.subscriptions().collect::<Result<_, _>>().expect("ids");
    let owners: BTreeSet<_> = rows.iter().map(|row| row.customer_id.clone()).collect();
    let customers: Vec<CustomerRow> = partner.customers().collect::<Result<_, _>>().expect("ids");
    assert!(owners.len() < customers.len(), "no customer without a subscription");
    assert!(rows.iter().any(|row| row.is_trial == Some(true)) && rows.iter().any(|row| row.auto_renew == Some(false)));
    let ids: BTreeSet<_> = rows.iter().map(|row| row.subscription_id.clone()).collect();
    assert_eq!(ids.len(), rows.len());
    let mut used = vec![false; rows.len()];
    let mut series = vec![0_u32; SERIES.len()];
    for row in partner.plan().each_day().flat_map(|day| partner.usage_on(day).collect::<Vec<_>>()) {
        used[row.subscription as usize] = true;
        series[row.series] += 1;
    }
    assert!(series.iter().all(|rows| *rows > 0), "{series:?}");
    let unused = used.iter().filter(|used| !**used).count();
    assert!((150..450).contains(&unused), "{unused}");
}

#[test]
fn commitments_name_their_customer_and_some_end_around_the_last_day() {
    let partner = Partner::new(plan(5_000, 365, 7));
    let until = partner.plan().until();
    let owners: HashMap<_, _> =
        partner.subscriptions().map(|row| row.expect("ids")).map(|row| (row.subscription_id, row.customer_id)).collect();
    let rows: Vec<CommitmentRow> = partner.commitments().collect::<Result<_, _>>().expect("ids");
    let ids: BTreeSet<_> = rows.iter().map(|row| row.commitment_id.clone()).collect();
    assert!(ids.len() == rows.len() && (800..1_200).contains(&rows.len()), "{}", rows.len());
    for row in &rows {
        let owner = row.subscription_id.as_ref().map(|id| &owners[id]);
        assert!(owner.is_none_or(|owner| row.customer_id.as_ref() == Some(owner)));
        assert!(row.quantity.is_some_and(|quantity| quantity.0 > 0));
    }
    let ends_within =
        |from: i32, to: i32| rows.iter().filter(|row| row.ends_on.is_some_and(|on| (until + from..=until + to).contains(&on))).count();
    assert!(ends_within(-30, -1) > 5 && ends_within(0, 30) > 5, "{} {}", ends_within(-30, -1), ends_within(0, 30));
    assert!(rows.iter().any(|row| row.subscription_id.is_none()));
}

#[test]
fn a_plan_out_of_bounds_is_refused_with_its_number() {
    let until = Day::from_ymd(2026, 10, 31).expect("a date");
    assert_eq!(Plan::new(0, 10, 1, until), Err(PlanError::Subscriptions(0)));
    assert_eq!(Plan::new(10, 3_661, 1, until), Err(PlanError::Days(3_661)));
    let early = Day::from_ymd(1980, 1, 1).expect("a date");
    assert_eq!(Plan::new(10, 10, 1, early), Err(PlanError::Until(early)));
    assert!(Plan::new(1, 1, 1, until).is_ok_and(|plan| Partner::new(plan).usage_on(until).count() <= 2));
}
