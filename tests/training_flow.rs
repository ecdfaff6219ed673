//! Training as a whole: the same data give the same model, and what cannot be learnt is refused.

use churn_risk::domain::{EventKind, HorizonDays};
use churn_risk::model::{Label, Question};
use churn_risk::progress::Progress;
use churn_risk::training::{DaysError, TrainError, TrainRequest, train};

use crate::support::steady::Chance;
use crate::support::worlds::{World, day, subscription_id};

const SUBSCRIPTIONS: i32 = 240;

/// 300 days of 240 subscriptions. Every third leaves, from the 60th day on, and falls silent
/// some days before; the others have quiet weeks too.
pub(crate) fn leavers() -> World {
    let first = day("2024-01-01");
    let mut world = World { version: 1, ..World::default() };
    for at in 0..SUBSCRIPTIONS {
        let (id, customer) = (format!("s{at:03}"), format!("c{:02}", at % 40));
        world.subscription(&id, &customer, Some("2024-01-01"));
        let end = (at % 3 == 0).then_some(60 + at * 300 / SUBSCRIPTIONS);
        for offset in 0..300_i32 {
            let quiet = at % 5 == 0 && (offset / 9) % 11 == at % 11;
            if (offset + at) % 7 < 5 && !quiet && end.is_none_or(|end| offset < end - 24 - at % 6) {
                world.used(&id, &(first + offset).to_string(), 1 + i64::from(at % 4));
            }
        }
        if let Some(end) = end.filter(|end| *end < 300) {
            let event = churn_risk::domain::Event { on: first + end, kind: EventKind::Ended, reason: None };
            world.lifecycle.push((subscription_id(&id), event));
        }
    }
    world
}

pub(crate) fn request() -> TrainRequest {
    let question = Question {
        label: Label::Status,
        churn_reasons: Vec::new(),
        horizon_days: HorizonDays::new(30).expect("a month"),
        lead_days: 0,
        grace_days: 7,
        active_window_days: None,
        min_age_days: 0,
    };
    TrainRequest { question, further: Vec::new(), days: None, alpha: None, without: Vec::new() }
}

#[test]
fn the_same_data_give_the_same_bytes_and_the_same_card() {
    let portfolio = leavers().portfolio();
    let [one, two] = [(); 2].map(|()| train(&portfolio, &request(), None, Progress::Silent).expect("enough rows"));
    assert_eq!(one.model_bin, two.model_bin);
    assert_eq!(serde_json::to_vec(&one.card).expect("a card"), serde_json::to_vec(&two.card).expect("a card"));
    assert!(one.model.version().starts_with(&one.card.horizons[0].train.last_as_of.expect("days").to_string()));
}

#[test]
fn a_model_foresees_who_falls_silent_before_leaving() {
    let portfolio = leavers().portfolio();
    let trained = train(&portfolio, &request(), None, Progress::Silent).expect("enough rows");
    let (first, evaluation) = trained.card.main().zip(trained.card.evaluation()).expect("figures");
    let auc = evaluation.model.roc_auc;
    assert!(auc.value > 0.8 && auc.low < auc.high, "{auc:?}");
    assert!(evaluation.model.log_loss.value < evaluation.base_rate_rule.log_loss.value);
    assert!((evaluation.base_rate_rule.roc_auc.value - 0.5).abs() < 1e-12);
    assert!((evaluation.base_rate_rule.pr_auc.value - first.base_rate).abs() < 1e-12);
    assert_eq!(first.test.rows, trained.scored.len() as u64);
    assert!(first.train.last_as_of.expect("days") + 37 < first.test.first_as_of.expect("days"));
}

#[test]
fn too_little_to_train_on_is_told_with_the_counts_against_the_minimum() {
    let mut world = leavers();
    world.lifecycle.clear();
    let error = train(&world.portfolio(), &request(), None, Progress::Silent).expect_err("nobody leaves");
    assert!(error.is_too_little());
    let told = error.to_string();
    assert!(told.contains("0 churners among them (at least 30)"), "{told}");

    let nothing = train(&World::default().portfolio(), &request(), None, Progress::Silent).expect_err("no usage at all");
    assert!(nothing.is_too_little());
    assert!(nothing.to_string().contains("0 days of usage (at least 163: 84 of history"), "{nothing}");
}

#[test]
fn test_days_that_a_training_label_reaches_are_refused() {
    let portfolio = leavers().portfolio();
    let days = |text: &str| text.parse().expect("a range");
    let overlapping = (days("2024-04-01..2024-06-01/14"), days("2024-06-20..2024-08-20/14"));
    let asked = TrainRequest { days: Some(overlapping), ..request() };
    let error = train(&portfolio, &asked, None, Progress::Silent).expect_err("labels reach into the test days");
    assert!(matches!(error, TrainError::Days(DaysError::Overlap { .. })), "{error}");
    assert!(!error.is_too_little());
}

/// Usage that says nothing of who leaves: the lives of one subscription with the usage of
/// another. The figures on test rows must be those of chance.
#[test]
fn labels_that_have_nothing_to_do_with_the_features_give_an_auc_of_a_half() {
    let mut world = World { version: 1, ..World::default() };
    let mut chance = Chance::new(3);
    let first = day("2024-01-01");
    for at in 0..1_500_i32 {
        let id = format!("s{at:04}");
        world.subscription(&id, &format!("c{at:04}"), Some("2024-01-01"));
        let (rate, fades_from) = (chance.uniform(), 80.0 + chance.uniform() * 300.0);
        let end = (60.0 + chance.uniform() * 540.0).floor();
        for offset in 0..260_i32 {
            let rate = if f64::from(offset) > fades_from { rate / 4.0 } else { rate };
            if f64::from(offset) < end && chance.uniform() < rate {
                world.used(&id, &(first + offset).to_string(), 1);
            }
        }
        #[expect(clippy::cast_possible_truncation, reason = "a day below 600")]
        let end = end as i32;
        if (60..260).contains(&end) {
            let event = churn_risk::domain::Event { on: first + end, kind: EventKind::Ended, reason: None };
            world.lifecycle.push((subscription_id(&id), event));
        }
    }
    let portfolio = world.portfolio();
    let trained = train(&portfolio, &request(), None, Progress::Silent).expect("enough rows");
    let evaluation = trained.card.evaluation().expect("figures");
    let auc = evaluation.model.roc_auc;
    eprintln!("{auc:?} of {} rows, {} left", evaluation.model.rows, evaluation.model.actual_churners);
    assert!((auc.value - 0.5).abs() < 0.05 && auc.low < 0.5 && auc.high > 0.5, "{auc:?}");
    assert!(trained.card.grade > Some(churn_risk::model::Grade::A), "{:?}", trained.card.grade);
}
