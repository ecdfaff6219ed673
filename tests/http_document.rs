//! The document lists every route, and every route is as the document says.

use std::collections::BTreeSet;

use churn_risk::model::Registry;
use churn_risk::training::commands;
use serde_json::Value;

use crate::metrics_by_hand::five_customers;
use crate::support::services::Served;

fn document(served: &Served) -> Value {
    let document = served.get("/openapi.json").ok();
    assert_eq!(document["openapi"], "3.1.0");
    document
}

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(target)) = fields.get("$ref") {
                found.insert(target.clone());
            }
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn everything_that_the_document_refers_to_is_in_it() {
    let served = Served::with_model(&five_customers());
    let document = document(&served);
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 20, "{found:?}");
    for target in found {
        let pointer = target.strip_prefix('#').expect("a place in this document");
        assert!(document.pointer(pointer).is_some(), "{target}");
    }
}

#[test]
fn every_route_of_the_document_answers_and_says_what_it_is_for() {
    let served = Served::with_model(&five_customers());
    commands::report(&Registry::open(served.models()), None, None).expect("written");
    let document = document(&served);
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let id = operation["operationId"].as_str().expect("an id");
            assert!(ids.insert(id.to_owned()), "{id} stands twice");
            for field in ["summary", "description"] {
                assert!(operation[field].as_str().is_some_and(|text| text.len() > 5), "{field} of {path}");
            }
            // Files are named by an example; all of Swagger UI's are below one path.
            let mut file = "swagger-ui.css".to_owned();
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let described = parameter["description"].as_str().is_some_and(|text| text.len() > 5) || parameter["name"] == "file";
                if parameter["name"] == "file" {
                    file = parameter["example"].as_str().expect("a file").to_owned();
                }
                assert!(described && parameter["schema"].is_object(), "{path}: {parameter}");
            }
            let target = path.replace("{id}", "c1").replace("{file}", &file);
            let reply = served.ask(&method.to_uppercase(), &target, &[]);
            let status = reply.status.to_string();
            assert!(operation["responses"].get(&status).is_some(), "{method} {path} answered {status}: {reply:?}");
            assert!(reply.status != 404 && reply.status != 405, "{method} {path}");
        }
    }
    assert!(ids.len() > 15);
}

#[test]
fn the_page_and_its_files_come_from_the_service_alone() {
    let served = Served::without_model(&five_customers());
    let page = served.get("/docs");
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    let html = String::from_utf8(page.body).expect("text");
    let files: Vec<&str> = html.split(['"']).filter(|part| part.starts_with("/docs/")).collect();
    assert!(files.len() >= 4 && !html.contains("https://"), "{html}");
    for file in files {
        let reply = served.get(file);
        assert!(reply.status == 200 && !reply.body.is_empty(), "{file}");
    }
    let initializer = String::from_utf8(served.get("/docs/swagger-initializer.js").body).expect("text");
    assert!(initializer.contains("/openapi.json") && !initializer.contains("petstore"), "{initializer}");
}

#[test]
fn counters_tell_of_requests_and_of_no_customer() {
    let served = Served::with_model(&five_customers());
    served.get("/v1/churn").ok();
    served.get("/v1/churn").ok();
    served.get("/v1/subscriptions/c1/risk").ok();
    served.get("/nowhere").problem(404);
    let reply = served.get("/metrics");
    assert!(reply.header("content-type").starts_with("application/openmetrics-text"), "{reply:?}");
    let text = String::from_utf8(reply.body).expect("text");
    for line in [
        "churn_risk_http_requests_total{route=\"/v1/churn\",status=\"200\"} 2",
        "churn_risk_http_requests_total{route=\"/v1/subscriptions/{id}/risk\",status=\"200\"} 1",
        "churn_risk_http_requests_total{route=\"other\",status=\"404\"} 1",
        "churn_risk_answer_cache_hits_total 1",
        "churn_risk_model_loaded 1",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}
