//! One success and one failure of every route, as they are on the wire.

use serde_json::Value;

use crate::metrics_by_hand::five_customers;
use crate::support::services::Served;
use crate::support::worlds::World;

/// The platform's `exp()` may differ in the last bits, so floats are shown to 9 digits.
fn rounded(mut value: Value) -> Value {
    match &mut value {
        Value::Number(number) => {
            if let Some(float) = number.as_f64().filter(|_| number.is_f64()) {
                let short: f64 = format!("{float:.9e}").parse().expect("a float");
                return serde_json::Number::from_f64(short).map_or(Value::Null, Value::Number);
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| *value = rounded(value.take())),
        Value::Object(fields) => fields.iter_mut().for_each(|(name, value)| {
            // A cursor is sealed with a key of this service alone.
            *value = if name == "next" && value.is_string() { "CURSOR".into() } else { rounded(value.take()) };
        }),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
    value
}

#[track_caller]
fn check(name: &str, served: &Served, good: &str, bad: &str, status: u16) {
    insta::assert_json_snapshot!(format!("{name}_answers"), rounded(served.get(good).ok()));
    insta::assert_json_snapshot!(format!("{name}_fails"), served.get(bad).problem(status));
}

const FEBRUARY: &str = "from=2024-02-01&to=2024-02-29";

#[test]
fn the_summary_is_answered_and_fails_like_this() {
    let served = Served::with_model(&five_customers());
    let week = "/v1/summary?from=2024-02-26&to=2024-03-03&country=DE";
    check("summary", &served, week, "/v1/summary?from=2024-02-30&period=last_7_days&country=&colour=red&customer=a&customer=%FF", 400);
}

#[test]
fn the_at_risk_list_is_answered_and_fails_like_this() {
    let served = Served::with_model(&five_customers());
    check("at_risk", &served, "/v1/subscriptions/at-risk?limit=2", "/v1/subscriptions/at-risk?horizon=60", 422);
}

#[test]
fn one_risk_is_answered_and_fails_like_this() {
    let served = Served::with_model(&five_customers());
    check("risk", &served, "/v1/subscriptions/c1/risk?as_of=2024-02-20", "/v1/subscriptions/zz/risk", 404);
}

#[test]
fn the_list_without_usage_is_answered_and_fails_like_this() {
    let served = Served::without_model(&five_customers());
    let list = format!("/v1/subscriptions/without-usage?{FEBRUARY}&limit=2");
    check("without_usage", &served, &list, "/v1/subscriptions/without-usage?limit=0", 400);
}

#[test]
fn churn_is_answered_and_fails_like_this() {
    let served = Served::without_model(&five_customers());
    check("churn", &served, &format!("/v1/churn?{FEBRUARY}&bucket=week"), "/v1/churn?bucket=year", 400);
}

#[test]
fn retention_is_answered_and_fails_like_this() {
    let served = Served::without_model(&five_customers());
    let backwards = "/v1/retention?from=2024-03-01&to=2024-02-01";
    check("retention", &served, &format!("/v1/retention?{FEBRUARY}&bucket=month"), backwards, 422);
}

#[test]
fn the_model_is_answered_and_fails_like_this() {
    let served = Served::with_model(&five_customers());
    insta::assert_json_snapshot!("model_answers", rounded(served.get("/v1/model").ok()));
    let bare = Served::without_model(&five_customers());
    insta::assert_json_snapshot!("model_fails", bare.get("/v1/model").problem(503));
}

#[test]
fn a_reload_is_answered_and_fails_like_this() {
    let served = Served::with_model(&five_customers());
    insta::assert_json_snapshot!("reload_answers", served.ask("POST", "/v1/model/reload", &[]).ok());
    std::fs::write(served.models().join("current"), "2020-01-01-00000000\n").expect("a folder that can be written");
    let mut refused = served.ask("POST", "/v1/model/reload", &[]).problem(409);
    let folder = served.models().display().to_string();
    let detail = refused["detail"].as_str().expect("a sentence").replace(&folder, "MODELS");
    refused["detail"] = detail.into();
    insta::assert_json_snapshot!("reload_fails", refused);
}

#[test]
fn life_and_readiness_are_answered_and_fail_like_this() {
    let served = Served::with_model(&five_customers());
    insta::assert_json_snapshot!("healthz_answers", served.get("/healthz").ok());
    insta::assert_json_snapshot!("readyz_answers", served.get("/readyz").ok());
    let empty = Served::without_model(&World::default());
    insta::assert_json_snapshot!("healthz_fails", empty.get("/healthz?deep=1").problem(400));
    insta::assert_json_snapshot!("readyz_fails", empty.get("/readyz").problem(503));
}
