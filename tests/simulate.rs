//! A made-up portfolio is the same bytes for the same plan, and every row of it is one that an
//! import accepts.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use churn_risk::domain::{CommitmentId, CommitmentKind, CustomerId, Day, EventKind, Exact, SubscriptionId};
use churn_risk::simulate::{Plan, SERIES, Written, write_csv};

const TABLES: [&str; 5] = ["customers.csv", "subscriptions.csv", "lifecycle.csv", "usage_daily.csv", "commitments.csv"];

fn write(seed: u64, dir: &Path) -> Written {
    let until = Day::from_ymd(2026, 10, 31).expect("a date");
    let plan = Plan::new(300, 120, seed, until).expect("in bounds");
    let mut days = Vec::new();
    let written = write_csv(plan, dir, |progress| days.push((progress.days_done, progress.usage_rows))).expect("an empty folder");
    assert_eq!(days.last(), Some(&(120, written.usage_rows)));
    assert!(days.is_sorted() && days.len() == 120);
    written
}

fn records(dir: &Path, name: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let text = fs::read_to_string(dir.join(name)).expect(name);
    let mut lines = text.lines().map(|line| {
        assert!(!line.contains('"'), "{line}");
        line.split(',').map(str::to_owned).collect::<Vec<_>>()
    });
    let header = lines.next().expect("a header");
    let rows: Vec<_> = lines.collect();
    assert!(rows.iter().all(|row| row.len() == header.len()), "{name}");
    (header, rows)
}

#[test]
fn the_same_seed_writes_the_same_bytes_and_another_seed_others() {
    let (one, again, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert_eq!(write(5, one.path()), write(5, again.path()));
    write(6, other.path());
    for name in TABLES.into_iter().chain(["_truth.csv", "simulate.json"]) {
        let bytes = |dir: &tempfile::TempDir| fs::read(dir.path().join(name)).unwrap();
        assert!(bytes(&one) == bytes(&again), "{name} differs");
        assert!(bytes(&one) != bytes(&other), "{name} is the same for another seed");
    }
}

#[test]
fn every_row_is_one_that_an_import_accepts() {
    let dir = tempfile::tempdir().unwrap();
    let written = write(7, dir.path());
    let (_, customers) = records(dir.path(), "customers.csv");
    let customers: HashSet<_> = customers.iter().map(|row| CustomerId::parse(&row[0]).expect("an id")).collect();
    let (_, subscriptions) = records(dir.path(), "subscriptions.csv");
    let mut ids = HashSet::new();
    for row in &subscriptions {
        assert!(ids.insert(SubscriptionId::parse(&row[0]).expect("an id")));
        assert!(customers.contains(&CustomerId::parse(&row[1]).expect("an id")));
        assert!(Day::parse(&row[4]).expect("created_on") < Day::parse(&row[6]).expect("term_end_on"));
        assert!([&row[5], &row[7]].into_iter().all(|flag| flag.parse::<bool>().is_ok()));
    }
    let until = Day::from_ymd(2026, 10, 31).expect("a date");
    let (_, events) = records(dir.path(), "lifecycle.csv");
    for row in &events {
        assert!(ids.contains(&SubscriptionId::parse(&row[0]).expect("an id")));
        assert!(Day::parse(&row[1]).expect("a day") <= until);
        row[2].parse::<EventKind>().expect("an event");
    }
    let (_, usage) = records(dir.path(), "usage_daily.csv");
    let mut keys = HashSet::new();
    for row in &usage {
        assert!(ids.contains(&SubscriptionId::parse(&row[0]).expect("an id")));
        assert!(Day::parse(&row[1]).expect("a day") <= until);
        assert!(SERIES.iter().any(|series| (series.category, series.unit) == (row[2].as_str(), row[3].as_str())));
        assert!(Exact::parse(&row[4]).expect("a quantity").attos() > 0);
        assert!(Exact::parse(&row[5]).expect("a cost").attos() >= 0);
        assert!(keys.insert(&row[..4]), "{row:?} twice");
    }
    assert!(usage.is_sorted_by_key(|row| row[1].clone()), "usage is in date order");
    let (_, commitments) = records(dir.path(), "commitments.csv");
    for row in &commitments {
        CommitmentId::parse(&row[0]).expect("an id");
        assert!(row[1].is_empty() || ids.contains(&SubscriptionId::parse(&row[1]).expect("an id")));
        assert!(customers.contains(&CustomerId::parse(&row[2]).expect("an id")));
        row[4].parse::<CommitmentKind>().expect("a kind");
        assert!(Exact::parse(&row[5]).expect("a quantity").attos() > 0);
        Day::parse(&row[6]).expect("a day");
    }
    let seen = [customers.len(), ids.len(), events.len(), usage.len(), commitments.len()].map(|rows| rows as u64);
    assert_eq!(seen, [written.customers, written.subscriptions, written.events, written.usage_rows, written.commitments]);
}

#[test]
fn what_is_true_stands_in_a_file_of_its_own_under_a_name_that_is_no_input() {
    let dir = tempfile::tempdir().unwrap();
    let written = write(8, dir.path());
    let (header, rows) = records(dir.path(), "_truth.csv");
    assert_eq!(header[..3], ["subscription_id", "left_on", "kind"]);
    assert_eq!(rows.len() as u64, written.subscriptions);
    let left = rows.iter().filter(|row| !row[1].is_empty() && row[1].as_str() <= "2026-10-31").count();
    assert_eq!(left as u64, written.left);
    for name in TABLES {
        // The kind of a commitment is another word than the kind of a leaving.
        let columns = records(dir.path(), name).0.into_iter().filter(|column| (name, column.as_str()) != ("commitments.csv", "kind"));
        assert!(!columns.into_iter().any(|column| header[1..].contains(&column)), "{name} tells the truth");
    }
    let record: serde_json::Value = serde_json::from_slice(&fs::read(dir.path().join("simulate.json")).unwrap()).unwrap();
    assert_eq!(record["plan"]["seed"], 8);
    assert_eq!(record["written"]["usage_rows"], written.usage_rows);
}
