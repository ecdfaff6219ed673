//! A watched folder: what is imported, in which order, once, and what a bad file does to the rest.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use churn_risk::lake::{ImportError, LakeError, Outcome, import};
use churn_risk::watch::{Landed, Look, Taken, Watch};

use crate::support::lakes::{Desk, USAGE_HEADER, sentence};

fn open(desk: &Desk) -> Watch {
    Watch::open(&desk.path("in"), &desk.lake(), "settings").unwrap_or_else(|error| panic!("{}", sentence(&error)))
}

/// The files that one look finds ready.
#[track_caller]
fn landed(watch: &mut Watch) -> Vec<Landed> {
    match watch.look().expect("a look") {
        Look::Present { landed, .. } => landed,
        Look::Absent { .. } => panic!("the folder is absent"),
    }
}

/// Looks twice and takes what is ready: names, and what became of each in a word.
#[track_caller]
fn round(desk: &Desk, watch: &mut Watch) -> Vec<String> {
    landed(watch);
    let files = landed(watch);
    files.iter().map(|file| format!("{}: {}", file.name(), word(&take(desk, watch, file)))).collect()
}

#[track_caller]
fn take(desk: &Desk, watch: &mut Watch, file: &Landed) -> Taken {
    watch.take(file, |path| import(&desk.request(&[path.to_path_buf()]))).expect("a memory")
}

fn word(taken: &Taken) -> String {
    match taken {
        Taken::Imported(report) => match &report.outcome {
            Outcome::Committed(record) => format!("version {}", record.import_id),
            Outcome::Unchanged { version } => format!("known at {version}"),
        },
        Taken::Refused(error) => format!("refused, {error}"),
        Taken::RefusedBefore { twin } => format!("as {twin}"),
        Taken::Later { told, .. } => format!("later, told {told}"),
        Taken::MovedOn => "moved on".to_owned(),
    }
}

fn age(path: &Path, seconds: u64) {
    let file = File::options().write(true).open(path).expect("a file");
    file.set_modified(UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds)).expect("a time");
}

#[test]
fn a_file_is_imported_once_it_has_stopped_growing() {
    let desk = Desk::new();
    let path = desk.usage("in/a.csv", "s1,2025-05-01,C,h,1,\n");
    let mut watch = open(&desk);
    assert_eq!(landed(&mut watch), []);
    desk.usage("in/a.csv", "s1,2025-05-01,C,h,1,\ns1,2025-05-02,C,h,2,\n");
    assert_eq!(landed(&mut watch), [], "it has grown");
    age(&path, 1);
    assert_eq!(landed(&mut watch), [], "it was written to");
    let files = landed(&mut watch);
    assert_eq!(word(&take(&desk, &mut watch, &files[0])), "version 1");
    assert_eq!(landed(&mut watch), [], "it is known");
    assert_eq!(desk.rows().usage.len(), 2);
    assert!(path.exists(), "nothing is moved");
}

#[test]
fn older_files_come_first_and_newer_ones_take_their_days() {
    let desk = Desk::new();
    for (name, seconds, quantity) in [("in/a.csv", 30, 3), ("in/c.csv", 10, 1), ("in/b.csv", 10, 2), ("in/d.csv", 20, 9)] {
        let path = desk.usage(name, &format!("s1,2025-05-01,C,h,{quantity},\n"));
        age(&path, seconds);
    }
    assert_eq!(round(&desk, &mut open(&desk)), ["b.csv: version 1", "c.csv: version 2", "d.csv: version 3", "a.csv: version 4"]);
    assert_eq!(desk.rows().usage.values().map(|(quantity, _)| *quantity).collect::<Vec<_>>(), [3_000_000]);
}

#[test]
fn what_is_unfinished_or_hidden_is_passed_over() {
    let desk = Desk::new();
    for name in [".a.csv", "_a.csv", "a.csv.tmp", "a.csv.part", "a.csv.crdownload", "a.csv.CRDOWNLOAD"] {
        desk.usage(&format!("in/{name}"), "s1,2025-05-01,C,h,1,\n");
    }
    desk.usage("in/below/b.csv", "s1,2025-05-01,C,h,1,\n");
    assert!(round(&desk, &mut open(&desk)).is_empty());
    fs::rename(desk.path("in/a.csv.part"), desk.path("in/a.csv")).expect("a name");
    assert_eq!(round(&desk, &mut open(&desk)), ["a.csv: version 1"]);
}

#[test]
fn a_bad_file_is_told_once_keeps_nobody_back_and_is_read_again_when_it_changes() {
    let desk = Desk::new();
    let bad = desk.file("in/bad.csv", "what,is,this\n1,2,3\n");
    age(&bad, 1);
    desk.usage("in/good.csv", "s1,2025-05-01,C,h,1,\n");
    let mut watch = open(&desk);
    let told = round(&desk, &mut watch);
    assert!(told[0].starts_with("bad.csv: refused, ") && told[1] == "good.csv: version 1", "{told:?}");
    assert!(round(&desk, &mut watch).is_empty());
    // Nor does the next run read it, nor one that finds it touched, nor a copy.
    drop(watch);
    let mut watch = open(&desk);
    assert!(round(&desk, &mut watch).is_empty());
    age(&bad, 2);
    fs::copy(&bad, desk.path("in/copy.csv")).expect("a copy");
    assert_eq!(round(&desk, &mut watch), ["bad.csv: as bad.csv", "copy.csv: as bad.csv"]);
    assert!(round(&desk, &mut watch).is_empty());
    // Another one of the same length is another one.
    desk.file("in/bad.csv", "what,is,that\n1,2,3\n");
    assert!(round(&desk, &mut watch)[0].starts_with("bad.csv: refused, "));
    desk.usage("in/bad.csv", "s2,2025-05-01,C,h,1,\n");
    assert_eq!(round(&desk, &mut watch), ["bad.csv: version 2"]);
}

#[test]
fn a_refused_file_is_tried_again_under_other_settings() {
    let desk = Desk::new();
    desk.file("in/bad.csv", "what,is,this\n1,2,3\n");
    assert_eq!(round(&desk, &mut open(&desk)).len(), 1);
    assert_eq!(round(&desk, &mut open(&desk)).len(), 0);
    let mut other = Watch::open(&desk.path("in"), &desk.lake(), "others").expect("a watch");
    assert_eq!(round(&desk, &mut other).len(), 1);
}

#[test]
fn the_same_bytes_under_another_name_are_no_new_version() {
    let desk = Desk::new();
    desk.usage("in/a.csv", "s1,2025-05-01,C,h,1,\n");
    let mut watch = open(&desk);
    assert_eq!(round(&desk, &mut watch), ["a.csv: version 1"]);
    fs::copy(desk.path("in/a.csv"), desk.path("in/b.csv")).expect("a copy");
    assert_eq!(round(&desk, &mut watch), ["b.csv: known at 1"]);
    drop(watch);
    // A memory that was lost costs a look at the files and changes nothing.
    fs::remove_dir_all(desk.lake().join("_watch")).expect("a folder");
    assert_eq!(round(&desk, &mut open(&desk)), ["a.csv: known at 1", "b.csv: known at 1"]);
}

#[test]
fn a_folder_that_vanishes_is_waited_for() {
    let desk = Desk::new();
    desk.usage("in/a.csv", "s1,2025-05-01,C,h,1,\n");
    let mut watch = open(&desk);
    landed(&mut watch);
    fs::rename(desk.path("in"), desk.path("away")).expect("a name");
    assert!(matches!(watch.look(), Ok(Look::Absent { first: true })));
    assert!(matches!(watch.look(), Ok(Look::Absent { first: false })));
    fs::rename(desk.path("away"), desk.path("in")).expect("a name");
    assert!(matches!(watch.look(), Ok(Look::Present { back: true, growing: 1, .. })), "everything settles anew");
    assert!(matches!(watch.look(), Ok(Look::Present { back: false, growing: 0, .. })));
    // It may be absent from the start, too.
    let mut absent = Watch::open(&desk.path("never"), &desk.lake(), "settings").expect("a watch");
    assert!(matches!(absent.look(), Ok(Look::Absent { first: true })));
}

#[test]
fn a_file_that_changes_or_goes_between_the_look_and_the_import_is_looked_at_again() {
    let desk = Desk::new();
    desk.usage("in/a.csv", "s1,2025-05-01,C,h,1,\n");
    let gone = desk.usage("in/b.csv", "s1,2025-05-02,C,h,1,\n");
    let mut watch = open(&desk);
    landed(&mut watch);
    let files = landed(&mut watch);
    desk.usage("in/a.csv", "s1,2025-05-01,C,h,1,\ns1,2025-05-03,C,h,2,\n");
    fs::remove_file(&gone).expect("a file");
    assert_eq!(files.iter().map(|file| word(&take(&desk, &mut watch, file))).collect::<Vec<_>>(), ["moved on"; 2]);
    // What was refused while it was being written was not judged.
    desk.file("in/a.csv", "half");
    landed(&mut watch);
    let files = landed(&mut watch);
    let taken = watch.take(&files[0], |path| {
        let refused = import(&desk.request(&[path.to_path_buf()]));
        desk.usage("in/a.csv", "s1,2025-05-01,C,h,1,\n");
        refused
    });
    assert_eq!(word(&taken.expect("a memory")), "moved on");
    assert_eq!(round(&desk, &mut watch), ["a.csv: version 1"]);
}

#[test]
fn what_is_the_fault_of_the_lake_is_tried_again_and_told_once() {
    let desk = Desk::new();
    desk.usage("in/a.csv", "s1,2025-05-01,C,h,1,\n");
    let mut watch = open(&desk);
    landed(&mut watch);
    for told in [false, true] {
        let files = landed(&mut watch);
        let taken = watch.take(&files[0], |path| Err(ImportError::Lake(LakeError::NoSuchLake { path: path.to_path_buf() })));
        assert_eq!(word(&taken.expect("a memory")), format!("later, told {told}"));
    }
    assert_eq!(round(&desk, &mut watch), ["a.csv: version 1"]);
}

#[test]
fn the_lake_itself_is_not_watched_and_a_torn_memory_is_named() {
    let desk = Desk::new();
    desk.usage("in/a.csv", "s1,2025-05-01,C,h,1,\n");
    round(&desk, &mut open(&desk));
    let watch = open(&desk);
    let error = Watch::open(&desk.path("in"), &desk.lake(), "settings").expect_err("a second watch");
    assert!(error.to_string().ends_with("is watched for this lake already"), "{error}");
    drop(watch);
    let error = Watch::open(&desk.lake(), &desk.lake(), "settings").expect_err("the lake");
    assert!(error.to_string().ends_with("is the lake itself, whose files are no exports"), "{error}");
    let mut files = fs::read_dir(desk.lake().join("_watch")).expect("a folder").map(|entry| entry.expect("an entry").path());
    let memory = files.find(|path| path.extension().is_some_and(|ending| ending == "json")).expect("a memory");
    fs::write(&memory, "{\"format\":").expect("a file");
    let error = Watch::open(&desk.path("in"), &desk.lake(), "settings").expect_err("torn").to_string();
    assert!(error.contains("is no memory of a watched folder"), "{error}");
    fs::write(&memory, r#"{"format":9,"dir":"","files":{},"refusals":[]}"#).expect("a file");
    let error = Watch::open(&desk.path("in"), &desk.lake(), "settings").expect_err("of another format").to_string();
    assert!(error.contains("it is of format 9, and this release reads 1"), "{error}");
}

#[test]
fn a_header_alone_and_an_empty_file_have_an_end_too() {
    let desk = Desk::new();
    age(&desk.file("in/a.csv", ""), 1);
    age(&desk.file("in/b.csv", USAGE_HEADER), 2);
    let mut watch = open(&desk);
    let told = round(&desk, &mut watch);
    assert!(told.len() == 2 && told[0].starts_with("a.csv: refused, "), "{told:?}");
    assert!(round(&desk, &mut watch).is_empty());
}
