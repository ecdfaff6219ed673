//! Commitments from their files to the portfolio: recognised, checked, merged by key, kept
//! whoever they name.

use std::fs;

use churn_risk::domain::{CommitmentKind, CommitmentRow, Day};
use churn_risk::lake::Outcome;
use churn_risk::portfolio::{Portfolio, load};

use crate::support::lakes::{Desk, committed, parquet, rejects, rows, sentence, snapshot};

const HEADER: &str = "commitment_id,subscription_id,customer_id,product,kind,quantity,ends_on\n";

fn commitments(desk: &Desk) -> Vec<CommitmentRow> {
    snapshot(&desk.lake(), None).expect("a version").commitments().expect("commitments")
}

/// Every row in one line.
fn told(desk: &Desk) -> Vec<String> {
    let text = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    commitments(desk)
        .into_iter()
        .map(|row| {
            let (subscription, customer) = (row.subscription_id.map(|id| id.to_string()), row.customer_id.map(|id| id.to_string()));
            let (quantity, ends_on) = (row.quantity.map(|amount| amount.to_string()), row.ends_on.map(|day| day.to_string()));
            let parts = [text(subscription), text(customer), text(row.product), row.kind.to_string(), text(quantity), text(ends_on)];
            format!("{} {}", row.commitment_id, parts.join(" "))
        })
        .collect()
}

#[test]
fn a_file_of_commitments_is_recognised_and_every_column_is_kept() {
    let desk = Desk::new();
    let text = format!(
        "{HEADER}r1,s1,c1,D4s,reservation,3,2027-01-31\nr2,,C1,,Savings Plan,0.5,2026-07-01T00:00:00Z\nr3,,,,term,,9999-12-31\nr4,,,,RI,0,\n"
    );
    let report = desk.accept(&[desk.file("anything.csv", text)]);
    assert_eq!((report.files[0].table, report.files[0].rows_read), ("commitments", 4));
    let wanted =
        ["r1 s1 c1 D4s reservation 3 2027-01-31", "r2 - C1 - savings_plan 0.5 2026-07-01", "r3 - - - term - -", "r4 - - - reservation 0 -"];
    assert_eq!(told(&desk), wanted);
    assert_eq!(committed(&report).table_versions.keys().collect::<Vec<_>>(), ["commitments"]);
}

#[test]
fn columns_in_any_order_and_parquet_say_the_same() {
    let (csv, packed) = (Desk::new(), Desk::new());
    let text = "ends_on,Kind,extra,COMMITMENT_ID\n2026-08-01,reservation,x,r1\n2026-09-01,term,y,r2";
    csv.accept(&[csv.file("a.tsv", text.replace(',', "\t"))]);
    let path = packed.path("a.parquet");
    parquet(&path, text);
    packed.accept(&[path]);
    assert_eq!(told(&csv), ["r1 - - - reservation - 2026-08-01", "r2 - - - term - 2026-09-01"]);
    assert_eq!(told(&csv), told(&packed));
}

/// Checks what is said of a row that stands under a good one.
#[track_caller]
fn check(row: &str, column: &str, value: &str, words: &'static str, reason: &str) {
    let desk = Desk::new();
    let report = desk.accept(&[desk.file("commitments.csv", format!("{HEADER}r1,s1,c1,D4s,reservation,3,2027-01-31\n{row}\n"))]);
    let all = rejects(&report);
    assert_eq!(all.len(), 1, "{all:?}");
    let reject = &all[0];
    assert_eq!((reject.file.as_str(), reject.line, reject.column.as_str(), reject.value.as_str()), ("commitments.csv", 3, column, value));
    assert!(reject.reason.contains(reason), "{}", reject.reason);
    assert_eq!(report.refused.into_iter().collect::<Vec<_>>(), [(words, 1)]);
    assert_eq!(commitments(&desk).len(), 1);
}

#[test]
fn a_bad_row_is_refused_with_file_line_column_value_and_reason() {
    check("r2,,,,lease,,2027-01-31", "kind", "lease", "unknown kind of commitment", "none of reservation, savings_plan, term");
    check("r2,,,,,,2027-01-31", "kind", "", "value missing", "needed");
    check(",,,,term,,2027-01-31", "commitment_id", "", "value missing", "needed");
    check("r2,,,,term,,31.01.2027", "ends_on", "31.01.2027", "not a date", "31.01.2027");
    check("r2,,,,term,-1,2027-01-31", "quantity", "-1", "negative quantity", "cannot be negative");
    check("r2,,,,term,some,2027-01-31", "quantity", "some", "not a number", "no decimal");
    check("r2,a\tb,,,term,,2027-01-31", "subscription_id", "a\tb", "not an id", "control character");
    check("r2,,a\tb,,term,,2027-01-31", "customer_id", "a\tb", "not an id", "control character");
    check("r2,,,,term", "", "", "other number of cells than the header", "5 cells");
    let words = "same key twice with other values";
    check("r1,s1,c1,D4s,reservation,4,2027-01-31", "commitment_id", "r1", words, "other values for this commitment");
}

#[test]
fn commitments_are_merged_by_key_and_the_same_again_changes_nothing() {
    let desk = Desk::new();
    let row = "r1,s1,c1,D4s,reservation,3,2027-01-31\n";
    desk.accept(&[desk.file("a.csv", format!("{HEADER}{row}{row}r2,,,,term,,2026-08-01\n"))]);
    let again = desk.accept(&[desk.path("a.csv")]);
    assert_eq!(again.outcome, Outcome::Unchanged { version: 1 });
    // A later file of the same import wins, as does a later import.
    let files = [
        desk.file("b.csv", format!("{HEADER}r2,,,,term,,2026-09-01\nr3,,,,term,,2026-09-02\n")),
        desk.file("c.csv", format!("{HEADER}r3,,,,term,1,2026-09-03\n")),
    ];
    let report = desk.accept(&files);
    assert_eq!(committed(&report).table_versions["commitments"], 2);
    assert_eq!(told(&desk), ["r1 s1 c1 D4s reservation 3 2027-01-31", "r2 - - - term - 2026-09-01", "r3 - - - term 1 2026-09-03"]);
    assert_eq!(rows(&desk.lake(), Some(1)).commitments.len(), 2, "version 1 is still what it was");
    // An import that brings none leaves the table alone.
    let report = desk.accept(&[desk.usage("u.csv", "s1,2026-06-01,C,h,1,\n")]);
    assert_eq!(committed(&report).table_versions["commitments"], 2);
}

fn loaded(desk: &Desk) -> Portfolio {
    load(&desk.lake(), 0).unwrap_or_else(|error| panic!("{}", sentence(&error)))
}

#[test]
fn the_portfolio_keeps_commitments_of_people_that_no_other_table_knows_and_so_does_its_cache() {
    let desk = Desk::new();
    let text = format!("{HEADER}r1,s1,,,reservation,3,2027-01-31\nr2,nobody,ghost,,savings plan,,2026-07-01\nr3,,,X,term,0.000001,\n");
    let usage = desk.usage("u.csv", "s1,2026-06-01,C,h,1,\n");
    desk.accept(&[desk.file("a.csv", text), usage, desk.file("s.csv", "subscription_id,customer_id\ns1,c1\n")]);
    let from_tables = loaded(&desk);
    let seen: Vec<_> = from_tables
        .commitments()
        .iter()
        .map(|one| {
            let customer = one.customer.map(|ix| from_tables.customer(ix).id.as_str());
            let subscription = one.subscription.map(|ix| from_tables.subscription(ix).id.as_str());
            (one.id.as_str(), one.kind, customer, subscription, one.quantity.map(|amount| amount.0))
        })
        .collect();
    let wanted = [
        ("r1", CommitmentKind::Reservation, Some("c1"), Some("s1"), Some(3_000_000)),
        ("r2", CommitmentKind::SavingsPlan, Some("ghost"), Some("nobody"), None),
        ("r3", CommitmentKind::Term, None, None, Some(1)),
    ];
    assert_eq!(seen, wanted);
    let ghost = from_tables.customers().iter().find(|customer| customer.id == "ghost").expect("kept");
    assert!(!ghost.has_row);
    for (name, _) in desk.usage_files() {
        fs::remove_file(desk.lake().join("usage_daily").join(name)).expect("a file");
    }
    assert_eq!(loaded(&desk), from_tables, "from the cache");
}

/// A lake as a release before commitments and currencies wrote it: two imports, the second of
/// which restates a day.
fn old_lake() -> Desk {
    let desk = Desk::new();
    let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/lake-before-commitments");
    crate::support::lakes::copy_folder(&golden, &desk.lake());
    desk
}

#[test]
fn a_lake_that_was_written_before_there_were_commitments_still_opens_and_goes_on() {
    let desk = old_lake();
    let before = desk.rows();
    assert_eq!((desk.version(), before.usage.len(), before.lifecycle.len(), before.commitments.len()), (2, 4, 2, 0));
    let portfolio = loaded(&desk);
    assert_eq!((portfolio.usage_rows(), portfolio.commitments().len(), portfolio.currency()), (3, 0, None));
    assert_eq!(portfolio.as_of().map(|day| day.to_string()).as_deref(), Some("2026-06-02"));

    let report = desk.accept(&[desk.file("a.csv", format!("{HEADER}r1,s1,,,term,,2026-06-20\n"))]);
    assert_eq!(committed(&report).import_id, 3);
    let records = churn_risk::lake::Lake::open(&desk.lake()).and_then(|lake| lake.imports()).expect("imports");
    assert_eq!(records.iter().map(|record| record.import_id).collect::<Vec<_>>(), [1, 2, 3]);
    // What the old release did not keep stays unknown; what it kept is there.
    assert_eq!(records.iter().map(|record| record.as_of).collect::<Vec<_>>(), [None, None, Day::parse("2026-06-02").ok()]);
    assert_eq!(records[0].files.len(), 4);
    // Other programs learn of the new columns from the log.
    let entry = fs::read_to_string(desk.lake().join("imports/_delta_log/00000000000000000003.json")).expect("an entry");
    assert!(entry.contains("metaData") && entry.contains("currency"), "{entry}");
    assert_eq!((desk.rows().usage, desk.rows().commitments.len()), (before.usage, 1));
    assert_eq!(rows(&desk.lake(), Some(2)).commitments.len(), 0);
}
