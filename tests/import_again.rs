//! What is in the tables already: the same files change nothing, a newer file restates whole
//! days, a subscriptions file names what only usage knew.

use std::fs;

use churn_risk::lake::Outcome;

use crate::support::lakes::{Desk, committed, rows, snapshot};

const SUBSCRIPTIONS: &str = "subscription_id,customer_id\n";

/// (subscription, day, category) and the quantity in whole units, of every usage row.
fn quantities(desk: &Desk) -> Vec<(String, i64)> {
    let usage = desk.rows().usage.into_iter();
    usage.map(|((id, on, category, _), (quantity, _))| (format!("{id} {on} {category}"), quantity / 1_000_000)).collect()
}

#[track_caller]
fn check(desk: &Desk, wanted: &[(&str, i64)]) {
    let wanted: Vec<(String, i64)> = wanted.iter().map(|(key, quantity)| ((*key).to_owned(), *quantity)).collect();
    assert_eq!(quantities(desk), wanted);
}

#[test]
fn the_same_files_again_change_nothing_and_say_so() {
    let desk = Desk::new();
    let files = [
        desk.usage("usage_daily.csv", "s1,2026-05-01,C,h,1,\ns1,2026-06-01,C,h,2,0.5\n"),
        desk.file("subscriptions.csv", format!("{SUBSCRIPTIONS}s1,c1\n")),
    ];
    desk.accept(&files);
    let (before, files_before) = (desk.rows(), desk.usage_files());
    let report = desk.accept(&files);
    assert_eq!(report.outcome, Outcome::Unchanged { version: 1 });
    assert!(report.files.iter().all(|file| file.known_since == Some(1)), "{:?}", report.files);
    // Known are the bytes: neither the name nor the folder.
    let moved = desk.usage("elsewhere/march.csv", "s1,2026-05-01,C,h,1,\ns1,2026-06-01,C,h,2,0.5\n");
    assert_eq!(desk.accept(&[moved]).outcome, Outcome::Unchanged { version: 1 });
    assert_eq!((desk.version(), desk.rows()), (1, before));
    assert!(desk.usage_files() == files_before);
}

#[test]
fn one_new_file_among_known_ones_is_read_alone() {
    let desk = Desk::new();
    let known = desk.usage("in/april.csv", "s1,2026-04-01,C,h,1,\n");
    desk.accept(std::slice::from_ref(&known));
    desk.usage("in/may.csv", "s1,2026-05-01,C,h,2,\n");
    let report = desk.accept(&[desk.path("in")]);
    let record = committed(&report);
    assert_eq!((record.import_id, record.rows_read, record.rows_kept), (2, 1, 1));
    let names: Vec<&str> = record.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["may.csv"]);
    let known_since: Vec<_> = report.files.iter().map(|file| (file.name.as_str(), file.known_since)).collect();
    assert_eq!(known_since, [("may.csv", None), ("april.csv", Some(1))]);
    check(&desk, &[("s1 2026-04-01 C", 1), ("s1 2026-05-01 C", 2)]);
}

#[test]
fn the_same_bytes_under_two_names_are_read_once_and_told() {
    let desk = Desk::new();
    let files = [desk.usage("a.csv", "s1,2026-06-01,C,h,1,\n"), desk.usage("b.csv", "s1,2026-06-01,C,h,1,\n")];
    let report = desk.accept(&files);
    assert!(report.warnings.contains(&"b.csv holds the same bytes as a.csv and was read once".to_owned()), "{:?}", report.warnings);
    check(&desk, &[("s1 2026-06-01 C", 1)]);
}

#[test]
fn a_newer_file_replaces_a_subscription_day_whole_and_leaves_every_other_row() {
    let desk = Desk::new();
    let first = "s1,2026-05-31,C,h,1,\ns1,2026-06-01,B,h,2,\ns1,2026-06-01,C,h,3,\ns1,2026-06-02,C,h,4,\n\
        s2,2026-06-01,C,h,5,\ns2,2026-06-01,C,kg,6,\n";
    desk.accept(&[desk.usage("first.csv", first)]);
    let before = desk.rows();
    let may = desk.usage_files().into_iter().next();
    desk.accept(&[desk.usage("second.csv", "s1,2026-06-01,C,h,30,\ns1,2026-06-01,D,h,40,\ns3,2026-06-01,A,h,7,\n")]);
    check(
        &desk,
        &[
            ("s1 2026-05-31 C", 1),
            ("s1 2026-06-01 C", 30),
            ("s1 2026-06-01 D", 40),
            ("s1 2026-06-02 C", 4),
            ("s2 2026-06-01 C", 5),
            ("s2 2026-06-01 C", 6),
            ("s3 2026-06-01 A", 7),
        ],
    );
    assert_eq!(desk.usage_files().into_iter().next(), may, "a month that no row touches keeps its file");
    assert_eq!(rows(&desk.lake(), Some(1)), before, "version 1 is still what it was");
    assert_eq!(snapshot(&desk.lake(), Some(1)).map(|snapshot| snapshot.version()), Some(1));
}

#[test]
fn a_version_that_never_was_is_refused_with_the_newest() {
    let desk = Desk::new();
    desk.accept(&[desk.usage("a.csv", "s1,2026-06-01,C,h,1,\n")]);
    let lake = churn_risk::lake::Lake::open(&desk.lake()).expect("a lake");
    let message = lake.snapshot(Some(7)).expect_err("there is no version 7").to_string();
    assert!(message.contains("no table version 7; the newest is 1"), "{message}");
}

#[test]
fn a_restated_month_is_the_file_that_one_import_of_its_rows_would_have_written() {
    let (twice, once) = (Desk::new(), Desk::new());
    twice.accept(&[twice.usage("a.csv", "s1,2026-06-01,C,h,1.5,0.25\ns2,2026-06-01,C,h,9,\ns2,2026-06-02,C,h,2,\n")]);
    twice.accept(&[twice.usage("b.csv", "s2,2026-06-01,B,h,3,1\n")]);
    once.accept(&[once.usage("c.csv", "s1,2026-06-01,C,h,1.5,0.25\ns2,2026-06-01,B,h,3,1\ns2,2026-06-02,C,h,2,\n")]);
    let newest = twice.usage_files().into_iter().find(|(name, _)| name.contains("usage-00000002-1-sha256-"));
    assert!(newest.is_some_and(|(_, bytes)| bytes == once.usage_files()[0].1));
}

#[test]
fn usage_of_an_unknown_subscription_is_kept_counted_and_told() {
    let desk = Desk::new();
    let files = [
        desk.usage("usage_daily.csv", "known,2026-06-01,C,h,1,\nstray,2026-06-01,C,h,2,\nstray,2026-06-02,C,h,2,\n"),
        desk.file("subscriptions.csv", format!("{SUBSCRIPTIONS}known,c1\n")),
        desk.file("lifecycle.csv", "subscription_id,on,event\nghost,2026-06-01,suspended\n"),
    ];
    let report = desk.accept(&files);
    let warning = "2 subscriptions (2 usage rows) are in no subscriptions file; they are kept under the customer `unknown`";
    assert_eq!(report.warnings, [warning]);
    assert_eq!(committed(&report).warnings, [warning], "the record keeps the warning");
    assert_eq!(committed(&report).rows_kept, 5);
    assert_eq!(owners(&desk), [("ghost", "unknown"), ("known", "c1"), ("stray", "unknown")]);

    let named = desk.accept(&[desk.file("more.csv", format!("{SUBSCRIPTIONS}stray,c2\n"))]);
    assert_eq!(named.warnings, [""; 0]);
    assert_eq!(owners(&desk), [("ghost", "unknown"), ("known", "c1"), ("stray", "c2")]);
    check(&desk, &[("known 2026-06-01 C", 1), ("stray 2026-06-01 C", 2), ("stray 2026-06-02 C", 2)]);

    let moved = desk.accept(&[desk.file("moved.csv", format!("{SUBSCRIPTIONS}stray,c3\n"))]);
    assert_eq!(moved.warnings, ["1 subscriptions now belong to another customer than before this import"]);
}

/// Subscription and customer of every row of `subscriptions`.
fn owners(desk: &Desk) -> Vec<(&'static str, &'static str)> {
    const WORDS: [&str; 7] = ["ghost", "known", "stray", "unknown", "c1", "c2", "c3"];
    let word = |text: &str| WORDS.into_iter().find(|word| *word == text).expect("one of the test's own words");
    let rows = snapshot(&desk.lake(), None).expect("a version").subscriptions().expect("subscriptions");
    rows.iter().map(|row| (word(row.subscription_id.as_str()), word(row.customer_id.as_str()))).collect()
}

#[test]
fn events_are_merged_and_none_is_told_twice() {
    let desk = Desk::new();
    let header = "subscription_id,on,event,reason\n";
    desk.accept(&[desk.file("a.csv", format!("{header}s1,2026-05-01,suspended,\ns1,2026-05-01,suspended,no payment\n"))]);
    desk.accept(&[desk.file("b.csv", format!("{header}s1,2026-05-01,suspended,\ns1,2026-05-09,reactivated,\n"))]);
    let events = snapshot(&desk.lake(), None).expect("a version").lifecycle().expect("lifecycle");
    let seen: Vec<_> = events.iter().map(|(_, event)| (event.on.to_string(), event.kind.as_str(), event.reason.as_deref())).collect();
    let wanted = [("2026-05-01", "suspended", Some("no payment")), ("2026-05-09", "reactivated", None)];
    assert_eq!(seen, wanted.map(|(on, kind, reason)| (on.to_owned(), kind, reason)));
}

#[test]
fn days_without_any_row_are_listed_as_gaps_until_a_later_import_fills_them() {
    let desk = Desk::new();
    let days = |report: &churn_risk::lake::ImportReport| report.gaps.iter().map(ToString::to_string).collect::<Vec<_>>();
    let first = desk.accept(&[desk.usage("a.csv", "s1,2026-05-29,C,h,1,\ns1,2026-06-02,C,h,1,\n")]);
    assert_eq!(days(&first), ["2026-05-30", "2026-05-31", "2026-06-01"]);
    let second = desk.accept(&[desk.usage("b.csv", "s2,2026-05-28,C,h,1,\ns2,2026-05-31,C,h,1,\ns2,2026-06-03,C,h,1,\n")]);
    assert_eq!(days(&second), ["2026-05-30", "2026-06-01"]);
}

#[test]
fn many_imports_into_one_lake_all_stay_reachable_across_checkpoints_of_the_log() {
    let desk = Desk::new();
    for number in 0..23_usize {
        let row = format!("s{},2026-0{}-{:02},C,h,{},\n", number % 3, 1 + number % 2, 1 + number % 4, number + 1);
        desk.accept(&[desk.usage("a.csv", &row)]);
    }
    for table in ["usage_daily", "imports"] {
        let log = desk.lake().join(table).join("_delta_log");
        for version in [9, 19] {
            assert!(log.join(format!("{version:020}.checkpoint.parquet")).exists(), "{table} has no checkpoint at {version}");
        }
    }
    let lake = churn_risk::lake::Lake::open(&desk.lake()).expect("a lake");
    let versions: Vec<u64> = lake.imports().expect("imports").iter().map(|record| record.import_id).collect();
    assert_eq!(versions, (1..=23).collect::<Vec<_>>());
    // (subscription, day) repeats after 12 imports: the least common multiple of 3, 2 and 4.
    for version in 1..=23_usize {
        let rows = rows(&desk.lake(), Some(u64::try_from(version).expect("a count")));
        assert_eq!(rows.usage.len(), version.min(12), "version {version}");
    }
    // A hint to the newest checkpoint that cannot be read costs nothing but time.
    fs::write(desk.lake().join("imports/_delta_log/_last_checkpoint"), "{").expect("a file");
    assert_eq!((desk.version(), desk.rows().usage.len()), (23, 12));
}
