//! The at-risk list: its order, its pages, its filters, and what it does not pretend to know.

use serde_json::Value;

use crate::support::services::{Served, forty};
use crate::support::worlds::World;

const LIST: &str = "/v1/subscriptions/at-risk";

fn rows(answer: &Value) -> Vec<Value> {
    answer["data"].as_array().cloned().expect("a list")
}

fn ids(answer: &Value) -> Vec<String> {
    rows(answer).iter().map(|row| row["subscription_id"].as_str().expect("an id").to_owned()).collect()
}

/// Every row of a list, page by page.
fn all_pages(served: &Served, target: &str) -> Vec<Value> {
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let answer = served.get(&format!("{target}{cursor}")).ok();
        seen.extend(rows(&answer));
        match answer["meta"]["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return seen,
        }
    }
}

#[test]
fn the_riskiest_come_first_then_the_dearest_and_the_unknown_last() {
    let served = Served::with_model(&forty());
    let answer = served.get(&format!("{LIST}?limit=1000")).ok();
    let rows = rows(&answer);
    assert_eq!((rows.len(), &answer["meta"]["total"]), (40, &Value::from(40)));
    let key = |row: &Value| (row["risk"].as_f64().unwrap_or(-1.0), row["cost_30_days"].as_f64());
    for pair in rows.windows(2) {
        let (one, two) = (key(&pair[0]), key(&pair[1]));
        assert!(one > two || (one == two && pair[0]["subscription_id"].as_str() < pair[1]["subscription_id"].as_str()), "{pair:?}");
    }
    for row in &rows[38..] {
        assert_eq!((&row["risk"], &row["level"], &row["unknown_code"]), (&Value::Null, &"unknown".into(), &"too_young".into()));
        assert_eq!(row["factors"], Value::Array(Vec::new()));
    }
}

#[test]
fn factors_say_in_words_what_pushes_a_risk() {
    let served = Served::with_model(&forty());
    let first = rows(&served.get(&format!("{LIST}?limit=1")).ok()).remove(0);
    assert_eq!((&first["subscription_id"], &first["last_used_on"]), (&"s37".into(), &"2024-02-23".into()));
    let factor = &first["factors"][0];
    assert_eq!((&factor["feature"], &factor["value"]), (&"days_since_usage".into(), &37.0.into()));
    assert!(factor["sentence"].as_str().is_some_and(|sentence| sentence.contains("37")), "{factor}");
    // The whole of it adds up.
    let one = served.get("/v1/subscriptions/s37/risk").ok();
    let factors = one["data"]["factors"].as_array().expect("every factor");
    let sum: f64 = factors.iter().filter_map(|factor| factor["contribution"].as_f64()).sum();
    let number = |name: &str| one["data"][name].as_f64().expect("a number");
    assert!((number("base_log_odds") + sum - number("log_odds")).abs() < 1e-9);
    assert!((1.0 / (1.0 + (-number("log_odds")).exp()) - number("risk")).abs() < 1e-12);
    assert_eq!(one["data"]["risk"], first["risk"]);
}

#[test]
fn pages_give_every_row_once_and_in_order() {
    let served = Served::with_model(&forty());
    let whole = rows(&served.get(&format!("{LIST}?limit=1000")).ok());
    for limit in [1, 7, 20, 39, 40, 41] {
        assert_eq!(all_pages(&served, &format!("{LIST}?limit={limit}")), whole, "limit {limit}");
    }
    let unused = "/v1/subscriptions/without-usage?period=last_7_days";
    let whole = rows(&served.get(&format!("{unused}&limit=1000")).ok());
    assert_eq!(whole.len(), 33);
    assert_eq!(all_pages(&served, &format!("{unused}&limit=4")), whole);
}

#[test]
fn a_cursor_is_bound_to_its_list_and_to_the_tables() {
    let served = Served::with_model(&forty());
    let next = served.get(&format!("{LIST}?limit=5&country=DE")).ok()["meta"]["next"].as_str().expect("more").to_owned();
    served.get(&format!("{LIST}?limit=9&country=DE&cursor={next}")).ok();
    served.get(&format!("{LIST}?country=FR&cursor={next}")).problem(400);
    served.get(&format!("/v1/subscriptions/without-usage?country=DE&cursor={next}")).problem(400);
    served.get(&format!("{LIST}?country=DE&cursor={}x", &next[..next.len() - 1])).problem(400);
    served.get(&format!("{LIST}?country=DE&cursor=")).problem(400);
    // Another service's cursor is nobody's.
    let other = Served::with_model(&forty());
    other.get(&format!("{LIST}?limit=5&country=DE&cursor={next}")).problem(400);
}

/// The same partner at a later version, with one subscription less each time.
fn later(steps: u64) -> World {
    let mut world = forty();
    world.version += steps;
    for at in 0..steps {
        let id = format!("s{:02}", 10 + at);
        world.subscriptions.retain(|row| row.subscription_id.as_str() != id);
        world.usage.retain(|(other, ..), _| *other != id);
    }
    world
}

#[test]
fn a_walk_goes_on_over_its_version_while_imports_land() {
    let served = Served::with_model(&forty());
    let whole = rows(&served.get(&format!("{LIST}?limit=1000")).ok());
    let (mut seen, mut cursor, mut steps) = (Vec::new(), String::new(), 0);
    loop {
        let answer = served.get(&format!("{LIST}?limit=4{cursor}")).ok();
        assert_eq!(answer["meta"]["table_version"], 7);
        seen.extend(rows(&answer));
        if steps < 5 {
            steps += 1;
            served.state.replace_tables(later(steps).portfolio());
        }
        match answer["meta"]["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(steps, 5);
    assert_eq!(seen, whole);
    assert_eq!(rows(&served.get(&format!("{LIST}?limit=1000")).ok()).len(), 35);
}

#[test]
fn a_version_that_is_kept_no_more_is_gone() {
    let served = Served::with_model(&forty());
    let begin = |served: &Served| served.get(&format!("{LIST}?limit=4")).ok()["meta"]["next"].as_str().expect("more").to_owned();
    let cursors: Vec<String> = (1..=4)
        .map(|steps| {
            let next = begin(&served);
            served.state.replace_tables(later(steps).portfolio());
            next
        })
        .collect();
    served.get(&format!("{LIST}?limit=4&cursor={}", cursors[0])).problem(410);
    for kept in &cursors[2..] {
        served.get(&format!("{LIST}?limit=4&cursor={kept}")).ok();
    }
}

#[test]
fn a_page_given_again_keeps_its_version_anew() {
    let served = Served::with_model(&forty());
    let page = |cursor: &str| served.get(&format!("{LIST}?limit=4{cursor}"));
    let next = |cursor: &str| format!("&cursor={}", page(cursor).ok()["meta"]["next"].as_str().expect("more"));
    let oldest = next("");
    served.state.replace_tables(later(1).portfolio());
    let older = next("");
    page(&oldest).ok();
    // Of two that are kept, the one that this page is of is now the one that was asked for last.
    assert_eq!(next(""), older);
    served.state.replace_tables(later(2).portfolio());
    next("");
    served.state.replace_tables(later(3).portfolio());
    page(&older).ok();
    page(&oldest).problem(410);
}

#[test]
fn levels_and_least_risks_choose_rows() {
    let served = Served::with_model(&forty());
    let count = |query: &str| served.get(&format!("{LIST}?limit=1000&{query}")).ok()["meta"]["total"].as_u64().expect("a number");
    let by_level: Vec<u64> = ["high", "medium", "low", "unknown"].iter().map(|level| count(&format!("level={level}"))).collect();
    assert_eq!(by_level.iter().sum::<u64>(), 40);
    assert!(by_level.iter().all(|rows| *rows > 0), "{by_level:?}");
    assert_eq!(count("level=high&level=unknown"), by_level[0] + by_level[3]);
    assert_eq!((count("min_risk=0.6"), count("min_risk=0")), (by_level[0], 38));
    let high = served.get(&format!("{LIST}?level=high&limit=1000")).ok();
    assert!(rows(&high).iter().all(|row| row["level"] == "high" && row["risk"].as_f64().is_some_and(|risk| risk >= 0.6)));
}

#[test]
fn filters_cut_the_list_and_the_cost_at_risk() {
    let served = Served::with_model(&forty());
    let total = |query: &str| served.get(&format!("{LIST}?{query}")).ok()["meta"]["total"].as_u64().expect("a number");
    assert_eq!((total("country=DE"), total("country=DE&country=FR"), total("country=XX")), (20, 30, 0));
    assert_eq!((total("customer=c1"), total("reseller=r2"), total("product=plan%200&country=DE")), (10, 20, 10));
    assert_eq!(total("category=SQL"), 8);
    // Of the SQL rows alone: February 10th is outside the last 30 days, and inside the last twelve months.
    let sql = rows(&served.get(&format!("{LIST}?category=SQL")).ok());
    assert!(sql.iter().all(|row| row["cost_30_days"] == 0 && row["cost_12_months"] == 8 && row["last_used_on"] == "2024-02-10"));
    let at_risk = |query: &str| -> f64 {
        let answer = served.get(&format!("/v1/summary?{query}")).ok();
        answer["data"]["cost_at_risk"].as_f64().expect("a sum")
    };
    let parts = at_risk("country=DE") + at_risk("country=FR") + at_risk("country=IT");
    assert!((parts - at_risk("")).abs() < 1e-6);
    let listed: f64 = rows(&served.get(&format!("{LIST}?limit=1000")).ok()).iter().filter_map(|row| row["cost_at_risk"].as_f64()).sum();
    assert!((listed - at_risk("")).abs() < 1e-6 && listed > 0.0, "{listed}");
    assert!(at_risk("category=SQL").abs() < f64::EPSILON);
}

#[test]
fn a_risk_may_be_asked_of_an_earlier_day_and_reads_nothing_after_it() {
    let served = Served::with_model(&forty());
    let earlier = served.get("/v1/subscriptions/s37/risk?as_of=2024-02-23").ok();
    assert_eq!((&earlier["data"]["last_used_on"], &earlier["data"]["as_of"]), (&"2024-02-23".into(), &"2024-02-23".into()));
    let mut cut = forty();
    cut.usage.retain(|(_, on, ..), _| on.to_string().as_str() <= "2024-02-23");
    served.state.replace_tables(cut.portfolio());
    let known = served.get("/v1/subscriptions/s37/risk").ok();
    assert_eq!(known["data"]["risk"], earlier["data"]["risk"]);
    assert_eq!(known["data"]["factors"], earlier["data"]["factors"]);
}

#[test]
fn a_subscription_that_is_not_active_has_no_risk_and_the_reason_is_told() {
    let served = Served::with_model(&crate::metrics_by_hand::five_customers());
    for (id, state) in [("d1", "suspended"), ("b1", "ended")] {
        let data = served.get(&format!("/v1/subscriptions/{id}/risk")).ok()["data"].take();
        assert_eq!((&data["risk"], &data["level"], &data["state"]), (&Value::Null, &"unknown".into(), &state.into()));
        assert_eq!(data["unknown_code"], "not_active");
    }
    let answer = served.get(LIST).ok();
    assert!(!ids(&answer).iter().any(|id| ["d1", "b1", "c2"].contains(&id.as_str())));
}
