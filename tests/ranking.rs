//! The at-risk list: order, and nobody called safe for want of data.

use churn_risk::domain::{Micros, State};
use churn_risk::model::{ChurnModel, Question, RankedSubscription, Ranking, Standing, UnknownReason};
use churn_risk::portfolio::Portfolio;
use churn_risk::progress::Progress;
use churn_risk::training::{TrainRequest, train};

use crate::support::worlds::World;
use crate::training_flow::{leavers, request};

fn model(world: &World, question: Question) -> ChurnModel {
    train(&world.portfolio(), &TrainRequest { question, ..request() }, None, Progress::Silent).expect("enough rows").model
}

fn find(portfolio: &Portfolio, ranking: &Ranking, id: &str) -> Option<RankedSubscription> {
    let ix = portfolio.find_subscription(id)?;
    ranking.rows().iter().find(|row| row.subscription == ix).copied()
}

#[test]
fn the_list_falls_by_risk_then_cost_then_id_and_the_unknown_come_last() {
    let mut world = leavers();
    let model = model(&world, request().question);
    world.subscription("young", "c01", Some("2024-10-20"));
    world.used("young", "2024-10-25", 9);
    let portfolio = world.portfolio();
    let ranking = Ranking::compute(&portfolio, &model);
    let as_of = portfolio.as_of().expect("used");
    let active = portfolio.subscription_indices().filter(|ix| portfolio.state_at(*ix, as_of) == State::Active).count();
    assert_eq!(ranking.rows().len(), active);
    let key = |row: &RankedSubscription| match row.standing {
        Standing::Known { risk, .. } => (-risk.get(), -row.cost_30_days.0, row.subscription),
        Standing::Unknown { .. } => (1.0, -row.cost_30_days.0, row.subscription),
    };
    assert!(ranking.rows().is_sorted_by(|a, b| key(a) <= key(b)));
    let young = find(&portfolio, &ranking, "young").expect("active");
    assert_eq!(young.standing, Standing::Unknown { reason: UnknownReason::TooYoung { days: 6, least_days: 14 } });
    assert_eq!((young.cost_30_days, young.cost_at_risk()), (Micros(9_000_000), Micros(0)));
    let sum: i64 = ranking.rows().iter().map(|row| row.cost_at_risk().0).sum();
    assert_eq!(ranking.cost_at_risk(), Micros(sum));
}

#[test]
fn a_model_of_silence_says_unknown_of_those_who_are_silent_already() {
    let mut world = leavers();
    world.lifecycle.clear();
    world.subscription("never", "c01", Some("2024-01-01"));
    let question = Question { label: churn_risk::model::Label::Silence, active_window_days: Some(28), ..request().question };
    let model = model(&world, question);
    let portfolio = world.portfolio();
    let ranking = Ranking::compute(&portfolio, &model);
    let standing = |id: &str| find(&portfolio, &ranking, id).expect("active").standing;
    assert_eq!(standing("never"), Standing::Unknown { reason: UnknownReason::NoUsageYet });
    assert!(matches!(standing("s003"), Standing::Unknown { reason: UnknownReason::Silent { window_days: 28, .. } }));
    assert!(matches!(standing("s001"), Standing::Known { .. }));
}

#[test]
fn without_a_model_or_with_a_torn_feed_nobody_has_a_risk() {
    let mut world = leavers();
    let model = model(&world, request().question);
    let all_unknown = |ranking: &Ranking, wanted: fn(UnknownReason) -> bool| {
        !ranking.rows().is_empty()
            && ranking.rows().iter().all(|row| matches!(row.standing, Standing::Unknown { reason } if wanted(reason)))
    };
    let portfolio = world.portfolio();
    assert!(all_unknown(&Ranking::without_model(&portfolio), |reason| reason == UnknownReason::NoModel));
    let last = portfolio.as_of().expect("used");
    world.usage.retain(|(_, on, _, _), _| *on == last || *on < last - 8);
    let torn = Ranking::compute(&world.portfolio(), &model);
    assert!(all_unknown(&torn, |reason| reason == UnknownReason::Gap { gap_days: 8, of_days: 28 }));
    for (_, cost) in world.usage.values_mut() {
        *cost = None;
    }
    assert!(all_unknown(&Ranking::compute(&world.portfolio(), &model), |reason| reason == UnknownReason::NoCost));
}
