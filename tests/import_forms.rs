//! The same rows give the same tables, in whatever form, order and spelling they come.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::support::lakes::{Desk, Rows, USAGE_HEADER, committed, gzip, parquet, zstandard};

const CUSTOMERS: &str = "customer_id,name,country,segment,reseller_id,reseller_name\n\
    c1,Alpine Tools,AT,SMB,r1,North\nc2,Baltic Foods,LT,,,\nc3,,,,,\n";
const SUBSCRIPTIONS: &str = "subscription_id,customer_id,name,product,created_on,auto_renew,term_end_on,is_trial,status,status_on\n\
    8B7A64FD-4A3E-44EB-A8E7-6BD3D2AC7B45,c1,web,Azure plan,2026-01-05,true,2027-01-05,false,active,2026-06-01\n\
    s2,c2,,,2026-02-01,no,,1,,\n\
    s3,c2,,,,,9999-12-31,,,\n";
const LIFECYCLE: &str = "subscription_id,on,event,reason\n\
    s2,2026-02-01,created,\ns2,2026-05-01,suspended,no payment\ns3,2026-06-02,ended,\n";

/// Three months, several series, some without cost.
fn usage() -> String {
    let mut rows = USAGE_HEADER.to_owned();
    for number in 0..400_u32 {
        let id = ["8b7a64fd-4a3e-44eb-a8e7-6bd3d2ac7b45", "s2", "s3"][number as usize % 3];
        let (month, day) = (4 + number % 3, 1 + number % 28);
        let (category, unit) = [("Storage", "1 GB/Month"), ("Compute", "1 Hour")][(number / 7) as usize % 2];
        let cost = if number % 5 == 0 { String::new() } else { format!("{}.{:04}", number % 11, number * 7) };
        writeln!(rows, "{id},2026-{month:02}-{day:02},{category},{unit},{}.{number:03},{cost}", number % 9).expect("a text grows");
    }
    rows
}

type Write = fn(&Path, &str);

/// Imports the four tables, each written by `write` under its name and this ending.
fn tables_of(ending: &str, write: Write) -> (Rows, Vec<(String, Vec<u8>)>) {
    let desk = Desk::new();
    let dir = desk.file(&format!("in/note{}.md", ending.len()), "no table").parent().map(Path::to_path_buf).expect("a folder");
    let usage = usage();
    for (name, text) in [("customers", CUSTOMERS), ("subscriptions", SUBSCRIPTIONS), ("lifecycle", LIFECYCLE), ("usage_daily", &usage)] {
        write(&dir.join(format!("{name}{ending}")), text);
    }
    let report = desk.accept(&[dir]);
    assert_eq!(committed(&report).rows_kept, 3 + 3 + 3 + 400, "{ending}");
    assert_eq!(report.warnings, [format!("note{}.md is no table and was passed over", ending.len())]);
    (desk.rows(), desk.usage_files())
}

#[test]
fn csv_gzip_zstd_tsv_and_parquet_of_the_same_rows_give_the_same_tables() {
    let forms: [(&str, Write); 7] = [
        (".csv", |path, text| std::fs::write(path, text).expect("a file")),
        (".csv.gz", |path, text| std::fs::write(path, gzip(text.as_bytes())).expect("a file")),
        (".csv.zst", |path, text| std::fs::write(path, zstandard(text.as_bytes())).expect("a file")),
        (".tsv", |path, text| std::fs::write(path, text.replace(',', "\t")).expect("a file")),
        (".tsv.gz", |path, text| std::fs::write(path, gzip(text.replace(',', "\t").as_bytes())).expect("a file")),
        (".tsv.zst", |path, text| std::fs::write(path, zstandard(text.replace(',', "\t").as_bytes())).expect("a file")),
        (".parquet", parquet),
    ];
    let (rows, files) = tables_of(forms[0].0, forms[0].1);
    assert_eq!((rows.customers.len(), rows.subscriptions.len(), rows.lifecycle.len()), (3, 3, 3));
    assert_eq!(files.len(), 3, "one file a month");
    for (ending, write) in &forms[1..] {
        let (its_rows, its_files) = tables_of(ending, *write);
        assert_eq!(its_rows, rows, "{ending}");
        assert!(its_files == files, "{ending}: other bytes in the usage files");
    }
}

#[test]
fn several_gzip_members_in_one_file_are_one_table() {
    let (whole, desk) = (Desk::new(), Desk::new());
    let text = usage();
    let (first, second) = text.split_at(text.len() / 2);
    let packed = [gzip(first.as_bytes()), gzip(second.as_bytes())].concat();
    whole.accept(&[whole.file("usage_daily.csv", &text)]);
    desk.accept(&[desk.file("usage_daily.csv.gz", packed)]);
    assert!(desk.usage_files() == whole.usage_files());
}

#[test]
fn neither_the_order_of_rows_nor_that_of_files_changes_a_byte_of_the_usage_files() {
    let text = usage();
    let rows: Vec<&str> = text.lines().skip(1).collect();
    let write = |desk: &Desk, name: &str, rows: &[&str]| -> PathBuf { desk.usage(name, &format!("{}\n", rows.join("\n"))) };
    let one = Desk::new();
    one.accept(&[write(&one, "usage_daily.csv", &rows)]);

    let reversed = Desk::new();
    let backwards: Vec<&str> = rows.iter().rev().copied().collect();
    reversed.accept(&[write(&reversed, "usage_daily.csv", &backwards)]);
    assert!(reversed.usage_files() == one.usage_files(), "rows backwards");

    let split = Desk::new();
    let parts = [write(&split, "a.csv", &rows[250..]), write(&split, "b.csv", &rows[..90]), write(&split, "c.csv", &rows[90..250])];
    split.accept(&parts);
    assert!(split.usage_files() == one.usage_files(), "three files");

    let turned = Desk::new();
    let parts = [write(&turned, "x.csv", &rows[90..250]), write(&turned, "y.csv", &rows[250..]), write(&turned, "z.csv", &rows[..90])];
    turned.accept(&parts);
    assert!(turned.usage_files() == one.usage_files(), "three files in another order");
}

#[test]
fn other_rows_beside_them_change_no_byte_of_a_month() {
    let (alone, among) = (Desk::new(), Desk::new());
    alone.accept(&[alone.file("usage_daily.csv", usage())]);
    let more = among.usage("more.csv", "a0,2026-01-01,Aaa,1 Aaa,1,\nzz,2026-01-02,Zzz,1 Zzz,1,\n");
    among.accept(&[more, among.file("usage_daily.csv", usage())]);
    assert!(among.usage_files()[1..] == alone.usage_files()[..]);
}

/// The usage row that every spelling below means.
#[track_caller]
fn is_the_one_row(name: &str, bytes: impl AsRef<[u8]>) {
    let desk = Desk::new();
    let report = desk.accept(&[desk.file(name, bytes)]);
    assert_eq!(report.refused.values().sum::<u64>(), 0, "{:?}", report.first_rejects);
    let key = ("s1".to_owned(), "2026-06-01".to_owned(), "Compute".to_owned(), "1 Hour".to_owned());
    let rows: Vec<_> = desk.rows().usage.into_iter().collect();
    assert_eq!(rows, [(key, (2_500_000, None))], "{name}");
}

#[test]
fn byte_order_marks_line_ends_and_quotes_are_normal() {
    is_the_one_row("a.csv", "\u{feff}subscription_id,on,category,unit,quantity,cost\ns1,2026-06-01,Compute,1 Hour,2.5,\n");
    is_the_one_row("a.csv", "subscription_id,on,category,unit,quantity,cost\r\ns1,2026-06-01,Compute,1 Hour,2.5,\r\n");
    is_the_one_row("a.csv", "subscription_id,on,category,unit,quantity,cost\ns1,2026-06-01,Compute,1 Hour,2.5,");
    is_the_one_row("a.csv", "\n\nsubscription_id,on,category,unit,quantity,cost\n\n\ns1,2026-06-01,Compute,1 Hour,2.5,\n\n");
    is_the_one_row(
        "a.csv",
        "\u{feff}\"subscription_id\",\"on\",category,unit,quantity\r\n\"s1\",\"2026-06-01\",\"Compute\",1 Hour,\"2.5\"\r\n",
    );
}

#[test]
fn other_columns_another_order_and_another_case_are_normal() {
    is_the_one_row(
        "a.csv",
        "Quantity,UNIT,notes,Category,On,Subscription_ID\n2.5,1 Hour,\"a note,\nof two lines\",Compute,2026-06-01,s1\n",
    );
    is_the_one_row("a.csv", "subscription_id,on,category,unit,quantity,,\ns1,2026-06-01,Compute,1 Hour,2.5,x,y\n");
    is_the_one_row("anything.tsv", "unit\tquantity\tsubscription_id\ton\tcategory\n1 Hour\t2.5\ts1\t2026-06-01\tCompute\n");
    is_the_one_row("a.csv", "subscription_id , on , category,unit,quantity\n s1 , 2026-06-01 , Compute , 1 Hour , 2.5 \n");
}

#[test]
fn null_in_every_spelling_is_no_value() {
    for none in ["", "NULL", "null", "  ", "\"\"", "\"NULL\""] {
        is_the_one_row("a.csv", format!("{USAGE_HEADER}s1,2026-06-01,Compute,1 Hour,2.5,{none}\n"));
    }
}

#[test]
fn dates_and_numbers_come_in_every_form_that_sources_write() {
    for on in ["2026-06-01T00:00:00", "2026-06-01T23:59:59.1234567Z", "2026-06-01 23:00:00", "2026-06-01T00:00Z"] {
        is_the_one_row("a.csv", format!("{USAGE_HEADER}s1,{on},Compute,1 Hour,2.5,\n"));
    }
    for quantity in ["2.50", "+2.5", "2.5e0", "25E-1", "0.25e+1", "2.5000000000000000000", "00002.5"] {
        is_the_one_row("a.csv", format!("{USAGE_HEADER}s1,2026-06-01,Compute,1 Hour,{quantity},\n"));
    }
}

#[test]
fn typed_parquet_columns_are_read_as_what_they_hold() {
    use churn_risk::domain::Day;
    use churn_risk::lake::{PlainColumn, write_parquet};
    let desk = Desk::new();
    let path = desk.path("usage_daily.parquet");
    let quantities = [2.5];
    let columns = [
        ("quantity", PlainColumn::Numbers(&quantities)),
        ("on", PlainColumn::Days(vec![Day::parse("2026-06-01").expect("a day")])),
        ("subscription_id", PlainColumn::Text(vec!["s1"])),
        ("category", PlainColumn::Text(vec!["Compute"])),
        ("unit", PlainColumn::Text(vec!["1 Hour"])),
    ];
    write_parquet(&path, &columns).expect("a Parquet file");
    is_the_one_row("usage_daily.parquet", std::fs::read(&path).expect("the file"));
}

#[test]
fn a_guid_is_the_same_id_in_any_case_and_another_id_is_not() {
    let desk = Desk::new();
    desk.accept(&[desk.usage(
        "usage_daily.csv",
        "8B7A64FD-4A3E-44EB-A8E7-6BD3D2AC7B45,2026-06-01,C,h,1,\n8b7a64fd-4a3e-44eb-a8e7-6bd3d2ac7b45,2026-06-01,C,h,2,\n\
         S1,2026-06-01,C,h,4,\ns1,2026-06-01,C,h,8,\nén été,2026-06-01,C,h,16,\n",
    )]);
    let seen: Vec<(String, i64)> = desk.rows().usage.into_iter().map(|(key, (quantity, _))| (key.0, quantity / 1_000_000)).collect();
    let wanted = [("8b7a64fd-4a3e-44eb-a8e7-6bd3d2ac7b45", 3), ("S1", 4), ("s1", 8), ("én été", 16)];
    assert_eq!(seen, wanted.map(|(id, quantity)| (id.to_owned(), quantity)));
}

#[test]
fn a_file_cut_short_is_an_error_and_no_smaller_table() {
    let text = usage();
    for (name, packed) in [("usage_daily.csv.gz", gzip(text.as_bytes())), ("usage_daily.csv.zst", zstandard(text.as_bytes()))] {
        for cut in [packed.len() / 2, packed.len() - 1] {
            let desk = Desk::new();
            let message = desk.refuse(&[desk.file(name, &packed[..cut])]);
            assert!(message.contains(name), "{message}");
            assert_eq!(desk.version(), 0);
        }
    }
    let desk = Desk::new();
    let path = desk.path("usage_daily.parquet");
    parquet(&path, &text);
    let whole = std::fs::read(&path).expect("the file");
    for cut in [4, whole.len() / 2, whole.len() - 1] {
        let message = desk.refuse(&[desk.file("usage_daily.parquet", &whole[..cut])]);
        assert!(message.contains("usage_daily.parquet"), "{message}");
        assert_eq!(desk.version(), 0);
    }
}
