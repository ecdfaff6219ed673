//! Quotes in the wrong place that are noticed: one that is never closed, one inside a plain cell.
//! Two unclosed cells in one file, and a quote in the header, are not (ARCHITECTURE.md, quirks).

use crate::support::lakes::Desk;

#[test]
fn a_quote_that_is_never_closed_is_an_error_with_its_line() {
    let desk = Desk::new();
    let mut rows: Vec<String> = (0..200).map(|at| format!("s{at},2026-05-01,Storage,GB,1,1,ok")).collect();
    rows[99] = rows[99].replace(",ok", ",\"19 inch rack");
    let file = desk.file("usage.csv", format!("subscription_id,on,category,unit,quantity,cost,note\n{}\n", rows.join("\n")));
    let sentence = desk.refuse(&[file]);
    assert!(sentence.contains("usage.csv line 101") && sentence.contains("never closed"), "{sentence}");
}

#[test]
fn a_quote_inside_a_cell_swallows_no_lines() {
    let desk = Desk::new();
    let file = desk.file("customers.csv", "customer_id,name\nc1,19\" Rack GmbH\nc2,Beta\nc3,Gamma\nc4,17\" Screens\nc5,Eps\n");
    let sentence = desk.refuse(&[file]);
    assert!(sentence.contains("customers.csv line 2") && sentence.contains("swallows"), "{sentence}");
    // Written as it should be, it is a name like any other; so is a quoted line end.
    let file = desk.file("customers.csv", "customer_id,name\nc1,\"19\"\" Rack\nGmbH\"\nc2,Beta\n");
    desk.accept(&[file]);
    assert_eq!(desk.rows().customers.len(), 2);
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
    // One column more than a form knows does not make it another.
    desk.accept(&[desk.file("subscriptions.csv", "subscription_id,customer_id,product,quantity\ns1,c1,Azure plan,3\n")]);
}

#[test]
fn what_a_folder_holds_is_read_or_named() {
    let desk = Desk::new();
    desk.file("exports/2026-01/usage.csv", "subscription_id,on,category,unit,quantity\n");
    desk.file("exports/customers.csv", "customer_id\nc1\n");
    let report = desk.accept(&[desk.path("exports")]);
    assert!(report.warnings.iter().any(|note| note.contains("2026-01") && note.contains("passed over")), "{:?}", report.warnings);
}
