//! Quotes lose no row: what they enclose is one cell, a quote within a plain cell is text, and one
//! that is never closed is an error with its file and line.

use churn_risk::lake::{PlainColumn, write_parquet};
use proptest::prelude::*;

use crate::support::lakes::{Desk, gzip};

/// The names that a file of customers gives, by their ids.
#[track_caller]
fn names(desk: &Desk, bytes: impl AsRef<[u8]>) -> (Vec<String>, Vec<String>) {
    let report = desk.accept(&[desk.file("customers.csv", bytes)]);
    (desk.rows().customers, report.warnings)
}

#[track_caller]
fn check(text: &str, wanted: &[&str]) {
    let desk = Desk::new();
    for (name, bytes) in [("customers.csv", text.as_bytes().to_vec()), ("customers.csv.gz", gzip(text.as_bytes()))] {
        let sentence = desk.refuse(&[desk.file(name, bytes)]);
        for part in wanted.iter().chain([&name]) {
            assert!(sentence.contains(part), "no `{part}` in: {sentence}");
        }
    }
    assert_eq!(desk.version(), 0);
}

#[test]
fn a_quote_that_is_never_closed_is_an_error_with_its_line() {
    let mut rows: Vec<String> = (0..200).map(|at| format!("c{at},Name {at}")).collect();
    rows[99] = "c99,\"19 inch rack".to_owned();
    check(&format!("customer_id,name\n{}\n", rows.join("\n")), &["line 101", "`\\\"19 inch rack", "never closed"]);
    // Two of them make an even number of quotes.
    check("customer_id,name\nc1,\"Beta\nc2,Two\nc3,\"Gamma\nc4,Four\n", &["line 2", "Beta", "never closed"]);
    check("customer_id,name\nc1,A\nc2,\"Two\" Corp\nc3,Gamma\n", &["line 3", "text follows its closing quote"]);
    // After a quote that is only text, which is read in another way.
    check("customer_id,name\nc1,19\" Rack\nc2,\"Beta\nc3,Two\nc4,\"Gamma\n", &["line 3", "never closed"]);
    check("customer_id,name\nc1,19\" Rack\nc2,\"Beta\nc3,Two\n", &["line 3", "never closed"]);
}

#[test]
fn quotes_of_the_header_are_held_to_the_same() {
    check("customer_id,\"name\nc1,Beta\nc2,Two\n", &["line 1", "never closed"]);
    check("customer_id,\"name\nc1,\"\nc2,Two\n", &["runs over a line end"]);
    check("customer_id,\"na\"me\nc1,Beta\n", &["line 1", "text follows"]);
    check("customer_id,na\"me\nc1,Beta\n", &["a quote (\") stands within a column's name"]);
}

#[test]
fn an_unclosed_cell_takes_no_more_memory_than_a_row_may() {
    let filler = "c,x\n".repeat(2 << 20);
    check(&format!("customer_id,name\nc1,A\n\nc2,\"Beta\n{filler}"), &["line 4", "longer than 2 MiB"]);
    check(&format!("customer_id,name\nc0,1\"\nc1,A\n\nc2,\"Beta\n{filler}"), &["line 5", "never closed"]);
    check(&format!("customer_id,\"name\n{filler}"), &["line 1", "longer than 2 MiB"]);
}

#[test]
fn a_quote_within_a_plain_cell_is_text() {
    let text =
        "\u{feff}customer_id,name\nc0,\"Two\r\nlines\"\n\nc1,19\" Rack GmbH\nc2,Beta\r\n\r\nc3,\"Gam\"\"ma\n\"\nc4,17\" Screens\nc5,Eps";
    for bytes in [text.as_bytes().to_vec(), gzip(text.as_bytes())] {
        let desk = Desk::new();
        let (customers, warnings) = names(&desk, bytes);
        for (id, name) in
            [("c0", "Two\r\nlines"), ("c1", "19\" Rack GmbH"), ("c2", "Beta"), ("c3", "Gam\"ma\n"), ("c4", "17\" Screens"), ("c5", "Eps")]
        {
            assert!(customers.iter().any(|row| row.contains(id) && row.contains(&format!("{:?}", name.trim()))), "{id}: {customers:?}");
        }
        assert_eq!(customers.len(), 6);
        assert!(warnings.iter().any(|note| note.contains("customers.csv line 5") && note.contains("2 in all")), "{warnings:?}");
    }
}

#[test]
fn a_refused_row_after_such_a_quote_has_its_line() {
    let desk = Desk::new();
    let file = desk.file("customers.csv", "customer_id,name\nc1,19\" Rack\n\n,\"no\nid\"\nc2,Beta\nc3,too,many\n");
    let report = desk.accept(&[file]);
    let lines: Vec<u64> = report.first_rejects.iter().map(|reject| reject.line).collect();
    assert_eq!(lines, [4, 7], "{:?}", report.first_rejects);
}

#[test]
fn cells_may_be_divided_by_semicolons_and_tabs() {
    for (name, divider) in [("customers.csv", ';'), ("customers.csv", '\t'), ("customers.tsv", '\t'), ("customers.tsv", ',')] {
        let desk = Desk::new();
        let text = "customer_id,name,country\nc1,Beta,DE\nc2,\"Two, Inc; Co\tKG\",FR\n";
        let text: String = text.lines().map(|line| line.replacen(',', &divider.to_string(), 1)).collect::<Vec<_>>().join("\n");
        // The last comma of each line, and the one within the quotes stays.
        let text: String =
            text.lines().map(|line| line.rsplit_once(',').map_or(line.to_owned(), |(a, b)| format!("{a}{divider}{b}\n"))).collect();
        desk.accept(&[desk.file(name, &text)]);
        assert_eq!(desk.rows().customers.len(), 2, "{divider}: {text}");
        assert!(desk.rows().customers.iter().any(|row| row.contains("Two, Inc; Co\\tKG")), "{:?}", desk.rows().customers);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// However a file's quotes stand, it is an error, or every line of it is in some row.
    #[test]
    fn every_line_is_in_a_row_or_the_file_is_refused(cells in prop::collection::vec("[a\"]{0,4}", 1..12)) {
        let desk = Desk::new();
        let rows: Vec<String> = cells.iter().enumerate().map(|(at, cell)| format!("c{at},{cell}\n")).collect();
        let file = desk.file("customers.csv", format!("customer_id,name\n{}", rows.concat()));
        if let Ok(report) = desk.import(&[file]) {
            // A cell over several lines begins and ends with a quote, and those of its lines hold
            // the ids between.
            let kept = desk.rows().customers;
            for at in 0..cells.len() {
                prop_assert!(kept.iter().any(|row| row.contains(&format!("c{at}"))), "c{at} of {rows:?}: {kept:?}, {report:?}");
            }
        }
    }
}

#[test]
fn a_usage_file_with_a_misnamed_column_is_not_taken_for_a_smaller_table() {
    let desk = Desk::new();
    for (header, lacks) in [
        ("subscription_id,customer_id,date,category,unit,quantity", "lacks on"),
        ("customer_id,entitlement,usage_date,category,unit,quantity", "lacks subscription_id, on"),
    ] {
        let file = desk.file("usage.csv", format!("{header}\ns1,c1,2026-01-01,VM,h,5\n"));
        let sentence = desk.refuse(&[file]);
        assert!(sentence.contains("usage_daily") && sentence.contains(lacks), "{sentence}");
    }
    // One column more than a form knows does not make it another, and is told.
    let report = desk.accept(&[desk.file("subscriptions.csv", "subscription_id,customer_id,product,quantity\ns1,c1,Azure plan,3\n")]);
    assert!(report.warnings.iter().any(|note| note.contains("no column `quantity`")), "{:?}", report.warnings);
}

#[test]
fn what_a_folder_holds_is_read_or_named() {
    let desk = Desk::new();
    desk.file("exports/2026-01/usage.csv", "subscription_id,on,category,unit,quantity\n");
    desk.file("exports/customers.csv", "customer_id\nc1\n");
    let report = desk.accept(&[desk.path("exports")]);
    assert!(report.warnings.iter().any(|note| note.contains("2026-01") && note.contains("passed over")), "{:?}", report.warnings);
}

#[test]
fn two_files_of_one_name_are_told_apart() {
    let desk = Desk::new();
    let one = desk.file("jan/usage.csv", "subscription_id,on,category,unit,quantity\ns1,2026-01-01,VM,h,1\n");
    let other = desk.file("feb/usage.csv", "subscription_id,on,category,unit,quantity\ns1,2026-02-01,VM,h,wrong\n");
    let report = desk.accept(&[one, other.clone()]);
    let rejects: Vec<&str> = report.first_rejects.iter().map(|reject| reject.file.as_str()).collect();
    assert_eq!(rejects, [other.display().to_string()]);
}

#[test]
fn a_column_of_parquet_that_is_not_read_may_hold_anything_and_is_named() {
    let desk = Desk::new();
    let path = desk.path("customers.parquet");
    let columns = [("extra", PlainColumn::Numbers(&[0.5])), ("customer_id", PlainColumn::Text(vec!["c1"]))];
    write_parquet(&path, &columns).expect("a Parquet file");
    let report = desk.accept(&[path]);
    assert_eq!(report.warnings, ["customers.parquet: the table customers has no column `extra`; not read"]);
    assert_eq!(desk.rows().customers.len(), 1);
}

#[test]
#[cfg(unix)]
fn a_link_to_nothing_and_a_pipe_are_errors_with_their_names() {
    let desk = Desk::new();
    desk.file("in/customers.csv", "customer_id\nc1\n");
    std::os::unix::fs::symlink("nowhere.csv", desk.path("in/usage.csv")).expect("a link");
    let message = desk.refuse(&[desk.path("in")]);
    assert!(message.contains("there is no file") && message.contains("usage.csv"), "{message}");
    let pipe = desk.path("pipe.csv");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo");
    assert!(made.success());
    let message = desk.refuse(&[pipe]);
    assert!(message.contains("pipe.csv is a pipe or a device"), "{message}");
}
