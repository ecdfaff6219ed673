//! Scores for series that a request brings along: the kernel of the portfolio, item by item.

use std::io::Write;

use serde_json::{Value, json};

use crate::support::client::{Reply, connect, head, read_reply};
use crate::support::services::{Served, forty};
use crate::support::worlds::{World, day};

fn post(served: &Served, target: &str, content_type: &str, body: &[u8]) -> Reply {
    let mut stream = connect(served.running().address());
    let length = body.len().to_string();
    let mut request = head("POST", target, &[("content-length", &length), ("content-type", content_type)]).into_bytes();
    request.extend(body);
    stream.write_all(&request).expect("the service reads");
    read_reply(&mut stream)
}

fn score(served: &Served, query: &str, body: &Value) -> Reply {
    post(served, &format!("/v1/score{query}"), "application/json", body.to_string().as_bytes())
}

/// Quantity and cost, in micro-units.
type Amounts = (i64, Option<i64>);

/// The usage of one subscription of these tables, as a request would bring it.
fn posted(world: &World, id: &str) -> Value {
    let mut series: Vec<Value> = Vec::new();
    let names: std::collections::BTreeSet<(String, String)> =
        world.usage.keys().filter(|(other, ..)| other == id).map(|(_, _, category, unit)| (category.clone(), unit.clone())).collect();
    for (category, unit) in names {
        let rows: Vec<_> = world.usage.iter().filter(|((other, _, c, u), _)| other == id && *c == category && *u == unit).collect();
        let first = rows.iter().map(|((_, on, ..), _)| *on).min().expect("a row");
        let last = rows.iter().map(|((_, on, ..), _)| *on).max().expect("a row");
        let value = |offset: i32, of: fn(&Amounts) -> Option<i64>| {
            let row = rows.iter().find(|((_, on, ..), _)| *on == first + offset);
            row.and_then(|(_, amounts)| of(amounts)).map(|micros| micros as f64 / 1e6)
        };
        let days = 0..=last - first;
        let quantity: Vec<Option<f64>> = days.clone().map(|offset| value(offset, |(quantity, _)| Some(*quantity))).collect();
        let cost: Vec<Option<f64>> = days.map(|offset| value(offset, |(_, cost)| *cost)).collect();
        series.push(json!({"category": category, "unit": unit, "from": first.to_string(), "quantity": quantity, "cost": cost}));
    }
    let created = world.subscriptions.iter().find(|row| row.subscription_id.as_str() == id).and_then(|row| row.created_on);
    json!({"id": id, "created_on": created.map(|day| day.to_string()), "series": series})
}

#[test]
fn a_posted_series_gets_the_risk_that_the_portfolio_has_for_it() {
    let world = forty();
    let served = Served::with_model(&world);
    let ids: Vec<String> = (0..40).map(|at| format!("s{at:02}")).collect();
    let body = json!({"subscriptions": ids.iter().map(|id| posted(&world, id)).collect::<Vec<_>>()});
    let answer = score(&served, "?factors=50", &body).ok();
    assert_eq!((&answer["meta"]["as_of"], answer["data"].as_array().map(Vec::len)), (&"2024-03-31".into(), Some(40)));
    for (id, row) in ids.iter().zip(answer["data"].as_array().expect("rows")) {
        let known = served.get(&format!("/v1/subscriptions/{id}/risk")).ok()["data"].take();
        for field in ["risk", "level", "unknown_code"] {
            assert_eq!(row[field], known[field], "{field} of {id}");
        }
        assert_eq!((&row["id"], &row["errors"]), (&id.as_str().into(), &json!([])));
        for (mine, theirs) in row["factors"].as_array().into_iter().flatten().zip(known["factors"].as_array().expect("factors")) {
            assert_eq!(mine, theirs, "{id}");
        }
    }
    // Another day, another answer: nothing after it is read.
    let earlier = score(&served, "?as_of=2024-02-23", &json!({"subscriptions": [posted(&world, "s37")]})).ok();
    let known = served.get("/v1/subscriptions/s37/risk?as_of=2024-02-23").ok();
    assert_eq!(earlier["data"][0]["risk"], known["data"]["risk"]);
}

#[test]
fn what_is_wrong_with_one_stands_beside_the_scores_of_the_others() {
    let world = forty();
    let served = Served::with_model(&world);
    let good = posted(&world, "s05");
    let series = |quantity: Value| json!([{"category": "Storage", "unit": "GB", "from": "2024-01-01", "quantity": quantity, "cost": null}]);
    let body = json!({"subscriptions": [
        good,
        {"id": "no-series"},
        {"id": "bad-day", "series": [{"category": "Storage", "unit": "GB", "from": "2024-02-30", "quantity": [1]}]},
        {"id": "negative", "series": series(json!([1, -2]))},
        {"id": "unknown-field", "serie": [], "series": []},
        {"id": " ", "series": []},
        {"id": "text", "series": series(json!(["1"]))},
        {"series": []},
        17,
        good,
    ]});
    let answer = score(&served, "", &body).ok();
    let rows = answer["data"].as_array().expect("rows");
    assert_eq!(rows.len(), 10);
    assert!(rows[0]["risk"].is_f64() && rows[0] == rows[9], "{rows:?}");
    let expected = ["series", "2024-02-30", "-2", "serie", "empty", "no quantity", "id", "invalid type"];
    for (row, word) in rows[1..9].iter().zip(expected) {
        assert_eq!((&row["risk"], &row["unknown_code"]), (&Value::Null, &"unreadable".into()), "{row}");
        let told = row["errors"].to_string();
        assert!(told.contains(word), "{word} is not in {told}");
    }
    assert_eq!((&rows[2]["id"], &rows[8]["id"]), (&"bad-day".into(), &Value::Null));
}

#[test]
fn a_body_that_does_not_read_at_all_is_refused_with_its_place() {
    let served = Served::with_model(&forty());
    let check = |body: &str, status: u16, word: &str| {
        let problem = post(&served, "/v1/score", "application/json", body.as_bytes()).problem(status);
        assert!(problem["errors"].to_string().contains(word), "{word}: {problem}");
    };
    check("{\"subscriptions\": [\n  {\"id\": }]}", 400, "line 2");
    check("", 400, "EOF");
    check("[]", 400, "subscriptions");
    check("{}", 400, "missing field `subscriptions`");
    check("{\"subscriptions\": []}", 400, "0 subscriptions");
    check("{\"subscriptions\": [], \"more\": 1}", 400, "more");
    let many = format!("{{\"subscriptions\": [{}]}}", vec!["{\"id\":\"a\",\"series\":[]}"; 10_001].join(","));
    check(&many, 400, "10001 subscriptions");
    post(&served, "/v1/score", "text/plain", b"{}").problem(415);
    post(&served, "/v1/score?factors=x&depth=1", "application/json", b"{}").problem(400);
    served.get("/v1/score").problem(405);
    let bare = Served::without_model(&forty());
    post(&bare, "/v1/score", "application/json", b"{\"subscriptions\": [{\"id\":\"a\",\"series\":[]}]}").problem(503);
}

#[test]
fn ten_thousand_are_scored_at_once_in_the_order_in_which_they_came() {
    let world = forty();
    let served = Served::with_model(&world);
    let (one, two) = (posted(&world, "s00"), posted(&world, "s30"));
    let body = json!({"subscriptions": (0..10_000).map(|at| if at % 2 == 0 { &one } else { &two }).collect::<Vec<_>>()});
    let answer = score(&served, "?factors=0", &body).ok();
    let rows = answer["data"].as_array().expect("rows");
    assert_eq!(rows.len(), 10_000);
    assert!(rows.iter().enumerate().all(|(at, row)| row == &rows[at % 2]) && rows[0]["risk"].as_f64() < rows[1]["risk"].as_f64());
    assert!(rows[0]["reason_1"].is_null());
    let csv = post(&served, "/v1/score?format=csv", "application/json", json!({"subscriptions": [one]}).to_string().as_bytes());
    assert!(csv.status == 200 && csv.body.starts_with(b"risk,level,") | csv.body.starts_with(b"id,"), "{csv:?}");
    assert_eq!(day("2024-03-31").to_string(), answer["meta"]["as_of"].as_str().unwrap_or_default());
}

#[test]
fn a_value_that_goes_deep_is_refused_like_any_other() {
    let served = Served::with_model(&forty());
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(1 << 20), close.repeat(1 << 20));
    let (lists, objects) = (deep("[", "]"), deep("{\"a\":", "}"));
    for deep in [&lists, &objects] {
        for unread in
            [format!("{{\"subscriptions\": {{\"a\": {deep}}}}}"), format!("{{\"subscriptions\": [], \"more\": {deep}}}"), deep.clone()]
        {
            post(&served, "/v1/score", "application/json", unread.as_bytes()).problem(400);
        }
        let quantity = "{\"id\":\"a\",\"series\":[{\"category\":\"C\",\"unit\":\"U\",\"from\":\"2024-01-01\",\"quantity\":";
        for item in [
            deep.clone(),
            format!("{{\"id\":\"a\",\"series\":[],\"more\":{deep}}}"),
            format!("{{\"id\":{deep}}}"),
            format!("{{\"id\":\"a\",\"series\":{deep}}}"),
            format!("{quantity}{deep}}}]}}"),
            format!("{quantity}[1,{deep}]}}]}}"),
        ] {
            let body = format!("{{\"subscriptions\": [{item}, {{\"id\":\"b\",\"series\":[]}}]}}");
            let answer = post(&served, "/v1/score", "application/json", body.as_bytes()).ok();
            let codes = [&answer["data"][0]["unknown_code"], &answer["data"][1]["id"]];
            assert_eq!(codes, ["unreadable", "b"], "{}", item.get(..80).unwrap_or_default());
        }
    }
}

#[test]
fn the_example_of_the_document_is_scored() {
    let served = Served::with_model(&forty());
    let document = served.get("/openapi.json").ok();
    let example = &document["components"]["schemas"]["ScoreRequest"]["examples"][0];
    let answer = score(&served, "?as_of=2026-10-31", example).ok();
    assert!(answer["data"][0]["risk"].is_f64() && answer["data"][0]["errors"] == json!([]), "{answer}");
}
