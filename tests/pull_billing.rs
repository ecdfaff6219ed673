//! The billing export of Microsoft Graph, end to end: what is downloaded, what is asked for twice
//! and what never, whatever goes wrong on the way.

use std::fs;
use std::path::Path;
use std::time::Duration;

use churn_risk::pull::PullError;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::lakes::{gzip, sentence};
use crate::support::partner::{CLIENT_SECRET, Fault, Partner};
use crate::support::pulls::{ToldClock, billing, bytes, names, setup};

/// What is done to a manifest, and what is said of it.
type Astray = (fn(&mut Value), &'static str);

/// The folder of the question that these tests ask.
const KEY: &str = "billing-unbilled-current-USD-full";

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn state(into: &Path) -> String {
    fs::read_to_string(into.join(KEY).join("state.json")).expect("a state")
}

/// Pulls what must end in an error; the message as a person reads it.
#[track_caller]
fn refuse(partner: &Partner, into: &Path) -> String {
    match billing(&setup(partner, "/v1.0", into, &ToldClock::new())) {
        Ok(pulled) => panic!("pulled: {pulled:?}"),
        Err(error) => {
            assert!(!format!("{error:?}{}", sentence(&error)).contains("s1gnature"), "{error:?}");
            sentence(&error)
        }
    }
}

#[test]
fn an_export_is_asked_for_awaited_and_downloaded_in_order() {
    let rows = [gzip(b"{\"a\":1}\n"), gzip("{\"a\":\"é\"}\n".as_bytes()), gzip(b"")];
    let partner = Partner::with_blobs(&[("part-b.json.gz", &rows[0]), ("part é.json.gz", &rows[1]), ("sub/part", &rows[2])]);
    partner.script().looks = 2;
    let (into, clock) = (folder(), ToldClock::new());
    let pulled = billing(&setup(&partner, "/v1.0", into.path(), &clock)).expect("a pull");
    assert_eq!(bytes(&pulled), rows);
    assert_eq!((pulled.version.as_deref(), pulled.downloaded), (Some("v/1"), 3));
    let names: Vec<_> = pulled.files.iter().map(|file| file.path.file_name().expect("a name").to_string_lossy().into_owned()).collect();
    assert_eq!(names, ["000001-part-b.json.gz", "000002-part__.json.gz", "000003-part.json.gz"]);
    // As the service asks: after the export, and after each look that found it under way.
    assert_eq!(clock.waited(), [7, 7, 7]);
    let posted = partner.script().asked.iter().find(|asked| asked.method == "POST" && asked.path.ends_with("/export")).cloned();
    let posted = posted.expect("an export");
    assert_eq!(posted.path, "/v1.0/reports/partners/billing/usage/unbilled/export");
    let body: Value = serde_json::from_str(&posted.body).expect("JSON");
    assert_eq!(body, json!({ "currencyCode": "USD", "billingPeriod": "current", "attributeSet": "full" }));
    let manifest = fs::read_to_string(pulled.files[0].path.with_file_name("_manifest.json")).expect("a manifest");
    assert!(manifest.contains("\"v/1\"") && !manifest.contains("s1gnature") && !state(into.path()).contains("s1gnature"), "{manifest}");
}

#[test]
fn a_version_that_is_here_is_not_downloaded_again_whatever_its_blobs_are_called() {
    let rows = gzip(b"{}\n");
    let partner = Partner::with_blobs(&[("a.json.gz", &rows), ("b.json.gz", &rows)]);
    let (into, clock) = (folder(), ToldClock::new());
    let setup = setup(&partner, "/v1.0", into.path(), &clock);
    let first = billing(&setup).expect("a pull");
    partner.script().blobs[0].0 = "renamed.json.gz".to_owned();
    let again = billing(&setup).expect("a pull");
    assert_eq!((again.files.clone(), again.downloaded), (first.files.clone(), 0));
    assert_eq!(partner.asked().iter().filter(|asked| asked.contains(".json.gz")).count(), 2);

    // Other data: everything is fetched, beside the version before.
    partner.script().etag = "v/2".to_owned();
    let other = billing(&setup).expect("a pull");
    assert_eq!((other.downloaded, other.version.as_deref()), (2, Some("v/2")));
    assert!(other.files.iter().all(|file| !first.files.contains(file)) && first.files.iter().all(|file| file.path.exists()));

    // A file that was lost or changed is fetched again.
    fs::write(&other.files[1].path, b"changed").expect("a file");
    let mended = billing(&setup).expect("a pull");
    assert_eq!((mended.downloaded, bytes(&mended)), (1, vec![rows.clone(), rows]));
}

#[test]
fn the_manifest_behind_a_link_is_read_as_the_one_within() {
    let rows = gzip(b"{}\n");
    let partner = Partner::with_blobs(&[("a.json.gz", &rows)]);
    partner.script().linked = true;
    let into = folder();
    let pulled = billing(&setup(&partner, "/v1.0", into.path(), &ToldClock::new())).expect("a pull");
    assert_eq!(bytes(&pulled), [rows]);
    assert_eq!(partner.asked(), ["POST export", "GET op-1", "GET op-1", "GET m-1", "GET a.json.gz"]);
}

#[test]
fn an_empty_export_is_no_failure() {
    let partner = Partner::with_blobs(&[]);
    let into = folder();
    let pulled = billing(&setup(&partner, "/v1.0", into.path(), &ToldClock::new())).expect("a pull");
    assert_eq!((pulled.files.len(), pulled.downloaded), (0, 0));
}

#[test]
fn what_passes_by_itself_is_waited_for_as_long_as_the_service_asks() {
    let rows = gzip(b"{}\n");
    let partner = Partner::with_blobs(&[("a.json.gz", &rows)]);
    let busy = |after| Fault::Status(429, after, String::new());
    partner.script().faults = vec![
        ("/token", Fault::Status(503, Some("11"), String::new())),
        ("/export", busy(Some("13"))),
        // Half a minute from the clock of these tests.
        ("/op-1", busy(Some("Mon, 30 Jun 2025 00:01:08 GMT"))),
        ("/op-1", Fault::Status(500, None, "oops".to_owned())),
        ("/a.json.gz", Fault::Status(503, Some("17"), String::new())),
    ];
    let (into, clock) = (folder(), ToldClock::new());
    let pulled = billing(&setup(&partner, "/v1.0", into.path(), &clock)).expect("a pull");
    assert_eq!(bytes(&pulled), [rows]);
    // 11 + 13 + 7 seconds have gone by when the date is told: 37 are left until it. The wait after
    // 500 is ours, between half a second and one and a half.
    let waited = clock.waited();
    assert_eq!([&waited[..4], &waited[5..]].concat(), [11, 13, 7, 37, 7, 17], "{waited:?}");
    assert!(waited[4] <= 2, "{waited:?}");
}

#[test]
fn attempts_are_bounded_and_the_operation_is_gone_on_with_later() {
    let rows = gzip(b"{}\n");
    let partner = Partner::with_blobs(&[("a.json.gz", &rows)]);
    partner.script().faults = vec![("/op-1", Fault::Status(502, None, String::new())); 7];
    let into = folder();
    let error = refuse(&partner, into.path());
    assert!(error.contains("/operations/op-1: no answer after 7 attempts, the last with: status 502"), "{error}");
    billing(&setup(&partner, "/v1.0", into.path(), &ToldClock::new())).expect("a pull");
    assert_eq!(partner.script().exports, 1);
}

#[test]
fn an_operation_of_yesterday_is_not_gone_on_with() {
    let partner = Partner::with_blobs(&[]);
    partner.script().faults = vec![("/op-1", Fault::Status(502, None, String::new())); 7];
    let into = folder();
    refuse(&partner, into.path());
    let clock = ToldClock::new();
    clock.pass(Duration::from_hours(24));
    billing(&setup(&partner, "/v1.0", into.path(), &clock)).expect("a pull");
    assert_eq!(partner.script().exports, 2);
}

#[test]
fn an_export_that_has_failed_says_why_and_is_asked_for_anew_by_the_next_pull() {
    let partner = Partner::with_blobs(&[]);
    partner.script().end = Some(json!({ "status": "failed", "error": { "code": "5000", "message": "No data available" } }));
    let into = folder();
    let error = refuse(&partner, into.path());
    assert!(error.starts_with("the export has failed at Microsoft") && error.contains("No data available"), "{error}");
    partner.script().end = None;
    billing(&setup(&partner, "/v1.0", into.path(), &ToldClock::new())).expect("a pull");
    assert_eq!(partner.script().exports, 2);
}

#[test]
fn an_operation_that_the_service_has_forgotten_is_begun_again() {
    let partner = Partner::with_blobs(&[]);
    partner.script().faults = vec![("/op-1", Fault::Status(410, None, String::new())), ("/op-2", Fault::Status(404, None, String::new()))];
    let into = folder();
    billing(&setup(&partner, "/v1.0", into.path(), &ToldClock::new())).expect("a pull");
    assert_eq!(partner.script().exports, 3);
    partner.script().faults = (4..7).map(|_| ("/op-", Fault::Status(410, None, String::new()))).collect();
    assert!(refuse(&partner, into.path()).contains("refused with status 410"));
}

#[test]
fn a_download_that_is_cut_or_not_whole_is_made_again_and_never_has_a_name() {
    let rows = gzip(&b"{\"a\":1}\n".repeat(999));
    let partner = Partner::with_blobs(&[("a.json.gz", &rows), ("b.json.gz", &rows)]);
    partner.script().faults = vec![("/a.json.gz", Fault::Cut), ("/a.json.gz", Fault::Short), ("/b.json.gz", Fault::Cut)];
    let into = folder();
    let pulled = billing(&setup(&partner, "/v1.0", into.path(), &ToldClock::new())).expect("a pull");
    assert_eq!(bytes(&pulled), [rows.clone(), rows]);

    let partner = Partner::with_blobs(&[("a.json.gz", b"{\"a\":1}\n")]);
    let into = folder();
    let error = refuse(&partner, into.path());
    assert!(error.contains("what came is no whole gzip file") && error.contains("/blobs/a.json.gz"), "{error}");
    assert!(names(into.path()).iter().all(|name| !name.contains("a.json.gz")), "{:?}", names(into.path()));
}

#[test]
fn a_pull_that_was_stopped_goes_on_at_the_blob_where_it_stopped() {
    let rows = gzip(b"{}\n");
    let partner = Partner::with_blobs(&[("a.json.gz", &rows), ("b.json.gz", &rows), ("c.json.gz", &rows)]);
    partner.script().faults = vec![("/b.json.gz", Fault::Status(404, None, "gone".to_owned()))];
    let into = folder();
    let error = refuse(&partner, into.path());
    assert!(error.ends_with("/blobs/b.json.gz: refused with status 404: gone"), "{error}");
    let pulled = billing(&setup(&partner, "/v1.0", into.path(), &ToldClock::new())).expect("a pull");
    assert_eq!((pulled.files.len(), pulled.downloaded), (3, 2));
    let asked = partner.asked();
    assert_eq!(asked.iter().filter(|asked| *asked == "GET a.json.gz").count(), 1, "{asked:?}");
    assert_eq!(partner.script().exports, 1);
}

#[test]
fn an_expired_signature_is_asked_for_again() {
    let rows = gzip(b"{}\n");
    let partner = Partner::with_blobs(&[("a.json.gz", &rows), ("b.json.gz", &rows)]);
    partner.script().signs_anew = true;
    partner.script().faults = vec![("/b.json.gz", Fault::Status(403, None, "<Code>AuthenticationFailed</Code>".to_owned()))];
    let into = folder();
    let pulled = billing(&setup(&partner, "/v1.0", into.path(), &ToldClock::new())).expect("a pull");
    assert_eq!((bytes(&pulled), pulled.downloaded), (vec![rows.clone(), rows], 2));
    assert_eq!(partner.script().signature, 3);
}

#[test]
fn a_signature_that_is_refused_time_and_again_ends_the_pull_without_showing_it() {
    let partner = Partner::with_blobs(&[("a.json.gz", b"")]);
    partner.script().edit = |manifest| manifest["sasToken"] = json!("?sig=s1gnature-stale&se=2025");
    let into = folder();
    let error = refuse(&partner, into.path());
    assert!(error.contains("refused with status 403: <Error><Code>AuthenticationFailed</Code>[secret]"), "{error}");
    // The operation once more, then another export, then no further.
    assert_eq!(partner.asked().iter().filter(|asked| asked.ends_with("a.json.gz")).count(), 3);
    assert_eq!(partner.script().exports, 2);
}

#[test]
fn a_token_that_expires_on_the_way_is_renewed_once() {
    let rows = gzip(b"{}\n");
    let partner = Partner::with_blobs(&[("a.json.gz", &rows)]);
    partner.script().faults = vec![("/op-1", Fault::Status(401, None, String::new()))];
    let (into, clock) = (folder(), ToldClock::new());
    billing(&setup(&partner, "/v1.0", into.path(), &clock)).expect("a pull");
    let bearers: Vec<_> = partner.script().asked.iter().filter_map(|asked| asked.bearer.clone()).collect();
    assert_eq!(bearers, ["token-1", "token-1", "token-2", "token-2"]);

    // Refused with a new one too: no third.
    partner.script().revoked = u64::MAX;
    let error = refuse(&partner, into.path());
    assert!(error.contains("/export: refused with status 401: InvalidAuthenticationToken"), "{error}");
    assert!(error.contains("[secret]") && !error.contains("token-"), "{error}");
}

#[test]
fn a_token_is_renewed_before_its_time_is_over() {
    let partner = Partner::with_blobs(&[]);
    {
        let mut script = partner.script();
        (script.token_seconds, script.looks, script.retry_after) = (600, 3, "200");
    }
    let into = folder();
    billing(&setup(&partner, "/v1.0", into.path(), &ToldClock::new())).expect("a pull");
    let bearers: Vec<_> = partner.script().asked.iter().filter_map(|asked| asked.bearer.clone()).collect();
    assert_eq!(bearers, ["token-1", "token-1", "token-2", "token-2", "token-3"]);
}

#[test]
fn wrong_credentials_are_told_in_the_words_of_the_service_without_the_secret() {
    let partner = Partner::with_blobs(&[]);
    let into = folder();
    let mut setup = setup(&partner, "/v1.0", into.path(), &ToldClock::new());
    setup.credentials.client_id = "another".to_owned();
    let error = billing(&setup).expect_err("refused");
    let text = format!("{error:?} {}", sentence(&error));
    assert!(text.contains("status 401: AADSTS7000215: Invalid client secret `[secret]`"), "{text}");
    assert!(!text.contains(CLIENT_SECRET) && !format!("{setup:?}").contains(CLIENT_SECRET), "{text}");
}

#[test]
fn a_location_on_another_host_is_not_followed() {
    for location in ["https://example.com/operations/1", "http://127.0.0.1:1/operations/1", "//example.com/x"] {
        let partner = Partner::with_blobs(&[]);
        partner.script().location = Some(location.to_owned());
        let into = folder();
        let error = refuse(&partner, into.path());
        assert!(error.starts_with("the Location of the export"), "{error}");
        assert_eq!(partner.asked(), ["POST export"]);
    }
    // Nor is one that a state file was made to hold.
    let partner = Partner::with_blobs(&[]);
    let into = folder();
    billing(&setup(&partner, "/v1.0", into.path(), &ToldClock::new())).expect("a pull");
    let planted = state(into.path())
        .replace("\"operation\": null", "\"operation\": {\"url\": \"https://example.com/o\", \"begun_epoch_seconds\": 1751241600}");
    fs::write(into.path().join(KEY).join("state.json"), planted).expect("a state");
    assert!(refuse(&partner, into.path()).contains("https://example.com"));
}

#[test]
fn a_manifest_that_leads_astray_is_refused_before_anything_is_downloaded() {
    let cases: [Astray; 5] = [
        (|manifest| manifest["blobs"][0]["name"] = json!("../../../escaped.json.gz"), "it leads out of its folder"),
        (|manifest| manifest["blobs"][0]["name"] = json!("/etc/escaped.json.gz"), "it leads out of its folder"),
        (|manifest| manifest["blobCount"] = json!(2), "counts 2 blobs and lists 1"),
        (|manifest| manifest["rootDirectory"] = json!("http://example.com/blobs"), "it is not https"),
        (|manifest| manifest["dataFormat"] = json!("parquet"), "of format `parquet`"),
    ];
    for (edit, wanted) in cases {
        let partner = Partner::with_blobs(&[("a.json.gz", b"")]);
        partner.script().edit = edit;
        let outer = folder();
        let into = outer.path().join("a/b/c");
        let error = refuse(&partner, &into);
        assert!(error.contains(wanted), "{error}");
        assert!(partner.asked().iter().all(|asked| !asked.contains(".gz")), "{:?}", partner.asked());
        assert!(names(outer.path()).iter().all(|name| !name.contains("escaped")), "{:?}", names(outer.path()));
    }
}

#[test]
fn a_pull_ends_by_its_deadline_and_the_next_goes_on() {
    let partner = Partner::with_blobs(&[]);
    partner.script().looks = 1_000;
    partner.script().retry_after = "60";
    let (into, clock) = (folder(), ToldClock::new());
    let setup = setup(&partner, "/v1.0", into.path(), &clock);
    let error = billing(&setup).expect_err("late");
    assert!(matches!(error, PullError::Deadline { seconds: 7_200, .. }), "{error}");
    assert!(clock.waited().iter().sum::<u64>() < 7_200);
    partner.script().looks = 0;
    billing(&setup).expect("a pull");
    assert_eq!(partner.script().exports, 1);
}

#[test]
fn an_answer_without_an_end_and_a_service_that_is_gone_end_the_pull() {
    let partner = Partner::with_blobs(&[]);
    partner.script().faults = vec![("/export", Fault::Status(400, None, "x".repeat(2 << 20)))];
    let into = folder();
    assert!(refuse(&partner, into.path()).ends_with("the answer is longer than 1048576 bytes"));
    let setup = setup(&partner, "/v1.0", into.path(), &ToldClock::new());
    drop(partner);
    let error = sentence(&billing(&setup).expect_err("nobody answers"));
    assert!(error.contains("/token: no answer after 7 attempts, the last with: error sending request"), "{error}");
}

#[test]
fn two_pulls_of_one_question_do_not_meet() {
    let partner = Partner::with_blobs(&[]);
    let into = folder();
    billing(&setup(&partner, "/v1.0", into.path(), &ToldClock::new())).expect("a pull");
    let lock = fs::File::options().write(true).open(into.path().join(KEY).join(".lock")).expect("a lock");
    lock.lock().expect("the lock");
    assert!(refuse(&partner, into.path()).starts_with("another pull works in"));
    drop(lock);
    fs::write(into.path().join(KEY).join("state.json"), "{").expect("a state");
    assert!(refuse(&partner, into.path()).contains("is no state of a pull"));
}
