//! Deleting what no version within the retention names.
//!
//! Under the lease of the writers, so no import is running and every file that the kept versions
//! do not name is one that nobody will name. Which versions are gone is on disk before the first
//! file goes (`retention.rs`). Killed half way, the rest is deleted by the next run.
//!
//! Absent on purpose: the logs of the tables. They are small, and they tell a version that is gone
//! from one that never was. Files of other programs, whatever does not end in `.parquet`, stay.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::durable::sync_dir;
use super::imports::ImportRecord;
use super::kept::named;
use super::log::is_absent;
use super::retention::oldest_kept;
use super::schema::Table;
use super::tables::{Lake, LakeError};
use crate::domain::Day;
use crate::progress::{Progress, Unit};

/// What to keep.
#[derive(Debug, Clone, Copy)]
pub struct VacuumRequest {
    /// Days for which a version is kept after another took its place; with 0, the newest alone is.
    pub keep_days: u32,
    pub today: Day,
    /// Tells what would go, and deletes nothing.
    pub dry_run: bool,
}

/// What went of one folder, or would go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Vacuumed {
    /// The table; the lake itself for what lies beside the tables.
    pub folder: String,
    /// Files that stay.
    pub kept_files: u64,
    pub kept_bytes: u64,
    pub deleted_files: u64,
    pub deleted_bytes: u64,
}

/// What a vacuum has done, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VacuumReport {
    /// The oldest version that is kept; none where nothing was ever imported.
    pub oldest_kept: Option<u64>,
    pub newest: Option<u64>,
    /// Versions that were there before, and are gone.
    pub gone: u64,
    pub folders: Vec<Vacuumed>,
}

/// A file of a lake: its name below the lake's folder, with `/` between parts, and its bytes.
pub(super) type LakeFile = (String, u64);

/// What lies in a folder, told apart.
#[derive(Debug, Default)]
struct Sorted {
    report: Vacuumed,
    doomed: Vec<LakeFile>,
}

/// What a vacuum is about to do.
#[derive(Debug)]
pub(super) struct Plan {
    report: VacuumReport,
    /// The imports that are kept, the newest last.
    kept: Vec<ImportRecord>,
    /// The oldest version that is kept, where that is to be written down.
    recorded: Option<u64>,
    sorted: Vec<Sorted>,
}

impl Lake {
    /// Deletes the files that no kept version names, those that dead imports left among them, and
    /// of feedback and scores those that a compaction took the place of.
    ///
    /// # Errors
    /// Where a log cannot be read (then nothing of its table is deleted), or a file cannot be
    /// deleted. The same call again goes on from there.
    pub fn vacuum(&self, request: &VacuumRequest, progress: Progress) -> Result<VacuumReport, LakeError> {
        let waiting = || progress.line("an import writes to this lake; waiting for it to end");
        if let Some(remote) = self.written_through() {
            return remote.vacuum(request, progress, waiting);
        }
        let delete = |files: &[LakeFile], gone: &dyn Fn()| self.delete(files, gone);
        let mut report = {
            let _lease = self.lease(waiting)?;
            let Some(mut plan) = self.plan_vacuum(request, |table| self.files_of(table.name(), true))? else {
                return Ok(VacuumReport::default());
            };
            plan.sorted.push(self.beside_the_tables()?);
            if !request.dry_run {
                self.begin_vacuum(&plan, request.today)?;
            }
            plan.carry_out(request, progress, delete)?
        };
        for table in Table::BESIDE {
            let _lease = if table == Table::Feedback { self.feedback_lease()? } else { self.scores_lease()? };
            let kept: BTreeSet<String> = self.newest_files(table)?.into_iter().map(|file| file.relative).collect();
            let sorted = sort(table, self.files_of(table.name(), true)?, &kept);
            report.folders.push(sorted.carry_out(request, progress, delete)?);
        }
        Ok(report)
    }

    /// Looks at everything before anything is written down or deleted; `files_of` lists the files of
    /// a table. None where there is no record of an import, and so nothing that could tell a file of a
    /// lost version from one of a dead import.
    pub(super) fn plan_vacuum(
        &self,
        request: &VacuumRequest,
        files_of: impl Fn(Table) -> Result<Vec<LakeFile>, LakeError>,
    ) -> Result<Option<Plan>, LakeError> {
        let mut records = self.imports()?;
        let Some(newest) = records.last().map(|record| record.import_id) else { return Ok(None) };
        let recorded = self.oldest_version()?.unwrap_or(1);
        let oldest = oldest_kept(&records, request.today, request.keep_days).unwrap_or(newest).max(recorded).min(newest);
        let gone = records.iter().filter(|record| (recorded..oldest).contains(&record.import_id)).count() as u64;
        records.retain(|record| record.import_id >= oldest);
        let mut sorted = Vec::new();
        for table in Table::imported() {
            sorted.push(sort(table, files_of(table)?, &self.named_files(table, &records)?));
        }
        let report = VacuumReport { oldest_kept: Some(oldest), newest: Some(newest), gone, folders: Vec::new() };
        Ok(Some(Plan { report, kept: records, recorded: (oldest > recorded).then_some(oldest), sorted }))
    }

    /// Writes down which versions are gone, and takes back what a dead import has committed.
    pub(super) fn begin_vacuum(&self, plan: &Plan, today: Day) -> Result<(), LakeError> {
        if let Some(oldest) = plan.recorded {
            self.record_vacuum(oldest, today)?;
        }
        self.take_back(&plan.kept)
    }

    /// The files of a table that any of `kept` names.
    fn named_files(&self, table: Table, kept: &[ImportRecord]) -> Result<BTreeSet<String>, LakeError> {
        let mut files = BTreeSet::new();
        if table == Table::Imports {
            files.extend(self.newest_files(table)?.into_iter().map(|file| file.relative));
        }
        for listed in self.listed_at(table, &named(table, kept)).into_values() {
            files.extend(listed?.into_iter().map(|file| file.relative));
        }
        Ok(files)
    }

    /// Makes the newest version of every log the one that the newest import names, where a dead
    /// import has committed after it: whoever opens a table by its log alone must not be sent to
    /// files that are about to go.
    fn take_back(&self, kept: &[ImportRecord]) -> Result<(), LakeError> {
        let Some(newest) = kept.last() else { return Ok(()) };
        for table in Table::VERSIONED {
            let (version, present) = self.newest_listed(table)?;
            let named = newest.table_versions.get(table.name()).copied();
            if version == named || present.is_empty() && named.is_none() {
                continue;
            }
            let files = self.listed_at(table, &named.into_iter().collect()).into_values().collect::<Result<Vec<_>, _>>()?.concat();
            let same = present.iter().map(|file| &file.relative).eq(files.iter().map(|file| &file.relative));
            if !same {
                self.commit(table, &files, &[])?;
            }
        }
        Ok(())
    }

    /// What dead writers left in the lake's own folder: the rows of an import, and files without
    /// their name yet.
    fn beside_the_tables(&self) -> Result<Sorted, LakeError> {
        let unnamed = self.files_of("", false)?.into_iter().filter(|(name, _)| is_unnamed(Path::new(name)));
        let doomed = unnamed.chain(self.files_of("_staging", true)?).collect();
        Ok(Sorted { report: Vacuumed { folder: "lake".to_owned(), ..Vacuumed::default() }, doomed })
    }

    /// The files of a folder of the lake, in the order of their names; with `below`, those of the
    /// folders in it too. None where there is no such folder.
    fn files_of(&self, folder: &str, below: bool) -> Result<Vec<LakeFile>, LakeError> {
        let (mut files, mut folders) = (Vec::new(), vec![self.dir().join(folder)]);
        while let Some(folder) = folders.pop() {
            let io_error = |source| LakeError::io(&folder, source);
            let listed = match fs::read_dir(&folder) {
                Ok(listed) => listed,
                Err(error) if is_absent(&error) => continue,
                Err(source) => return Err(io_error(source)),
            };
            for entry in listed {
                let path = entry.map_err(io_error)?.path();
                let metadata = path.symlink_metadata().map_err(io_error)?;
                if metadata.is_file() {
                    let name = path.strip_prefix(self.dir()).unwrap_or(&path).to_string_lossy().into_owned();
                    files.push((name, metadata.len()));
                } else if metadata.is_dir() && below {
                    folders.push(path);
                }
            }
        }
        files.sort();
        Ok(files)
    }

    /// Deletes files, calls `gone` for each, and makes that durable.
    fn delete(&self, files: &[LakeFile], gone: &dyn Fn()) -> Result<(), LakeError> {
        let mut folders = BTreeSet::new();
        for (name, _) in files {
            let path = self.dir().join(name);
            match fs::remove_file(&path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => return Err(LakeError::io(&path, source)),
                _ => gone(),
            }
            folders.extend(path.parent().map(Path::to_path_buf));
        }
        folders.into_iter().try_for_each(|folder: PathBuf| sync_dir(&folder).map_err(|source| LakeError::io(&folder, source)))
    }
}

/// Tells the files of a table apart.
fn sort(table: Table, files: Vec<LakeFile>, kept: &BTreeSet<String>) -> Sorted {
    let mut sorted = Sorted { report: Vacuumed { folder: table.name().to_owned(), ..Vacuumed::default() }, doomed: Vec::new() };
    for (name, bytes) in files {
        let relative = name.strip_prefix(table.name()).and_then(|name| name.strip_prefix('/')).unwrap_or(&name);
        let path = Path::new(relative);
        if kept.contains(relative) {
            sorted.report.kept_files += 1;
            sorted.report.kept_bytes += bytes;
        } else if is_unnamed(path) || (!path.starts_with("_delta_log") && path.extension().is_some_and(|ending| ending == "parquet")) {
            sorted.doomed.push((name, bytes));
        }
    }
    sorted
}

/// A file that its writer has given no name yet: hidden, and so no reader takes it for one.
fn is_unnamed(path: &Path) -> bool {
    let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    is_hidden && path.extension().is_some_and(|ending| ending == "tmp")
}

impl Plan {
    /// Deletes what goes by `delete`, which calls what it is given once for each file that is gone.
    pub(super) fn carry_out(
        self,
        request: &VacuumRequest,
        progress: Progress,
        delete: impl Fn(&[LakeFile], &dyn Fn()) -> Result<(), LakeError>,
    ) -> Result<VacuumReport, LakeError> {
        let folders = self.sorted.into_iter().map(|sorted| sorted.carry_out(request, progress, &delete)).collect::<Result<_, _>>()?;
        Ok(VacuumReport { folders, ..self.report })
    }
}

impl Sorted {
    fn carry_out(
        self,
        request: &VacuumRequest,
        progress: Progress,
        delete: impl Fn(&[LakeFile], &dyn Fn()) -> Result<(), LakeError>,
    ) -> Result<Vacuumed, LakeError> {
        let Self { mut report, doomed } = self;
        report.deleted_files = doomed.len() as u64;
        report.deleted_bytes = doomed.iter().map(|(_, bytes)| bytes).sum();
        if !request.dry_run && !doomed.is_empty() {
            let stage = progress.stage(&format!("deleting from {}", report.folder), doomed.len() as u64, Unit::Items);
            delete(&doomed, &|| stage.advance(1))?;
            stage.finish();
        }
        Ok(report)
    }
}
