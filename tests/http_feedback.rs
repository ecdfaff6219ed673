//! What people say of risks is kept on disk with the risk that it is about.

use std::io::Write;

use serde_json::{Value, json};

use churn_risk::lake::Lake;

use crate::support::client::{Reply, connect, head, read_reply};
use crate::support::lakes::Desk;
use crate::support::services::{Served, forty};

pub(crate) fn give(served: &Served, id: &str, body: &Value) -> Reply {
    let body = body.to_string();
    let mut stream = connect(served.running().address());
    let length = body.len().to_string();
    let target = format!("/v1/subscriptions/{id}/feedback");
    let request = head("POST", &target, &[("content-length", &length), ("content-type", "application/json")]);
    stream.write_all((request + &body).as_bytes()).expect("the service reads");
    read_reply(&mut stream)
}

#[test]
fn feedback_is_kept_once_and_another_under_its_id_is_refused() {
    let desk = Desk::new();
    desk.accept(&[desk.usage("one.csv", "s1,2026-05-01,Storage,GB,1,1\n")]);
    let served = Served::of_lake(&desk.lake(), None);
    let body = json!({"feedback_id": "crm-1", "verdict": "wrong", "outcome": "stayed", "note": " they\nstay "});
    let kept = give(&served, "s1", &body).ok();
    assert_eq!((&kept["data"]["known_before"], &kept["data"]["note"]), (&false.into(), &"they\nstay".into()));
    assert_eq!((&kept["data"]["given_on"], &kept["data"]["as_of"]), (&"2026-06-30".into(), &"2026-05-01".into()));
    assert_eq!(give(&served, "s1", &body).ok()["data"]["known_before"], true);
    give(&served, "s1", &json!({"feedback_id": "crm-1", "verdict": "right"})).problem(409);
    give(&served, "s2", &json!({"feedback_id": "crm-2", "verdict": "right"})).problem(404);
    let stored = Lake::open(&desk.lake()).and_then(|lake| lake.feedback()).expect("a table");
    assert_eq!(stored.len(), 1);
    assert_eq!((stored[0].feedback_id.as_str(), stored[0].subscription_id.as_str()), ("crm-1", "s1"));
    // It is no import: the tables stay at their version.
    assert_eq!(served.ask("POST", "/v1/tables/reload", &[]).ok()["data"]["table_version"], 1);
}

#[test]
fn feedback_that_says_nothing_or_nonsense_is_told_so() {
    let desk = Desk::new();
    desk.accept(&[desk.usage("one.csv", "s1,2026-05-01,Storage,GB,1,1\n")]);
    let served = Served::of_lake(&desk.lake(), None);
    give(&served, "s1", &json!({"feedback_id": "a"})).problem(422);
    for body in [
        json!({"verdict": "right"}),
        json!({"feedback_id": "a", "verdict": "maybe"}),
        json!({"feedback_id": "a", "verdict": "right", "more": 1}),
        json!({"feedback_id": "", "verdict": "right"}),
        json!({"feedback_id": "a", "note": "\u{0}"}),
        json!([]),
    ] {
        let problem = give(&served, "s1", &body).problem(400);
        assert!(!problem["errors"].as_array().expect("faults").is_empty(), "{problem}");
    }
    // Tables that were handed over have no lake to keep anything in.
    give(&Served::without_model(&forty()), "s01", &json!({"feedback_id": "a", "verdict": "right"})).problem(503);
}
