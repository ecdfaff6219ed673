//! States that come as snapshots: who is missing is told, and ends only where that was asked for;
//! an end is for good; the vendor's own level is kept with its day.

use std::path::PathBuf;

use churn_risk::lake::{ImportReport, import};

use crate::support::lakes::{Desk, sentence, snapshot};
use crate::support::worlds::day;

/// An export of (subscription, status).
fn export(desk: &Desk, name: &str, rows: &[(&str, &str)]) -> PathBuf {
    let row = |(id, status): &(&str, &str)| {
        format!(
            r#"{{"customerTenantId":"c1","id":"{id}","status":"{status}","subscriptionType":"Azure","creationDate":"2026-01-01T00:00:00","churnRisk":"High","export":"{name}"}}"#
        )
    };
    desk.file(name, format!("{{\"items\":[{}],\"links\":{{}}}}", rows.iter().map(row).collect::<Vec<_>>().join(",\n")))
}

#[track_caller]
fn take(desk: &Desk, path: PathBuf, on: &str, missing_means_ended: bool) -> ImportReport {
    let mut request = desk.request(&[path]);
    request.reading.exported_on = Some(day(on));
    request.reading.missing_means_ended = missing_means_ended;
    import(&request).unwrap_or_else(|error| panic!("{}", sentence(&error)))
}

/// `s1 2026-06-10 ended missing observed` for each event.
fn events(desk: &Desk) -> Vec<String> {
    let snapshot = snapshot(&desk.lake(), None).expect("an import");
    let rows = snapshot.noted_lifecycle().expect("lifecycle").into_iter();
    let word = |(id, event, observed)| {
        let event: churn_risk::domain::Event = event;
        let id: churn_risk::domain::SubscriptionId = id;
        let how = if observed { "observed" } else { "dated" };
        format!("{id} {} {} {} {how}", event.on, event.kind, event.reason.unwrap_or_default())
    };
    rows.map(word).collect()
}

#[test]
fn who_is_missing_from_a_full_export_is_told_and_ends_only_where_that_was_asked_for() {
    let desk = Desk::new();
    take(&desk, export(&desk, "a.json", &[("s1", "ACTIVE"), ("s2", "ACTIVE")]), "2026-05-10", false);
    let report = take(&desk, export(&desk, "b.json", &[("s1", "ACTIVE")]), "2026-05-20", false);
    assert!(report.warnings.iter().any(|told| told.contains("s2") && told.contains("--missing-means-ended")), "{:?}", report.warnings);
    assert!(events(&desk).is_empty(), "{:?}", events(&desk));
    let report = take(&desk, export(&desk, "c.json", &[("s1", "SUSPENDED")]), "2026-06-10", true);
    assert!(report.warnings.iter().any(|told| told.contains("s2") && told.contains("taken as ended")), "{:?}", report.warnings);
    assert_eq!(events(&desk), ["s1 2026-06-10 suspended suspended observed", "s2 2026-06-10 ended missing observed"]);
}

#[test]
fn an_export_of_usage_makes_nobody_missing() {
    let desk = Desk::new();
    take(&desk, export(&desk, "a.json", &[("s1", "ACTIVE"), ("s2", "ACTIVE")]), "2026-05-10", false);
    let usage = r#"[{"customerTenantId":"c1","subscriptionId":"s1","usageDate":"2026-05-11","meterCategory":"VM","meterUnit":"10,000s","quantity":0.5}]"#;
    let report = take(&desk, desk.file("usage.json", usage), "2026-05-20", true);
    assert!(report.warnings.iter().all(|told| !told.contains("missing")), "{:?}", report.warnings);
    assert!(events(&desk).is_empty());
}

#[test]
fn whoever_is_shown_alive_after_the_end_stays_ended_and_is_told_of() {
    let desk = Desk::new();
    take(&desk, export(&desk, "a.json", &[("s1", "DEPROVISIONED")]), "2026-05-10", false);
    let report = take(&desk, export(&desk, "b.json", &[("s1", "ACTIVE")]), "2026-05-20", false);
    assert!(report.warnings.iter().any(|told| told.contains("s1") && told.contains("after they had ended")), "{:?}", report.warnings);
    assert_eq!(events(&desk), ["s1 2026-05-10 ended deprovisioned observed"]);
}

#[test]
fn the_vendors_own_level_is_kept_with_its_day() {
    let desk = Desk::new();
    take(&desk, export(&desk, "a.json", &[("s1", "ACTIVE")]), "2026-05-10", false);
    let rows = snapshot(&desk.lake(), None).expect("an import").subscriptions().expect("subscriptions");
    assert_eq!((rows[0].vendor_level.as_deref(), rows[0].vendor_level_on), (Some("High"), Some(day("2026-05-10"))));
}

#[test]
fn a_source_can_be_named_and_an_unknown_one_is_told() {
    let desk = Desk::new();
    let path = desk.usage("usage.csv", "s1,2026-05-01,C,h,1,\n");
    let mut request = desk.request(&[path]);
    request.reading.format = Some("daily-rated".to_owned());
    let said = sentence(&import(&request).expect_err("another source"));
    assert!(said.contains("the nearest is `daily-rated`") && said.contains("EntitlementId"), "{said}");
    request.reading.format = Some("excel".to_owned());
    let said = sentence(&import(&request).expect_err("no source"));
    assert!(said.contains("no source is called `excel`; there are focus, daily-rated"), "{said}");
    request.reading.format = Some("generic".to_owned());
    import(&request).expect("an import");
}

#[test]
fn other_json_in_a_folder_is_passed_over_and_told_and_refused_where_it_was_named() {
    let desk = Desk::new();
    desk.usage("in/usage.csv", "s1,2026-05-01,C,h,1,\n");
    let other = desk.file("in/settings.json", r#"{"colour":"red"}"#);
    let report = desk.accept(&[desk.path("in")]);
    assert!(report.warnings.iter().any(|told| told.contains("settings.json")), "{:?}", report.warnings);
    assert!(desk.refuse(&[other]).contains("fits no source"));
}

#[test]
fn parts_of_one_export_are_read_together_where_that_is_said() {
    let desk = Desk::new();
    let known = desk.usage("a.csv", "s1,2026-05-01,C,h,1,\n");
    desk.accept(&[known.clone(), desk.usage("b.csv", "s1,2026-05-01,D,h,1,\n")]);
    let paths = [known, desk.usage("b2.csv", "s1,2026-05-01,D,h,2,\n")];
    let mut request = desk.request(&paths);
    request.reading.together = true;
    import(&request).expect("an import");
    let quantities: Vec<i64> = desk.rows().usage.values().map(|(quantity, _)| *quantity).collect();
    assert_eq!(quantities, [1_000_000, 2_000_000]);
}
