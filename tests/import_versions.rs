//! What a running service relies on: the newest version is told cheaply and never too early, and
//! a version once opened reads the same whatever lands meanwhile.

use std::fs;
use std::path::PathBuf;
use std::thread;

use churn_risk::lake::{Lake, import};
use churn_risk::portfolio::load;

use crate::support::lakes::{Desk, committed, rows, sentence};

/// Imports one row of a subscription of its own.
fn import_one(desk: &Desk, number: usize) {
    desk.accept(&[desk.usage(&format!("in/{number}.csv"), &format!("s{number},2026-06-{:02},C,h,{},\n", 1 + number % 28, number + 1))]);
}

#[track_caller]
fn newest(lake: &Lake) -> Option<u64> {
    lake.newest_version().unwrap_or_else(|error| panic!("{}", sentence(&error)))
}

fn log(desk: &Desk) -> PathBuf {
    desk.lake().join("imports/_delta_log")
}

fn entry(desk: &Desk, number: u64) -> PathBuf {
    log(desk).join(format!("{number:020}.json"))
}

#[test]
fn the_newest_version_is_that_of_the_last_import_across_checkpoints_of_the_log() {
    let desk = Desk::new();
    let lake = Lake::open(&desk.lake()).expect("a lake");
    assert_eq!(newest(&lake), None);
    assert!(!desk.lake().exists(), "asking makes nothing");
    for number in 1..=12_usize {
        import_one(&desk, number);
        let wanted = u64::try_from(number).ok();
        // The one that has asked before, the same again, and one that never has.
        assert_eq!([newest(&lake), newest(&lake), newest(&Lake::open(&desk.lake()).expect("a lake"))], [wanted; 3]);
        assert_eq!(lake.snapshot(None).expect("a snapshot").map(|snapshot| snapshot.version()), wanted);
    }
}

#[test]
fn a_log_that_was_cleaned_up_behind_a_checkpoint_still_tells() {
    let desk = Desk::new();
    (1..=9).for_each(|number| import_one(&desk, number));
    (0..9).for_each(|number| fs::remove_file(entry(&desk, number)).expect("an entry"));
    let fresh = || Lake::open(&desk.lake()).expect("a lake");
    assert_eq!(newest(&fresh()), Some(9));
    fs::remove_file(entry(&desk, 9)).expect("an entry");
    assert_eq!(newest(&fresh()), Some(9), "from the checkpoint alone");
}

#[test]
fn what_a_dead_import_left_is_no_version() {
    let desk = Desk::new();
    let lake = Lake::open(&desk.lake()).expect("a lake");
    import_one(&desk, 1);
    import_one(&desk, 2);
    let second = fs::read_to_string(entry(&desk, 2)).expect("an entry");
    // Everything that an import writes before its commit point.
    let (_, named) = second.rsplit_once("\"path\":\"").expect("a file");
    let torn = named.split('"').next().expect("a path").replace("imports-00000002", "imports-00000003");
    fs::write(desk.lake().join("imports").join(torn), b"PAR1 torn").expect("a file");
    fs::write(log(&desk).join(".00000000000000000003.json.tmp"), &second).expect("a file");
    assert_eq!(newest(&lake), Some(2));
    // Entries that no import of ours leaves behind, as a disk or another program might.
    for damaged in [
        String::new(),
        second[..second.len() / 2].to_owned(),
        second.replace("imports-00000002-1", "imports-00000003-1"),
        second.replace("imports-00000002-1", "imports-00000003-9"),
    ] {
        fs::write(entry(&desk, 3), &damaged).expect("a file");
        assert_eq!([newest(&lake), newest(&lake)], [Some(2); 2], "{damaged}");
    }
    fs::remove_file(entry(&desk, 3)).expect("an entry");
    import_one(&desk, 3);
    assert_eq!(newest(&lake), Some(3));
}

#[test]
fn a_log_without_an_import_and_an_older_log_are_told_as_they_are() {
    let desk = Desk::new();
    import_one(&desk, 1);
    import_one(&desk, 2);
    let lake = Lake::open(&desk.lake()).expect("a lake");
    assert_eq!(newest(&lake), Some(2));
    fs::remove_file(entry(&desk, 2)).expect("an entry");
    assert_eq!(newest(&lake), Some(1), "an import that was taken back");
    fs::remove_file(entry(&desk, 1)).expect("an entry");
    assert_eq!(newest(&lake), None, "the table was made and holds nothing");
    fs::remove_dir_all(desk.lake()).expect("a folder");
    assert_eq!(newest(&lake), None);
}

#[test]
fn whoever_asks_while_imports_land_sees_each_whole_and_none_too_early() {
    let desk = Desk::new();
    import_one(&desk, 1);
    let lake = Lake::open(&desk.lake()).expect("a lake");
    let (before, mut last, mut asked) = (desk.rows(), 1, 0_u64);
    let opened = lake.snapshot(Some(1)).expect("a snapshot").expect("a version");
    thread::scope(|scope| {
        let importing = scope.spawn(|| (2..=6).for_each(|number| import_one(&desk, number)));
        while !importing.is_finished() {
            let seen = newest(&lake).expect("a version");
            assert!(seen >= last, "from {last} back to {seen}");
            if seen > last {
                // A version that is told can be opened at once, and holds all of its rows.
                let held = rows(&desk.lake(), Some(seen));
                assert_eq!(held.usage.len() as u64, seen);
                let portfolio = load(&desk.lake(), 0).unwrap_or_else(|error| panic!("{}", sentence(&error)));
                assert!(portfolio.version() >= seen);
                assert_eq!(portfolio.usage_rows() as u64, portfolio.version());
            }
            assert!(rows(&desk.lake(), Some(1)) == before, "version 1 has changed");
            (last, asked) = (seen, asked + 1);
        }
    });
    assert_eq!(newest(&lake), Some(6));
    assert!(asked > 5, "asked {asked} times");
    // What was opened before all of that reads as if nothing had come.
    let held: Vec<String> = opened.subscriptions().expect("files").iter().map(|row| format!("{row:?}")).collect();
    assert_eq!(held, before.subscriptions);
    let census = opened.census(true).expect("every page");
    assert_eq!(census.iter().find(|table| table.table == "usage_daily").map(|table| table.rows), Some(1));
}

#[test]
fn the_record_of_an_import_tells_source_files_rows_days_and_warnings() {
    let desk = Desk::new();
    let files = [
        desk.usage("usage.csv", "s1,2026-06-01,C,h,1,\ns1,2026-06-05,C,h,0,\ns2,2026-06-03,C,h,-1,\ns2,2026-05-30,C,h,2,\n"),
        desk.file("customers.csv", "customer_id\nc1\n"),
    ];
    let report = desk.accept(&files);
    let records = Lake::open(&desk.lake()).and_then(|lake| lake.imports()).expect("imports");
    assert_eq!(records.len(), 1);
    let record = &records[0];
    assert_eq!(record, committed(&report), "what is reported is what is stored");
    assert_eq!((record.import_id, record.source.as_str(), record.imported_on.to_string().as_str()), (1, "generic", "2026-06-30"));
    let named: Vec<_> = record.files.iter().map(|file| (file.name.as_str(), file.table.as_str())).collect();
    assert_eq!(named, [("usage.csv", "usage_daily"), ("customers.csv", "customers")]);
    assert_eq!(record.files[1].sha256, "aec74a3bbd2280cbcec8254bf8929e6b2a5c1e9d47d3eb2a8ca8eabc04e3d489");
    assert_eq!((record.rows_read, record.rows_kept, record.rows_refused), (5, 4, 1));
    let days = [record.first_day, record.last_day, record.as_of].map(|day| day.map(|day| day.to_string()).unwrap_or_default());
    // A row of 0 is a row and no use, so the as-of day is earlier than the last day.
    assert_eq!(days, ["2026-05-30", "2026-06-05", "2026-06-01"]);
    assert_eq!(record.warnings.len(), 1);
    assert_eq!(record.table_versions.keys().collect::<Vec<_>>(), ["customers", "subscriptions", "usage_daily"]);
}

#[test]
fn the_as_of_day_of_a_record_is_that_of_the_whole_lake() {
    let desk = Desk::new();
    let as_of = |rows: &str| {
        let report = desk.accept(&[desk.usage("a.csv", rows)]);
        committed(&report).as_of.map(|day| day.to_string()).unwrap_or_default()
    };
    assert_eq!(as_of("s1,2026-05-31,C,h,0,\n"), "");
    assert_eq!(as_of("s1,2026-06-02,C,h,1,\ns2,2026-06-04,C,h,1,\n"), "2026-06-04");
    assert_eq!(as_of("s1,2026-03-01,C,h,1,\n"), "2026-06-04", "an older month says nothing of it");
    assert_eq!(as_of("s2,2026-06-04,C,h,0,\n"), "2026-06-02", "a restatement takes it back");
    assert_eq!(as_of("s1,2026-06-02,C,h,0,\n"), "2026-03-01", "over a month without any use");
    let mut request = desk.request(&[desk.file("c.csv", "customer_id\nc1\n")]);
    request.max_rejects = 0.0;
    assert_eq!(committed(&import(&request).expect("customers alone")).as_of.map(|day| day.to_string()).as_deref(), Some("2026-03-01"));
    assert_eq!(load(&desk.lake(), 0).expect("a portfolio").as_of().map(|day| day.to_string()).as_deref(), Some("2026-03-01"));
}
