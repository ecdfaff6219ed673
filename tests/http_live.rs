//! What is imported while a service runs comes into service, whole and without a restart.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::lakes::Desk;
use crate::support::models;
use crate::support::services::{Served, forty};

/// How long a test waits for what the service does by itself.
const PATIENCE: Duration = Duration::from_mins(1);

fn day(number: u32) -> String {
    format!("s{number},2026-05-0{number},Storage,GB,{number},1\n")
}

#[test]
fn an_import_comes_into_service_when_asked_for_and_answers_say_their_version() {
    let desk = Desk::new();
    let served = Served::of_lake(&desk.lake(), None);
    served.get("/readyz").problem(503);
    assert_eq!(served.get("/v1/imports").ok()["data"], Value::Array(Vec::new()));
    for version in 1..=3 {
        let file = desk.usage(&format!("usage-{version}.csv"), &day(version));
        desk.import(&[file]).expect("a sound file");
        let before = served.get("/v1/imports").ok();
        assert_eq!(before["meta"]["table_version"], version - 1);
        let answer = served.ask("POST", "/v1/tables/reload", &[]).ok();
        assert_eq!(answer["data"]["table_version"], version);
        assert_eq!((&answer["data"]["previous_version"], &answer["data"]["changed"]), (&Value::from(version - 1), &Value::from(true)));
        let summary = served.get("/v1/summary?period=last_7_days").ok();
        assert_eq!((&summary["meta"]["table_version"], &summary["data"]["usage_cost"]), (&Value::from(version), &Value::from(version)));
    }
    assert_eq!(served.ask("POST", "/v1/tables/reload", &[]).ok()["data"]["changed"], false);
    let imports = served.get("/v1/imports").ok();
    let first = &imports["data"][2];
    assert_eq!((&first["import_id"], &first["rows_kept"], &first["first_day"]), (&1.into(), &1.into(), &"2026-05-01".into()));
    assert_eq!(first["files"][0]["name"], "usage-1.csv");
}

#[test]
fn an_import_comes_into_service_by_itself() {
    let desk = Desk::new();
    desk.import(&[desk.usage("one.csv", &day(1))]).expect("a sound file");
    let served = Served::of_lake(&desk.lake(), Some(Duration::from_millis(20)));
    desk.import(&[desk.usage("two.csv", &day(2))]).expect("a sound file");
    let began = Instant::now();
    while served.get("/v1/gaps").ok()["meta"]["table_version"] != 2 {
        assert!(began.elapsed() < PATIENCE, "the import never came into service");
    }
}

#[test]
fn a_promoted_model_comes_into_service_by_itself() {
    let desk = Desk::new();
    let world = forty();
    desk.import(&[desk.usage("one.csv", &day(1))]).expect("a sound file");
    let served = Served::of_lake(&desk.lake(), Some(Duration::from_millis(20)));
    served.get("/v1/model").problem(503);
    let portfolio = world.portfolio();
    let version = models::publish(served.models(), &portfolio, models::parts(&portfolio, 1.5));
    models::promote(served.models(), &version);
    let began = Instant::now();
    while served.get("/v1/model").status != 200 {
        assert!(began.elapsed() < PATIENCE, "the model never came into service");
    }
    assert_eq!(served.get("/v1/model").ok()["data"]["version"], version.as_str());

    // A version that is refused leaves it in service, and whoever watches the counters learns of it.
    let refused =
        |served: &Served| String::from_utf8(served.get("/metrics").body).expect("text").contains("\nchurn_risk_model_refused 1\n");
    assert!(!refused(&served));
    std::fs::write(served.models().join("current"), "2026-01-01-00000000\n").expect("written");
    let began = Instant::now();
    while !refused(&served) {
        assert!(began.elapsed() < PATIENCE, "nobody says that the model is refused");
    }
    assert_eq!(served.get("/v1/model").ok()["data"]["version"], version.as_str());
    models::promote(served.models(), &version);
    let began = Instant::now();
    while refused(&served) {
        assert!(began.elapsed() < PATIENCE, "it is still said to be refused");
    }
}
