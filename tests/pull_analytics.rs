//! The paged analytics of Partner Center: every page once, whatever the service does.

use std::fs;
use std::path::Path;
use std::time::Duration;

use churn_risk::pull::{AnalyticsTopic, PullError};
use tempfile::TempDir;

use crate::support::lakes::sentence;
use crate::support::partner::{Fault, Partner};
use crate::support::pulls::{ToldClock, analytics, bytes, setup};
use crate::support::worlds::day;

const USAGE: AnalyticsTopic = AnalyticsTopic::Usage { from: None, until: None };

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// A service that answers these targets, by what follows `/partner/v1/analytics/`.
fn partner(pages: &[(&str, &str)]) -> Partner {
    let partner = Partner::with_blobs(&[]);
    partner.script().pages = pages.iter().map(|(target, page)| ((*target).to_owned(), (*page).to_owned())).collect();
    partner
}

fn text(pages: &[&str]) -> Vec<Vec<u8>> {
    pages.iter().map(|page| page.as_bytes().to_vec()).collect()
}

#[track_caller]
fn refuse(partner: &Partner, into: &Path, rows: u32) -> PullError {
    match analytics(USAGE, rows, &setup(partner, "", into, &ToldClock::new())) {
        Ok(pulled) => panic!("pulled: {pulled:?}"),
        Err(error) => error,
    }
}

#[test]
fn pages_are_asked_for_by_number_until_one_is_not_full() {
    let pages = [r#"[{"n":1},{"n":2}]"#, r#"[{"n":"é"},{"n":4}]"#, r#"[{"n":5}]"#];
    let partner =
        partner(&[("usage/azure?top=2&skip=0", pages[0]), ("usage/azure?skip=2&top=2", pages[1]), ("usage/azure?skip=4&top=2", pages[2])]);
    let into = folder();
    let pulled = analytics(USAGE, 2, &setup(&partner, "", into.path(), &ToldClock::new())).expect("a pull");
    assert_eq!((bytes(&pulled), pulled.downloaded), (text(&pages), 3));
}

#[test]
fn links_are_followed_and_a_full_page_without_one_is_the_last() {
    let pages = [
        r#"{"items":[{"n":1},{"n":2}],"totalCount":4,"nextLink":"/partner/v1/analytics/subscriptions?token=a%2Fb"}"#,
        r#"{"items":[{"n":3},{"n":4}],"totalCount":4}"#,
    ];
    let partner = partner(&[("subscriptions?top=2&skip=0", pages[0]), ("subscriptions?token=a%2Fb", pages[1])]);
    let into = folder();
    let pulled = analytics(AnalyticsTopic::Subscriptions, 2, &setup(&partner, "", into.path(), &ToldClock::new())).expect("a pull");
    assert_eq!(bytes(&pulled), text(&pages));
}

#[test]
fn days_are_asked_for_where_they_are_given() {
    let partner = partner(&[("usage/azure?top=10&skip=0&startDate=2025-06-01T00%3A00%3A00Z&endDate=2025-06-30T00%3A00%3A00Z", "[{}]")]);
    let into = folder();
    let topic = AnalyticsTopic::Usage { from: Some(day("2025-06-01")), until: Some(day("2025-06-30")) };
    let pulled = analytics(topic, 10, &setup(&partner, "", into.path(), &ToldClock::new())).expect("a pull");
    assert_eq!(pulled.files.len(), 1);
}

#[test]
fn an_empty_answer_is_no_failure_and_no_file() {
    let partner = partner(&[("usage/azure?top=2&skip=0", r#"{"value":[]}"#)]);
    let into = folder();
    let pulled = analytics(USAGE, 2, &setup(&partner, "", into.path(), &ToldClock::new())).expect("a pull");
    assert_eq!((pulled.files.len(), pulled.downloaded), (0, 1));
}

#[test]
fn a_service_that_repeats_itself_is_not_followed_for_ever() {
    // The same rows under every number.
    let page = r#"[{"n":1},{"n":2}]"#;
    let same = partner(&[("usage/azure?top=2&skip=0", page), ("usage/azure?skip=2&top=2", page)]);
    let into = folder();
    let error = sentence(&refuse(&same, into.path(), 2));
    assert_eq!(error, "page 2 has the bytes of page 1: the service repeats itself, and nothing of this run is imported");
    // A link back to where it came from.
    let first = r#"{"items":[{"n":1}],"nextLink":"/partner/v1/analytics/usage/azure?b"}"#;
    let second = r#"{"items":[{"n":2}],"nextLink":"{root}/partner/v1/analytics/usage/azure?top=2&skip=0"}"#;
    let round = partner(&[("usage/azure?top=2&skip=0", first), ("usage/azure?b", second)]);
    let into = folder();
    let error = sentence(&refuse(&round, into.path(), 2));
    assert_eq!(error, "page 3 has the address of page 1: the service repeats itself, and nothing of this run is imported");
    assert_eq!(round.asked().len(), 2);
    // The next pull begins anew, and mends.
    round.script().pages.insert("usage/azure?b".to_owned(), r#"{"items":[{"n":2}]}"#.to_owned());
    let pulled = analytics(USAGE, 2, &setup(&round, "", into.path(), &ToldClock::new())).expect("a pull");
    assert_eq!((pulled.files.len(), pulled.downloaded), (2, 2));
}

#[test]
fn a_link_to_another_host_is_not_followed() {
    for link in ["https://example.com/partner/v1/analytics/usage/azure?b", "//example.com/x", "file:///etc/passwd", "http://"] {
        let page = format!(r#"{{"items":[{{}}],"nextLink":"{link}"}}"#);
        let partner = partner(&[("usage/azure?top=2&skip=0", &page)]);
        let into = folder();
        let error = sentence(&refuse(&partner, into.path(), 2));
        assert!(error.starts_with("the next link"), "{error}");
        assert_eq!(partner.asked().len(), 1);
    }
}

#[test]
fn a_pull_that_was_stopped_goes_on_at_the_page_where_it_stopped() {
    let pages = [r#"[{"n":1},{"n":2}]"#, r#"[{"n":3}]"#];
    let partner = partner(&[("usage/azure?top=2&skip=0", pages[0]), ("usage/azure?skip=2&top=2", pages[1])]);
    let into = folder();
    let failing = || vec![("/azure", Fault::Cut); 8];
    partner.script().faults = failing().split_off(1);
    partner.script().faults.truncate(6);
    let clock = ToldClock::new();
    analytics(USAGE, 2, &setup(&partner, "", into.path(), &clock)).expect("cuts are made good");
    assert_eq!(partner.asked().len(), 8);

    // A run of its own, stopped at its second page.
    partner.script().pages.remove("usage/azure?skip=2&top=2");
    let error = refuse(&partner, into.path(), 2);
    assert!(matches!(error, PullError::Refused { status: 404, .. }), "{error}");
    partner.script().pages.insert("usage/azure?skip=2&top=2".to_owned(), pages[1].to_owned());
    let pulled = analytics(USAGE, 2, &setup(&partner, "", into.path(), &clock)).expect("a pull");
    assert_eq!((bytes(&pulled), pulled.downloaded), (text(&pages), 1));
    assert!(pulled.files[0].path.display().to_string().contains("run-000002"), "{pulled:?}");
}

#[test]
fn a_run_of_the_day_before_or_with_a_lost_page_begins_anew() {
    let pages = [r#"[{"n":1},{"n":2}]"#, r#"[{"n":3}]"#];
    let partner = partner(&[("usage/azure?top=2&skip=0", pages[0])]);
    let (into, clock) = (folder(), ToldClock::new());
    refuse(&partner, into.path(), 2);
    partner.script().pages.insert("usage/azure?skip=2&top=2".to_owned(), pages[1].to_owned());
    clock.pass(Duration::from_hours(25));
    let pulled = analytics(USAGE, 2, &setup(&partner, "", into.path(), &clock)).expect("a pull");
    assert_eq!(pulled.downloaded, 2);

    partner.script().pages.remove("usage/azure?skip=2&top=2");
    refuse(&partner, into.path(), 2);
    fs::write(into.path().join("analytics-usage/run-000003/page-000001.json"), "[]").expect("a page");
    partner.script().pages.insert("usage/azure?skip=2&top=2".to_owned(), pages[1].to_owned());
    let pulled = analytics(USAGE, 2, &setup(&partner, "", into.path(), &ToldClock::new())).expect("a pull");
    assert_eq!((pulled.downloaded, bytes(&pulled)), (2, text(&pages)));
}

#[test]
fn what_is_no_page_is_refused_by_its_place() {
    for (page, wanted) in [
        ("<html>", "it is no page of rows"),
        ("{\"items\":[{},", "line 1 column"),
        (r#"{"error":"s"}"#, "it has no list of rows"),
        ("", "it is no page of rows"),
    ] {
        let partner = partner(&[("usage/azure?top=2&skip=0", page)]);
        let into = folder();
        let error = sentence(&refuse(&partner, into.path(), 2));
        assert!(error.contains("the answer is not as documented") && error.contains(wanted), "{error}");
    }
}

#[test]
fn a_refresh_token_stands_for_a_person_where_one_is_given() {
    let partner = partner(&[("subscriptions?top=2&skip=0", "[]")]);
    let into = folder();
    let mut setup = setup(&partner, "", into.path(), &ToldClock::new());
    setup.credentials.refresh_token = Some(churn_risk::pull::Secret::new("0.refresh"));
    analytics(AnalyticsTopic::Subscriptions, 2, &setup).expect("a pull");
    let form = partner.script().asked[0].body.clone();
    assert!(form.contains("grant_type=refresh_token&refresh_token=0.refresh"), "{form}");
}
