//! Whoever may see one reseller is answered as if there were no other: the same as by a lake that
//! holds that reseller alone, and never a word of anybody else.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use churn_risk::access::Role;
use churn_risk::features::FEATURES;
use churn_risk::portfolio;
use serde_json::{Value, json};

use crate::support::client::{Reply, head, read_reply};
use crate::support::lakes::{Desk, USAGE_HEADER};
use crate::support::models::{parts, promote, publish};
use crate::support::services::{Doorkeeper, Served};
use crate::support::worlds::day;

/// How long a test waits for what the service does by itself.
const PATIENCE: Duration = Duration::from_mins(1);

const ACCESS: &str = "hide_money_from = [\"SalesAgent\"]\n[limits]\nrequests_per_second = 10000\nburst = 10000\n";

/// Files of one reseller: ten subscriptions of four customers, each silent for another number of days.
/// Every word of it begins with the reseller's, and every amount with its digits.
fn files(desk: &Desk, word: &str, amount: &str) -> Vec<PathBuf> {
    let mut customers = "customer_id,name,country,segment,reseller_id,reseller_name\n".to_owned();
    let mut subscriptions = "subscription_id,customer_id,name,product,created_on,term_end_on,auto_renew\n".to_owned();
    let mut events = "subscription_id,on,event\n".to_owned();
    let mut commitments = "commitment_id,subscription_id,customer_id,product,kind,quantity,ends_on\n".to_owned();
    let mut usage = USAGE_HEADER.to_owned();
    for at in 0..4 {
        writeln!(customers, "{word}-c{at},{word} customer {at},{word} land,{word} segment,{word},{word} reseller").expect("text");
        writeln!(commitments, "{word}-k{at},{word}-s{at:02},{word}-c{at},{word} deal,reservation,{amount},2024-05-{:02}", 10 + at)
            .expect("text");
    }
    for at in 0..10 {
        let created = if at == 9 { "2024-03-25" } else { "2024-01-01" };
        writeln!(subscriptions, "{word}-s{at:02},{word}-c{},{word} name {at},{word} plan,{created},2024-06-01,true", at % 4).expect("text");
        let mut on = day(created);
        let last = day("2024-03-31") - at;
        while on <= last {
            let category = if at % 3 == 0 { "compute" } else { "storage" };
            writeln!(usage, "{word}-s{at:02},{on},{word} {category},{word} unit,{},{amount}.{}", 1 + at % 3, 1 + at).expect("text");
            on = on + 1;
        }
    }
    for at in [3, 6] {
        writeln!(events, "{word}-s{at:02},2024-03-0{at},suspended\n{word}-s{at:02},2024-03-1{at},reactivated").expect("text");
        writeln!(events, "{word}-s{at:02},2024-02-0{at},renewed").expect("text");
    }
    writeln!(events, "{word}-s08,2024-03-29,ended\n{word}-s07,2023-01-01,suspended").expect("text");
    [("customers", customers), ("subscriptions", subscriptions), ("lifecycle", events), ("commitments", commitments), ("usage", usage)]
        .into_iter()
        .map(|(table, text)| desk.file(&format!("{word}/{table}.csv"), text))
        .collect()
}

/// Two services over the same model: one of both resellers, one of the first alone.
struct Pair {
    both: Served,
    lone: Served,
    door: Doorkeeper,
    _desks: [Desk; 2],
}

fn pair() -> Pair {
    let (both, lone, door) = (Desk::new(), Desk::new(), Doorkeeper::new());
    let mut all = files(&both, "alpha", "3");
    all.extend(files(&both, "bravo", "777"));
    both.accept(&all);
    lone.accept(&files(&lone, "alpha", "3"));
    let models = both.path("models");
    let portfolio = portfolio::load(&both.lake(), 0).expect("tables");
    let mut told = parts(&portfolio, 1.5);
    // What is told against all of a portfolio is told against all, whoever reads it.
    for (at, feature) in FEATURES.iter().enumerate().filter(|(_, feature)| feature.name.ends_with("_relative")) {
        assert!(!feature.name.is_empty());
        told.heads[0].coefficients[at] = 0.0;
    }
    let version = publish(&models, &portfolio, told);
    promote(&models, &version);
    let serve = |desk: &Desk| Served::guarded_lake(&desk.lake(), &models, ACCESS, &door);
    let pair = Pair { both: serve(&both), lone: serve(&lone), door, _desks: [both, lone] };
    let admin = pair.door.key("waiting", &[Role::GlobalAdmin], &[]);
    for served in [&pair.both, &pair.lone] {
        let began = Instant::now();
        let recorded = || get(served, &admin, "/v1/model/record").json()["data"]["scorings"] == 1;
        while !recorded() {
            assert!(began.elapsed() < PATIENCE, "no scoring is recorded");
            thread::sleep(Duration::from_millis(20));
        }
    }
    pair
}

fn get(served: &Served, key: &str, target: &str) -> Reply {
    served.ask("GET", target, &[("authorization", key)])
}

/// Every operation that answers with figures, with parameters of every sort.
fn targets() -> Vec<String> {
    let mut targets: Vec<String> = [
        "/v1/summary?period=last_3_months",
        "/v1/customers/top?category=alpha%20storage&unit=alpha%20unit",
        "/v1/customers/top?category=alpha%20storage&measure=cost&limit=3",
        "/v1/customers/count?bucket=week&period=last_3_months",
        "/v1/categories?period=last_3_months",
        "/v1/subscriptions/at-risk?limit=1000",
        "/v1/subscriptions/at-risk?limit=1000&sort=-cost_12_months",
        "/v1/subscriptions/at-risk?limit=1000&search=name",
        "/v1/subscriptions/at-risk?level=high&min_risk=0.1",
        "/v1/subscriptions/without-usage?period=last_7_days",
        "/v1/subscriptions/alpha-s03",
        "/v1/subscriptions/alpha-s03/risk",
        "/v1/subscriptions/alpha-s03/risk?as_of=2024-03-20",
        "/v1/churn?bucket=day&period=last_3_months",
        "/v1/churn?bucket=month&period=last_3_months",
        "/v1/retention?period=last_3_months",
        "/v1/retention/cohorts?period=last_3_months",
        "/v1/retention/revenue",
        "/v1/commitments/expiring",
        "/v1/anomalies",
        "/v1/model",
        "/v1/gaps",
        "/v1/model/record",
    ]
    .map(str::to_owned)
    .to_vec();
    let filters = ["reseller=alpha", "customer=alpha-c1", "country=alpha%20land", "category=alpha%20compute", "product=alpha%20plan"];
    for route in ["/v1/summary", "/v1/churn", "/v1/retention", "/v1/subscriptions/at-risk", "/v1/categories", "/v1/anomalies"] {
        targets.extend(filters.iter().map(|filter| format!("{route}?{filter}")));
    }
    // What only the other reseller has: nothing, as if it were not there.
    for route in [
        "/v1/summary",
        "/v1/churn",
        "/v1/subscriptions/at-risk",
        "/v1/subscriptions/without-usage",
        "/v1/commitments/expiring",
        "/v1/retention/cohorts",
    ] {
        for filter in filters {
            targets.push(format!("{route}?{}", filter.replace("alpha", "bravo")));
        }
    }
    for id in ["bravo-s03", "nobody"] {
        targets.extend([format!("/v1/subscriptions/{id}"), format!("/v1/subscriptions/{id}/risk"), format!("/subscriptions/{id}")]);
    }
    targets.push("/v1/customers/top?category=bravo%20storage&unit=bravo%20unit".to_owned());
    for form in ["csv", "ndjson"] {
        for route in [
            "/v1/subscriptions/at-risk",
            "/v1/subscriptions/without-usage",
            "/v1/churn",
            "/v1/categories",
            "/v1/commitments/expiring",
            "/v1/anomalies",
        ] {
            targets.push(format!("{route}?format={form}"));
        }
    }
    targets.extend(["/".to_owned(), "/?lang=fr&sort=-cost_12_months".to_owned(), "/subscriptions/alpha-s03".to_owned()]);
    targets
}

/// A card tells whoever sees all what all cost; nobody else.
fn without_sums_of_all(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.iter_mut().for_each(|(name, value)| match name.as_str() {
            "expected_cost" | "actual_cost" | "cost_caught" => *value = Value::Null,
            _ => without_sums_of_all(value),
        }),
        Value::Array(list) => list.iter_mut().for_each(without_sums_of_all),
        _ => {}
    }
}

/// A body without what may differ: when the import came in, cursors, and counts that are of all.
fn told(reply: &Reply) -> String {
    let text = String::from_utf8(reply.body.clone()).expect("text");
    let Ok(mut body) = serde_json::from_str::<Value>(&text) else {
        let mut text = text;
        while let Some(at) = text.find("<time class=\"ago\"") {
            let end = text[at..].find("</time>").expect("its end") + at;
            text.replace_range(at..end + 7, "");
        }
        return text;
    };
    without_sums_of_all(&mut body);
    if let Some(next) = body.pointer_mut("/meta/next").filter(|next| !next.is_null()) {
        *next = json!("a cursor");
    }
    if let Some(factors) = body.pointer_mut("/data/factors").and_then(Value::as_array_mut) {
        // What is usual is told by all, so that a risk is one number whoever reads it.
        factors.retain(|factor| !factor["feature"].as_str().is_some_and(|name| name.ends_with("_relative")));
    }
    if let Some(models) = body.pointer_mut("/data/models").and_then(Value::as_array_mut) {
        for model in models {
            model["rows"] = Value::Null;
        }
    }
    body.to_string()
}

#[test]
fn one_reseller_is_answered_as_if_there_were_no_other() {
    let Pair { both, lone, door, _desks } = pair();
    let admin = door.key("admin", &[Role::GlobalAdmin], &[]);
    let scoped = door.key("scoped", &[Role::GlobalAdmin], &["reseller:alpha"]);
    let mut compared = 0;
    let mut leaked = 0;
    for target in targets() {
        // Whoever sees all has asked before, so that an answer kept for them is at hand; and asks after.
        let before = get(&both, &admin, &target);
        let own = get(&both, &scoped, &target);
        let alone = get(&lone, &admin, &target);
        assert_eq!(own.status, alone.status, "{target}");
        // The page of a subscription tells every feature, as its risk does.
        if !target.starts_with("/subscriptions/alpha") {
            assert_eq!(told(&own), told(&alone), "{target}");
        }
        assert_eq!(told(&get(&both, &admin, &target)), told(&before), "{target}");
        assert_eq!(told(&get(&both, &scoped, &target)), told(&own), "{target}, kept");
        compared += 1;
        if !target.contains("bravo") {
            let heads: String = own.headers.values().map(String::as_str).collect();
            let whole = String::from_utf8_lossy(&own.body).to_lowercase() + &heads;
            assert!(!whole.contains("bravo"), "{target}: {whole}");
            leaked += usize::from(String::from_utf8_lossy(&before.body).contains("bravo"));
            let tag = own.header("etag");
            assert!(tag.is_empty() || tag != before.header("etag"), "{target}: one tag for two answers");
            let kept = both.ask("GET", &target, &[("authorization", &scoped), ("if-none-match", before.header("etag"))]);
            assert_eq!(kept.status, own.status, "{target}: what another keeps is not theirs");
        }
    }
    assert!(compared > 80 && leaked > 10, "{compared} compared, of which {leaked} would have leaked");
    let outside = get(&both, &scoped, "/v1/subscriptions/bravo-s03/risk").problem(404);
    let nowhere = get(&both, &scoped, "/v1/subscriptions/nobody-at-all/risk").problem(404);
    assert_eq!(outside.to_string().replace("bravo-s03", "nobody-at-all"), nowhere.to_string());
}

fn walked(served: &Served, key: &str, list: &str) -> (Vec<Value>, Vec<String>) {
    let (mut rows, mut cursors, mut target) = (Vec::new(), Vec::new(), list.to_owned());
    loop {
        let page = get(served, key, &target).ok();
        rows.extend(page["data"].as_array().expect("rows").clone());
        let Some(next) = page["meta"]["next"].as_str() else { return (rows, cursors) };
        target = format!("{list}&cursor={next}");
        cursors.push(next.to_owned());
    }
}

#[test]
fn cursors_lead_through_ones_own_rows_alone() {
    let Pair { both, lone, door, _desks } = pair();
    let admin = door.key("admin", &[Role::GlobalAdmin], &[]);
    let scoped = door.key("scoped", &[Role::GlobalAdmin], &["reseller:alpha"]);
    let other = door.key("other", &[Role::GlobalAdmin], &["reseller:bravo"]);
    for list in ["/v1/subscriptions/at-risk?limit=3", "/v1/subscriptions/without-usage?limit=1", "/v1/commitments/expiring?limit=1"] {
        let (own, cursors) = walked(&both, &scoped, list);
        assert_eq!(own, walked(&lone, &admin, list).0, "{list}");
        let (theirs, foreign) = walked(&both, &other, list);
        assert!(!theirs.is_empty() && theirs.iter().all(|row| row.to_string().contains("bravo") && !row.to_string().contains("alpha")));
        let (_, whole) = walked(&both, &admin, list);
        assert!(!cursors.is_empty() && !foreign.is_empty() || list.contains("without-usage"), "{list}");
        for cursor in foreign.iter().chain(&whole) {
            let reply = get(&both, &scoped, &format!("{list}&cursor={cursor}"));
            assert!(matches!(reply.status, 400 | 410), "{list}: {reply:?}");
        }
        for cursor in &cursors {
            let bytes = URL_SAFE_NO_PAD.decode(cursor).expect("base64");
            assert!(!String::from_utf8_lossy(&bytes).contains("bravo"));
        }
    }
}

#[test]
fn what_is_sent_is_held_against_ones_own_alone() {
    let Pair { both, door, _desks, .. } = pair();
    let scoped = door.key("scoped", &[Role::SalesAgent], &["reseller:alpha"]);
    let post = |target: &str, body: &str| {
        let length = body.len().to_string();
        let headers = [("authorization", scoped.as_str()), ("content-type", "application/json"), ("content-length", &length)];
        let mut stream = crate::support::client::connect(both.running().address());
        let text = head("POST", target, &headers) + body;
        std::io::Write::write_all(&mut stream, text.as_bytes()).expect("it reads");
        read_reply(&mut stream)
    };
    let feedback = |id: &str| json!({"feedback_id": id, "verdict": "right"}).to_string();
    post("/v1/subscriptions/bravo-s03/feedback", &feedback("a")).problem(404);
    post("/v1/subscriptions/alpha-s03/feedback", &feedback("b")).ok();
    let other = door.key("other", &[Role::AdminAgent], &["reseller:alpha"]);
    // What others said is not theirs to read, and neither is who it was.
    let page = get(&both, &other, "/subscriptions/alpha-s03");
    assert!(!String::from_utf8_lossy(&page.body).contains("<ul class=\"said\">"));
    let own = get(&both, &scoped, "/subscriptions/alpha-s03");
    assert!(String::from_utf8_lossy(&own.body).contains("<ul class=\"said\">"));
    let counted = |key: &str| get(&both, key, "/v1/model/record").json()["data"]["feedback"].to_string();
    let bravo = door.key("bravo", &[Role::AdminAgent], &["reseller:bravo"]);
    assert_ne!(counted(&scoped), counted(&bravo), "feedback of the other reseller is counted for neither");
}

/// Whether a field holds money, or would give it away.
fn is_money(name: &str) -> bool {
    name.contains("cost") || name == "flow"
}

fn money(value: &Value, into: &mut BTreeMap<String, usize>, shown: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let is_empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
                if is_money(name) {
                    *into.entry(name.clone()).or_default() += 1;
                    if !is_empty {
                        shown.push(format!("{name}: {value}"));
                    }
                }
                money(value, into, shown);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| money(value, into, shown)),
        _ => {}
    }
}

#[test]
fn money_is_kept_from_whom_it_is_to_be_and_risks_stay_what_they_are() {
    let Pair { both, door, _desks, .. } = pair();
    let admin = door.key("admin", &[Role::GlobalAdmin], &[]);
    let sales = door.key("sales", &[Role::SalesAgent], &[]);
    let mut seen = BTreeMap::new();
    for target in targets() {
        let reply = get(&both, &sales, &target);
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        // Every cost of the second reseller begins with these digits, and so does the sum of any few.
        for digits in ["777.", "777,", "1554", "2331"] {
            assert!(!text.contains(digits) || target.contains("expiring"), "{target}: {digits} in {text}");
        }
        let Ok(body) = serde_json::from_slice::<Value>(&reply.body) else { continue };
        let (mut fields, mut shown) = (BTreeMap::new(), Vec::new());
        money(&body["data"], &mut fields, &mut shown);
        assert_eq!(shown, Vec::<String>::new(), "{target}");
        let hidden: Vec<&str> =
            body["meta"]["hidden"].as_array().into_iter().flatten().map(|one| one["field"].as_str().expect("a name")).collect();
        for field in fields.keys() {
            assert!(hidden.contains(&field.as_str()), "{target}: {field} is null, and {hidden:?} does not say why");
        }
        assert!(!body["meta"]["warnings"].to_string().contains("no_cost"), "{target}: the tables have costs");
        seen.extend(fields);
    }
    for name in ["cost", "cost_12_months", "cost_30_days", "cost_at_risk", "flow", "usage_cost"] {
        assert!(seen.contains_key(name), "{name} is in no answer: {seen:?}");
    }
    let risks = |key: &str| {
        let rows = get(&both, key, "/v1/subscriptions/at-risk?limit=100").json()["data"].as_array().expect("rows").clone();
        rows.iter().map(|row| (row["subscription_id"].to_string(), row["risk"].to_string())).collect::<BTreeMap<_, _>>()
    };
    let whole = risks(&admin);
    assert!(whole.len() > 10 && whole == risks(&sales));
    // The order of a list would tell as much.
    let order = |target: &str| {
        let rows = get(&both, &sales, target).json()["data"].as_array().expect("rows").clone();
        rows.iter().map(|row| row["subscription_id"].to_string()).collect::<Vec<_>>()
    };
    for column in ["cost_12_months", "-cost_12_months", "cost_30_days", "-cost_30_days"] {
        let by_cost = order(&format!("/v1/subscriptions/at-risk?limit=100&sort={column}"));
        let mut by_id = by_cost.clone();
        by_id.sort();
        assert_eq!(by_cost, by_id, "without costs all are alike");
    }
    // And so would the place that a cursor holds.
    for list in ["/v1/subscriptions/at-risk?limit=1&sort=-cost_30_days", "/v1/subscriptions/at-risk?limit=1"] {
        let (_, cursors) = walked(&both, &sales, list);
        let places: Vec<Vec<u8>> = cursors.iter().map(|cursor| URL_SAFE_NO_PAD.decode(cursor).expect("base64")[25..41].to_vec()).collect();
        assert!(places.len() > 3 && places.iter().all(|place| *place == [0; 16]), "{list}: {places:?}");
    }
    // What each feature adds would give its value away, where that is a cost.
    let risk = get(&both, &sales, "/v1/subscriptions/alpha-s03/risk").ok();
    let factors = risk["data"]["factors"].as_array().expect("a list");
    assert!(factors.iter().all(|one| one["unit"] != "volume_per_day" || one["feature"] == "volume"), "{factors:?}");
    let sum: f64 = factors.iter().map(|one| one["contribution"].as_f64().expect("a number")).sum();
    let (base, end) = (&risk["data"]["base_log_odds"], &risk["data"]["log_odds"]);
    assert!((base.as_f64().expect("a number") + sum - end.as_f64().expect("a number")).abs() < 1e-9);
    get(&both, &sales, "/v1/model/report").problem(403);
}
