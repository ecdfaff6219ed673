//! A folder with files to import and a lake to import them into, and what the tables then hold.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use churn_risk::domain::Day;
use churn_risk::lake::{
    ImportError, ImportRecord, ImportReport, ImportRequest, Lake, LakeError, Outcome, Reading, Reject, Snapshot, UsageColumns,
};
use churn_risk::lake::{PlainColumn, import, write_parquet};
use churn_risk::progress::Progress;
use tempfile::TempDir;

use super::worlds::day;

/// The operator's day of every import here, so that tomorrow is 2026-07-01.
pub(crate) const TODAY: &str = "2026-06-30";

pub(crate) const USAGE_HEADER: &str = "subscription_id,on,category,unit,quantity,cost\n";

/// (subscription, day, category, unit) of a usage row, and its quantity and cost in micro-units.
pub(crate) type UsageRows = BTreeMap<(String, String, String, String), (i64, Option<i64>)>;

/// Every row of a version.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Rows {
    pub(crate) customers: Vec<String>,
    pub(crate) subscriptions: Vec<String>,
    pub(crate) lifecycle: Vec<String>,
    pub(crate) commitments: Vec<String>,
    pub(crate) usage: UsageRows,
}

/// A folder of a test's own, removed at its end.
#[derive(Debug)]
pub(crate) struct Desk {
    dir: TempDir,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a folder") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn lake(&self) -> PathBuf {
        self.path("lake")
    }

    /// Writes a file; folders in its name are made.
    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, bytes).expect("a file");
        path
    }

    /// Writes `usage_daily` rows under the usual header.
    pub(crate) fn usage(&self, name: &str, rows: &str) -> PathBuf {
        self.file(name, format!("{USAGE_HEADER}{rows}"))
    }

    pub(crate) fn request(&self, paths: &[PathBuf]) -> ImportRequest {
        ImportRequest {
            paths: paths.to_vec(),
            lake: self.lake().into(),
            today: day(TODAY),
            max_rejects: 0.001,
            memory_bytes: 128 << 20,
            currency: None,
            rates: BTreeMap::new(),
            reading: Reading::default(),
            progress: Progress::Silent,
        }
    }

    pub(crate) fn import(&self, paths: &[PathBuf]) -> Result<ImportReport, ImportError> {
        import(&self.request(paths))
    }

    /// Imports what must be accepted.
    #[track_caller]
    pub(crate) fn accept(&self, paths: &[PathBuf]) -> ImportReport {
        self.import(paths).unwrap_or_else(|error| panic!("{}", sentence(&error)))
    }

    /// Imports what must be refused; the message as a person reads it.
    #[track_caller]
    pub(crate) fn refuse(&self, paths: &[PathBuf]) -> String {
        match self.import(paths) {
            Ok(report) => panic!("accepted: {report:?}"),
            Err(error) => sentence(&error),
        }
    }

    pub(crate) fn rows(&self) -> Rows {
        rows(&self.lake(), None)
    }

    pub(crate) fn version(&self) -> u64 {
        version(&self.lake())
    }

    /// The usage files of the newest version, by month and in the order of their names.
    pub(crate) fn usage_files(&self) -> Vec<(String, Vec<u8>)> {
        let lake = self.lake().join("usage_daily");
        let mut months: Vec<PathBuf> =
            fs::read_dir(&lake).map_or_else(|_| Vec::new(), |entries| entries.map(|entry| entry.expect("an entry").path()).collect());
        months.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("month=")));
        months.sort();
        let mut files = Vec::new();
        for month in months {
            let mut paths: Vec<PathBuf> = fs::read_dir(&month).expect("a month").map(|entry| entry.expect("an entry").path()).collect();
            paths.sort();
            for path in paths {
                let name = path.strip_prefix(&lake).expect("below the lake").display().to_string();
                files.push((name, fs::read(&path).expect("a table file")));
            }
        }
        files
    }
}

/// An error and what caused it, in one line.
pub(crate) use churn_risk::domain::chain as sentence;

pub(crate) fn snapshot(lake: &Path, version: Option<u64>) -> Option<Snapshot> {
    Lake::open(lake).and_then(|lake| lake.snapshot(version)).unwrap_or_else(|error| panic!("{}", sentence(&error)))
}

/// The newest version; 0 where nothing was imported.
pub(crate) fn version(lake: &Path) -> u64 {
    snapshot(lake, None).map_or(0, |snapshot| snapshot.version())
}

/// Every row of a version of the tables; none where nothing was imported.
pub(crate) fn rows(lake: &Path, version: Option<u64>) -> Rows {
    let Some(snapshot) = snapshot(lake, version) else { return Rows::default() };

    Rows {
        customers: snapshot.customers().expect("customers").iter().map(|row| format!("{row:?}")).collect(),
        subscriptions: snapshot.subscriptions().expect("subscriptions").iter().map(|row| format!("{row:?}")).collect(),
        lifecycle: snapshot.lifecycle().expect("lifecycle").iter().map(|row| format!("{row:?}")).collect(),
        commitments: snapshot.commitments().expect("commitments").iter().map(|row| format!("{row:?}")).collect(),
        usage: usage(&snapshot),
    }
}

fn usage(snapshot: &Snapshot) -> UsageRows {
    let mut rows = UsageRows::new();
    snapshot
        .scan_usage(UsageColumns::All, |chunk| {
            for run in &chunk.runs {
                for row in run.from..run.to {
                    let (category, unit) = chunk.series_names[chunk.series[row] as usize].clone();
                    let on = Day::from_epoch_days(chunk.day[row]).to_string();
                    let key = (run.subscription.to_owned(), on, category, unit);
                    let known = rows.insert(key.clone(), (chunk.quantity[row], chunk.cost[row]));
                    assert_eq!(known, None, "{key:?} stands twice in the tables");
                }
            }
            Ok::<(), LakeError>(())
        })
        .expect("usage");
    rows
}

/// The record of what was committed.
#[track_caller]
pub(crate) fn committed(report: &ImportReport) -> &ImportRecord {
    match &report.outcome {
        Outcome::Committed(record) => record,
        Outcome::Unchanged { version } => panic!("nothing was committed; version {version} stays"),
    }
}

/// Every line of a rejects file but its header.
pub(crate) fn rejects(report: &ImportReport) -> Vec<Reject> {
    report.rejects_file.as_ref().map_or_else(Vec::new, |path| read_rejects(path))
}

pub(crate) fn read_rejects(path: &Path) -> Vec<Reject> {
    let mut reader = simd_csv::ReaderBuilder::new().from_reader(fs::File::open(path).expect("the file of rejects"));
    let header: Vec<String> = reader.byte_headers().expect("a header").iter().map(text).collect();
    assert_eq!(header, ["file", "line", "column", "value", "reason"]);
    let records = reader.byte_records().map(|record| record.expect("a record"));
    records
        .map(|record| {
            let cells: Vec<String> = record.iter().map(text).collect();
            let [file, line, column, value, reason] = cells.try_into().expect("five cells");
            Reject { file, line: line.parse().expect("a line number"), column, value, reason }
        })
        .collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).and_then(|()| packed.finish()).expect("gzip")
}

pub(crate) fn zstandard(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).expect("zstd")
}

/// A CSV text without quotes as a Parquet file of text columns.
pub(crate) fn parquet(path: &Path, csv: &str) {
    let mut lines = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next().expect("a header");
    let rows: Vec<Vec<&str>> = lines.collect();
    let columns: Vec<(&str, PlainColumn<'_>)> =
        header.iter().enumerate().map(|(at, name)| (*name, PlainColumn::Text(rows.iter().map(|row| row[at]).collect()))).collect();
    write_parquet(path, &columns).expect("a Parquet file");
}

/// Copies a folder and all below it.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}
