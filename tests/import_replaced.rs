//! What a newer file takes away is told, and what it does not speak of stays.

use churn_risk::lake::ImportReport;

use crate::support::lakes::{Desk, committed, snapshot};
use crate::support::worlds::day;

/// The one note on replaced rows, which the record keeps too.
#[track_caller]
fn note(report: &ImportReport) -> &str {
    assert_eq!(committed(report).warnings, report.warnings);
    let mut notes = report.warnings.iter().filter(|note| note.contains("replaced"));
    let note = notes.next().map_or("", String::as_str);
    assert_eq!(notes.next(), None);
    note
}

#[test]
fn replaced_subscription_days_are_counted_and_what_is_gone_is_named() {
    let desk = Desk::new();
    let first = "s1,2026-05-31,C,h,1,\ns1,2026-06-01,B,h,2,\ns1,2026-06-01,C,h,3,\ns1,2026-06-02,C,h,4,0.5\n\
        s2,2026-06-01,C,h,5,\ns2,2026-06-01,C,kg,6,\n";
    assert_eq!(note(&desk.accept(&[desk.usage("first.csv", first)])), "");
    // s1's B goes, its C changes, its second day comes again as it was; s2 and May are not spoken of.
    let second = "s1,2026-06-01,C,h,30,\ns1,2026-06-01,D,h,40,\ns1,2026-06-02,C,h,4,0.5\ns3,2026-06-01,A,h,7,\n";
    assert_eq!(
        note(&desk.accept(&[desk.usage("second.csv", second)])),
        "2 subscription-days of earlier imports were replaced whole: 3 rows, 1 of them with other amounts; \
         1 rows are gone that the newer files do not name, the first of subscription s1 on 2026-06-01, category `B`, unit `h`"
    );
    let third = desk.usage("third.csv", "s9,2026-07-01,C,h,1,\ns2,2026-06-01,C,h,5,\ns2,2026-06-01,C,kg,6,0\n");
    assert_eq!(
        note(&desk.accept(&[third])),
        "1 subscription-days of earlier imports were replaced whole: 2 rows, 1 of them with other amounts"
    );
    assert_eq!(note(&desk.accept(&[desk.usage("fourth.csv", "s9,2026-06-30,C,h,1,\n")])), "", "a month restated by other rows alone");
}

#[test]
fn the_last_stored_rows_of_a_month_count_as_the_first_do() {
    let desk = Desk::new();
    desk.accept(&[desk.usage("first.csv", "z,2026-06-30,C,h,1,\nz,2026-06-30,D,h,1,\na,2026-06-01,A,h,1,\n")]);
    let told = desk.accept(&[desk.usage("second.csv", "z,2026-06-30,B,h,1,\na,2026-06-01,B,h,1,\n")]);
    assert!(note(&told).starts_with("2 subscription-days of earlier imports were replaced whole: 3 rows, 0 of them"), "{}", note(&told));
    assert!(note(&told).contains("3 rows are gone") && note(&told).contains("subscription a on 2026-06-01"), "{}", note(&told));
}

/// Customers and subscriptions of the newest version, with what is known of each.
fn known(desk: &Desk) -> (Vec<String>, Vec<String>) {
    let snapshot = snapshot(&desk.lake(), None).expect("a version");
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let customers = snapshot.customers().expect("customers");
    let subscriptions = snapshot.subscriptions().expect("subscriptions");
    (
        customers.iter().map(|row| format!("{} {} {}", row.customer_id, text(&row.name), text(&row.country))).collect(),
        subscriptions
            .iter()
            .map(|row| {
                let created = row.created_on.map_or_else(|| "-".to_owned(), |day| day.to_string());
                format!("{} {} {} {created}", row.subscription_id, row.customer_id, text(&row.product))
            })
            .collect(),
    )
}

#[test]
fn a_column_that_a_file_does_not_have_takes_nothing_away_and_an_empty_cell_does() {
    let desk = Desk::new();
    desk.accept(&[
        desk.file("customers.csv", "customer_id,name,country\nc1,Alpine,AT\nc2,Baltic,LT\n"),
        desk.file("subscriptions.csv", "subscription_id,customer_id,product,created_on\ns1,c1,plan,2026-01-05\ns2,c2,plan,2026-02-05\n"),
        desk.file("commitments.csv", "commitment_id,kind,ends_on,product,quantity\nr1,reservation,2026-12-31,D4,2\n"),
    ]);
    desk.accept(&[
        desk.file("customers-2.csv", "customer_id,country\nc1,\nc3,FR\n"),
        desk.file("subscriptions-2.csv", "customer_id,subscription_id,created_on\nc1,s1,\nc1,s2,2026-02-06\n"),
        desk.file("commitments-2.csv", "commitment_id,kind,ends_on\nr1,reservation,2027-12-31\n"),
    ]);
    let (customers, subscriptions) = known(&desk);
    assert_eq!(customers, ["c1 Alpine -", "c2 Baltic LT", "c3 - FR"]);
    assert_eq!(subscriptions, ["s1 c1 plan -", "s2 c1 plan 2026-02-06"]);
    let commitments = snapshot(&desk.lake(), None).expect("a version").commitments().expect("commitments");
    let seen: Vec<_> = commitments.iter().map(|row| (row.product.as_deref(), row.quantity.map(|micros| micros.0), row.ends_on)).collect();
    assert_eq!(seen, [(Some("D4"), Some(2_000_000), Some(day("2027-12-31")))]);
}

#[test]
fn a_narrow_file_after_a_wide_one_of_the_same_import_is_no_conflict() {
    let desk = Desk::new();
    desk.accept(&[desk.file("old.csv", "customer_id,name,country\nc1,Old,XX\n")]);
    let report = desk.accept(&[
        desk.file("a.csv", "customer_id,name\nc1,Alpine\n"),
        desk.file("b.csv", "customer_id,country\nc1,AT\nc1,AT\nc1,LT\n"),
        desk.file("c.csv", "customer_id\nc1\nc1\n"),
    ]);
    assert_eq!(known(&desk).0, ["c1 Alpine AT"]);
    assert_eq!(report.refused.values().sum::<u64>(), 1, "a second value within one file is refused");
}
