//! Every failure is a problem that says what is wrong and what would be right.

use std::io::Write;

use serde_json::Value;

use crate::metrics_by_hand::five_customers;
use crate::support::client::{connect, head, read_reply};
use crate::support::services::Served;

#[track_caller]
fn check(served: &Served, target: &str, status: u16, parameters: &[&str]) {
    let problem = served.get(target).problem(status);
    let faults = problem["errors"].as_array().cloned().unwrap_or_default();
    let seen: Vec<&str> = faults.iter().filter_map(|fault| fault["parameter"].as_str()).collect();
    assert_eq!(seen, parameters, "{target}: {problem}");
    assert!(faults.iter().all(|fault| fault["detail"].as_str().is_some_and(|detail| !detail.is_empty())), "{problem}");
}

#[test]
fn bad_parameters_are_told_by_name_and_all_at_once() {
    let served = Served::with_model(&five_customers());
    check(&served, "/v1/summary?from=yesterday&to=2024-13-01", 400, &["from", "to"]);
    check(&served, "/v1/summary?from=2024-01-01&from=2024-01-02&to=2024-02-01", 400, &["from"]);
    check(&served, "/v1/summary?period=last_fortnight", 400, &["period"]);
    check(&served, "/v1/summary?limit=5&Country=DE&x", 400, &["limit", "Country", "x"]);
    check(&served, "/v1/churn?bucket=Day&country=%20&reseller=%00", 400, &["bucket", "country", "reseller"]);
    check(&served, "/v1/summary?country=%C3%28", 400, &["country"]);
    let list = "/v1/subscriptions/at-risk";
    check(&served, &format!("{list}?level=urgent&min_risk=1.5&horizon=0&limit=1001"), 400, &["level", "min_risk", "horizon", "limit"]);
    check(&served, &format!("{list}?min_risk=NaN"), 400, &["min_risk"]);
    check(&served, &format!("{list}?from=2024-01-01"), 400, &["from"]);
    check(&served, "/v1/subscriptions/c1/risk?as_of=tomorrow&depth=3", 400, &["as_of", "depth"]);
    check(&served, "/v1/subscriptions/%01/risk", 400, &["id"]);
    check(&served, "/v1/model?version=1", 400, &["version"]);
}

#[test]
fn what_is_well_formed_and_cannot_be_answered_is_told_apart() {
    let served = Served::with_model(&five_customers());
    check(&served, "/v1/summary?from=2024-02-01&to=2024-01-01", 422, &["to"]);
    check(&served, "/v1/summary?period=last_7_days&to=2024-01-01", 422, &["period"]);
    check(&served, "/v1/churn?format=json&bom=true", 422, &["bom"]);
    check(&served, "/v1/subscriptions/at-risk?horizon=90", 422, &["horizon"]);
    check(&served, "/v1/subscriptions/c1/risk?horizon=7", 422, &["horizon"]);
    check(&served, "/v1/subscriptions/c1/risk?as_of=2024-03-03", 422, &["as_of"]);
    check(&served, "/v1/subscriptions/c1/risk?as_of=2024-01-14", 422, &["as_of"]);
    let horizon = served.get("/v1/subscriptions/at-risk?horizon=90").problem(422);
    assert!(horizon["errors"][0]["detail"].as_str().is_some_and(|detail| detail.contains("30")), "{horizon}");
    served.get("/v1/subscriptions/at-risk?horizon=30").ok();
}

#[test]
fn unknown_paths_methods_and_forms_are_problems() {
    let served = Served::with_model(&five_customers());
    for target in [
        "/v1",
        "/docs/nothing.css",
        "/v1/summary/",
        "/v2/summary",
        "/v1/subscriptions//risk",
        "/v1/subscriptions/a/b/risk",
        "/%2e%2e/etc/passwd",
    ] {
        served.get(target).problem(404);
    }
    let wrong = served.ask("DELETE", "/v1/summary", &[]);
    wrong.problem(405);
    assert_eq!(wrong.header("allow"), "GET, HEAD");
    let wrong = served.get("/v1/model/reload");
    wrong.problem(405);
    assert_eq!(wrong.header("allow"), "POST");
    for accept in ["image/png", "application/xml, text/html;q=0.9", "application/json;q=0"] {
        served.ask("GET", "/v1/summary", &[("accept", accept)]).problem(406);
    }
    // The card is no table.
    served.ask("GET", "/v1/model", &[("accept", "text/csv")]).problem(406);
    served.ask("GET", "/v1/summary", &[("accept", "text/html, */*;q=0.1")]).ok();
    served.ask("GET", "/v1/summary", &[("accept-encoding", "identity;q=0, compress")]).problem(406);
    served.get(&format!("/v1/summary?country={}", "x".repeat(9_000))).problem(414);
}

/// Sends a body, in one write after the head.
fn post(served: &Served, headers: &[(&str, &str)], body: &[u8]) -> crate::support::client::Reply {
    let mut stream = connect(served.running().address());
    let mut request = head("POST", "/v1/model/reload", headers).into_bytes();
    request.extend(body);
    stream.write_all(&request).expect("the service reads");
    read_reply(&mut stream)
}

#[test]
fn bodies_that_nothing_reads_are_refused() {
    let served = Served::with_model(&five_customers());
    post(&served, &[("content-length", "2"), ("content-type", "application/json")], b"{}").problem(415);
    post(&served, &[("content-length", "0")], b"").ok();
    // The announced length is enough: not a byte of it is sent.
    post(&served, &[("content-length", "70000")], b"").problem(413);
    let mut chunks = Vec::new();
    for _ in 0..70 {
        chunks.extend(b"400\r\n");
        chunks.extend([b'x'; 1024]);
        chunks.extend(b"\r\n");
    }
    chunks.extend(b"0\r\n\r\n");
    post(&served, &[("transfer-encoding", "chunked")], &chunks).problem(413);
    served.get("/healthz").ok();
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let served = Served::impatient(&five_customers());
    let problem = post(&served, &[("content-length", "10")], b"abc").problem(408);
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("did not come whole")), "{problem}");
}

#[test]
fn an_empty_lake_is_said_to_be_empty_and_no_figure_is_invented() {
    let served = Served::without_model(&crate::support::worlds::World::default());
    let ready = served.get("/readyz").problem(503);
    let missing: Vec<&str> = ready["errors"].as_array().into_iter().flatten().filter_map(|fault| fault["detail"].as_str()).collect();
    assert_eq!(missing.len(), 2, "{ready}");
    assert!(missing[0].contains("churn-risk import") && missing[1].contains("churn-train"), "{ready}");
    for target in ["/v1/summary", "/v1/churn", "/v1/retention", "/v1/subscriptions/without-usage", "/v1/subscriptions/at-risk", "/v1/model"]
    {
        served.get(target).problem(503);
    }
    served.get("/healthz").ok();
}

#[test]
fn without_a_model_metrics_answer_and_risk_does_not() {
    let served = Served::without_model(&five_customers());
    let summary = served.get("/v1/summary").ok();
    assert_eq!(summary["data"]["cost_at_risk"], Value::Null);
    assert!(summary["meta"].get("model_version").is_none());
    for target in ["/v1/subscriptions/at-risk", "/v1/subscriptions/c1/risk"] {
        let problem = served.get(target).problem(503);
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("churn-train")), "{problem}");
    }
}
