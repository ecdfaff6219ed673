//! Every role, every operation, every method: allowed or refused as the table has it; and what is
//! written, or refused, is recorded.

use std::collections::BTreeMap;
use std::fs;

use churn_risk::access::{Role, verify};
use serde_json::Value;

use crate::support::client::{Reply, ask};
use crate::support::provider::Provider;
use crate::support::services::{Doorkeeper, Served, forty};

/// As API.md has it: who may, of everything that not anyone may.
const READERS: &[Role] = &[Role::GlobalAdmin, Role::UserManagementAdmin, Role::AdminAgent, Role::SalesAgent];
const SPEAKERS: &[Role] = &[Role::GlobalAdmin, Role::AdminAgent, Role::SalesAgent];

fn expected(operation: &str) -> Option<&'static [Role]> {
    match operation {
        "healthz" | "readyz" | "openapi" | "docs" | "docs_file" | "asset" | "sign_in" | "sign_in_callback" | "sign_out" | "signed_out" => {
            None
        }
        "imports" | "reload_model" | "reload_tables" => Some(&[Role::GlobalAdmin]),
        "service_metrics" => Some(&[Role::GlobalAdmin, Role::Monitor]),
        "feedback" | "feedback_form" => Some(SPEAKERS),
        _ => Some(READERS),
    }
}

/// Operations that only those may who see everybody's figures.
const UNSCOPED: [&str; 5] = ["model_report", "imports", "reload_model", "reload_tables", "service_metrics"];

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"];

/// Asks from an address of its own, since one address is not told of more than some refusals.
fn from(served: &Served, number: usize, method: &str, target: &str, key: Option<&str>) -> Reply {
    let address = format!("10.{}.{}.9", number / 250, number % 250);
    let mut headers = vec![("x-forwarded-for", address.as_str())];
    headers.extend(key.map(|key| ("authorization", key)));
    ask(served.running().address(), method, target, &headers)
}

#[test]
fn every_role_and_operation_and_method_is_as_the_table_has_it() {
    let desk = Doorkeeper::new();
    let provider = Provider::new();
    let public = "public_url = \"http://127.0.0.1:1\"\ntrusted_proxies = [\"127.0.0.0/8\"]\n";
    let access = format!("{public}limits = {{ requests_per_second = 1000, burst = 10000 }}\n{}client_id = \"c\"\n", provider.access());
    let served = Served::guarded(&forty(), &access, &desk);
    let keys: BTreeMap<Role, String> = Role::ALL.into_iter().map(|role| (role, desk.key(role.name(), &[role], &[]))).collect();
    let scoped = desk.key("scoped", &[Role::GlobalAdmin, Role::Monitor], &["reseller:r1"]);
    let document = served.get("/openapi.json").ok();
    let mut cells = 0;
    let mut asked = 0;
    for (path, item) in document["paths"].as_object().expect("paths") {
        let item = item.as_object().expect("operations");
        let target = path.replace("{id}", "s01").replace("{file}", "swagger-ui.css");
        let operation = item.values().next().expect("an operation");
        let name = operation["operationId"].as_str().expect("an id").trim_end_matches("_head");
        let may = expected(name);
        let told: Option<Vec<&str>> =
            operation["x-roles"].as_array().map(|roles| roles.iter().map(|role| role.as_str().expect("a role")).collect());
        assert_eq!(told, may.map(|roles| roles.iter().map(|role| role.name()).collect()), "{name}");
        assert_eq!(operation.get("security").is_some(), may.is_some(), "{name}");
        for method in METHODS {
            let documented = item.contains_key(&method.to_lowercase());
            let mut check = |who: &str, key: Option<&str>, allowed: bool| {
                asked += 1;
                cells += 1;
                let reply = from(&served, asked, method, &target, key);
                let status = reply.status;
                let cell = format!("{who} {method} {path}: {status}");
                match (allowed, key) {
                    (true, _) if documented => {
                        assert!(!matches!(status, 403 | 405 | 429) && (status != 401 || name == "sign_in_callback"), "{cell}");
                    }
                    (true, _) => assert_eq!(status, 405, "{cell}"),
                    (false, None) => assert_eq!(status, 401, "{cell}"),
                    (false, Some(_)) => assert_eq!(status, 403, "{cell}"),
                }
            };
            check("nobody", None, may.is_none());
            for (role, key) in &keys {
                check(role.name(), Some(key), may.is_none_or(|roles| roles.contains(role)));
            }
            check("scoped", Some(&scoped), !UNSCOPED.contains(&name));
        }
    }
    assert!(cells > 1_500, "{cells}");
}

#[test]
fn a_browser_is_led_to_sign_in_and_a_program_is_told() {
    let desk = Doorkeeper::new();
    let provider = Provider::new();
    let access = format!("public_url = \"http://127.0.0.1:1\"\n{}client_id = \"c\"\n", provider.access());
    let served = Served::guarded(&forty(), &access, &desk);
    let page = served.ask("GET", "/subscriptions/s01?lang=fr", &[("accept", "text/html")]);
    assert_eq!((page.status, page.header("location")), (303, "/sign-in?then=%2Fsubscriptions%2Fs01%3Flang%3Dfr"));
    let led = served.get("/sign-in?then=%2F");
    assert_eq!(led.status, 303);
    let address = led.header("location");
    for part in [
        "/authorize?",
        "code_challenge_method=S256",
        "nonce=",
        "state=",
        "response_type=code",
        "redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fsign-in%2Fcallback",
    ] {
        assert!(address.contains(part), "{part} is not in {address}");
    }
    let cookie = led.header("set-cookie");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && cookie.contains("Max-Age=600"), "{cookie}");
    let verifier = cookie.split(';').next().expect("a value");
    assert!(!verifier.contains("verifier"));
    served.ask("GET", "/subscriptions/s01", &[("accept", "application/json")]).problem(401);
    // A page of another site, and a sign-in that nobody began.
    served.ask("POST", "/sign-out", &[("origin", "https://evil.example"), ("content-length", "0")]).problem(403);
    assert_eq!(served.get("/sign-in/callback?code=a&state=b").status, 401);
}

#[test]
fn what_is_written_is_recorded_first_and_what_cannot_be_recorded_is_not_written() {
    let desk = Doorkeeper::new();
    let served = Served::guarded(&forty(), "", &desk);
    let admin = desk.key("admin", &[Role::GlobalAdmin], &[]);
    let reload = || served.ask("POST", "/v1/model/reload", &[("authorization", &admin), ("content-length", "0")]);
    reload().ok();
    let deeds = desk.deeds();
    let told: Vec<(&str, &str)> =
        deeds.iter().map(|deed| (deed["what"].as_str().expect("a word"), deed["result"].as_str().expect("a word"))).collect();
    assert_eq!(told, [("reload_model", "begun"), ("reload_model", "done")]);
    assert!(deeds.iter().all(|deed| deed["who"].as_str().is_some_and(|who| who.starts_with("key:")) && deed["from"] == "127.0.0.1"));
    served.ask("POST", "/v1/tables/reload", &[("authorization", "Bearer nonsense"), ("content-length", "0")]).problem(401);
    assert_eq!(desk.deeds().last().expect("a line")["what"], "denied");
    assert_eq!(verify(&desk.audit(), None).expect("it reads").fault, None);
    // A disk without room.
    let lines = desk.audit().join("audit.jsonl");
    fs::remove_file(&lines).expect("it is there");
    fs::remove_file(desk.audit().join("audit.head")).expect("it is there");
    std::os::unix::fs::symlink("/dev/full", &lines).expect("a link");
    let refused = reload().problem(503);
    assert!(refused["type"].as_str().is_some_and(|kind| kind.ends_with("not-recorded")), "{refused}");
    // Reading goes on.
    served.ask("GET", "/v1/summary", &[("authorization", &admin)]).ok();
}

#[test]
fn answers_say_what_a_browser_may_do_with_them() {
    let served = Served::with_model(&forty());
    for target in ["/", "/v1/summary", "/nowhere", "/docs", "/healthz", "/subscriptions/s01"] {
        let reply = served.ask("GET", target, &[("accept", "text/html, */*")]);
        for name in
            ["x-content-type-options", "referrer-policy", "x-frame-options", "content-security-policy", "cross-origin-resource-policy"]
        {
            assert!(!reply.header(name).is_empty(), "{name} of {target}: {reply:?}");
        }
        assert!(reply.header("content-security-policy").contains("frame-ancestors 'none'"), "{target}");
    }
}

#[test]
fn a_page_that_the_browser_has_keeps_its_policy() {
    let served = Served::with_model(&forty());
    let page = served.ask("GET", "/", &[("accept", "text/html")]);
    assert!(page.header("content-security-policy").contains("script-src 'self'"));
    let kept = served.ask("GET", "/", &[("accept", "text/html"), ("if-none-match", page.header("etag"))]);
    assert_eq!((kept.status, kept.header("content-security-policy")), (304, ""));
}

#[test]
fn a_name_that_is_not_ours_is_answered_nothing() {
    let served = Served::with_model(&forty());
    let mut stream = crate::support::client::connect(served.running().address());
    std::io::Write::write_all(&mut stream, b"GET /v1/summary HTTP/1.1\r\nhost: evil.example:8080\r\nconnection: close\r\n\r\n")
        .expect("it reads");
    let reply = crate::support::client::read_reply(&mut stream);
    let problem: Value = reply.problem(421);
    assert!(problem["type"].as_str().is_some_and(|kind| kind.ends_with("other-host")));
}
