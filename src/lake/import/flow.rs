//! The import itself, as a list of steps. Everything before the first commit can fail without
//! a trace; everything before the last one can fail without a reader seeing it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::calendar::Calendar;
use super::discover::{self, Expanded, Found, InputFile};
use super::intake::{Counts, Days, Grain, Intake, Stagings};
use super::money::Money;
use super::rejects::{Reject, Rejects};
use super::report::{FileReport, ImportReport, Outcome};
use super::staging::{self, StagedMonth};
use super::{ImportError, ImportRequest, REJECTS_ALWAYS_BORNE, delimited, io_error, merge, source_names};
use crate::domain::Day;
use crate::lake::data_file::DataFile;
use crate::lake::durable::create_dirs;
use crate::lake::engine::{self, MonthJob, Numbering, RolledMonth};
use crate::lake::imports::{ImportRecord, ImportedFile, ranges};
use crate::lake::key::SERIES_MAX;
use crate::lake::parquet::WrittenFile;
use crate::lake::remote;
use crate::lake::restated::Replaced;
use crate::lake::schema::{MONTH, Partition, Table, month_of};
use crate::lake::tables::{Lake, Snapshot};
use crate::lake::{small, usage};
use crate::progress::Unit;

/// Refused rows that are quoted in messages; all of them are in the rejects file.
const REJECTS_QUOTED: usize = 5;

/// Imports files into a lake, as one atomic step: afterwards readers see all of it, or none.
///
/// # Errors
/// Files that are missing or of no known source, more refused rows than allowed, and whatever
/// keeps the tables from being read or written. Nothing is in the tables then.
pub fn import(request: &ImportRequest) -> Result<ImportReport, ImportError> {
    if let Some(format) = request.reading.format.as_deref().filter(|name| source_names().all(|known| known != *name)) {
        return Err(ImportError::Format { name: format.to_owned(), known: source_names().collect::<Vec<_>>().join(", ") });
    }
    match request.lake.remote()? {
        None => import_into(&request.lake.open()?, request),
        Some(remote) => remote.import(|| tell_waiting(request), |lake| import_into(lake, request)),
    }
}

fn tell_waiting(request: &ImportRequest) {
    request.progress.line("another import writes to this lake; waiting for it to end");
}

/// The same into a lake that is open. Files of an object store are fetched first, below the lake,
/// and are gone when it ends.
pub(in crate::lake) fn import_into(lake: &Lake, request: &ImportRequest) -> Result<ImportReport, ImportError> {
    let lease = || lake.lease(|| tell_waiting(request));
    if !request.paths.iter().any(|path| remote::is_url(path)) {
        let expanded = discover::expand(&request.paths)?;
        let _lease = lease()?;
        return import_files(lake, request, expanded);
    }
    let _lease = lease()?;
    let inputs = Inputs::new(lake.dir().join("_inputs"))?;
    let expanded = discover::expand_urls(&request.paths, inputs.dir(), request.progress)?;
    let urls = expanded.urls.clone();
    import_files(lake, request, expanded).map_err(|error| error.renamed(|path| urls.get(path).map(PathBuf::from)))
}

/// The import, with the lease held.
fn import_files(lake: &Lake, request: &ImportRequest, expanded: Expanded) -> Result<ImportReport, ImportError> {
    if expanded.files.is_empty() {
        return Err(ImportError::NoTables { passed_over: expanded.passed_over.len() });
    }
    staging::clear(&staging_dir(lake))?;
    let records = lake.imports()?;
    let snapshot = lake.newest(&records)?;
    let mut warnings: Vec<String> = expanded.passed_over.iter().map(|path| discover::passed_over(path)).collect();
    let of_lake = snapshot.as_ref().and_then(|snapshot| snapshot.record().currency.clone());
    let money = Money::new(of_lake, request.currency.clone(), request.rates.clone())?;
    let (files, known) = recognise(request, &records, expanded, &mut warnings)?;
    if files.is_empty() && known.is_empty() {
        return Err(ImportError::NoTables { passed_over: warnings.len() });
    }
    if let (true, Some(snapshot)) = (files.is_empty(), &snapshot) {
        return Ok(unchanged(snapshot.version(), known, warnings));
    }
    let number = snapshot.as_ref().map_or(0, Snapshot::version) + 1;
    let (intake, counts) = read(request, lake, &files, money)?;
    let mut import =
        Import { request, lake, records, snapshot, number, files: &files, warnings, first_rejects: Vec::new(), rejects_file: None };
    import.judge(&intake, &counts)?;
    import.write(intake, &counts, known)
}

/// Where rows wait for their roll-up. Only the holder of the lease touches it.
fn staging_dir(lake: &Lake) -> PathBuf {
    lake.dir().join("_staging")
}

/// The folder of files that were fetched for an import, removed at its end.
struct Inputs(PathBuf);

impl Inputs {
    /// Empty, whatever a dead import has left there. Only the holder of the lease touches it.
    fn new(dir: PathBuf) -> Result<Self, ImportError> {
        staging::clear(&dir)?;
        Ok(Self(dir))
    }

    fn dir(&self) -> &Path {
        &self.0
    }
}

impl Drop for Inputs {
    fn drop(&mut self) {
        // What stays behind is cleared by the next import that fetches.
        let _ = staging::clear(&self.0);
    }
}

fn unchanged(version: u64, files: Vec<FileReport>, warnings: Vec<String>) -> ImportReport {
    ImportReport {
        outcome: Outcome::Unchanged { version },
        files,
        refused: BTreeMap::new(),
        set_aside: BTreeMap::new(),
        first_rejects: Vec::new(),
        rejects_file: None,
        gaps: Vec::new(),
        warnings,
    }
}

/// The files to read, and those whose bytes an earlier import has read.
fn recognise<'r>(
    request: &ImportRequest,
    records: &'r [ImportRecord],
    expanded: Expanded,
    warnings: &mut Vec<String>,
) -> Result<(Vec<InputFile>, Vec<FileReport>), ImportError> {
    let hashes = |record: &'r ImportRecord| record.files.iter().map(|file| (file.sha256.as_str(), record.import_id));
    let known_hashes: HashMap<&str, u64> = records.iter().flat_map(hashes).collect();
    let Expanded { files: mut paths, of_folders, urls, .. } = expanded;
    let named: HashSet<PathBuf> = paths.iter().cloned().collect();
    let total = paths.iter().filter_map(|path| path.metadata().ok()).map(|metadata| metadata.len()).sum();
    let stage = request.progress.stage("looking at files", total, Unit::Bytes);
    let (mut files, mut known, mut of_before) = (Vec::<InputFile>::new(), Vec::new(), Vec::new());
    let mut order = Vec::new();
    while let Some(path) = paths.pop_front() {
        order.push(path.clone());
        let file = match discover::recognise(&path, &request.reading, &stage)? {
            Found::Table(file) => *file,
            Found::Manifest { name, blobs } => {
                warnings.push(format!("{name} is a manifest; its {} blobs are all beside it and are read", blobs.len()));
                paths.extend(blobs.into_iter().filter(|blob| !named.contains(blob)));
                continue;
            }
            Found::OtherJson(_) if of_folders.contains(&path) => {
                warnings.push(discover::passed_over(&path));
                continue;
            }
            Found::OtherJson(error) => return Err(error),
        };
        let since = known_hashes.get(file.sha256.as_str()).copied();
        let twin = files.iter().find(|other| other.sha256 == file.sha256).map(|other| other.name.clone());
        if let Some(twin) = &twin {
            warnings.push(format!("{} holds the same bytes as {twin} and was read once", file.name));
        }
        match (since, twin) {
            (None, None) => files.push(file),
            (Some(since), None) => of_before.push((file, since)),
            (_, Some(_)) => known.push(known_report(&file, since)),
        }
    }
    if request.reading.together && !files.is_empty() {
        files.extend(of_before.into_iter().map(|(file, _)| file));
        // In the order in which they were named: of two files of ours that tell one thing, the
        // later is right.
        files.sort_by_key(|file| order.iter().position(|path| *path == file.path));
    } else {
        known.extend(of_before.iter().map(|(file, since)| known_report(file, Some(*since))));
    }
    stage.finish();
    discover::tell_apart(&mut files, &urls);
    warnings.extend(files.iter().filter_map(discover::unread));
    Ok((files, known))
}

/// What is told of a file that is not read again.
fn known_report(file: &InputFile, since: Option<u64>) -> FileReport {
    FileReport {
        name: file.name.clone(),
        source: file.form.source,
        table: file.form.table.name(),
        rows_read: 0,
        rows_refused: 0,
        rows_set_aside: 0,
        first_day: None,
        last_day: None,
        known_since: since,
    }
}

fn read(request: &ImportRequest, lake: &Lake, files: &[InputFile], money: Money) -> Result<(Intake, Vec<Counts>), ImportError> {
    let days = Days { today: request.today, exported_on: request.reading.exported_on.unwrap_or(request.today) };
    let mut intake = Intake::new(
        days,
        request.reading.cost_basis,
        Stagings::create(&staging_dir(lake))?,
        money,
        Rejects::within(request.rows_bytes() / 2),
    );
    let stage = request.progress.stage("reading rows", files.iter().map(|file| file.bytes).sum(), Unit::Bytes);
    let counts = files.iter().enumerate().map(|(number, file)| intake.read(number, file, &stage)).collect::<Result<Vec<_>, _>>()?;
    stage.finish();
    Ok((intake, counts))
}

/// An import whose files have been read.
struct Import<'a> {
    request: &'a ImportRequest,
    lake: &'a Lake,
    /// Every import before this one.
    records: Vec<ImportRecord>,
    snapshot: Option<Snapshot>,
    /// The import's number, which will be the tables' version.
    number: u64,
    files: &'a [InputFile],
    warnings: Vec<String>,
    first_rejects: Vec<Reject>,
    rejects_file: Option<PathBuf>,
}

impl Import<'_> {
    /// Writes the refused rows down; refuses the whole import where they are too many.
    fn judge(&mut self, intake: &Intake, counts: &[Counts]) -> Result<(), ImportError> {
        let (refused, read) = (intake.rejects.len() as u64, counts.iter().map(|count| count.read).sum::<u64>());
        if refused == 0 {
            return Ok(());
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a row count is a row count")]
        let allowed = ((read as f64 * self.request.max_rejects) as u64).max(REJECTS_ALWAYS_BORNE);
        let borne = refused <= allowed;
        let stem = if borne { "import" } else { "refused-import" };
        let path = self.lake.dir().join("rejects").join(format!("{stem}-{:08}.csv", self.number));
        self.first_rejects = intake.rejects.write(&path, self.files, REJECTS_QUOTED)?;
        if !borne {
            let first = self.first_rejects.iter().map(|reject| format!("  {reject}")).collect::<Vec<_>>().join("\n");
            return Err(ImportError::TooManyRejects { refused, read, allowed, rejects: path, first });
        }
        self.rejects_file = Some(path);
        Ok(())
    }

    /// Writes the files of every table, then commits the tables, then the import.
    fn write(mut self, mut intake: Intake, counts: &[Counts], known: Vec<FileReport>) -> Result<ImportReport, ImportError> {
        self.warnings.extend(intake.money.adopted().map(|currency| format!("costs are kept in {currency}, the one currency of the files")));
        for (file, literal) in self.files.iter().zip(counts).filter_map(|(file, count)| Some((file, count.literal?))) {
            self.warnings.push(delimited::told(file, literal)?);
        }
        let refused = intake.rejects.by_reason();
        let set_aside = by_reason(&intake.set_aside);
        self.warnings.extend(remarks(&intake, self.files));
        let reports = self.file_reports(&intake, counts).into_iter().chain(known).collect();
        let source_days = std::mem::take(&mut intake.source_days);
        let days: BTreeSet<Day> = source_days.values().flatten().copied().collect();
        let mut commits = self.small_tables(&mut intake)?;
        let rolled = self.usage(&mut intake, Grain::Day)?;
        let monthly = self.usage(&mut intake, Grain::Month)?;
        let stored = self.stored(Table::UsageDaily, |_| true);
        let calendar = Calendar::new(&rolled, &stored);
        let (gaps, as_of) = (calendar.gaps(&days)?, calendar.last_used()?);
        self.warnings.extend(replaced(&rolled));
        commits.extend(self.usage_commit(Table::UsageDaily, &rolled));
        commits.extend(self.usage_commit(Table::UsageMonthly, &monthly));
        let mut table_versions = self.snapshot.as_ref().map(|snapshot| snapshot.record().table_versions.clone()).unwrap_or_default();
        for (table, kept, new) in commits {
            let version = self.lake.commit(table, &kept, &new)?;
            table_versions.insert(table.name().to_owned(), version);
        }
        let rows_read = counts.iter().map(|count| count.read).sum();
        let (rows_refused, rows_set_aside) = (intake.rejects.len() as u64, intake.set_aside.values().sum());
        let sources: BTreeSet<&str> = self.files.iter().map(|file| file.form.source).collect();
        let record = ImportRecord {
            import_id: self.number,
            source: sources.into_iter().collect::<Vec<_>>().join(", "),
            imported_on: self.request.today,
            files: self.imported_files(),
            rows_read,
            rows_kept: rows_read - rows_refused - rows_set_aside,
            rows_refused,
            rows_set_aside,
            first_day: days.first().copied(),
            last_day: days.last().copied(),
            as_of,
            currency: intake.money.reporting().cloned(),
            warnings: self.warnings.clone(),
            table_versions,
            source_days: source_days.into_iter().map(|(source, days)| (source.to_owned(), ranges(&days))).collect(),
        };
        self.lake.commit_import(self.records, &record)?;
        Ok(ImportReport {
            outcome: Outcome::Committed(Box::new(record)),
            files: reports,
            refused,
            set_aside,
            first_rejects: self.first_rejects,
            rejects_file: self.rejects_file,
            gaps,
            warnings: self.warnings,
        })
    }

    /// What a table of usage keeps and gains; none where no month of it was touched.
    fn usage_commit(&self, table: Table, rolled: &[RolledMonth]) -> Option<Commit> {
        let touched: BTreeSet<&str> = rolled.iter().map(|month| month.month.as_str()).collect();
        let kept = self.stored(table, |file| !file.month.as_deref().is_some_and(|month| touched.contains(month)));
        let new = rolled.iter().map(|month| (Partition::from([(MONTH, month.month.clone())]), month.file.clone())).collect();
        (!rolled.is_empty()).then_some((table, kept, new))
    }

    fn file_reports(&self, intake: &Intake, counts: &[Counts]) -> Vec<FileReport> {
        let report = |(number, (file, count)): (usize, (&InputFile, &Counts))| FileReport {
            name: file.name.clone(),
            source: file.form.source,
            table: file.form.table.name(),
            rows_read: count.read,
            rows_refused: intake.rejects.of_file(number),
            rows_set_aside: intake.set_aside.iter().filter(|((file, _), _)| *file == number).map(|(_, rows)| rows).sum(),
            first_day: count.first,
            last_day: count.last,
            known_since: None,
        };
        self.files.iter().zip(counts).enumerate().map(report).collect()
    }

    fn imported_files(&self) -> Vec<ImportedFile> {
        let imported = |file: &InputFile| ImportedFile {
            name: file.name.clone(),
            sha256: file.sha256.clone(),
            table: file.form.table.name().to_owned(),
            source: file.form.source.to_owned(),
        };
        self.files.iter().map(imported).collect()
    }

    /// Files of a table in the version that the import began from.
    fn stored(&self, table: Table, wanted: impl Fn(&DataFile) -> bool) -> Vec<DataFile> {
        self.snapshot.iter().flat_map(|snapshot| snapshot.files(table)).filter(|file| wanted(file)).cloned().collect()
    }

    /// Merges the small tables into what the lake holds; new files for those that differ.
    fn small_tables(&mut self, intake: &mut Intake) -> Result<Vec<Commit>, ImportError> {
        let stored = small::read(self.snapshot.as_ref())?;
        let mut merged = stored.clone();
        merge::merge(intake, &mut merged, self.request.reading.missing_means_ended, &mut self.warnings)
            .map_err(|error| io_error(self.lake.dir(), std::io::Error::other(error)))?;
        // Every stored id takes part in the numbering, so that stored rows can be merged.
        for staging in [&mut intake.usage.daily, &mut intake.usage.monthly].into_iter().filter(|staging| !staging.is_empty()) {
            for id in merged.subscriptions.keys() {
                staging.ids.number(id.as_str().as_bytes(), id.clone());
            }
        }
        let mut commits = Vec::new();
        for (table, batch) in small::changed(&stored, &merged)? {
            let stem = format!("{}-{:08}", table.name(), self.number);
            let file = crate::lake::parquet::write_file(&self.lake.table_dir(table), &stem, &batch)?;
            commits.push((table, Vec::new(), vec![(Partition::new(), file)]));
        }
        Ok(commits)
    }

    /// Rolls up every month of a table of usage that the import touches.
    fn usage(&self, intake: &mut Intake, grain: Grain) -> Result<Vec<RolledMonth>, ImportError> {
        let (table, staging) = (grain.table(), intake.usage.of(grain));
        let months = staging.seal()?;
        if months.is_empty() {
            return Ok(Vec::new());
        }
        let stored_of = |month: &StagedMonth| {
            let name = month_of(month.month);
            self.stored(table, |file| file.month.as_deref() == Some(&name))
        };
        for file in months.iter().flat_map(stored_of) {
            for (category, unit) in usage::series_of(&file)? {
                staging.series.number(&category, &unit);
            }
        }
        let numbering = Arc::new(Numbering::new(&staging.ids, &staging.series));
        if numbering.series_count() > SERIES_MAX {
            return Err(ImportError::TooManySeries(numbering.series_count()));
        }
        let spill = staging_dir(self.lake).join("spill");
        create_dirs(&spill).map_err(|source| io_error(&spill, source))?;
        let context = engine::session(self.request.rows_bytes(), &spill)?;
        let stage = self.request.progress.stage("rolling up months", months.len() as u64, Unit::Items);
        let table_dir = self.lake.table_dir(table);
        let mut rolled = Vec::with_capacity(months.len());
        for staged in &months {
            let stored = stored_of(staged);
            let job = MonthJob { staged, stored, table_dir: &table_dir, import_id: self.number, memory_bytes: self.request.rows_bytes() };
            rolled.push(self.lake.runtime().block_on(engine::roll_up(&context, &numbering, job))?);
            stage.advance(1);
        }
        stage.finish();
        Ok(rolled)
    }
}

/// Rows by reason, of all files together.
fn by_reason(rows: &BTreeMap<(usize, String), u64>) -> BTreeMap<String, u64> {
    rows.iter().fold(BTreeMap::new(), |mut counts, ((_, reason), rows)| {
        *counts.entry(reason.clone()).or_default() += rows;
        counts
    })
}

/// What is told of rows that were kept.
fn remarks(intake: &Intake, files: &[InputFile]) -> Vec<String> {
    let told =
        |((file, remark), rows): (&(usize, &'static str), &u64)| files.get(*file).map(|file| format!("{}: {rows} {remark}", file.name));
    intake.remarks.iter().filter_map(told).collect()
}

/// What is told of stored rows that newer ones have taken the place of.
fn replaced(rolled: &[RolledMonth]) -> Option<String> {
    let mut sum = Replaced::default();
    for month in rolled {
        sum += month.replaced;
    }
    let Replaced { subscription_days, rows, changed, gone } = sum;
    let first = rolled.iter().find_map(|month| month.first_gone.as_ref());
    let lost =
        first.map_or_else(String::new, |first| format!("; {gone} rows are gone that the newer files do not name, the first of {first}"));
    (rows > 0).then(|| {
        format!(
            "{subscription_days} subscription-days of earlier imports were replaced whole: {rows} rows, {changed} of them with other amounts{lost}"
        )
    })
}

/// A table, the files it keeps, and the files it gains with their months.
type Commit = (Table, Vec<DataFile>, Vec<(Partition, WrittenFile)>);
