//! Every source of FORMATS.md is read as the written-out examples in `fixtures/` say, whose tables
//! were worked out beside the importer and not by it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use churn_risk::domain::{Currency, Day, Micros};
use churn_risk::lake::{ImportReport, ImportRequest, Lake, LakeError, Snapshot, UsageChunk, UsageColumns, import};

use crate::support::lakes::{Desk, rejects, sentence};
use crate::support::worlds::day;

type Table = Vec<Vec<String>>;
type Read = fn(&Snapshot) -> Table;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// The rows of a file of expectations, without its header; none where there is no file.
fn expected(folder: &Path, name: &str) -> Table {
    let path = folder.join("expected").join(name);
    let Ok(bytes) = fs::read(&path) else { return Table::new() };
    let mut reader = simd_csv::ReaderBuilder::new().from_reader(bytes.as_slice());
    let text = |cell: &[u8]| String::from_utf8(cell.to_vec()).expect("UTF-8");
    reader.byte_records().map(|record| record.expect("a record").iter().map(text).collect()).collect()
}

fn request(desk: &Desk, folder: &Path) -> ImportRequest {
    let mut request = desk.request(&[folder.join("input")]);
    request.today = day("2026-08-05");
    request.max_rejects = 1.0;
    let flags = fs::read_to_string(folder.join("flags")).expect("flags");
    let words: Vec<&str> = flags.split_whitespace().collect();
    for pair in words.chunks(2) {
        match *pair {
            ["--currency", code] => request.currency = Some(Currency::parse(code).expect("a currency")),
            ["--rate", rate] => {
                let (code, rate) = rate.split_once('=').expect("a rate");
                request.rates.insert(Currency::parse(code).expect("a currency"), rate.parse().expect("a rate"));
            }
            ["--exported-on", on] => request.reading.exported_on = Some(day(on)),
            _ => panic!("{} has the flags {pair:?}", folder.display()),
        }
    }
    request
}

fn run(desk: &Desk, folder: &Path) -> ImportReport {
    import(&request(desk, folder)).unwrap_or_else(|error| panic!("{}: {}", folder.display(), sentence(&error)))
}

fn text(value: Option<&String>) -> String {
    value.cloned().unwrap_or_default()
}

fn shown<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

fn customers(snapshot: &Snapshot) -> Table {
    let rows = snapshot.customers().expect("customers").into_iter();
    let row = |row: churn_risk::domain::CustomerRow| {
        let texts = [&row.name, &row.country, &row.segment, &row.reseller_id, &row.reseller_name];
        [row.customer_id.to_string()].into_iter().chain(texts.map(|value| text(value.as_ref()))).collect()
    };
    rows.map(row).collect()
}

fn subscriptions(snapshot: &Snapshot) -> Table {
    let rows = snapshot.subscriptions().expect("subscriptions").into_iter();
    let row = |row: churn_risk::domain::SubscriptionRow| {
        vec![
            row.subscription_id.to_string(),
            row.customer_id.to_string(),
            text(row.name.as_ref()),
            text(row.product.as_ref()),
            shown(row.created_on),
            shown(row.auto_renew),
            shown(row.term_end_on),
            shown(row.is_trial),
            text(row.status.as_ref()),
            shown(row.status_on),
        ]
    };
    rows.map(row).collect()
}

fn lifecycle(snapshot: &Snapshot) -> Table {
    let rows = snapshot.noted_lifecycle().expect("lifecycle").into_iter();
    let row = |(id, event, observed): (churn_risk::domain::SubscriptionId, churn_risk::domain::Event, bool)| {
        vec![id.to_string(), event.on.to_string(), event.kind.to_string(), text(event.reason.as_ref()), observed.to_string()]
    };
    rows.map(row).collect()
}

fn commitments(snapshot: &Snapshot) -> Table {
    let rows = snapshot.commitments().expect("commitments").into_iter();
    let row = |row: churn_risk::domain::CommitmentRow| {
        vec![
            row.commitment_id.to_string(),
            shown(row.subscription_id),
            shown(row.customer_id),
            text(row.product.as_ref()),
            row.kind.to_string(),
            shown(row.quantity),
            shown(row.ends_on),
        ]
    };
    rows.map(row).collect()
}

fn usage_row(rows: &mut Table, chunk: &UsageChunk<'_>, on: impl Fn(Day) -> String) {
    for run in &chunk.runs {
        for row in run.from..run.to {
            let (category, unit) = chunk.series_names[chunk.series[row] as usize].clone();
            let amounts = [Micros(chunk.quantity[row]).to_string(), shown(chunk.cost[row].map(Micros))];
            let key = [run.subscription.to_owned(), on(Day::from_epoch_days(chunk.day[row])), category, unit];
            rows.push(key.into_iter().chain(amounts).collect());
        }
    }
}

fn usage(snapshot: &Snapshot) -> Table {
    let mut rows = Table::new();
    let scan = snapshot.scan_usage(UsageColumns::All, |chunk| {
        usage_row(&mut rows, chunk, |on| on.to_string());
        Ok::<(), LakeError>(())
    });
    scan.expect("usage");
    rows.sort();
    rows
}

fn monthly(snapshot: &Snapshot) -> Table {
    let mut rows = Table::new();
    let scan = snapshot.scan_monthly_usage(|chunk| {
        usage_row(&mut rows, chunk, |on| on.to_string()[..7].to_owned());
        Ok::<(), LakeError>(())
    });
    scan.expect("usage by the month");
    rows.sort();
    rows
}

/// What differs between two tables, a line each; nothing where they are equal.
fn differences(name: &str, seen: &Table, wanted: &Table) -> Vec<String> {
    let (has, needs): (BTreeSet<_>, BTreeSet<_>) = (seen.iter().collect(), wanted.iter().collect());
    let more = has.difference(&needs).map(|row| format!("{name} has   {row:?}"));
    let less = needs.difference(&has).map(|row| format!("{name} lacks {row:?}"));
    let mut told: Vec<String> = more.chain(less).collect();
    if told.is_empty() && seen != wanted {
        told.push(format!("{name} has its rows in another order, or twice"));
    }
    told
}

/// Whether the examples count a file's items where the importer tells their lines.
fn is_json(file: &str) -> bool {
    Path::new(file).extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"))
}

/// Refused rows by file, column and value, and by line where the file has one for each row.
fn refused(report: &ImportReport) -> Table {
    let rows = rejects(report).into_iter();
    let line = |file: &str, line: u64| if is_json(file) { String::new() } else { line.to_string() };
    let mut rows: Table = rows.map(|row| vec![row.file.clone(), line(&row.file, row.line), row.column.to_lowercase(), row.value]).collect();
    rows.sort();
    rows
}

fn check(folder: &Path) -> Vec<String> {
    let desk = Desk::new();
    if let Ok(before) = fs::read_to_string(folder.join("before")) {
        run(&desk, &fixtures().join(before.trim()));
    }
    let report = run(&desk, folder);
    let snapshot = Lake::open(&desk.lake()).and_then(|lake| lake.snapshot(None)).expect("a lake").expect("an import");
    let mut told = Vec::new();
    let tables: [(&str, Read); 6] = [
        ("customers.csv", customers),
        ("subscriptions.csv", subscriptions),
        ("lifecycle.csv", lifecycle),
        ("commitments.csv", commitments),
        ("usage_daily.csv", usage),
        ("usage_monthly.csv", monthly),
    ];
    for (name, read) in tables {
        told.extend(differences(name, &read(&snapshot), &expected(folder, name)));
    }
    let wanted = expected(folder, "rejects.csv").into_iter();
    let mut wanted: Table = wanted
        .map(|row| {
            vec![row[0].clone(), if is_json(&row[0]) { String::new() } else { row[1].clone() }, row[2].to_lowercase(), row[3].clone()]
        })
        .collect();
    wanted.sort();
    told.extend(differences("rejects.csv", &refused(&report), &wanted));
    let aside: BTreeMap<String, u64> =
        expected(folder, "set_aside.csv").into_iter().map(|row| (row[0].to_lowercase(), row[1].parse().expect("a count"))).collect();
    let seen: BTreeMap<String, u64> = report.set_aside.iter().map(|(reason, rows)| (reason.to_lowercase(), *rows)).collect();
    if seen != aside {
        told.push(format!("set aside {seen:?}, not {aside:?}"));
    }
    for id in expected(folder, "missing.csv") {
        if !report.warnings.iter().any(|warning| warning.contains(&id[0])) {
            told.push(format!("nobody is told that {} is missing: {:?}", id[0], report.warnings));
        }
    }
    told
}

#[test]
fn every_example_of_a_source_becomes_the_tables_that_stand_beside_it() {
    let mut folders: Vec<PathBuf> = fs::read_dir(fixtures()).expect("the examples").map(|entry| entry.expect("an entry").path()).collect();
    folders.retain(|path| path.join("input").is_dir());
    folders.sort();
    assert!(folders.len() >= 20, "{folders:?}");
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let told: Vec<String> =
        folders.iter().flat_map(|folder| check(folder).into_iter().map(|line| format!("{}: {line}", name(folder)))).collect();
    assert!(told.is_empty(), "\n{}", told.join("\n"));
}
