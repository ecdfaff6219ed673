//! Lakes that are sound in all but one thing, and what is told of it.

use std::fs;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Date32Array, DictionaryArray, Int64Array, RecordBatch, new_null_array};
use datafusion::arrow::datatypes::Int32Type;
use tempfile::TempDir;

use super::*;
use crate::domain::Day;
use crate::lake::imports::ImportRecord;
use crate::lake::parquet::{FileWriter, days, texts, write_file};
use crate::lake::schema::{MONTH, Partition};
use crate::lake::seal;

fn day(text: &str) -> Day {
    Day::parse(text).expect("a test's own date")
}

/// A lake whose tables this test writes itself, sound in all but what their rows say.
struct Written {
    dir: TempDir,
    lake: Lake,
    record: ImportRecord,
}

/// Subscription, day, category, unit, quantity.
type Usage = (&'static str, &'static str, &'static str, &'static str, i64);

impl Written {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let lake = Lake::open(&dir.path().join("lake")).expect("a lake");
        let record = ImportRecord::of_test(1, day("2026-06-30"));
        Self { dir, lake, record }
    }

    fn commit(mut self, table: Table, partition: Partition, file: crate::lake::parquet::WrittenFile) -> Self {
        let version = self.lake.commit(table, &[], &[(partition, file)]).expect("a commit");
        self.record.table_versions.insert(table.name().to_owned(), version);
        self
    }

    fn usage(self, month: &str, rows: &[Usage]) -> Self {
        let names = |of: fn(&Usage) -> &'static str| -> ArrayRef { Arc::new(rows.iter().map(of).collect::<DictionaryArray<Int32Type>>()) };
        let columns: Vec<ArrayRef> = vec![
            names(|row| row.0),
            Arc::new(rows.iter().map(|row| Some(day(row.1).epoch_days())).collect::<Date32Array>()),
            names(|row| row.2),
            names(|row| row.3),
            Arc::new(rows.iter().map(|row| Some(row.4)).collect::<Int64Array>()),
            Arc::new(rows.iter().map(|_| None).collect::<Int64Array>()),
        ];
        let table = Table::UsageDaily;
        let batch = RecordBatch::try_new(table.arrow_schema(), columns).expect("a batch");
        let folder = format!("month={month}");
        let mut writer = FileWriter::create(&self.lake.table_dir(table), Some(&folder), "usage-00000001", batch.schema()).expect("a file");
        writer.write(&batch).expect("rows");
        let file = writer.finish().expect("a file");
        self.commit(table, Partition::from([(MONTH, month.to_owned())]), file)
    }

    /// The first columns of a table; the others are null.
    fn small(self, table: Table, mut columns: Vec<ArrayRef>) -> Self {
        let (given, rows) = (columns.len(), columns[0].len());
        columns.extend(table.arrow_schema().fields()[given..].iter().map(|field| new_null_array(field.data_type(), rows)));
        let batch = RecordBatch::try_new(table.arrow_schema(), columns).expect("a batch");
        let file = write_file(&self.lake.table_dir(table), table.name(), &batch).expect("a file");
        self.commit(table, Partition::new(), file)
    }

    fn customers(self, ids: &[&str]) -> Self {
        self.small(Table::Customers, vec![texts(ids.iter().map(|id| Some(*id)))])
    }

    fn lifecycle(self, rows: &[(&str, &str, &str)]) -> Self {
        let columns = vec![
            texts(rows.iter().map(|row| Some(row.0))),
            days(rows.iter().map(|row| Some(day(row.1)))),
            texts(rows.iter().map(|row| Some(row.2))),
        ];
        self.small(Table::Lifecycle, columns)
    }

    /// What a verification of the newest version says.
    fn told(self) -> Vec<String> {
        self.lake.commit_import(Vec::new(), &self.record).expect("a commit");
        let read = self.lake.verify(VerifyScope::Newest, Progress::Silent).expect("a version");
        assert_eq!(read.versions, [1]);
        assert_eq!(read.tables.iter().map(|table| table.faults).sum::<u64>(), read.faults.len() as u64);
        let root = self.dir.path().join("lake").display().to_string();
        read.faults.iter().map(|fault| fault.to_string().replace(&root, "L")).collect()
    }
}

#[track_caller]
fn check(written: Written, wanted: &[&str]) {
    let told = written.told();
    assert_eq!(told.len(), wanted.len(), "{told:#?}");
    for (told, wanted) in told.iter().zip(wanted) {
        let (start, end) = wanted.split_once('*').unwrap_or((wanted, ""));
        assert!(told.starts_with(start) && told.ends_with(end), "{told}");
    }
}

const SOUND: [Usage; 3] = [("s1", "2026-05-01", "C", "h", 1), ("s1", "2026-05-01", "C", "m", 0), ("s2", "2026-05-01", "B", "h", 5)];

#[test]
fn rows_as_an_import_writes_them_have_no_fault() {
    let mut written = Written::new().usage("2026-05", &SOUND).customers(&["a", "b"]);
    written = written.lifecycle(&[("s1", "2026-05-01", "created"), ("s1", "2026-05-01", "renewed"), ("s2", "2026-04-01", "ended")]);
    written.record.as_of = Some(day("2026-05-01"));
    check(written, &[]);
}

#[test]
fn every_rule_of_usage_is_told_with_its_row_month_and_file() {
    let broken = |month: &str, rows: &[Usage], what: &str| {
        check(
            Written::new().usage(month, rows),
            &[&format!("usage_daily, month {month}, L/usage_daily/month={month}/usage-*.parquet: {what}")],
        );
    };
    let [one, two, three] = SOUND;
    broken(
        "2026-05",
        &[one, three, two],
        "a key that does not come after the one before it: subscription s1 on 2026-05-01, category `C`, unit `m`",
    );
    broken(
        "2026-05",
        &[one, one, one],
        "a key that does not come after the one before it, in 2 rows, the first of them: subscription s1 on 2026-05-01, category `C`, unit `h`",
    );
    broken("2026-04", &[one], "a day outside the file's month: subscription s1 on 2026-05-01, category `C`, unit `h`");
    broken("2026-05", &[("s1", "2026-05-01", "C", "h", -1)], "a negative quantity: subscription s1 on 2026-05-01, category `C`, unit `h`");
    broken(
        "2026-05",
        &[("8B7A64FD-4A3E-44EB-A8E7-6BD3D2AC7B45", "2026-05-01", "C", "h", 1)],
        "an id that is not in its canonical form: subscription 8B7A64FD-4A3E-44EB-A8E7-6BD3D2AC7B45 on 2026-05-01, category `C`, unit `h`",
    );
    broken(
        "2026-05",
        &[("s1", "2026-05-01", "C ", "h", 1)],
        "a category or a unit that is empty or not trimmed: subscription s1 on 2026-05-01, category `C `, unit `h`",
    );
}

#[test]
fn use_after_the_as_of_day_or_after_tomorrow_is_told() {
    let mut written = Written::new().usage("2026-05", &SOUND);
    written.record.as_of = Some(day("2026-04-30"));
    check(written, &["usage_daily: in version 1 the last day with use is 2026-05-01, and its import says 2026-04-30"]);
    let mut written = Written::new().usage("2026-05", &SOUND);
    written.record.imported_on = day("2026-04-29");
    check(written, &["usage_daily: version 1 has a row of 2026-05-01, later than 2026-04-30, the day after its last import"]);
}

#[test]
fn every_rule_of_the_small_tables_is_told() {
    check(
        Written::new().customers(&["b", "a"]),
        &["customers, L/customers/customers-*.parquet: a key that does not come after the one before it: customer_id `a`"],
    );
    check(
        Written::new().customers(&[" a"]),
        &["customers, L/customers/customers-*.parquet: an id that is not in its canonical form: customer_id ` a`"],
    );
    check(
        Written::new().lifecycle(&[("s1", "2026-05-01", "renewed"), ("s1", "2026-05-01", "created")]),
        &["lifecycle, L/lifecycle/*: a key that does not come after the one before it: subscription s1 created on 2026-05-01"],
    );
    check(
        Written::new().lifecycle(&[("s1", "2026-05-01", "exploded")]),
        &[
            "lifecycle, L/lifecycle/*: a table column is not what it should be: Parser error: lifecycle: `exploded` is none of created, renewed, reactivated, suspended, ended",
        ],
    );
}

#[test]
fn a_fault_ends_nothing() {
    let written = Written::new().usage("2026-05", &SOUND).customers(&["b", "a"]).lifecycle(&[("s1", "2026-05-01", "created")]);
    let usage = written.lake.newest_files(Table::UsageDaily).expect("a file").remove(0).path;
    let bytes = fs::read(&usage).expect("a file");
    fs::write(&usage, &bytes[..bytes.len() - 1]).expect("a file");
    let lifecycle = written.lake.newest_files(Table::Lifecycle).expect("a file").remove(0).path;
    fs::remove_file(lifecycle).expect("a file");
    let told = written.told();
    let starts = ["customers, L/customers/", "lifecycle, L/lifecycle/", "usage_daily, month 2026-05, L/usage_daily/month=2026-05/"];
    assert_eq!(told.len(), starts.len(), "{told:#?}");
    assert!(told.iter().zip(starts).all(|(told, start)| told.starts_with(start)), "{told:#?}");
}

/// Every byte of every file, one bit of it flipped. Small files, so that all of them can be tried.
#[test]
fn a_flipped_bit_in_any_byte_of_a_data_file_is_found() {
    let written = Written::new().usage("2026-05", &SOUND).customers(&["a", "b"]).lifecycle(&[("s1", "2026-05-01", "created")]);
    written.lake.commit_import(Vec::new(), &written.record).expect("a commit");
    let mut tried = 0;
    for table in [Table::UsageDaily, Table::Customers, Table::Lifecycle, Table::Imports] {
        for file in written.lake.newest_files(table).expect("files") {
            let whole = fs::read(&file.path).expect("a file");
            for at in 0..whole.len() {
                let mut flipped = whole.clone();
                flipped[at] ^= 1 << (at % 8);
                fs::write(&file.path, flipped).expect("a file");
                for found in [file.check(), file.read(None).map(drop)] {
                    assert!(matches!(found, Err(LakeError::Checksum { .. })), "{} byte {at}", file.relative);
                }
                tried += 1;
            }
            fs::write(&file.path, whole).expect("a file");
        }
    }
    assert!(tried > 4_000, "{tried}");
    assert_eq!(written.lake.verify(VerifyScope::All, Progress::Silent).expect("a version").faults, []);
}

/// The same of every file of every log, checkpoints among them.
#[test]
fn a_flipped_bit_in_any_byte_of_a_log_is_found() {
    let dir = tempfile::tempdir().expect("a folder");
    let lake = Lake::open(dir.path()).expect("a lake");
    let mut records = Vec::new();
    for number in 1..=11 {
        let record = ImportRecord { import_id: number, ..Written::new().record };
        lake.commit_import(records.clone(), &record).expect("a commit");
        records.push(record);
    }
    let log_dir = lake.table_dir(Table::Imports).join("_delta_log");
    let log = crate::lake::log::Log::new(Table::Imports, &lake.table_dir(Table::Imports));
    let (mut tried, mut names) = (0, Vec::new());
    for entry in fs::read_dir(&log_dir).expect("a log") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let whole = fs::read(&path).expect("a file");
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (at % 8);
            let is_found = if name.ends_with("json") {
                seal::breach(&flipped).is_some()
            } else {
                fs::write(&path, &flipped).expect("a file");
                let sealed = name.strip_prefix('.').and_then(|name| name.strip_suffix(".sha256")).unwrap_or(&name);
                seal::breach_of_file(&log_dir.join(sealed)).expect("files").is_some()
            };
            assert!(is_found, "{name} byte {at}");
            // What that comes to is the same for every byte.
            if at % 97 == 0 {
                fs::write(&path, &flipped).expect("a file");
                let found = log.unreadable().expect("a log");
                assert!(matches!(found.as_slice(), [LakeError::Log { .. }]), "{name} byte {at}: {found:?}");
            }
            tried += 1;
        }
        fs::write(&path, whole).expect("a file");
        names.push(name);
    }
    names.sort();
    assert_eq!(names.iter().filter(|name| name.contains(".json")).count(), 12);
    for wanted in ["00000000000000000009.checkpoint.parquet", ".00000000000000000009.checkpoint.parquet.sha256", "_last_checkpoint"] {
        assert!(names.iter().any(|name| name == wanted), "no {wanted} in {names:?}");
    }
    assert!(tried > 10_000, "{tried}");
    assert!(log.unreadable().expect("a log").is_empty());
}
