//! The commands that look after a lake, as a person meets them: `verify`, `gaps`, `compact`,
//! `vacuum` and `tables`, and the older versions that every read can go back to.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use churn_risk::lake::{ImportRequest, import};
use serde_json::Value;

use crate::support::client::ask;
use crate::support::lakes::{Desk, sentence};
use crate::support::worlds::day;

/// A lake of two versions: the second brings May after a hole of three days.
fn two() -> Desk {
    let desk = Desk::new();
    for (number, imported_on, row) in
        [(1, "2026-04-30", "s1,2026-04-20,C,h,1,2\n"), (2, "2026-05-03", "s1,2026-04-24,C,h,1,2\ns2,2026-05-02,C,h,1,2\n")]
    {
        let usage = desk.usage(&format!("{number}.csv"), row);
        let request = ImportRequest { today: day(imported_on), ..desk.request(&[usage]) };
        import(&request).unwrap_or_else(|error| panic!("{}", sentence(&error)));
    }
    desk
}

fn run(program: &str, arguments: &[&str], lake: &Path) -> Output {
    let mut command = Command::new(program);
    command.args(arguments).arg("--lake").arg(lake).output().expect("the program starts")
}

#[track_caller]
fn said(arguments: &[&str], lake: &Path) -> String {
    let output = run(env!("CARGO_BIN_EXE_churn-risk"), arguments, lake);
    assert!(output.status.success(), "{output:?}");
    // Whatever draws the tables, the words in them are what is promised.
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().map(|line| line.split(['│', '┆']).map(str::trim).collect::<Vec<_>>().join(" ").trim().to_owned() + "\n").collect()
}

#[track_caller]
fn fails(arguments: &[&str], lake: &Path) -> (String, String) {
    let output = run(env!("CARGO_BIN_EXE_churn-risk"), arguments, lake);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn gaps_are_ranges_with_their_lengths_and_the_age_of_the_data() {
    let desk = two();
    let text = said(&["gaps"], &desk.lake());
    assert!(text.starts_with("version 2 has usage from 2026-04-20 to 2026-05-02 ("), "{text}");
    for line in ["\n2026-04-21 2026-04-23 3\n", "\n2026-04-25 2026-05-01 7\n", "\n10 of 13 days are gaps: no subscription has a row\n"] {
        assert!(text.contains(line), "{text}");
    }
    let json: Value = serde_json::from_str(&said(&["gaps", "--format", "json"], &desk.lake())).expect("JSON");
    assert_eq!((&json["first_day"], &json["last_day"], &json["gap_days"]), (&"2026-04-20".into(), &"2026-05-02".into(), &10.into()));
    assert_eq!(json["gaps"][1], serde_json::json!({ "from": "2026-04-25", "to": "2026-05-01", "days": 7 }));
    let (today, behind) = (json["today"].as_str().expect("a day"), json["days_since_last_day"].as_i64().expect("days"));
    assert_eq!(i64::from(day(today) - day("2026-05-02")), behind);
    let before = said(&["gaps", "--as-of-version", "1"], &desk.lake());
    assert!(
        before.starts_with("version 1 has usage from 2026-04-20 to 2026-04-20") && before.contains("no gaps: each of the 1 days"),
        "{before}"
    );
}

#[test]
fn a_sound_lake_verifies_and_each_fault_is_named_with_its_file_and_partition() {
    let desk = two();
    let text = said(&["verify", "--all"], &desk.lake());
    assert!(text.contains("\nversions 1 to 2 were read: everything is as it must be\n"), "{text}");
    assert!(text.contains("\nusage_daily 3 4 "), "April twice and May: {text}");
    assert!(text.contains("\nimports 1 2 "), "{text}");
    assert!(said(&["verify"], &desk.lake()).contains("\nversion 2 was read: everything is as it must be\n"));
    let months = ["2026-04", "2026-05"].map(|month| {
        let folder = desk.lake().join(format!("usage_daily/month={month}"));
        let mut paths: Vec<_> = fs::read_dir(folder).expect("a month").map(|entry| entry.expect("an entry").path()).collect();
        paths.sort();
        paths.pop().expect("a file")
    });
    for path in &months {
        let mut bytes = fs::read(path).expect("a file");
        bytes[100] ^= 1;
        fs::write(path, bytes).expect("a file");
    }
    let (told, _) = fails(&["verify"], &desk.lake());
    for (path, month) in months.iter().zip(["2026-04", "2026-05"]) {
        assert!(told.contains(&format!("fault: usage_daily, month {month}, {}: ", path.display())), "{told}");
    }
    assert!(told.contains("version 2 was read: 2 faults"), "{told}");
    // The first version names neither.
    assert!(said(&["verify", "--as-of-version", "1"], &desk.lake()).contains("version 1 was read: everything is as it must be"));
    fails(&["verify", "--all"], &desk.lake());
    fails(&["tables", "--read"], &desk.lake());
}

#[test]
fn the_tables_are_listed_with_versions_rows_days_and_sizes() {
    let desk = two();
    let text = said(&["tables"], &desk.lake());
    assert!(text.contains("\ntable delta version files rows KiB first day last day\n"), "{text}");
    for line in ["\nusage_daily 2 2 3 ", "\nimports 2 1 2 ", "\nfeedback - 0 0 0", "\nscores - 0 0 0"] {
        assert!(text.contains(line), "no `{line}` in {text}");
    }
    assert!(text.lines().any(|line| line.starts_with("usage_daily") && line.ends_with(" 2026-04-20 2026-05-02")), "{text}");
    let before = said(&["tables", "--as-of-version", "1"], &desk.lake());
    assert!(before.lines().any(|line| line.starts_with("usage_daily 1 1 1 ") && line.ends_with(" 2026-04-20 2026-04-20")), "{before}");
}

#[test]
fn vacuum_and_compact_say_what_they_did_and_a_vacuumed_version_is_told_everywhere() {
    let desk = two();
    let lake = desk.lake();
    let dry = said(&["vacuum", "--keep-days", "0", "--dry-run"], &lake);
    assert!(dry.contains("\nversion 2 can be opened, the newest; the files that version 1 alone named would be gone\n"), "{dry}");
    said(&["gaps", "--as-of-version", "1"], &lake);
    let text = said(&["vacuum", "--keep-days", "0"], &lake);
    assert!(text.contains("the files that version 1 alone named are gone\n"), "{text}");
    assert!(text.contains("\nusage_daily 2 "), "{text}");
    assert!(said(&["vacuum"], &lake).contains("; no version was given up\n"));
    assert!(said(&["tables"], &lake).contains("\n1 (vacuumed) 2026-04-30 "));
    let told = format!("error: table version 1 of {} was vacuumed, and the oldest that is kept is 2\n", lake.display());
    for command in ["tables", "verify", "gaps"] {
        let (_, error) = fails(&[command, "--as-of-version", "1"], &lake);
        assert_eq!(error, told, "{command}");
    }
    let output = run(env!("CARGO_BIN_EXE_churn-train"), &["train", "--label", "silence", "--as-of-version", "1"], &lake);
    assert!(String::from_utf8_lossy(&output.stderr).contains("version 1 of"), "{output:?}");
    let (_, error) = fails(&["serve", "--bind", "127.0.0.1:0", "--as-of-version", "1"], &lake);
    assert!(error.contains("was vacuumed"), "{error}");
    let compacted = said(&["compact"], &lake);
    assert!(compacted.contains("\nfeedback 0 0 0 0 nothing to merge\n"), "{compacted}");
    assert!(compacted.contains("\nusage_daily 2 2 ") && compacted.contains(" nothing to merge: a month is one file\n"), "{compacted}");
    for command in ["vacuum", "compact", "verify", "gaps"] {
        let (_, error) = fails(&[command], &desk.path("laek"));
        assert!(error.contains("there is no folder"), "{command}: {error}");
    }
}

#[test]
fn a_service_over_an_older_version_says_so_and_looks_for_no_newer_one() {
    let desk = two();
    let mut command = Command::new(env!("CARGO_BIN_EXE_churn-risk"));
    command.args(["serve", "--bind", "127.0.0.1:0", "--as-of-version", "1", "--lake"]).arg(desk.lake());
    command.arg("--models").arg(desk.path("models")).stderr(Stdio::piped()).stdout(Stdio::null());
    let mut child = command.spawn().expect("the program starts");
    let log = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut told = String::new();
    let mut address = None;
    for line in log.lines().map(|line| line.expect("a line")) {
        told += &line;
        address = line.split_once("serving on http://").map(|(_, address)| address.to_owned());
        if address.is_some() {
            break;
        }
    }
    let address = address.unwrap_or_else(|| panic!("it never served: {told}"));
    let address = address.parse().expect("an address");
    let version = || ask(address, "GET", "/v1/gaps", &[]).ok()["meta"]["table_version"].clone();
    assert_eq!(version(), 1);
    assert_eq!(ask(address, "POST", "/v1/tables/reload", &[]).ok()["data"]["changed"], false);
    assert_eq!(version(), 1);
    child.kill().and_then(|()| child.wait()).expect("a child");
    assert!(told.contains("this version of the tables stays in service"), "{told}");
    assert!(!desk.lake().join("scores").exists(), "no scores are appended");
}
