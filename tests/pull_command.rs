//! `churn-risk pull` as an operator meets it: the environment, the exit code, what stands in the
//! log, and what a killed pull leaves to the next.

use std::fs;
use std::process::{Command, Output, Stdio};

use crate::support::lakes::{Desk, gzip};
use crate::support::partner::{CLIENT_ID, CLIENT_SECRET, Fault, Partner, TENANT};
use crate::support::pulls::names;

fn pull(desk: &Desk, partner: &Partner, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_churn-risk"));
    command.arg("pull").args(arguments).args(["--lake", "lake"]).current_dir(desk.path(""));
    command.env_remove("CHURN_RISK_LAKE").env_remove("CHURN_RISK_REFRESH_TOKEN").env_remove("CHURN_RISK_SCOPE");
    command.env("CHURN_RISK_AUTHORITY", partner.url("")).env("CHURN_RISK_GRAPH", partner.url("/v1.0"));
    command.env("CHURN_RISK_PARTNER_CENTER", partner.url("")).env("CHURN_RISK_TENANT", TENANT);
    command.env("CHURN_RISK_CLIENT_ID", CLIENT_ID).env("CHURN_RISK_CLIENT_SECRET", CLIENT_SECRET);
    // Everything that any crate would log, so that a secret in it is seen.
    command.env("RUST_LOG", "trace").stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What the program says, and that no secret is in it or in a file that it has written.
#[track_caller]
fn check(mut command: Command, code: i32) -> (String, String) {
    let desk = command.get_current_dir().expect("a folder").to_path_buf();
    let Output { status, stdout, stderr } = command.output().expect("the program starts");
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout).into_owned(), String::from_utf8_lossy(&stderr).into_owned());
    assert_eq!(status.code(), Some(code), "{stdout}{stderr}");
    let encoded: String = url::form_urlencoded::byte_serialize(CLIENT_SECRET.as_bytes()).collect();
    for secret in [CLIENT_SECRET, &encoded, "token-1", "s1gnature"] {
        assert!(!stdout.contains(secret) && !stderr.contains(secret), "`{secret}` is in the open");
        for name in names(&desk) {
            let text = String::from_utf8_lossy(&fs::read(desk.join(&name)).expect("a file")).into_owned();
            assert!(!text.contains(secret), "`{secret}` is in {name}");
        }
    }
    (stdout, stderr)
}

const UNBILLED: [&str; 5] = ["billing", "unbilled", "--billing-currency", "USD", "--no-import"];

/// One that waits as little as a real clock lets it.
fn partner(blobs: &[(&str, &[u8])]) -> Partner {
    let partner = Partner::with_blobs(blobs);
    partner.script().retry_after = "0";
    partner.script().looks = 0;
    partner
}

#[test]
fn a_pull_without_import_names_its_files_and_shows_no_secret_in_any_log() {
    let desk = Desk::new();
    let rows = gzip(b"{}\n");
    let partner = partner(&[("a.json.gz", &rows)]);
    partner.script().faults = vec![("/a.json.gz", Fault::Cut)];
    let (stdout, stderr) = check(pull(&desk, &partner, &UNBILLED), 0);
    assert!(stdout.starts_with("pulled 1 files of version v/1; 0 of 1 were here\n"), "{stdout}");
    let file = stdout.lines().last().expect("a file");
    assert!(file.contains("_pull/billing-unbilled-current-USD-full/") && desk.path(file).exists(), "{stdout}");
    assert!(stderr.contains("again in 1 s") && stderr.contains("TRACE"), "{stderr}");
    assert!(!desk.lake().join("imports").exists());
    let (stdout, _) = check(pull(&desk, &partner, &UNBILLED), 0);
    assert!(stdout.starts_with("pulled 0 files of version v/1; 1 of 1 were here\n"), "{stdout}");
}

#[test]
fn a_killed_pull_goes_on_at_the_blob_where_it_was() {
    let desk = Desk::new();
    let rows = gzip(b"{}\n");
    let partner = partner(&[("a.json.gz", &rows), ("b.json.gz", &rows)]);
    partner.script().faults = vec![("/b.json.gz", Fault::Silence)];
    let mut child = pull(&desk, &partner, &UNBILLED).spawn().expect("the program starts");
    partner.await_silence();
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    assert_eq!(names(&desk.lake()).iter().filter(|name| name.ends_with("a.json.gz")).count(), 1);
    let (stdout, _) = check(pull(&desk, &partner, &UNBILLED), 0);
    assert!(stdout.starts_with("pulled 1 files of version v/1; 1 of 2 were here\n"), "{stdout}");
    assert_eq!(partner.asked(), ["POST export", "GET op-1", "GET a.json.gz", "GET b.json.gz", "GET op-1", "GET b.json.gz"]);
}

#[test]
fn a_billed_export_and_the_analytics_are_asked_for_by_their_own_words() {
    let desk = Desk::new();
    let partner = partner(&[]);
    check(pull(&desk, &partner, &["billing", "billed", "--invoice", "G016907411", "--attributes", "basic"]), 0);
    let body = partner.script().asked.iter().find(|asked| asked.path.ends_with("/billed/export")).map(|asked| asked.body.clone());
    let body: serde_json::Value = serde_json::from_str(&body.expect("an export")).expect("JSON");
    assert_eq!(body, serde_json::json!({ "invoiceId": "G016907411", "attributeSet": "basic" }));
    partner.script().pages.insert("subscriptions?top=10000&skip=0".to_owned(), "[]".to_owned());
    let (stdout, _) = check(pull(&desk, &partner, &["analytics", "subscriptions"]), 0);
    assert!(stdout.ends_with("the export is empty: nothing to import\n"), "{stdout}");
    let scope = partner.script().asked[0].body.clone();
    assert!(scope.contains(&format!("scope=http%3A%2F%2F127.0.0.1%3A{}%2F.default", partner.address.port())), "{scope}");
}

#[test]
fn what_is_missing_or_refused_is_said_with_exit_code_1() {
    let desk = Desk::new();
    let partner = partner(&[]);
    for name in ["CHURN_RISK_TENANT", "CHURN_RISK_CLIENT_ID", "CHURN_RISK_CLIENT_SECRET"] {
        let mut command = pull(&desk, &partner, &UNBILLED);
        command.env_remove(name);
        let (_, stderr) = check(command, 1);
        assert!(stderr.contains(&format!("error: {name} is not set")), "{stderr}");
    }
    let mut command = pull(&desk, &partner, &UNBILLED);
    command.env("CHURN_RISK_CLIENT_ID", "another");
    let (_, stderr) = check(command, 1);
    assert!(stderr.contains("status 401: AADSTS7000215: Invalid client secret `[secret]`"), "{stderr}");
    let mut command = pull(&desk, &partner, &UNBILLED);
    command.env("CHURN_RISK_GRAPH", "http://graph.microsoft.com/v1.0");
    let (_, stderr) = check(command, 2);
    assert!(stderr.contains("it is not https"), "{stderr}");
}

#[test]
fn what_was_pulled_is_imported_as_one_step() {
    let desk = Desk::new();
    // No export of billing, and told so by the import: the files stay, and the next command can
    // read them.
    let partner = partner(&[("a.csv.gz", &gzip(b"what,is,this\n1,2,3\n"))]);
    let (stdout, stderr) = check(pull(&desk, &partner, &UNBILLED[..4]), 1);
    assert!(stdout.starts_with("pulled 1 files"), "{stdout}");
    assert!(stderr.contains("error: ") && stderr.contains("000001-a.csv.gz"), "{stderr}");
    let rows = gzip(b"subscription_id,on,category,unit,quantity,cost\ns1,2025-05-01,C,h,1,\n");
    let other = gzip(b"subscription_id,on,category,unit,quantity,cost\ns1,2025-05-01,D,h,1,\n");
    partner.script().blobs = vec![("a.csv.gz".to_owned(), rows), ("b.csv.gz".to_owned(), other)];
    partner.script().etag = "v/2".to_owned();
    let (stdout, _) = check(pull(&desk, &partner, &UNBILLED[..4]), 0);
    assert_eq!(stdout.lines().last(), Some("acked 1"), "{stdout}");
    assert_eq!(desk.rows().usage.len(), 2, "rows of one day from two blobs are both there");
}

#[test]
fn a_blob_that_has_not_changed_counts_beside_one_that_has() {
    let desk = Desk::new();
    let rows = |category: &str, quantity: u32| {
        gzip(format!("subscription_id,on,category,unit,quantity,cost\ns1,2025-05-01,{category},h,{quantity},\n").as_bytes())
    };
    let partner = partner(&[("a.csv.gz", &rows("C", 1)), ("b.csv.gz", &rows("D", 1))]);
    check(pull(&desk, &partner, &UNBILLED[..4]), 0);
    // The next version has one blob as it was: passed over, it would lose its part of the day.
    partner.script().blobs[1].1 = rows("D", 2);
    partner.script().etag = "v/2".to_owned();
    check(pull(&desk, &partner, &UNBILLED[..4]), 0);
    let quantities: Vec<_> = desk.rows().usage.into_iter().map(|((_, _, category, _), (quantity, _))| (category, quantity)).collect();
    assert_eq!(quantities, [("C".to_owned(), 1_000_000), ("D".to_owned(), 2_000_000)]);
}
