//! What cannot be read at all is refused before anything is written, in words that help.

use crate::support::lakes::{Desk, parquet};

/// Refused, and nothing is in the lake.
#[track_caller]
fn check(desk: &Desk, paths: &[std::path::PathBuf], wanted: &[&str]) {
    let message = desk.refuse(paths);
    for part in wanted {
        assert!(message.contains(part), "no `{part}` in: {message}");
    }
    assert_eq!(desk.version(), 0);
}

#[test]
fn an_unknown_header_is_told_the_nearest_source_and_what_it_lacks() {
    let desk = Desk::new();
    let wanted = ["odd.csv", "the nearest is `generic` usage_daily", "lacks unit, quantity"];
    check(&desk, &[desk.file("odd.csv", "Subscription_Id,on,category,amount\ns1,2026-06-01,C,1\n")], &wanted);
    check(&desk, &[desk.file("odd.csv", "subscription_id,on,reason\n")], &["`generic` lifecycle", "lacks event"]);
    check(&desk, &[desk.file("odd.csv", "subscription_id,product,is_trial\n")], &["`generic` subscriptions", "lacks customer_id"]);
    let path = desk.path("odd.parquet");
    parquet(&path, "subscription_id,on,category,unit,amount\ns1,2026-06-01,C,h,1\n");
    check(&desk, &[path], &["odd.parquet", "usage_daily", "lacks quantity"]);
    check(&desk, &[desk.file("empty.csv", "")], &["empty.csv", "is empty"]);
    check(&desk, &[desk.file("binary.csv", [0_u8, 159, 146, 150, 10, 0, 255])], &["binary.csv", "no text"]);
    let wide: Vec<u8> = "customer_id,name\nc1,Beta\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    check(&desk, &[desk.file("wide.csv", &wide)], &["wide.csv", "UTF-16", "UTF-8"]);
    check(&desk, &[desk.file("wide.csv", [&[0xff, 0xfe], wide.as_slice()].concat())], &["wide.csv", "UTF-16"]);
    check(&desk, &[desk.file("old.csv", "customer_id,name\rc1,Beta\r")], &["old.csv", "CR alone"]);
}

#[test]
fn one_unknown_file_among_good_ones_refuses_them_all() {
    let desk = Desk::new();
    desk.usage("in/usage_daily.csv", "s1,2026-06-01,C,h,1,\n");
    desk.file("in/zz.csv", "what,is,this\n1,2,3\n");
    check(&desk, &[desk.path("in")], &["zz.csv", "fits no source"]);
}

#[test]
fn a_column_that_stands_twice_is_refused() {
    let desk = Desk::new();
    check(&desk, &[desk.file("a.csv", "customer_id,name,Customer_ID\nc1,x,c2\n")], &["`Customer_ID` stands twice"]);
}

#[test]
fn one_table_in_two_forms_is_refused_and_not_added_up() {
    let desk = Desk::new();
    let csv = desk.usage("in/usage_daily.csv", "s1,2026-06-01,C,h,1,\n");
    for other in ["in/usage_daily.parquet", "in/usage_daily.csv.gz", "in/USAGE_DAILY.TSV.zst"] {
        let other = desk.file(other, "whatever it holds");
        check(&desk, &[desk.path("in")], &["the same table in two forms", "usage_daily.csv"]);
        check(&desk, &[csv.clone(), other.clone()], &["the same table in two forms"]);
        std::fs::remove_file(other).expect("a file");
    }
    desk.accept(&[desk.path("in")]);
}

#[test]
fn a_folder_without_tables_and_a_missing_file_are_errors() {
    let desk = Desk::new();
    desk.file("in/readme.txt", "no table");
    desk.file("in/_truth.csv", "subscription_id\n");
    desk.file("in/.hidden.csv", "customer_id\n");
    check(&desk, &[desk.path("in")], &["nothing to import", "none of 3 files"]);
    check(&desk, &[desk.path("absent.csv")], &["there is no file", "absent.csv"]);
    check(&desk, &[desk.path("no*.csv")], &["nothing that it matches as a pattern"]);
    check(&desk, &[desk.path("a[.csv")], &["is no pattern"]);
    assert!(!desk.lake().join("imports").exists());
}

#[test]
fn a_pattern_names_its_files_and_no_other() {
    let desk = Desk::new();
    desk.usage("in/usage-05.csv", "s1,2026-05-01,C,h,1,\n");
    desk.usage("in/usage-06.csv", "s1,2026-06-01,C,h,1,\n");
    desk.usage("in/other.csv", "s1,2026-04-01,C,h,1,\n");
    let report = desk.accept(&[desk.path("in/usage-*.csv"), desk.path("in/usage-06.csv")]);
    let names: Vec<&str> = report.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["usage-05.csv", "usage-06.csv"]);
    assert_eq!(desk.rows().usage.len(), 2);
}

#[test]
fn a_file_with_a_header_alone_is_an_import_of_no_rows() {
    let desk = Desk::new();
    let report = desk.accept(&[desk.usage("usage_daily.csv", "")]);
    assert_eq!((report.files[0].rows_read, desk.version(), desk.rows().usage.len()), (0, 1, 0));
}
