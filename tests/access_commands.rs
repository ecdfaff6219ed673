//! Keys and the audit log as an operator meets them.

use std::fs;
use std::process::{Command, Output, Stdio};

use crate::support::lakes::Desk;

/// The client's secret, which nothing may print.
const CANARY: &str = "canary-0a1b-not-to-be-seen";

fn run(desk: &Desk, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_churn-risk"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CHURN_RISK_")) {
        command.env_remove(name);
    }
    command.env("CHURN_RISK_OPENID_SECRET", CANARY).env("USER", "olga").env_remove("SUDO_USER").env("RUST_LOG", "trace");
    command.args(arguments).current_dir(desk.path("")).stdin(Stdio::null()).output().expect("the program starts")
}

/// What a command prints, and what it says beside.
#[track_caller]
fn said(desk: &Desk, code: i32, arguments: &[&str]) -> (String, String) {
    let Output { status, stdout, stderr } = run(desk, arguments);
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout).into_owned(), String::from_utf8_lossy(&stderr).into_owned());
    assert!(!stdout.contains(CANARY) && !stderr.contains(CANARY), "the client's secret is in the open");
    assert_eq!(status.code(), Some(code), "{stdout}{stderr}");
    (stdout, stderr)
}

const FILES: [&str; 4] = ["--keys", "keys.json", "--audit", "audit"];

fn with<'a>(first: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [first, more].concat()
}

#[test]
fn a_key_is_shown_once_and_listed_without_its_secret() {
    let desk = Desk::new();
    let create = with(&["keys", "create", "--name", "crm", "--role", "AdminAgent", "--scope", "reseller:r1", "--days", "30"], &FILES);
    let (shown, told) = said(&desk, 0, &create);
    let key = shown.trim();
    assert!(key.starts_with("crk_") && shown.lines().count() == 1 && told.contains("the only time"), "{shown}{told}");
    let secret = key.splitn(3, '_').nth(2).expect("a secret");
    let (listed, _) = said(&desk, 0, &["keys", "list", "--keys", "keys.json"]);
    assert!(listed.contains("crm") && listed.contains("reseller:r1") && listed.contains("holds"), "{listed}");
    let (_, told) = said(&desk, 1, &create);
    assert!(told.contains("there is a key `crm` that holds"), "{told}");
    said(&desk, 0, &with(&["keys", "revoke", "crm"], &FILES));
    let (listed, _) = said(&desk, 0, &["keys", "list", "--keys", "keys.json"]);
    assert!(listed.contains("revoked"), "{listed}");
    said(&desk, 1, &with(&["keys", "revoke", "crm"], &FILES));
    let audit = fs::read_to_string(desk.path("audit/audit.jsonl")).expect("a log");
    assert!(audit.contains("key created") && audit.contains("key revoked") && audit.contains("\"who\":\"os:olga#"), "{audit}");
    for text in [listed, audit, fs::read_to_string(desk.path("keys.json")).expect("a file"), told] {
        assert!(!text.contains(secret), "the key is in the open");
    }
}

#[test]
fn imports_are_recorded_and_a_log_that_was_touched_is_found() {
    let desk = Desk::new();
    desk.usage("in/usage.csv", "s1,2026-06-01,Storage,GB,1,1\n");
    let import = ["import", "in", "--lake", "lake", "--audit", "audit"];
    said(&desk, 0, &import);
    said(&desk, 0, &import);
    said(&desk, 1, &["import", "nowhere", "--lake", "lake", "--audit", "audit"]);
    let lines = desk.path("audit/audit.jsonl");
    let text = fs::read_to_string(&lines).expect("a log");
    let results: Vec<String> = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["result"].as_str().expect("a result").to_owned())
        .collect();
    assert_eq!(results.len(), 6, "{results:?}");
    assert!(
        results[1].starts_with("done: version 1 of 1 rows")
            && results[3].starts_with("done: nothing new")
            && results[5].starts_with("failed: ")
    );
    let (verdict, _) = said(&desk, 0, &["audit", "verify", "--audit", "audit"]);
    let last = verdict.trim().rsplit(' ').next().expect("a hash").to_owned();
    assert!(verdict.starts_with("6 lines, each as it was written"), "{verdict}");
    said(&desk, 0, &["audit", "verify", "--audit", "audit", "--holds", &last]);
    fs::write(&lines, text.replacen("os:olga", "os:eve!", 1)).expect("room");
    let (_, told) = said(&desk, 1, &["audit", "verify", "--audit", "audit"]);
    assert!(told.contains("line 2: the line before it is not the one that it followed"), "{told}");
    // A log that was made anew does not hold the hash that somebody wrote down.
    fs::remove_dir_all(desk.path("audit")).expect("it is there");
    said(&desk, 0, &import);
    said(&desk, 0, &["audit", "verify", "--audit", "audit"]);
    let (_, told) = said(&desk, 1, &["audit", "verify", "--audit", "audit", "--holds", &last]);
    assert!(told.contains("made anew, or cut"), "{told}");
    // Without a place for the record nothing is done.
    fs::write(desk.path("blocked"), "").expect("room");
    let (_, told) = said(&desk, 1, &["import", "in", "--lake", "other", "--audit", "blocked/audit"]);
    assert!(told.contains("cannot be written") && !desk.path("other").exists(), "{told}");
}

#[test]
fn a_service_that_nobody_could_use_safely_does_not_start() {
    let desk = Desk::new();
    desk.file("access.toml", "public_url = \"https://churn.example.com\"\n");
    desk.file("wrong.toml", "[openid]\nissuer = \"https://b.example\"\naudience = \"c\"\nclient_secret = \"hush-hush\"\n");
    for (arguments, what) in [
        (vec!["--bind", "0.0.0.0:0"], "is not a loopback address"),
        (vec!["--access", "access.toml", "--audit", "audit"], "nobody could sign in"),
        (vec!["--keys", "keys.json"], "give --audit FOLDER"),
        (vec!["--keys", "keys.json", "--audit", "audit", "--bind", "0.0.0.0:0"], "without TLS"),
        (vec!["--access", "wrong.toml", "--audit", "audit"], "wrong.toml, line 4, column 1: unknown field `client_secret`"),
        (vec!["--access", "absent.toml", "--audit", "audit"], "absent.toml does not read"),
    ] {
        let (_, told) = said(&desk, 1, &with(&["serve", "--lake", "lake"], &arguments));
        assert!(told.contains(what) && !told.contains("hush-hush"), "{arguments:?}: {told}");
    }
}
