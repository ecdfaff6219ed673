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
use super::remote::RemoteError;
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VacuumReport {
    /// The oldest version that is kept; none where nothing was ever imported.
    pub oldest_kept: Option<u64>,
    pub newest: Option<u64>,
    /// Versions that were there before, and are gone.
    pub gone: u64,
    pub folders: Vec<Vacuumed>,
}

/// A file that goes.
#[derive(Debug)]
struct Doomed {
    path: PathBuf,
    bytes: u64,
}

/// What lies in a folder, told apart.
#[derive(Debug, Default)]
struct Sorted {
    report: Vacuumed,
    doomed: Vec<Doomed>,
}

impl Lake {
    /// Deletes the files that no kept version names, those that dead imports left among them, and
    /// of feedback and scores those that a compaction took the place of.
    ///
    /// # Errors
    /// Where a log cannot be read (then nothing of its table is deleted), or a file cannot be
    /// deleted. The same call again goes on from there.
    pub fn vacuum(&self, request: &VacuumRequest, progress: Progress) -> Result<VacuumReport, LakeError> {
        if self.written_through().is_some() {
            return Err(RemoteError::NotThere { what: "vacuum" }.into());
        }
        let mut report = self.vacuum_versions(request, progress)?;
        for table in [Table::Feedback, Table::Scores] {
            let _lease = if table == Table::Feedback { self.feedback_lease()? } else { self.scores_lease()? };
            let kept: BTreeSet<String> = self.newest_files(table)?.into_iter().map(|file| file.relative).collect();
            let sorted = sort(table, &self.table_dir(table), &kept)?;
            report.folders.push(delete(sorted, request, progress)?);
        }
        Ok(report)
    }

    fn vacuum_versions(&self, request: &VacuumRequest, progress: Progress) -> Result<VacuumReport, LakeError> {
        let _lease = self.lease(|| progress.line("an import writes to this lake; waiting for it to end"))?;
        let records = self.imports()?;
        // Without a record of an import there is nothing that could tell a file of a lost version
        // from one of a dead import.
        let Some(newest) = records.last().map(|record| record.import_id) else {
            return Ok(VacuumReport { oldest_kept: None, newest: None, gone: 0, folders: Vec::new() });
        };
        let recorded = self.oldest_version()?.unwrap_or(1);
        let oldest = oldest_kept(&records, request.today, request.keep_days).unwrap_or(newest).max(recorded).min(newest);
        let kept: Vec<&ImportRecord> = records.iter().filter(|record| record.import_id >= oldest).collect();
        // Everything is looked at before anything is written down or deleted.
        let mut sorted = Vec::new();
        for table in Table::ALL {
            sorted.push(sort(table, &self.table_dir(table), &self.named_files(table, &kept)?)?);
        }
        sorted.push(self.beside_the_tables()?);
        if oldest > recorded && !request.dry_run {
            self.record_vacuum(oldest, request.today)?;
        }
        let gone = records.iter().filter(|record| (recorded..oldest).contains(&record.import_id)).count() as u64;
        if !request.dry_run {
            self.take_back(&kept)?;
        }
        let folders = sorted.into_iter().map(|sorted| delete(sorted, request, progress)).collect::<Result<_, _>>()?;
        Ok(VacuumReport { oldest_kept: Some(oldest), newest: Some(newest), gone, folders })
    }

    /// The files of a table that any of `kept` names.
    fn named_files(&self, table: Table, kept: &[&ImportRecord]) -> Result<BTreeSet<String>, LakeError> {
        let mut files = BTreeSet::new();
        if table == Table::Imports {
            files.extend(self.newest_files(table)?.into_iter().map(|file| file.relative));
        }
        for listed in self.listed_at(table, &named(table, kept.iter().copied())).into_values() {
            files.extend(listed?.into_iter().map(|file| file.relative));
        }
        Ok(files)
    }

    /// Makes the newest version of every log the one that the newest import names, where a dead
    /// import has committed after it: whoever opens a table by its log alone must not be sent to
    /// files that are about to go.
    fn take_back(&self, kept: &[&ImportRecord]) -> Result<(), LakeError> {
        let Some(newest) = kept.last() else { return Ok(()) };
        for table in Table::ALL.into_iter().filter(|table| *table != Table::Imports) {
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
        let mut sorted = Sorted { report: Vacuumed { folder: "lake".to_owned(), ..Vacuumed::default() }, doomed: Vec::new() };
        for (path, bytes) in files_of(self.dir(), false)? {
            if is_unnamed(&path) {
                sorted.doomed.push(Doomed { path, bytes });
            }
        }
        for (path, bytes) in files_of(&self.dir().join("_staging"), true)? {
            sorted.doomed.push(Doomed { path, bytes });
        }
        Ok(sorted)
    }
}

/// Tells the files in a table's folder apart.
fn sort(table: Table, dir: &Path, kept: &BTreeSet<String>) -> Result<Sorted, LakeError> {
    let mut sorted = Sorted { report: Vacuumed { folder: table.name().to_owned(), ..Vacuumed::default() }, doomed: Vec::new() };
    let log = dir.join("_delta_log");
    for (path, bytes) in files_of(dir, true)? {
        let relative = path.strip_prefix(dir).map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
        if kept.contains(&relative) {
            sorted.report.kept_files += 1;
            sorted.report.kept_bytes += bytes;
        } else if is_unnamed(&path) || (!path.starts_with(&log) && path.extension().is_some_and(|ending| ending == "parquet")) {
            sorted.doomed.push(Doomed { path, bytes });
        }
    }
    Ok(sorted)
}

/// A file that its writer has given no name yet: hidden, and so no reader takes it for one.
fn is_unnamed(path: &Path) -> bool {
    let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    is_hidden && path.extension().is_some_and(|ending| ending == "tmp")
}

/// The files of a folder with their bytes, in the order of their paths; with `below`, those of the
/// folders in it too. None where there is no such folder.
fn files_of(dir: &Path, below: bool) -> Result<Vec<(PathBuf, u64)>, LakeError> {
    let (mut files, mut folders) = (Vec::new(), vec![dir.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        let io_error = |source| LakeError::io(&folder, source);
        let listed = match fs::read_dir(&folder) {
            Ok(listed) => listed,
            Err(error) if is_absent(&error) => continue,
            Err(source) => return Err(io_error(source)),
        };
        for entry in listed {
            let entry = entry.map_err(io_error)?;
            let metadata = entry.metadata().map_err(io_error)?;
            if metadata.is_file() {
                files.push((entry.path(), metadata.len()));
            } else if metadata.is_dir() && below {
                folders.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Deletes what goes, and makes that durable.
fn delete(sorted: Sorted, request: &VacuumRequest, progress: Progress) -> Result<Vacuumed, LakeError> {
    let Sorted { mut report, doomed } = sorted;
    let stage = (!request.dry_run && !doomed.is_empty())
        .then(|| progress.stage(&format!("deleting from {}", report.folder), doomed.len() as u64, Unit::Items));
    let mut folders = BTreeSet::new();
    for Doomed { path, bytes } in doomed {
        if let Some(stage) = &stage {
            match fs::remove_file(&path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => return Err(LakeError::io(&path, source)),
                _ => {}
            }
            folders.extend(path.parent().map(Path::to_path_buf));
            stage.advance(1);
        }
        report.deleted_files += 1;
        report.deleted_bytes += bytes;
    }
    for folder in folders {
        sync_dir(&folder).map_err(|source| LakeError::io(&folder, source))?;
    }
    if let Some(stage) = stage {
        stage.finish();
    }
    Ok(report)
}
