//! What people say of risks is kept in the order in which they said it, durably, once, and
//! without any effect on the version of the tables.

use std::fs;
use std::process::Command;
use std::thread;

use churn_risk::domain::{ChurnRisk, Feedback, FeedbackId, Note, SeenOutcome, Verdict};
use churn_risk::lake::{FeedbackError, FeedbackReceipt, Lake};

use crate::support::lakes::{Desk, sentence};
use crate::support::worlds::{day, subscription_id};

fn feedback(id: &str) -> Feedback {
    Feedback {
        feedback_id: FeedbackId::parse(id).expect("an id"),
        subscription_id: subscription_id("s1"),
        given_on: day("2026-06-30"),
        as_of: day("2026-06-29"),
        model_version: Some("20260629-1".to_owned()),
        risk: ChurnRisk::new(0.25).ok(),
        verdict: Some(Verdict::Wrong),
        outcome: Some(SeenOutcome::Stayed),
        note: Note::parse("holiday,\n\"back\" in August").ok(),
        given_by: Some("ada@partner.example".to_owned()),
    }
}

fn bare(id: &str) -> Feedback {
    Feedback { model_version: None, risk: None, verdict: None, outcome: None, note: None, given_by: None, ..feedback(id) }
}

#[track_caller]
fn give(lake: &Lake, feedback: &Feedback) -> FeedbackReceipt {
    lake.give_feedback(feedback).unwrap_or_else(|error| panic!("{}", sentence(&error)))
}

#[test]
fn feedback_is_read_back_whole_and_in_order_by_whoever_opens_the_lake() {
    let desk = Desk::new();
    let lake = Lake::open(&desk.lake()).expect("a lake");
    assert_eq!(lake.feedback().expect("an empty table"), []);
    let all = [feedback("z"), bare("a"), Feedback { given_on: day("2026-06-01"), ..feedback("m") }];
    for one in &all {
        assert_eq!(give(&lake, one), FeedbackReceipt::Recorded);
    }
    assert_eq!(lake.feedback().expect("the table"), all);
    assert_eq!(Lake::open(&desk.lake()).and_then(|other| other.feedback()).expect("the table"), all);
}

#[test]
fn the_same_feedback_again_changes_nothing_and_another_under_its_id_is_refused() {
    let desk = Desk::new();
    let lake = Lake::open(&desk.lake()).expect("a lake");
    give(&lake, &feedback("f1"));
    // Sent again the next day, under another model: the first is what stays.
    let again = Feedback { given_on: day("2026-07-01"), as_of: day("2026-06-30"), model_version: None, risk: None, ..feedback("f1") };
    assert_eq!(give(&lake, &again), FeedbackReceipt::KnownAs(Box::new(feedback("f1"))));
    for other in [
        Feedback { verdict: Some(Verdict::Right), ..feedback("f1") },
        Feedback { outcome: None, ..feedback("f1") },
        Feedback { note: None, ..feedback("f1") },
        Feedback { given_by: None, ..feedback("f1") },
        Feedback { subscription_id: subscription_id("s2"), ..feedback("f1") },
    ] {
        let error = lake.give_feedback(&other).expect_err("something else under a known id");
        assert!(matches!(&error, FeedbackError::Conflict { feedback_id, .. } if feedback_id.as_str() == "f1"), "{error}");
        assert!(error.to_string().contains("feedback f1 was given before"), "{error}");
    }
    assert_eq!(lake.feedback().expect("the table"), [feedback("f1")]);
}

#[test]
fn feedback_in_a_damaged_file_is_not_read_and_nothing_is_put_after_it() {
    let desk = Desk::new();
    desk.accept(&[desk.usage("a.csv", "s1,2026-06-01,C,h,1,\n")]);
    let lake = Lake::open(&desk.lake()).expect("a lake");
    give(&lake, &feedback("f1"));
    let listed = fs::read_dir(desk.lake().join("feedback")).expect("a folder").map(|entry| entry.expect("an entry").path());
    let path = listed.into_iter().find(|path| path.is_file()).expect("a file");
    let whole = fs::read(&path).expect("a file");
    let mut flipped = whole.clone();
    flipped[whole.len() / 3] ^= 4;
    fs::write(&path, flipped).expect("a file");
    let damaged = format!("{} of feedback is damaged", path.display());
    for error in [sentence(&lake.feedback().expect_err("damaged")), sentence(&lake.give_feedback(&feedback("f2")).expect_err("damaged"))] {
        assert!(error.contains(&damaged), "{error}");
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_churn-risk"));
    let output = command.args(["tables", "--read", "--lake"]).arg(desk.lake()).output().expect("the program starts");
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains(&damaged), "{output:?}");
    fs::write(&path, whole).expect("a file");
    assert_eq!(lake.feedback().expect("the table"), [feedback("f1")]);
}

#[test]
fn feedback_does_not_change_the_version_of_the_tables() {
    let desk = Desk::new();
    desk.accept(&[desk.usage("a.csv", "s1,2026-06-01,C,h,1,\n")]);
    let lake = Lake::open(&desk.lake()).expect("a lake");
    let before = (desk.version(), desk.rows(), lake.imports().expect("imports"));
    give(&lake, &feedback("f1"));
    assert_eq!((desk.version(), desk.rows(), lake.imports().expect("imports")), before);
    assert_eq!(lake.newest_version().expect("a version"), Some(1));
    let tables: Vec<_> = lake.snapshot(None).expect("a snapshot").expect("a version").census(true).expect("every page");
    assert!(tables.iter().all(|census| census.table != "feedback"), "{tables:?}");
}

#[test]
fn many_answers_stay_in_order_when_their_files_are_put_into_one() {
    let desk = Desk::new();
    let lake = Lake::open(&desk.lake()).expect("a lake");
    let all: Vec<Feedback> = (0..70).map(|number| bare(&format!("f{:02}", 99 - number))).collect();
    for one in &all {
        give(&lake, one);
    }
    assert_eq!(lake.feedback().expect("the table"), all);
    assert!(matches!(give(&lake, &all[3]), FeedbackReceipt::KnownAs(_)));
}

#[test]
fn an_import_and_feedback_at_once_do_not_wait_for_or_break_each_other() {
    let desk = Desk::new();
    desk.accept(&[desk.usage("first.csv", "s1,2026-06-01,C,h,1,\n")]);
    thread::scope(|scope| {
        let importing = scope.spawn(|| {
            for number in 2..=6 {
                desk.accept(&[desk.usage(&format!("{number}.csv"), &format!("s{number},2026-06-01,C,h,1,\n"))]);
            }
        });
        // Two who give feedback at the same time, each through a lake of its own.
        for who in ["a", "b"] {
            let desk = &desk;
            scope.spawn(move || {
                let lake = Lake::open(&desk.lake()).expect("a lake");
                for number in 0..8 {
                    assert_eq!(give(&lake, &bare(&format!("{who}{number}"))), FeedbackReceipt::Recorded);
                }
            });
        }
        importing.join().expect("imports");
    });
    assert_eq!((desk.version(), desk.rows().usage.len()), (6, 6));
    let given = Lake::open(&desk.lake()).and_then(|lake| lake.feedback()).expect("the table");
    for who in ["a", "b"] {
        let mine: Vec<&str> = given.iter().map(|one| one.feedback_id.as_str()).filter(|id| id.starts_with(who)).collect();
        assert_eq!(mine, (0..8).map(|number| format!("{who}{number}")).collect::<Vec<_>>());
    }
    assert_eq!(given.len(), 16);
}

#[test]
fn an_import_that_holds_its_lease_keeps_nobody_from_giving_feedback() {
    let desk = Desk::new();
    desk.accept(&[desk.usage("first.csv", "s1,2026-06-01,C,h,1,\n")]);
    let lock = std::fs::OpenOptions::new().write(true).open(desk.lake().join("_writer.lock")).expect("the lease");
    lock.lock().expect("taken");
    let lake = Lake::open(&desk.lake()).expect("a lake");
    assert_eq!(give(&lake, &feedback("f1")), FeedbackReceipt::Recorded);
    lock.unlock().expect("given back");
    let listed = Command::new(env!("CARGO_BIN_EXE_churn-risk")).args(["tables", "--lake"]).arg(desk.lake()).output().expect("the program");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.lines().any(|line| line.contains("feedback") && line.contains("2026-06-30")), "{listed}");
}
