//! A bad row is refused with file, line, column, value and reason; nothing is dropped in silence.

use std::fmt::Write as _;

use churn_risk::lake::{ImportError, Reject, import};

use crate::support::lakes::{Desk, USAGE_HEADER, committed, gzip, parquet, read_rejects, rejects, zstandard};

const SUBSCRIPTIONS: &str = "subscription_id,customer_id,name,product,created_on,auto_renew,term_end_on,is_trial,status,status_on\n";

/// Imports one file with one bad row; what is said of it.
#[track_caller]
fn the_reject(name: &str, bytes: impl AsRef<[u8]>) -> (Reject, Vec<(&'static str, u64)>) {
    let desk = Desk::new();
    let report = desk.accept(&[desk.file(name, bytes)]);
    let mut all = rejects(&report);
    assert_eq!(all, report.first_rejects, "the file and the report tell the same");
    assert_eq!(all.len(), 1, "{all:?}");
    let record = committed(&report);
    assert_eq!((record.rows_refused, record.rows_kept), (1, record.rows_read - 1));
    assert_eq!(report.files[0].rows_refused, 1);
    (all.remove(0), report.refused.into_iter().collect())
}

/// Checks what is said of a usage row that stands between two good ones.
#[track_caller]
fn usage(row: &str, column: &str, value: &str, words: &str, reason: &str) {
    check("usage_daily.csv", &format!("{USAGE_HEADER}s1,2026-06-01,C,h,1,\n"), row, column, value, words, reason);
}

#[track_caller]
fn check(name: &str, above: &str, row: &str, column: &str, value: &str, words: &str, reason: &str) {
    let (reject, counts) = the_reject(name, format!("{above}{row}\n"));
    let line = u64::try_from(above.lines().count()).expect("a count") + 1;
    assert_eq!((reject.file.as_str(), reject.line, reject.column.as_str(), reject.value.as_str()), (name, line, column, value), "{row}");
    assert!(reject.reason.contains(reason), "{row}: {}", reject.reason);
    assert_eq!(counts, [(words, 1)], "{row}");
}

#[test]
fn a_day_that_is_none_or_lies_too_far_is_refused() {
    for on in ["2026-02-30", "01/06/2026", "2026-6-1", "yesterday", "20260601"] {
        usage(&format!("s2,{on},C,h,1,"), "on", on, "not a date", on);
    }
    usage("s2,2026-07-02,C,h,1,", "on", "2026-07-02", "after tomorrow", "after tomorrow, which is 2026-07-01");
    usage("s2,1969-12-31,C,h,1,", "on", "1969-12-31", "not a date", "1970");
    usage("s2,2201-01-01,C,h,1,", "on", "2201-01-01", "not a date", "2200");
    usage("s2,,C,h,1,", "on", "", "value missing", "day");
}

#[test]
fn the_smallest_amount_is_no_zero_and_below_it_is_negative() {
    let desk = Desk::new();
    desk.accept(&[desk.usage("usage_daily.csv", "s1,2026-06-01,C,h,1e-30,1e-30\ns1,2026-06-02,C,h,0e9,0\n")]);
    let seen: Vec<_> = desk.rows().usage.into_values().collect();
    assert_eq!(seen, [(1, Some(0)), (0, Some(0))], "a use that is too small to count is a use");
    usage("s2,2026-06-01,C,h,-1e-30,", "quantity", "-1e-30", "negative quantity", "a quantity cannot be negative");
}

#[test]
fn tomorrow_is_still_accepted() {
    let desk = Desk::new();
    let report = desk.accept(&[desk.usage("usage_daily.csv", "s1,2026-07-01,C,h,1,\n")]);
    assert_eq!((report.refused.len(), report.rejects_file), (0, None));
}

#[test]
fn a_quantity_that_is_negative_not_finite_or_no_number_is_refused() {
    usage("s2,2026-06-01,C,h,-0.5,", "quantity", "-0.5", "negative quantity", "cannot be negative");
    for odd in ["NaN", "inf", "-Infinity"] {
        usage(&format!("s2,2026-06-01,C,h,{odd},"), "quantity", odd, "not a finite number", "not a finite number");
    }
    for odd in ["1e999", "9000000000001"] {
        usage(&format!("s2,2026-06-01,C,h,{odd},"), "quantity", odd, "not a number", "beyond 9,000,000,000,000");
    }
    for odd in ["\"1,5\"", "1 2", "0x10", "--1", "1e", "٣"] {
        usage(&format!("s2,2026-06-01,C,h,{odd},"), "quantity", odd.trim_matches('"'), "not a number", "no decimal number");
    }
    usage("s2,2026-06-01,C,h,,", "quantity", "", "value missing", "quantity");
    usage("s2,2026-06-01,C,h,1,nan", "cost", "nan", "not a finite number", "not a finite number");
}

#[test]
fn a_negative_cost_is_a_credit_and_kept() {
    let desk = Desk::new();
    desk.accept(&[desk.usage("usage_daily.csv", "s1,2026-06-01,C,h,1,-2.5\n")]);
    assert_eq!(desk.rows().usage.into_values().collect::<Vec<_>>(), [(1_000_000, Some(-2_500_000))]);
}

#[test]
fn a_missing_value_and_a_wrong_number_of_cells_are_refused() {
    for (row, column) in [
        (",2026-06-01,C,h,1,", "subscription_id"),
        ("NULL,2026-06-01,C,h,1,", "subscription_id"),
        ("s2,2026-06-01,,h,1,", "category"),
        ("s2,2026-06-01,C, ,1,", "unit"),
    ] {
        usage(row, column, "", "value missing", "a value is needed here");
    }
    usage("s2,2026-06-01,C,h,1", "", "", "other number of cells than the header", "5 cells where the header has 6");
    usage("s2,2026-06-01,C,h,1,,", "", "", "other number of cells than the header", "7 cells where the header has 6");
}

#[test]
fn an_id_that_is_none_is_refused() {
    let long = "x".repeat(257);
    let shown = format!("{}…", &long[..120]);
    usage(&format!("{long},2026-06-01,C,h,1,"), "subscription_id", &shown, "not an id", "257 bytes");
    usage("a\tb,2026-06-01,C,h,1,", "subscription_id", "a\tb", "not an id", "control character");
}

#[test]
fn an_unknown_event_and_a_flag_that_is_none_are_refused() {
    let events = "subscription_id,on,event\ns1,2026-06-01,created\n";
    check("lifecycle.csv", events, "s1,2026-06-02,paused", "event", "paused", "unknown event", "paused");
    check("lifecycle.csv", events, "s1,2026-07-02,ended", "on", "2026-07-02", "after tomorrow", "tomorrow");
    let flags = format!("{SUBSCRIPTIONS}s1,c1,,,,TRUE,,No,,\n");
    check("subscriptions.csv", &flags, "s2,c1,,,,maybe,,,,", "auto_renew", "maybe", "not true or false", "true, false, yes, no");
    check("subscriptions.csv", &flags, "s2,c1,,,,,,2,,", "is_trial", "2", "not true or false", "true, false, yes, no");
    check("subscriptions.csv", &flags, "s2,c1,,,2026-07-09,,,,,", "created_on", "2026-07-09", "after tomorrow", "tomorrow");
}

#[test]
fn bytes_that_are_no_utf8_are_refused_with_what_can_be_shown_of_them() {
    let bytes = [USAGE_HEADER.as_bytes(), b"s1,2026-06-01,Caf\xe9,h,1,\n"].concat();
    let (reject, counts) = the_reject("usage_daily.csv", bytes);
    assert_eq!((reject.line, reject.column.as_str(), reject.value.as_str()), (2, "category", "Caf\u{fffd}"));
    assert_eq!(counts, [("not UTF-8", 1)]);
    let bytes = [USAGE_HEADER.as_bytes(), b"\xff\xfe,2026-06-01,C,h,1,\n"].concat();
    assert_eq!(the_reject("usage_daily.csv", bytes).0.column, "subscription_id");
}

#[test]
fn two_customers_for_one_subscription_are_refused_within_a_file_and_across_files() {
    let (words, reason) = ("two customers for one subscription", "s1 belongs to customer c1");
    check("subscriptions.csv", &format!("{SUBSCRIPTIONS}s1,c1,,,,,,,,\n"), "s1,c2,,,,,,,,", "customer_id", "c2", words, reason);
    let desk = Desk::new();
    let files = [
        desk.file("a.csv", "subscription_id,customer_id\ns1,c1\ns2,c1\n"),
        desk.file("b.csv", "subscription_id,customer_id\ns2,c1\ns1,c2\n"),
    ];
    let report = desk.accept(&files);
    let all = rejects(&report);
    assert_eq!(all.len(), 1);
    assert_eq!((all[0].file.as_str(), all[0].line, all[0].value.as_str()), ("b.csv", 3, "c2"));
}

#[test]
fn the_same_key_twice_with_other_values_is_refused_and_with_the_same_values_is_one() {
    let words = "same key twice with other values";
    let above = "customer_id,name\nc1,One\nc1,One\n";
    check("customers.csv", above, "c1,Two", "customer_id", "c1", words, "other values for this customer");
    let above = format!("{SUBSCRIPTIONS}s1,c1,web,,,,,,,\n");
    check("subscriptions.csv", &above, "s1,c1,shop,,,,,,,", "subscription_id", "s1", words, "other values for this subscription");
}

/// Seven bad rows among blank lines, quoted newlines and comments of two lines.
const CROOKED: &str = "subscription_id,on,category,unit,quantity,cost,note\n\
    s1,2026-06-01,C,h,bad3,,\n\
    \n\
    s1,2026-06-01,C,h,1,,\"two\nlines\"\n\
    s1,2026-06-01,C,h,bad7,,\n\
    \n\n\n\
    s1,2026-06-01,C,h,bad11,,\"a\n\n\nb\"\n\
    s1,2026-06-01,C,h,bad15,,\"says \"\"no\"\"\"\n\
    \"s1\",2026-06-01,\"C\nD\",h,bad16,,\n\
    s1,2026-06-01,C,h,bad18,,";

#[test]
fn line_numbers_are_exact_whatever_stands_above_the_row() {
    let bad = [2_u64, 6, 10, 14, 15, 17];
    let windows = CROOKED.replace('\n', "\r\n");
    let marked = format!("\u{feff}{CROOKED}");
    let both = format!("\u{feff}{windows}\r\n\r\n");
    let forms: [(&str, Vec<u8>); 7] = [
        ("usage.csv", CROOKED.as_bytes().to_vec()),
        ("usage.csv", windows.as_bytes().to_vec()),
        ("usage.csv", marked.as_bytes().to_vec()),
        ("usage.csv", both.as_bytes().to_vec()),
        ("usage.csv.gz", gzip(both.as_bytes())),
        ("usage.csv.zst", zstandard(marked.as_bytes())),
        ("usage.tsv.gz", gzip(CROOKED.replace(',', "\t").as_bytes())),
    ];
    for (name, bytes) in forms {
        let desk = Desk::new();
        let report = desk.accept(&[desk.file(name, bytes)]);
        let lines: Vec<u64> = rejects(&report).iter().map(|reject| reject.line).collect();
        assert_eq!(lines, bad, "{name}");
        assert!(rejects(&report).iter().all(|reject| reject.column == "quantity" && reject.value.starts_with("bad")));
    }
    let desk = Desk::new();
    let path = desk.path("usage.parquet");
    parquet(&path, "subscription_id,on,category,unit,quantity\ns1,2026-06-01,C,h,1\ns1,2026-06-01,C,h,x\n");
    let report = desk.accept(&[path]);
    assert_eq!(rejects(&report)[0].line, 2, "of a Parquet file, the row");
}

/// `good` rows and `bad` ones, turn by turn.
fn mixed(good: usize, bad: usize) -> String {
    let mut rows = USAGE_HEADER.to_owned();
    for number in 0..good.max(bad) {
        if number < good {
            writeln!(rows, "s{number},2026-06-01,C,h,1,").expect("a text grows");
        }
        if number < bad {
            writeln!(rows, "s{number},2026-06-01,C,h,{},", if number % 3 == 0 { "-1" } else { "x" }).expect("a text grows");
        }
    }
    rows
}

#[test]
fn ten_refused_rows_are_borne_by_any_import_and_eleven_by_a_large_one_only() {
    let desk = Desk::new();
    let report = desk.accept(&[desk.file("usage_daily.csv", mixed(3, 10))]);
    assert_eq!(report.refused.into_iter().collect::<Vec<_>>(), [("negative quantity", 4), ("not a number", 6)]);
    assert_eq!((report.first_rejects.len(), desk.rows().usage.len()), (5, 3));

    let desk = Desk::new();
    let message = desk.refuse(&[desk.file("usage_daily.csv", mixed(10_000, 11))]);
    assert!(message.contains("11 of 10011 rows refused, more than the 10 that --max-rejects allows"), "{message}");
    assert!(message.contains("usage_daily.csv line 3, column quantity, value `-1`: a quantity cannot be negative"), "{message}");

    let desk = Desk::new();
    desk.accept(&[desk.file("usage_daily.csv", mixed(10_989, 11))]);
    assert_eq!((desk.version(), desk.rows().usage.len()), (1, 10_989));
}

#[test]
fn an_import_over_the_limit_leaves_its_rejects_and_nothing_else() {
    let desk = Desk::new();
    desk.accept(&[desk.usage("first.csv", "s1,2026-06-01,C,h,1,\n")]);
    let before = (desk.rows(), desk.usage_files());
    let files = [desk.file("usage_daily.csv", mixed(5, 11)), desk.file("customers.csv", "customer_id\nc1\n")];
    let Err(ImportError::TooManyRejects { refused: 11, read: 17, allowed: 10, rejects, .. }) = desk.import(&files) else {
        panic!("eleven rows are too many")
    };
    assert_eq!(read_rejects(&rejects).len(), 11);
    assert_eq!(desk.version(), 1);
    assert!((desk.rows(), desk.usage_files()) == before);
    assert!(!desk.lake().join("_staging").exists());

    let mut request = desk.request(&files);
    request.max_rejects = 11.0 / 17.0;
    assert_eq!(committed(&import(&request).expect("exactly at the limit")).rows_kept, 6);
}
