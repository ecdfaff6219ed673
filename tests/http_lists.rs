//! The lists of subscriptions searched, and ordered by any of their columns.

use serde_json::Value;

use crate::support::services::{Served, forty};
use crate::support::worlds::day;

const AT_RISK: &str = "/v1/subscriptions/at-risk";
const UNUSED: &str = "/v1/subscriptions/without-usage";

/// Forty subscriptions, some of them with names, terms and costs that differ.
fn served() -> Served {
    let mut world = forty();
    for (at, row) in world.subscriptions.iter_mut().enumerate() {
        row.name = (at % 3 != 0).then(|| format!("{} {at:02}", ["Écurie", "alpha", "Beta"][at % 3]));
        row.term_end_on = (at % 4 == 1).then(|| day("2024-06-01") + i32::try_from(at * 7 % 11).expect("few"));
    }
    world.customers[0].name = Some("zeta".to_owned());
    world.customers[2].name = Some("Alpha Works".to_owned());
    Served::with_model(&world)
}

fn rows(served: &Served, target: &str) -> Vec<Value> {
    served.get(target).ok()["data"].as_array().cloned().expect("a list")
}

/// What a row is ordered by: nulls are greater than anything, whichever way the order goes.
fn value(row: &Value, column: &str) -> Option<String> {
    let name = |id: &str, name: &str| row[name].as_str().or(row[id].as_str()).map(str::to_lowercase);
    match column {
        "customer" => name("customer_id", "customer_name"),
        "subscription" => name("subscription_id", "subscription_name"),
        other if row[other].is_number() => Some(format!("{:020.6}", row[other].as_f64().expect("a number"))),
        other => row[other].as_str().map(str::to_owned),
    }
}

#[track_caller]
fn check(served: &Served, list: &str, column: &str) {
    let plain = rows(served, &format!("{list}?limit=1000"));
    for (sort, falls) in [(column.to_owned(), false), (format!("-{column}"), true)] {
        let target = format!("{list}?limit=1000&sort={sort}");
        let ordered = rows(served, &target);
        assert_eq!(ordered.len(), plain.len(), "{target}");
        for pair in ordered.windows(2) {
            let in_order = match (value(&pair[0], column), value(&pair[1], column)) {
                (Some(one), Some(two)) if falls => one >= two,
                (Some(one), Some(two)) => one <= two,
                (None, Some(_)) => false,
                (_, None) => true,
            };
            assert!(in_order, "{target}: {} before {}", pair[0], pair[1]);
        }
        // Page by page they are the same rows.
        let (mut walked, mut cursor) = (Vec::new(), String::new());
        loop {
            let answer = served.get(&format!("{list}?limit=7&sort={sort}{cursor}")).ok();
            walked.extend(answer["data"].as_array().cloned().expect("a list"));
            match answer["meta"]["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(walked, ordered, "{target}");
    }
}

#[test]
fn a_list_stands_in_the_order_that_was_asked_for() {
    let served = served();
    for column in ["risk", "customer", "subscription", "last_used_on", "cost_30_days", "cost_12_months", "term_end_on"] {
        check(&served, AT_RISK, column);
    }
    for column in ["customer", "subscription", "created_on", "last_used_on"] {
        check(&served, UNUSED, column);
    }
    assert_eq!(rows(&served, &format!("{AT_RISK}?sort=-risk")), rows(&served, AT_RISK));
    served.get(&format!("{AT_RISK}?sort=created_on")).problem(400);
    served.get(&format!("{UNUSED}?sort=-risk")).problem(400);
}

#[test]
fn a_search_finds_names_and_ids_whatever_their_case() {
    let served = served();
    for (search, expected) in [("écurie", 0), ("ALPHA", 10 + 13 - 3), ("zeta", 10), ("s07", 1), ("c3", 10), ("nothing", 0)] {
        let found = rows(&served, &format!("{AT_RISK}?limit=1000&search={}", search.replace('é', "%C3%A9")));
        let is_found = |row: &Value| {
            let wanted = search.to_lowercase();
            ["customer_id", "customer_name", "subscription_id", "subscription_name"]
                .iter()
                .any(|field| row[*field].as_str().is_some_and(|text| text.to_lowercase().contains(&wanted)))
        };
        let all = rows(&served, &format!("{AT_RISK}?limit=1000"));
        let wanted: Vec<&Value> = all.iter().filter(|row| is_found(row)).collect();
        assert_eq!(found.iter().collect::<Vec<_>>(), wanted, "{search}");
        if ["zeta", "s07", "c3", "nothing"].contains(&search) {
            assert_eq!(found.len(), expected, "{search}");
        }
    }
    for wrong in ["%20%20", "a%07b", &"x".repeat(257)] {
        served.get(&format!("{AT_RISK}?search={wrong}")).problem(400);
    }
    let unused = rows(&served, &format!("{UNUSED}?search=Alpha+Works&limit=1000"));
    assert!(!unused.is_empty() && unused.iter().all(|row| row["customer_name"] == "Alpha Works"), "{unused:?}");
}
