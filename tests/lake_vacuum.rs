//! A vacuum deletes what no kept version names, and nothing else; a version that is gone says so.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use churn_risk::domain::{Feedback, FeedbackId};
use churn_risk::lake::{ImportRequest, Lake, LakeError, VacuumReport, VacuumRequest, VerifyScope, import};
use churn_risk::portfolio::{load, load_at};
use churn_risk::progress::Progress;

use crate::support::lakes::{Desk, copy_folder, rows, sentence};
use crate::support::worlds::{day, subscription_id};

/// The days of four imports, each of which restates the same month.
const IMPORTED: [&str; 4] = ["2026-03-01", "2026-04-01", "2026-05-15", "2026-06-20"];
const TODAY: &str = "2026-06-30";

/// A lake of four versions.
fn four() -> Desk {
    let desk = Desk::new();
    for (number, imported_on) in (1..).zip(IMPORTED) {
        let usage = desk.usage(&format!("{number}.csv"), &format!("s1,2026-02-01,C,h,{number},\ns{number},2026-02-02,C,h,1,\n"));
        let customers = desk.file(&format!("customers-{number}.csv"), format!("customer_id\nc{number}\n"));
        let request = ImportRequest { today: day(imported_on), ..desk.request(&[usage, customers]) };
        import(&request).unwrap_or_else(|error| panic!("{}", sentence(&error)));
    }
    desk
}

#[track_caller]
fn vacuum(lake: &Path, keep_days: u32, dry_run: bool) -> VacuumReport {
    let request = VacuumRequest { keep_days, today: day(TODAY), dry_run };
    Lake::open(lake).and_then(|lake| lake.vacuum(&request, Progress::Silent)).unwrap_or_else(|error| panic!("{}", sentence(&error)))
}

fn opened(lake: &Path, version: u64) -> Result<(), LakeError> {
    Lake::open(lake).and_then(|lake| lake.snapshot(Some(version))).map(drop)
}

#[track_caller]
fn is_gone(lake: &Path, version: u64, oldest: u64) {
    let error = opened(lake, version).expect_err("a version that is gone");
    assert!(matches!(error, LakeError::Vacuumed { .. }), "{error:?}");
    let wanted = format!("table version {version} of {} was vacuumed, and the oldest that is kept is {oldest}", lake.display());
    assert_eq!(error.to_string(), wanted);
}

/// The files of the lake but for its logs and locks, below its folder.
fn files(lake: &Path) -> BTreeSet<PathBuf> {
    let (mut files, mut folders) = (BTreeSet::new(), vec![lake.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() && !path.ends_with("_delta_log") {
                folders.push(path);
            } else if path.is_file() && path.extension().is_none_or(|ending| ending != "lock") {
                files.insert(path.strip_prefix(lake).expect("below the lake").to_path_buf());
            }
        }
    }
    files
}

#[track_caller]
fn is_sound(lake: &Path, versions: &[u64]) {
    let read = Lake::open(lake).and_then(|lake| lake.verify(VerifyScope::All, Progress::Silent)).expect("a lake");
    assert_eq!((read.versions.as_slice(), read.faults.as_slice()), (versions, &[][..]));
}

#[test]
fn versions_within_the_retention_open_as_before_and_older_ones_say_that_they_are_gone() {
    let desk = four();
    let lake = desk.lake();
    let before: Vec<_> = (1..=4).map(|version| rows(&lake, Some(version))).collect();
    let whole = load(&lake, 0).expect("a portfolio");
    // The second was the newest until 2026-05-15, more than 30 days ago; the third until 2026-06-20.
    let report = vacuum(&lake, 30, false);
    assert_eq!((report.oldest_kept, report.newest, report.gone), (Some(3), Some(4), 2));
    for version in [1, 2] {
        is_gone(&lake, version, 3);
        assert!(load_at(&lake, 0, Some(version)).is_err());
    }
    for version in [3, 4] {
        assert!(rows(&lake, Some(version)) == before[usize::try_from(version).expect("few") - 1], "version {version}");
    }
    assert!(matches!(opened(&lake, 9), Err(LakeError::NoSuchVersion { newest: 4, .. })));
    assert_eq!(load(&lake, 0).expect("a portfolio"), whole);
    is_sound(&lake, &[3, 4]);
    // Two versions of three tables, and the rows of imports.
    let left: Vec<_> = files(&lake).into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "parquet")).collect();
    assert_eq!(left.len(), 7, "{left:?}");
    // Imports go on, and so does the retention.
    desk.accept(&[desk.usage("5.csv", "s5,2026-02-03,C,h,1,\n")]);
    assert_eq!(vacuum(&lake, 0, false).gone, 2);
    is_gone(&lake, 4, 5);
    is_sound(&lake, &[5]);
    assert_eq!(desk.rows().usage.len(), before[3].usage.len() + 1);
}

#[test]
fn a_dry_run_tells_the_same_and_deletes_nothing() {
    let desk = four();
    let before = files(&desk.lake());
    let dry = vacuum(&desk.lake(), 30, true);
    assert_eq!(files(&desk.lake()), before);
    opened(&desk.lake(), 1).expect("nothing is gone");
    let deleted: u64 = dry.folders.iter().map(|folder| folder.deleted_files).sum();
    assert_eq!(vacuum(&desk.lake(), 30, false), dry);
    assert_eq!(before.difference(&files(&desk.lake())).count() as u64, deleted);
    assert!(dry.folders.iter().all(|folder| (folder.deleted_files > 0) == (folder.deleted_bytes > 0)), "{dry:?}");
    // Again there is nothing to do.
    let again = vacuum(&desk.lake(), 30, false);
    assert_eq!((again.gone, again.folders.iter().map(|folder| folder.deleted_files).sum::<u64>()), (0, 0));
}

#[test]
fn what_is_gone_stays_gone_however_many_days_are_kept_from_then_on() {
    let desk = four();
    vacuum(&desk.lake(), 0, false);
    let report = vacuum(&desk.lake(), 36_500, false);
    assert_eq!((report.oldest_kept, report.gone), (Some(4), 0));
    is_gone(&desk.lake(), 3, 4);
}

#[test]
fn what_dead_imports_left_goes_and_what_is_of_others_stays() {
    let desk = four();
    let lake = desk.lake();
    let dead = [
        "usage_daily/month=2026-02/usage-00000005-1.parquet",
        "customers/customers-00000005-1.parquet",
        "imports/imports-00000005-1.parquet",
    ];
    let unnamed = ["usage_daily/month=2026-02/.new.parquet.tmp", "_staging/2026-02-01.arrow", "_staging/spill/a", "._vacuumed.json.tmp"];
    let unnamed_log = "imports/_delta_log/.00000000000000000005.json.tmp";
    let of_others = ["usage_daily/notes.txt", "usage_daily/month=2026-02/part.crc", "rejects/import-00000001.csv"];
    for name in dead.iter().chain(&unnamed).chain(&of_others).chain([&unnamed_log]) {
        fs::create_dir_all(lake.join(name).parent().expect("a folder")).expect("a folder");
        fs::write(lake.join(name), b"left").expect("a file");
    }
    let before = files(&lake);
    let report = vacuum(&lake, 36_500, false);
    assert_eq!((report.oldest_kept, report.gone), (Some(1), 0));
    let mut went: BTreeSet<PathBuf> = dead.iter().chain(&unnamed).map(PathBuf::from).collect();
    let after = files(&lake);
    let superseded = |path: &&PathBuf| path.starts_with("imports") && !dead.iter().any(|name| path.ends_with(name));
    went.extend(before.difference(&after).filter(superseded).cloned());
    assert_eq!(before.difference(&after).cloned().collect::<BTreeSet<_>>(), went);
    assert!(!lake.join(unnamed_log).exists());
    assert!(of_others.iter().all(|name| lake.join(name).exists()));
    is_sound(&lake, &[1, 2, 3, 4]);
}

#[test]
fn a_version_that_a_dead_import_committed_to_some_tables_is_no_reason_to_lose_anything() {
    let desk = four();
    let lake = desk.lake();
    let clean = desk.path("clean");
    copy_folder(&lake, &clean);
    desk.accept(&[desk.usage("5.csv", "s1,2026-02-01,C,h,77,\n"), desk.file("more.csv", "customer_id\nc5\n")]);
    // Everything that the fifth import wrote but its row.
    for table in ["customers", "subscriptions", "usage_daily"] {
        copy_folder(&lake.join(table), &clean.join(table));
    }
    let dead = desk.path("dead");
    copy_folder(&clean, &dead);
    let before = rows(&clean, None);
    vacuum(&clean, 0, false);
    assert!(rows(&clean, None) == before);
    is_sound(&clean, &[4]);
    assert!(!files(&clean).iter().any(|path| path.to_string_lossy().contains("-00000005-")));
    // The same import again is whole, and so is what comes after a vacuum of it.
    let again = |lake: &Path| {
        let again = ImportRequest { lake: lake.into(), ..desk.request(&[desk.path("5.csv"), desk.path("more.csv")]) };
        import(&again).unwrap_or_else(|error| panic!("{}", sentence(&error)));
        assert!(rows(lake, None) == desk.rows());
    };
    again(&clean);
    vacuum(&clean, 0, false);
    assert!(rows(&clean, None) == desk.rows());
    is_sound(&clean, &[5]);
    // Files of a dead import that something else has deleted get the same names again.
    for path in files(&dead).iter().filter(|path| path.to_string_lossy().contains("-00000005-")) {
        fs::remove_file(dead.join(path)).expect("a file");
    }
    again(&dead);
    is_sound(&dead, &[1, 2, 3, 4, 5]);
}

#[test]
fn nothing_is_deleted_of_a_lake_whose_imports_are_not_there() {
    let desk = four();
    fs::remove_dir_all(desk.lake().join("imports")).expect("a folder");
    let before = files(&desk.lake());
    let report = vacuum(&desk.lake(), 0, false);
    assert_eq!((report.oldest_kept, files(&desk.lake())), (None, before));
}

#[test]
fn a_damaged_record_of_what_is_gone_is_told_and_the_newest_version_opens() {
    let desk = four();
    vacuum(&desk.lake(), 30, false);
    let path = desk.lake().join("_vacuumed.json");
    let whole = fs::read(&path).expect("a record");
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        fs::write(&path, flipped).expect("a record");
        let error = opened(&desk.lake(), 1).expect_err("damaged");
        assert!(matches!(error, LakeError::VacuumRecord { .. }), "byte {at}: {error:?}");
    }
    rows(&desk.lake(), None);
    let lake = Lake::open(&desk.lake()).expect("a lake");
    let faults = lake.verify(VerifyScope::All, Progress::Silent).expect("a version").faults;
    assert!(
        faults.iter().any(|fault| fault.what.contains("_vacuumed.json, which says which versions were vacuumed, is damaged")),
        "{faults:?}"
    );
    let request = VacuumRequest { keep_days: 0, today: day(TODAY), dry_run: false };
    assert!(matches!(lake.vacuum(&request, Progress::Silent), Err(LakeError::VacuumRecord { .. })));
    // Without it, the same vacuum makes it anew.
    fs::remove_file(&path).expect("a record");
    vacuum(&desk.lake(), 30, false);
    is_gone(&desk.lake(), 2, 3);
    assert_eq!(fs::read(&path).expect("a record"), whole);
}

fn feedback(number: usize) -> Feedback {
    Feedback {
        feedback_id: FeedbackId::parse(&format!("f{number:03}")).expect("an id"),
        subscription_id: subscription_id("s1"),
        given_on: day(TODAY),
        as_of: day("2026-02-02"),
        model_version: None,
        risk: None,
        verdict: None,
        outcome: None,
        note: None,
        given_by: None,
    }
}

#[test]
fn compaction_keeps_every_answer_and_a_vacuum_then_deletes_the_merged_files() {
    let desk = four();
    let lake = Lake::open(&desk.lake()).expect("a lake");
    let given: Vec<Feedback> = (0..12).map(feedback).collect();
    for one in &given {
        lake.give_feedback(one).expect("an answer");
    }
    let told = |lake: &Lake| lake.compact().expect("a table").remove(0);
    let first = told(&lake);
    assert_eq!((first.table, first.files_before, first.files_after), ("feedback", 12, 1));
    assert!(first.bytes_after < first.bytes_before / 2, "{first:?}");
    assert_eq!(lake.feedback().expect("the table"), given);
    let again = told(&lake);
    assert_eq!((again.files_before, again.files_after), (1, 1));
    assert_eq!(again.bytes_before, first.bytes_after);
    let of_feedback = |lake: &Path| files(lake).into_iter().filter(|path| path.starts_with("feedback")).count();
    assert_eq!(of_feedback(&desk.lake()), 13);
    vacuum(&desk.lake(), 36_500, false);
    assert_eq!(of_feedback(&desk.lake()), 1);
    assert_eq!(Lake::open(&desk.lake()).and_then(|lake| lake.feedback()).expect("the table"), given);
    // Answers go on behind those that were merged, and one that was merged is still known.
    lake.give_feedback(&feedback(12)).expect("an answer");
    lake.give_feedback(&given[3]).expect("the same again");
    assert_eq!(lake.feedback().expect("the table").len(), 13);
    is_sound(&desk.lake(), &[1, 2, 3, 4]);
    assert_eq!(told(&lake).files_before, 2);
    is_sound(&desk.lake(), &[1, 2, 3, 4]);
}
