//! Lists and series as tables: CSV that a spreadsheet opens without harm, NDJSON, and what they
//! say beside their rows.

use serde_json::Value;

use crate::metrics_by_hand::five_customers;
use crate::support::client::Reply;
use crate::support::services::{Served, forty};

const LIST: &str = "/v1/subscriptions/at-risk";

fn text(reply: &Reply) -> &str {
    assert_eq!(reply.status, 200, "{reply:?}");
    std::str::from_utf8(&reply.body).expect("text")
}

/// Records of a CSV file without line ends in its cells.
fn records(reply: &Reply) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text(reply).trim_start_matches('\u{feff}').as_bytes());
    reader.records().map(|record| record.expect("a record").iter().map(str::to_owned).collect()).collect()
}

#[test]
fn every_table_says_in_csv_and_ndjson_what_it_says_in_json() {
    let served = Served::with_model(&five_customers());
    for target in ["/v1/subscriptions/at-risk", "/v1/subscriptions/without-usage", "/v1/churn?bucket=week", "/v1/retention?bucket=month"] {
        let and = if target.contains('?') { '&' } else { '?' };
        let json = served.get(target).ok();
        let list = if json["data"].is_array() { &json["data"] } else { &json["data"]["buckets"] };
        let list = list.as_array().expect("rows");
        let ndjson = served.get(&format!("{target}{and}format=ndjson"));
        assert_eq!(ndjson.header("content-type"), "application/x-ndjson");
        let lines: Vec<Value> = text(&ndjson).lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
        assert_eq!(&lines, list, "{target}");
        let csv = served.ask("GET", target, &[("accept", "text/csv")]);
        assert!(csv.header("content-type").starts_with("text/csv; charset=utf-8"), "{csv:?}");
        assert_eq!(csv.header("churn-risk-as-of"), "2024-03-02");
        let records = records(&csv);
        assert_eq!(records.len(), list.len() + 1, "{target}");
        for (record, row) in records[1..].iter().zip(list) {
            for (column, cell) in records[0].iter().zip(record) {
                if let Some(number) = row[column].as_f64().filter(|_| row[column].is_f64()) {
                    // The reader of JSON may be off by the last bit; the table has the digits as they are.
                    assert!(
                        cell.parse::<f64>().is_ok_and(|cell| (cell - number).abs() <= 1e-15 * number.abs()),
                        "{target} {column}: {cell}"
                    );
                    continue;
                }
                let shown = match &row[column] {
                    Value::Null => String::new(),
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                assert_eq!(*cell, shown, "{target} {column}");
            }
        }
    }
}

#[test]
fn a_name_that_a_spreadsheet_would_run_is_only_text() {
    let mut world = five_customers();
    for (row, name) in world.customers.iter_mut().zip(["=HYPERLINK(\"http://x\")", "@SUM(A1)", "+1", "-2+3", "\tx"]) {
        row.name = Some(name.to_owned());
    }
    let served = Served::with_model(&world);
    let reply = served.get(&format!("{LIST}?format=csv&bom=true"));
    assert!(reply.body.starts_with("\u{feff}subscription_id,".as_bytes()));
    let records = records(&reply);
    let at = records[0].iter().position(|column| column == "customer_name").expect("a column");
    let names: Vec<&str> = records[1..].iter().map(|record| record[at].as_str()).collect();
    assert!(!names.is_empty() && names.iter().all(|name| name.starts_with('\'') || name.is_empty()), "{names:?}");
    // Numbers below 0 stay numbers; JSON stays as it is.
    assert!(served.get(LIST).ok()["data"].as_array().is_some_and(|rows| rows.iter().any(|row| row["customer_name"] != Value::Null)));
}

#[test]
fn a_whole_list_is_one_table_and_a_page_of_it_names_the_next() {
    let served = Served::with_model(&forty());
    let whole = records(&served.get(&format!("{LIST}?format=csv")));
    assert_eq!(whole.len(), 41);
    let page = served.get(&format!("{LIST}?format=csv&limit=15"));
    assert_eq!((page.header("churn-risk-total"), page.header("cache-control")), ("40", "private, no-cache"));
    let (mut seen, mut next) = (records(&page), page.header("link").to_owned());
    while let Some(target) = next.strip_prefix('<').and_then(|link| link.split_once('>')).map(|(target, _)| target.to_owned()) {
        let page = served.get(&target);
        seen.extend(records(&page).into_iter().skip(1));
        next = page.header("link").to_owned();
    }
    assert_eq!(seen, whole);
    // Nothing to list is a table without rows, and its head is the same.
    assert_eq!(records(&served.get(&format!("{LIST}?format=csv&country=XX"))), [whole[0].clone()]);
}

#[test]
fn the_form_that_is_liked_best_is_given() {
    let served = Served::with_model(&five_customers());
    let check = |accept: &str, content_type: &str| {
        let reply = served.ask("GET", "/v1/churn", &[("accept", accept)]);
        assert!(reply.status == 200 && reply.header("content-type").starts_with(content_type), "{accept}: {reply:?}");
        assert!(reply.header("vary").contains("accept"), "{reply:?}");
    };
    check("text/csv;q=0.5, application/x-ndjson", "application/x-ndjson");
    check("text/csv, */*;q=0.1", "text/csv");
    check("text/csv;q=0.9, application/json;q=0.9", "application/json");
    check("text/html, */*", "application/json");
    let tag = |target: &str, accept: &str| served.ask("GET", target, &[("accept", accept)]).header("etag").to_owned();
    assert_ne!(tag("/v1/churn", "text/csv"), tag("/v1/churn", "application/json"));
}
