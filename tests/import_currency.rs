//! One lake keeps costs in one currency: rows in another are converted exactly, once, before
//! they are added, and refused where nobody has told the rate.

use std::collections::BTreeMap;

use churn_risk::domain::{Currency, Rate};
use churn_risk::lake::{ImportError, ImportReport, Lake, import};
use churn_risk::portfolio::load;

use crate::support::lakes::{Desk, committed, rejects, sentence};

const HEADER: &str = "subscription_id,on,category,unit,quantity,cost,currency\n";

fn currency(code: &str) -> Currency {
    Currency::parse(code).expect("a code")
}

fn rates(told: &[(&str, &str)]) -> BTreeMap<Currency, Rate> {
    told.iter().map(|(code, rate)| (currency(code), rate.parse().expect("a rate"))).collect()
}

/// Imports one file of usage rows.
fn try_usage(desk: &Desk, name: &str, rows: &str, told: Option<&str>, known: &[(&str, &str)]) -> Result<ImportReport, ImportError> {
    let mut request = desk.request(&[desk.file(name, format!("{HEADER}{rows}"))]);
    (request.currency, request.rates) = (told.map(currency), rates(known));
    import(&request)
}

#[track_caller]
fn usage(desk: &Desk, name: &str, rows: &str, told: Option<&str>, known: &[(&str, &str)]) -> ImportReport {
    try_usage(desk, name, rows, told, known).unwrap_or_else(|error| panic!("{}", sentence(&error)))
}

/// Costs in micro-units, by key.
fn costs(desk: &Desk) -> Vec<Option<i64>> {
    desk.rows().usage.into_values().map(|(_, cost)| cost).collect()
}

fn kept(report: &ImportReport) -> Option<&str> {
    committed(report).currency.as_ref().map(Currency::as_str)
}

#[test]
fn costs_are_converted_exactly_before_they_are_added_and_rounded_once() {
    let desk = Desk::new();
    // 0.0000005 x 0.5 twice is half a micro-unit: rounded row by row it would be nothing.
    let rows = "s1,2026-06-01,C,h,1,10,USD\ns1,2026-06-01,C,h,1,0.8,EUR\ns1,2026-06-01,C,h,1,1,\n\
        s2,2026-06-01,C,h,1,0.000003,USD\ns2,2026-06-01,C,h,1,0.000001,usd\ns2,2026-06-01,C,h,1,-0.000001,GBP\n\
        s3,2026-06-01,C,h,1,,JPY\n";
    let report = usage(&desk, "a.csv", rows, Some("EUR"), &[("USD", "0.92"), ("GBP", "1.18")]);
    assert_eq!((report.refused.len(), kept(&report)), (0, Some("EUR")));
    // 9.2 + 0.8 + 1; 0.00000276 + 0.00000092 - 0.00000118 = 0.0000025, half to even; no cost, no rate needed.
    assert_eq!(costs(&desk), [Some(11_000_000), Some(2), None]);
    let portfolio = load(&desk.lake(), 0).expect("a portfolio");
    assert_eq!(portfolio.currency(), Some("EUR"));
    assert_eq!(load(&desk.lake(), 0).expect("from the cache"), portfolio);
}

#[test]
fn a_row_in_a_currency_without_a_rate_is_refused_in_words_that_name_the_flag() {
    let desk = Desk::new();
    let rows = "s1,2026-06-01,C,h,1,10,EUR\ns2,2026-06-01,C,h,1,10,USD\ns3,2026-06-01,C,h,1,10,dollars\n";
    let report = usage(&desk, "a.csv", rows, Some("EUR"), &[]);
    let all = rejects(&report);
    let seen: Vec<_> = all.iter().map(|reject| (reject.line, reject.column.as_str(), reject.value.as_str())).collect();
    assert_eq!(seen, [(3, "currency", "USD"), (4, "currency", "dollars")]);
    assert!(all[0].reason.contains("costs are kept in EUR") && all[0].reason.contains("--rate USD="), "{}", all[0].reason);
    assert!(all[1].reason.contains("no currency code"), "{}", all[1].reason);
    assert_eq!(report.refused.into_iter().collect::<Vec<_>>(), [("currency without a rate", 1), ("not a currency", 1)]);
    assert_eq!(costs(&desk), [Some(10_000_000)]);
}

#[test]
fn where_nobody_tells_a_currency_the_one_of_the_files_is_taken() {
    let desk = Desk::new();
    let report = usage(&desk, "a.csv", "s1,2026-06-01,C,h,1,10,usd\ns2,2026-06-01,C,h,1,1,USD\n", None, &[]);
    assert_eq!((kept(&report), costs(&desk)), (Some("USD"), vec![Some(10_000_000), Some(1_000_000)]));
    assert!(report.warnings.contains(&"costs are kept in USD, the one currency of the files".to_owned()), "{:?}", report.warnings);
    // From then on it is the lake's own.
    let report = usage(&desk, "b.csv", "s3,2026-06-01,C,h,1,10,EUR\n", None, &[("EUR", "1.1")]);
    assert!(!report.warnings.iter().any(|warning| warning.starts_with("costs")), "{:?}", report.warnings);
    assert_eq!((kept(&report), costs(&desk).last()), (Some("USD"), Some(&Some(11_000_000))));
    let report = desk.accept(&[desk.usage("c.csv", "s4,2026-06-01,C,h,1,5\n")]);
    assert_eq!((kept(&report), costs(&desk).last()), (Some("USD"), Some(&Some(5_000_000))));
    let records = Lake::open(&desk.lake()).and_then(|lake| lake.imports()).expect("imports");
    assert!(records.iter().all(|record| record.currency == Some(currency("USD"))));
}

#[test]
fn where_nobody_tells_a_currency_and_the_files_carry_several_the_import_is_refused() {
    let desk = Desk::new();
    let error = try_usage(&desk, "a.csv", "s1,2026-06-01,C,h,1,10,USD\ns2,2026-06-01,C,h,1,1,EUR\n", None, &[("EUR", "1.1")]);
    let message = sentence(&error.expect_err("two currencies"));
    assert!(message.contains("in USD and in EUR") && message.contains("--currency"), "{message}");
    assert_eq!(desk.version(), 0);
    assert!(!desk.lake().join("_staging").exists());
}

#[test]
fn a_lake_without_a_currency_column_has_none_until_somebody_tells_it() {
    let desk = Desk::new();
    let report = desk.accept(&[desk.usage("a.csv", "s1,2026-06-01,C,h,1,5\n")]);
    assert_eq!(kept(&report), None);
    assert_eq!(load(&desk.lake(), 0).expect("a portfolio").currency(), None);
    let report = usage(&desk, "b.csv", "s2,2026-06-01,C,h,1,10,USD\n", Some("EUR"), &[("USD", "0.5")]);
    assert_eq!((kept(&report), costs(&desk)), (Some("EUR"), vec![Some(5_000_000), Some(5_000_000)]));
}

#[test]
fn a_lake_does_not_change_its_currency() {
    let desk = Desk::new();
    usage(&desk, "a.csv", "s1,2026-06-01,C,h,1,10,EUR\n", None, &[]);
    let error = try_usage(&desk, "b.csv", "s1,2026-06-02,C,h,1,10,USD\n", Some("USD"), &[]).expect_err("another currency");
    assert!(sentence(&error).contains("in EUR, not in USD"), "{}", sentence(&error));
    let error = try_usage(&desk, "b.csv", "s1,2026-06-02,C,h,1,10,EUR\n", None, &[("EUR", "1.5")]).expect_err("a rate of its own");
    assert!(sentence(&error).contains("nothing but 1"), "{}", sentence(&error));
    usage(&desk, "b.csv", "s1,2026-06-02,C,h,1,10,EUR\n", Some("EUR"), &[("EUR", "1")]);
    assert_eq!((desk.version(), costs(&desk)), (2, vec![Some(10_000_000), Some(10_000_000)]));
}

#[test]
fn a_cost_that_grows_beyond_all_bounds_in_the_reporting_currency_is_refused() {
    let desk = Desk::new();
    let rows = "s1,2026-06-01,C,h,1,1,USD\ns2,2026-06-01,C,h,1,9000000000000,USD\n";
    let report = usage(&desk, "a.csv", rows, Some("JPY"), &[("USD", "150")]);
    assert_eq!((rejects(&report)[0].column.as_str(), costs(&desk)), ("cost", vec![Some(150_000_000)]));
}
