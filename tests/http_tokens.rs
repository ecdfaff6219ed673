//! A token is believed where it is what it says, and in no other case.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Utc};
use churn_risk::access::Role;
use serde_json::{Value, json};

use crate::support::client::Reply;
use crate::support::provider::{Provider, unsigned};
use crate::support::services::{Doorkeeper, Served, forty, now};

const ROUTE: &str = "/v1/summary";

fn bearing(served: &Served, token: &str) -> Reply {
    served.ask("GET", ROUTE, &[("authorization", &format!("Bearer {token}"))])
}

fn with(claims: &Value, name: &str, value: Value) -> Value {
    let mut claims = claims.clone();
    claims[name] = value;
    claims
}

fn without(claims: &Value, name: &str) -> Value {
    let mut claims = claims.clone();
    claims.as_object_mut().expect("an object").remove(name);
    claims
}

#[test]
fn good_tokens_are_believed() {
    let (provider, desk) = (Provider::new(), Doorkeeper::new());
    let served = Served::guarded(&forty(), &provider.access(), &desk);
    let claims = provider.claims("SalesAgent", now().timestamp());
    for algorithm in ["RS256", "ES256"] {
        let token = provider.signed(algorithm, "1", &claims);
        for _ in 0..3 {
            bearing(&served, &token).ok();
        }
    }
    let listed = with(&claims, "aud", json!(["other", "api://churn-risk"]));
    bearing(&served, &provider.signed("ES256", "1", &listed)).ok();
    // Clocks differ a little.
    let late = with(&claims, "exp", json!(now().timestamp() - 10));
    bearing(&served, &provider.signed("ES256", "1", &late)).ok();
    // Whoever comes for a list with a token that nobody has seen has the places of a caller.
    let new = provider.signed("ES256", "1", &with(&claims, "exp", json!(now().timestamp() + 999)));
    let list = served.ask("GET", "/v1/subscriptions/at-risk?format=csv", &[("authorization", &format!("Bearer {new}"))]);
    assert_eq!(list.status, 200, "{list:?}");
    assert_eq!(provider.fetched(), 1, "keys are asked for once");
}

#[test]
fn every_other_token_is_refused_with_a_challenge() {
    let (provider, stranger, desk) = (Provider::new(), Provider::new(), Doorkeeper::new());
    // Each comes from an address of its own: one address is not told of so many.
    let access = format!("trusted_proxies = [\"127.0.0.0/8\"]\n{}", provider.access());
    let served = Served::guarded(&forty(), &access, &desk);
    let at = now().timestamp();
    let good = provider.claims("GlobalAdmin", at);
    let signed = |claims: &Value| provider.signed("RS256", "1", claims);
    let parts: Vec<String> = signed(&good).split('.').map(str::to_owned).collect();
    let admin = signed(&with(&good, "sub", json!("other")));
    let spliced = format!("{}.{}.{}", parts[0], admin.split('.').nth(1).expect("claims"), parts[2]);
    let header = |header: Value| provider.signed_with(&header, "RS256", &good);
    let tokens = [
        ("expired", signed(&with(&good, "exp", json!(at - 3_600)))),
        ("without an end", signed(&without(&good, "exp"))),
        ("with an end in words", signed(&with(&good, "exp", json!("never")))),
        ("not yet valid", signed(&with(&good, "nbf", json!(at + 3_600)))),
        ("issued tomorrow", signed(&with(&good, "iat", json!(at + 86_400)))),
        ("for another audience", signed(&with(&good, "aud", json!("api://other")))),
        ("for no audience", signed(&without(&good, "aud"))),
        ("for an audience in part", signed(&with(&good, "aud", json!("api://churn-risk.evil")))),
        ("of another issuer", signed(&with(&good, "iss", json!(stranger.issuer())))),
        ("of no issuer", signed(&without(&good, "iss"))),
        ("of another tenant", signed(&with(&good, "tid", json!("tenant-2")))),
        ("of no tenant", signed(&without(&good, "tid"))),
        ("of nobody", signed(&without(&good, "sub"))),
        ("of a very long name", signed(&with(&good, "name", json!("x".repeat(300))))),
        ("by nobody", unsigned(&good)),
        ("by the public key as a secret", provider.confused(&good)),
        ("by a stranger under the provider's own number", stranger.signed("RS256", "1", &good)),
        ("by a key that nobody publishes", provider.signed("RS256", "9", &good)),
        ("by a key for the other method", header(json!({"alg": "RS256", "kid": "ES256-1"}))),
        ("that says another method", header(json!({"alg": "ES256", "kid": "RS256-1"}))),
        ("by RS512", header(json!({"alg": "RS512", "kid": "RS256-1"}))),
        ("by none in capitals", header(json!({"alg": "nOnE", "kid": "RS256-1"}))),
        ("that asks for what nobody knows", header(json!({"alg": "RS256", "kid": "RS256-1", "crit": ["exp"]}))),
        ("whose claims are another's", spliced),
        ("with its signature cut", parts[..2].join(".") + "."),
        ("with a fourth part", parts.join(".") + ".x"),
        ("of 10 kB", signed(&with(&good, "padding", json!("x".repeat(10_000))))),
        ("of nothing", String::new()),
        ("of two dots", "..".to_owned()),
        ("of letters", "letters".to_owned()),
        ("as a key", "crk_0011_2233".to_owned()),
    ];
    for (at, (what, token)) in tokens.iter().enumerate() {
        let headers = [("authorization", format!("Bearer {token}")), ("x-forwarded-for", format!("10.1.{at}.1"))];
        let reply = served.ask("GET", ROUTE, &headers.each_ref().map(|(name, value)| (*name, value.as_str())));
        assert_eq!(reply.status, 401, "{what}");
        reply.problem(401);
        assert_eq!(reply.header("www-authenticate"), "Bearer error=\"invalid_token\"", "{what}");
        assert!(!String::from_utf8_lossy(&reply.body).contains(&parts[2][..20]), "{what}");
    }
    bearing(&served, &signed(&good)).ok();
    let nobody = served.get(ROUTE);
    nobody.problem(401);
    assert_eq!(nobody.header("www-authenticate"), "Bearer");
}

#[test]
fn a_caller_without_a_role_or_with_a_scope_that_does_not_read_is_refused() {
    let (provider, desk) = (Provider::new(), Doorkeeper::new());
    let access = provider.access() + "[scope]\nclaim = \"churn\"\nrequired_for = [\"SalesAgent\"]\n";
    let served = Served::guarded(&forty(), &access, &desk);
    let of = |role: &str| provider.claims(role, now().timestamp());
    let ask = |claims: &Value| bearing(&served, &provider.signed("ES256", "1", claims));
    for claims in [of("Nobody"), without(&of("x"), "roles"), of("SalesAgent"), with(&of("AdminAgent"), "churn", json!("r1")), of("Monitor")]
    {
        ask(&claims).problem(403);
    }
    ask(&with(&of("SalesAgent"), "churn", json!("reseller:r1"))).ok();
    ask(&of("AdminAgent")).ok();
}

static CLOCK: AtomicI64 = AtomicI64::new(0);

fn moving() -> DateTime<Utc> {
    now() + chrono::Duration::seconds(CLOCK.load(Ordering::SeqCst))
}

#[test]
fn keys_change_and_old_ones_hold_no_more_and_a_flood_asks_for_them_once() {
    let (mut provider, desk) = (Provider::new(), Doorkeeper::by(moving));
    let access = format!("trusted_proxies = [\"127.0.0.0/8\"]\n{}", provider.access());
    let served = Served::guarded(&forty(), &access, &desk);
    let claims = provider.claims("SalesAgent", now().timestamp());
    let old = provider.signed("RS256", "1", &claims);
    bearing(&served, &old).ok();
    CLOCK.store(10, Ordering::SeqCst);
    provider.rotate();
    let new = provider.signed("RS256", "2", &claims);
    bearing(&served, &new).ok();
    bearing(&served, &old).problem(401);
    assert_eq!(provider.fetched(), 2);
    CLOCK.store(20, Ordering::SeqCst);
    for at in 0..50 {
        let made_up = provider.signed("RS256", &format!("x{at}"), &claims);
        let from = format!("10.1.{at}.1");
        let reply = served.ask("GET", ROUTE, &[("authorization", &format!("Bearer {made_up}")), ("x-forwarded-for", &from)]);
        reply.problem(401);
    }
    assert_eq!(provider.fetched(), 3, "one look for fifty tokens");
    bearing(&served, &new).ok();
    CLOCK.store(700, Ordering::SeqCst);
    bearing(&served, &new).problem(401);
}

#[test]
fn keys_of_jobs_hold_until_they_are_revoked() {
    let desk = Doorkeeper::new();
    let served = Served::guarded(&forty(), "", &desk);
    let key = desk.key("crm", &[Role::AdminAgent], &[]);
    let ask = |key: &str| served.ask("GET", ROUTE, &[("authorization", key)]);
    ask(&key).ok();
    ask(&key.to_ascii_lowercase()).problem(401);
    ask(&key.replace("Bearer", "bearer")).ok();
    ask(&key.replace("Bearer", "Basic")).problem(401);
    desk.revoke("crm");
    ask(&key).problem(401);
    let refused = desk.deeds().iter().filter(|deed| deed["what"] == "denied").count();
    assert_eq!(refused, 3, "{:?}", desk.deeds());
    let text = format!("{:?}", desk.deeds());
    assert!(!text.contains(key.splitn(3, '_').nth(2).expect("a secret")), "{text}");
}
