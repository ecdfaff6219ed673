//! From tables to a served list with a model that was trained on them.

use churn_risk::domain::{EventKind, HorizonDays};
use churn_risk::model::{Label, Promotion, Question, Registry};
use churn_risk::progress::Progress;
use churn_risk::training::{TrainRequest, train};

use crate::support::services::Served;
use crate::support::worlds::{World, day, subscription_id};

/// Subscriptions of [`leavers`].
const SUBSCRIPTIONS: i32 = 240;

/// The day, after the first, on which every third subscription leaves: from the 60th on, over the
/// whole of the data and beyond.
fn leaves(at: i32) -> Option<i32> {
    (at % 3 == 0).then_some(60 + at * 300 / SUBSCRIPTIONS)
}

/// 300 days of 240 subscriptions that are used on five days in seven. Each that leaves falls
/// silent 15 days before.
fn leavers() -> World {
    let first = day("2024-01-01");
    let mut world = World { version: 1, ..World::default() };
    for at in 0..SUBSCRIPTIONS {
        let (id, customer) = (format!("s{at:03}"), format!("c{:02}", at % 40));
        if at < 40 {
            world.customer(&customer, Some("DE"), None);
        }
        world.subscription(&id, &customer, Some("2024-01-01"));
        let end = leaves(at);
        for offset in 0..300_i32 {
            if (offset + at) % 7 < 5 && end.is_none_or(|end| offset < end - 15) {
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

#[test]
fn a_model_trained_on_the_tables_puts_those_who_are_leaving_first() {
    let world = leavers();
    let portfolio = world.portfolio();
    let question = Question {
        label: Label::Status,
        churn_reasons: Vec::new(),
        horizon_days: HorizonDays::new(30).expect("a month"),
        lead_days: 0,
        grace_days: 7,
        active_window_days: None,
        min_age_days: 0,
    };
    let further = vec![HorizonDays::new(60).expect("days")];
    let request = TrainRequest { question, further, days: None, alpha: None, without: Vec::new() };
    let trained = train(&portfolio, &request, None, Progress::Silent).expect("enough to train on");
    let served = Served::without_model(&world);
    let registry = Registry::open(served.models());
    registry.publish(&trained.model, &trained.model_bin, &trained.card).expect("a folder that can be written");
    registry.promote(trained.model.version(), &Promotion::Earned, portfolio.as_of().expect("used")).expect("a sound version");
    served.ask("POST", "/v1/model/reload", &[]).ok();

    // Silent, and not gone: they leave within the 15 days after the data.
    let leaving: Vec<String> =
        (0..SUBSCRIPTIONS).filter(|at| leaves(*at).is_some_and(|end| (300..308).contains(&end))).map(|at| format!("s{at:03}")).collect();
    let list = served.get(&format!("/v1/subscriptions/at-risk?limit={}", leaving.len())).ok();
    let mut first: Vec<&str> = list["data"].as_array().into_iter().flatten().filter_map(|row| row["subscription_id"].as_str()).collect();
    first.sort_unstable();
    assert_eq!(first, leaving);
    assert_eq!(list["meta"]["model_version"], trained.model.version());
    let card = served.get("/v1/model").ok();
    assert_eq!(card["data"]["population"], serde_json::to_value(&trained.card.population).expect("counts"));
    assert_eq!(card["data"]["drift"]["moved"][0]["name"], "risk");
    assert!(card["data"]["alarms"].is_array() && card["data"]["drift"]["rows"].as_u64() > Some(50), "{}", card["data"]["drift"]);
    let metrics = String::from_utf8(served.get("/metrics").body).expect("text");
    assert!(metrics.contains("churn_risk_model_drift_psi{name=\"risk\"}") && metrics.contains("churn_risk_model_alarms"), "{metrics}");
    a_risk_is_told_by_family_by_horizon_and_against_four_weeks_ago(&served, &leaving[0]);
}

fn a_risk_is_told_by_family_by_horizon_and_against_four_weeks_ago(served: &Served, id: &str) {
    let risk = |horizon: &str| served.get(&format!("/v1/subscriptions/{id}/risk{horizon}")).ok();
    let (month, longer) = (risk(""), risk("?horizon=60"));
    let number = |answer: &serde_json::Value, name: &str| answer["data"][name].as_f64().unwrap_or_else(|| panic!("{name} of {answer}"));
    assert_eq!((&month["meta"]["horizon_days"], &longer["meta"]["horizon_days"]), (&30.into(), &60.into()));
    assert!(number(&longer, "risk") >= number(&month, "risk"));
    for answer in [&month, &longer] {
        let families = answer["data"]["families"].as_array().expect("families");
        let sum: f64 = families.iter().filter_map(|family| family["contribution"].as_f64()).sum();
        assert!((number(answer, "base_log_odds") + sum - number(answer, "log_odds")).abs() < 1e-9);
        assert_eq!(families.len(), 7);
    }
    // Four weeks ago it was in use.
    let before = &month["data"]["counterfactual"];
    assert!(before["risk"].as_f64().expect("a risk") < number(&month, "risk") / 2.0, "{before}");
    let told = format!(" instead of {:.0} %", number(&month, "risk") * 100.0);
    assert!(before["sentence"].as_str().is_some_and(|sentence| sentence.ends_with(&told)), "{before}");
    served.get(&format!("/v1/subscriptions/{id}/risk?horizon=90")).problem(422);
    let list = served.get("/v1/subscriptions/at-risk?horizon=60&limit=1").ok();
    assert_eq!(list["meta"]["horizon_days"], 60);
}
