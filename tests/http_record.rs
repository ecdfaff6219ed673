//! Scores are recorded as they are issued, and measured once it is known who left.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use churn_risk::domain::{Day, ScoringHead};
use churn_risk::lake::Lake;
use churn_risk::portfolio;
use churn_risk::service::ServiceConfig;
use serde_json::{Value, json};

use crate::http_feedback::give;
use crate::support::lakes::{Desk, USAGE_HEADER};
use crate::support::models::{parts, promote, publish};
use crate::support::services::{Served, forty};
use crate::support::worlds::day;

/// How long a test waits for what the service does by itself.
const PATIENCE: Duration = Duration::from_mins(1);

/// Twelve subscriptions; these leave, in the order of their ids, after so many days.
const SUBSCRIPTIONS: i32 = 12;
const LEAVERS: [(i32, i32); 4] = [(3, 112), (7, 116), (8, 117), (11, 120)];

/// The last day of the first import.
const FIRST_AS_OF: i32 = 99;

fn on(offset: i32) -> Day {
    day("2024-01-01") + offset
}

fn config(score_history: bool, look_every: Option<Duration>) -> ServiceConfig {
    ServiceConfig { score_history, look_every, ..ServiceConfig::new(([127, 0, 0, 1], 0).into()) }
}

fn models(desk: &Desk) -> PathBuf {
    desk.path("models")
}

fn serve(desk: &Desk) -> Served {
    Served::of_lake_and_models(&desk.lake(), &models(desk), config(true, None))
}

/// A hundred days, at the end of which each subscription has been silent for as many days as its
/// number says; and a model in service that finds silence alarming.
fn early() -> (Desk, String) {
    let desk = Desk::new();
    let mut usage = USAGE_HEADER.to_owned();
    let mut subscriptions = "subscription_id,customer_id,created_on\n".to_owned();
    for at in 0..SUBSCRIPTIONS {
        writeln!(subscriptions, "s{at:02},c{at:02},2024-01-01").expect("text");
        for offset in 0..=FIRST_AS_OF - at {
            writeln!(usage, "s{at:02},{},Storage,GB,1,1", on(offset)).expect("text");
        }
    }
    desk.accept(&[desk.file("usage.csv", usage), desk.file("subscriptions.csv", subscriptions)]);
    let model = put_in_service(&desk, 1.5);
    (desk, model)
}

fn put_in_service(desk: &Desk, silence: f64) -> String {
    let portfolio = portfolio::load(&desk.lake(), 0).expect("tables");
    let version = publish(&models(desk), &portfolio, parts(&portfolio, silence));
    promote(&models(desk), &version);
    version
}

/// What is known sixty days later: who left, and usage of the silent days that came late.
fn later(desk: &Desk) {
    let mut usage = USAGE_HEADER.to_owned();
    let mut events = "subscription_id,on,event\n".to_owned();
    for at in 0..SUBSCRIPTIONS {
        let end = LEAVERS.iter().find(|(leaver, _)| *leaver == at).map(|(_, end)| *end);
        for offset in FIRST_AS_OF - at + 1..end.unwrap_or(160) {
            writeln!(usage, "s{at:02},{},Storage,GB,1,1", on(offset)).expect("text");
        }
        if let Some(end) = end {
            writeln!(events, "s{at:02},{},ended", on(end)).expect("text");
        }
    }
    desk.accept(&[desk.file("later.csv", usage), desk.file("events.csv", events)]);
}

fn left(at: i32) -> bool {
    LEAVERS.iter().any(|(leaver, _)| *leaver == at)
}

fn scorings(desk: &Desk) -> Vec<ScoringHead> {
    Lake::open(&desk.lake()).and_then(|lake| lake.scorings()).expect("the log")
}

#[track_caller]
fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "it never came about that {what}");
    }
}

/// Waits until so many scorings are among those that answers tell of.
fn recorded(served: &Served, count: u64) -> Value {
    let told = || served.get("/v1/model/record").ok();
    until("the scoring is recorded", || told()["data"]["scorings"] == count);
    told()
}

fn risk(served: &Served, at: i32) -> Value {
    served.get(&format!("/v1/subscriptions/s{at:02}/risk")).ok()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn history(answer: &Value) -> Vec<(String, String, f64)> {
    let rows = answer["data"]["history"].as_array().expect("a history").iter();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    rows.map(|row| (text(&row["as_of"]), text(&row["model_version"]), number(&row["risk"]))).collect()
}

fn warnings(answer: &Value) -> Vec<(String, String)> {
    let rows = answer["meta"]["warnings"].as_array().expect("warnings").iter();
    rows.map(|row| (row["code"].as_str().unwrap_or_default().to_owned(), row["detail"].as_str().unwrap_or_default().to_owned())).collect()
}

fn counted(served: &Served, name: &str) -> i64 {
    let text = String::from_utf8(served.get("/metrics").body).expect("text");
    let line = text.lines().find(|line| line.starts_with(&format!("churn_risk_{name} "))).unwrap_or_else(|| panic!("no {name} in {text}"));
    line.rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{line}"))
}

#[test]
fn scores_are_measured_as_they_were_issued_once_it_is_known_who_left() {
    let (desk, first) = early();
    let served = serve(&desk);
    let young = recorded(&served, 1);
    let told = young.to_string().replace(&first, "MODEL");
    insta::assert_json_snapshot!("record_answers", serde_json::from_str::<Value>(&told).expect("JSON"));
    // Thirty days, and seven in which a subscription may come back.
    let matures_on = on(FIRST_AS_OF + 37).to_string();
    let told = warnings(&young);
    assert!(told.iter().any(|(code, detail)| code == "nothing_matured" && detail.contains(&matures_on)), "{told:?}");
    let month = &young["data"]["models"][0]["horizons"][0];
    assert_eq!((&month["rows"], &month["pending"], &month["matured"]), (&12.into(), &12.into(), &0.into()));
    assert_eq!((&month["next_matures_on"], &month["evaluation"]), (&matures_on.into(), &Value::Null));
    let issued: Vec<f64> = (0..SUBSCRIPTIONS).map(|at| number(&risk(&served, at)["data"]["risk"])).collect();
    let past = vec![(on(FIRST_AS_OF).to_string(), first.clone(), issued[11])];
    assert_eq!(history(&risk(&served, 11)), past);
    let tag = served.get("/v1/subscriptions/s11/risk").header("etag").to_owned();

    later(&desk);
    let second = put_in_service(&desk, 0.75);
    served.ask("POST", "/v1/tables/reload", &[]).ok();
    served.ask("POST", "/v1/model/reload", &[]).ok();
    until("the new model's scoring is recorded", || scorings(&desk).iter().any(|head| head.scoring.model_version == second));
    let record = served.get("/v1/model/record").ok();
    let rows = record["data"]["models"].as_array().expect("models");
    let of_first = rows.iter().find(|row| row["model_version"] == first.as_str()).expect("the first model");
    let month = &of_first["horizons"][0];
    assert_eq!((&month["matured"], &month["churners"]), (&12.into(), &4.into()));
    // The usage that came late would make other risks of the same day by the same model.
    promote(&models(&desk), &first);
    served.ask("POST", "/v1/model/reload", &[]).ok();
    let anew = served.get(&format!("/v1/subscriptions/s11/risk?as_of={}", on(FIRST_AS_OF))).ok();
    assert!(number(&anew["data"]["risk"]) < issued[11] / 2.0, "{anew}");
    assert_eq!(history(&anew), past);
    let squares = (0..SUBSCRIPTIONS).zip(&issued).map(|(at, risk)| (risk - f64::from(u8::from(left(at)))).powi(2));
    let brier = squares.sum::<f64>() / f64::from(SUBSCRIPTIONS);
    let model = &month["evaluation"]["model"];
    assert!((number(&model["brier"]["value"]) - brier).abs() < 1e-12, "{brier} {model}");
    assert!((number(&model["expected_churners"]) - issued.iter().sum::<f64>()).abs() < 1e-9);
    assert_eq!((number(&model["actual_churners"]), month["months"][0]["month"].as_str()), (4.0, Some("2024-04-01")));
    assert!(!warnings(&record).iter().any(|(code, _)| code == "nothing_matured"));
    assert_ne!(served.get("/v1/subscriptions/s11/risk").header("etag"), tag);
    drop(served);

    // The model is no more: what it issued is listed, and why that is not measured.
    promote(&models(&desk), &second);
    fs::remove_dir_all(models(&desk).join(&first)).expect("a folder");
    let record = serve(&desk).get("/v1/model/record").ok();
    let rows = record["data"]["models"].as_array().expect("models");
    let of_first = rows.iter().find(|row| row["model_version"] == first.as_str()).expect("the first model");
    assert_eq!((&of_first["first_as_of"], of_first["horizons"].as_array().map(Vec::len)), (&on(FIRST_AS_OF).to_string().into(), Some(0)));
    assert!(of_first["not_measured"].as_str().is_some_and(|why| why.contains("cannot read")), "{of_first}");
}

#[test]
fn a_restart_does_not_record_again_and_another_model_or_import_does() {
    let (desk, first) = early();
    // A service that stops has recorded what it began with.
    drop(Served::of_lake_and_models(&desk.lake(), &models(&desk), config(false, None)));
    assert_eq!(scorings(&desk), []);
    drop(serve(&desk));
    let once = scorings(&desk);
    assert_eq!((once.len(), once[0].rows, once[0].scoring.model_version.as_str()), (1, 12, first.as_str()));
    assert_eq!((once[0].scoring.as_of, once[0].scoring.scored_on, once[0].scoring.table_version), (on(FIRST_AS_OF), day("2026-06-30"), 1));
    drop(serve(&desk));
    assert_eq!(scorings(&desk), once);

    let second = put_in_service(&desk, 0.75);
    let served = serve(&desk);
    recorded(&served, 2);
    assert_eq!((counted(&served, "scorings_recorded_total"), counted(&served, "scorings_failed_total")), (1, 0));
    assert_eq!(counted(&served, "last_scoring_age_days"), 0);
    later(&desk);
    served.ask("POST", "/v1/tables/reload", &[]).ok();
    recorded(&served, 3);
    let told: Vec<(String, Day)> = scorings(&desk).into_iter().map(|head| (head.scoring.model_version, head.scoring.as_of)).collect();
    let mut expected = vec![(first, on(FIRST_AS_OF)), (second.clone(), on(FIRST_AS_OF)), (second, on(159))];
    expected[..2].sort();
    assert_eq!(told, expected);
    // Of one that left there is no score any more.
    assert_eq!(scorings(&desk)[2].rows, 8);
}

#[test]
fn a_service_over_a_lake_that_cannot_be_written_serves_on_and_tries_again() {
    let (desk, _) = early();
    // Nobody can lock a folder, whoever they are.
    let lease = desk.lake().join("_scores.lock");
    fs::create_dir(&lease).expect("a folder");
    let served = Served::of_lake_and_models(&desk.lake(), &models(&desk), config(true, Some(Duration::from_millis(20))));
    until("an append has failed", || counted(&served, "scorings_failed_total") > 0);
    let answer = risk(&served, 3);
    assert!(number(&answer["data"]["risk"]) > 0.0);
    assert_eq!(history(&answer), []);
    assert_eq!((counted(&served, "scorings_recorded_total"), counted(&served, "last_scoring_age_days")), (0, -1));
    let record = served.get("/v1/model/record").ok();
    assert!(warnings(&record).iter().any(|(code, _)| code == "nothing_matured"), "{record}");
    fs::remove_dir(&lease).expect("a folder");
    recorded(&served, 1);
    assert_eq!(counted(&served, "scorings_recorded_total"), 1);
    assert_eq!(history(&risk(&served, 3)).len(), 1);
}

#[test]
fn feedback_joins_the_record_at_once_and_is_held_against_the_label_later() {
    let (desk, _) = early();
    let served = serve(&desk);
    recorded(&served, 1);
    for (id, subscription, verdict, outcome) in
        [("a", "s11", "right", "left"), ("b", "s10", "right", "left"), ("c", "s00", "right", "stayed"), ("d", "s09", "wrong", "stayed")]
    {
        give(&served, subscription, &json!({"feedback_id": id, "verdict": verdict, "outcome": outcome})).ok();
    }
    let feedback = |served: &Served| served.get("/v1/model/record").ok()["data"]["feedback"].clone();
    let told = feedback(&served);
    assert_eq!((&told["rows"], &told["pending"], &told["matured"]), (&4.into(), &4.into(), &0.into()));
    assert_eq!((&told["right"], &told["wrong"], &told["left"], &told["stayed"]), (&3.into(), &1.into(), &2.into(), &2.into()));

    later(&desk);
    served.ask("POST", "/v1/tables/reload", &[]).ok();
    let told = feedback(&served);
    assert_eq!((&told["pending"], &told["matured"]), (&0.into(), &4.into()));
    // s10 was said to have left, and its risk called right; it stayed.
    assert_eq!((&told["outcome_agreed"], &told["outcome_disagreed"]), (&3.into(), &1.into()));
    assert_eq!((&told["verdict_agreed"], &told["verdict_disagreed"]), (&3.into(), &1.into()));
    let expected = json!([
        {"said": "right", "called": true, "became": "stayed", "rows": 1},
        {"said": "left", "called": true, "became": "stayed", "rows": 1},
    ]);
    assert_eq!(told["disagreements"], expected);
}

/// The one Parquet file of the table.
fn file_of_scores(desk: &Desk) -> PathBuf {
    let entries = fs::read_dir(desk.lake().join("scores")).expect("a table").map(|entry| entry.expect("an entry").path());
    let mut files = entries.filter(|path| path.extension().is_some_and(|ending| ending == "parquet"));
    files.next().expect("a file")
}

#[test]
fn scores_that_do_not_read_are_told_and_the_rest_of_the_answer_is_given() {
    let (desk, model) = early();
    drop(serve(&desk));
    let path = file_of_scores(&desk);
    let whole = fs::read(&path).expect("a file");
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    fs::write(&path, flipped).expect("a file");
    let served = serve(&desk);
    let answer = risk(&served, 3);
    assert!(number(&answer["data"]["risk"]) > 0.0 && answer["data"]["history"].is_null());
    let unreadable = |answer: &Value| warnings(answer).into_iter().find(|(code, _)| code == "scores_unreadable").map(|(_, detail)| detail);
    assert!(unreadable(&answer).is_some_and(|detail| detail.contains("is damaged")), "{answer}");
    let record = served.get("/v1/model/record").ok();
    let row = &record["data"]["models"][0];
    assert_eq!((&row["model_version"], &row["scorings"], &row["rows"]), (&model.as_str().into(), &1.into(), &12.into()));
    assert!(row["not_measured"].as_str().is_some_and(|why| why.contains("is damaged")), "{row}");
    drop(served);
    fs::write(&path, whole).expect("a file");

    // Without the log nobody can tell what is recorded, so nothing is put after it either.
    let entry = desk.lake().join("scores/_delta_log/00000000000000000001.json");
    let log = fs::read(&entry).expect("an entry");
    fs::write(&entry, &log[..log.len() / 2]).expect("an entry");
    let served = serve(&desk);
    until("an append has failed", || counted(&served, "scorings_failed_total") > 0);
    let answer = risk(&served, 3);
    assert!(number(&answer["data"]["risk"]) > 0.0 && answer["data"]["history"].is_null());
    assert!(unreadable(&answer).is_some() && unreadable(&served.get("/v1/model/record").ok()).is_some());
    drop(served);
    fs::write(&entry, log).expect("an entry");
    assert_eq!((scorings(&desk).len(), history(&risk(&serve(&desk), 3)).len()), (1, 1));
}

#[test]
fn tables_that_were_handed_over_have_no_record_and_no_history() {
    let served = Served::with_model(&forty());
    insta::assert_json_snapshot!("record_fails", served.get("/v1/model/record").problem(503));
    assert_eq!(history(&served.get("/v1/subscriptions/s01/risk").ok()), []);
}
