//! One pass over a lake: every file once, then every version as a whole.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs;

use super::rows::{self, Seen};
use super::{Found, Verification, VerifyScope, records};
use crate::domain::{PortfolioScoring, chain};
use crate::lake::data_file::DataFile;
use crate::lake::feedback;
use crate::lake::imports::ImportRecord;
use crate::lake::kept::{Listed, named};
use crate::lake::log::Log;
use crate::lake::parquet::footer;
use crate::lake::schema::Table;
use crate::lake::tables::{Lake, LakeError};
use crate::progress::{Progress, Stage, Unit};

pub(super) fn sweep(lake: &Lake, scope: VerifyScope, progress: Progress) -> Result<Verification, LakeError> {
    let mut found = Found::default();
    let records = imports(lake, &mut found);
    let wanted = wanted(lake, &records, scope, &mut found)?;
    let listed: Vec<(Table, Listed)> =
        Table::VERSIONED.into_iter().map(|table| (table, lake.listed_at(table, &named(table, &wanted)))).collect();
    let beside: Vec<(Table, Vec<DataFile>)> = Table::BESIDE.into_iter().map(|table| (table, newest(lake, table, &mut found))).collect();
    let in_versions = listed.iter().flat_map(|(_, listed)| listed.values()).flatten().flatten();
    let mut bytes: HashMap<_, u64> = in_versions.map(|file| (&file.path, file.bytes_told())).collect();
    bytes.extend(beside.iter().flat_map(|(_, files)| files).map(|file| (&file.path, file.bytes_told())));
    let stage = progress.stage("reading the tables", bytes.values().sum(), Unit::Bytes);
    for (table, listed) in &listed {
        versions(*table, listed, &records, &stage, &mut found);
    }
    for (table, files) in &beside {
        logs(lake, *table, &mut found);
        match table {
            Table::Feedback => answers(files, &stage, &mut found),
            _ => scorings(files, &stage, &mut found),
        }
    }
    stage.finish();
    for table in Table::imported() {
        logs(lake, table, &mut found);
    }
    let Found { tables, faults } = found;
    Ok(Verification { versions: wanted.iter().map(|record| record.import_id).collect(), tables, faults })
}

/// The rows of `imports`, checked; none where they cannot be read.
fn imports(lake: &Lake, found: &mut Found) -> Vec<ImportRecord> {
    let files = newest(lake, Table::Imports, found);
    for file in &files {
        checked(file, found, rows::ids);
    }
    match lake.records_in(&files) {
        Ok(records) => {
            for breach in records::breaches(&records) {
                found.fault(Table::Imports, breach);
            }
            records
        }
        Err(error) => {
            // One that a file was at fault for was told with it.
            if found.faults.is_empty() {
                found.error(Table::Imports, &error);
            }
            Vec::new()
        }
    }
}

/// The records of the versions to read.
fn wanted(lake: &Lake, records: &[ImportRecord], scope: VerifyScope, found: &mut Found) -> Result<Vec<ImportRecord>, LakeError> {
    let newest = records.last().map(|record| record.import_id);
    let oldest = match lake.oldest_version() {
        Ok(oldest) => oldest.unwrap_or(0),
        Err(error) => {
            found.error(Table::Imports, &error);
            0
        }
    };
    if let (VerifyScope::Version(version), Some(newest)) = (scope, newest) {
        if version < oldest {
            return Err(LakeError::Vacuumed { lake: lake.named(), version, oldest });
        }
        if !records.iter().any(|record| record.import_id == version) {
            return Err(LakeError::NoSuchVersion { lake: lake.named(), version, newest });
        }
    }
    let is_wanted = |record: &&ImportRecord| match scope {
        VerifyScope::Newest => Some(record.import_id) == newest,
        VerifyScope::Version(version) => record.import_id == version,
        VerifyScope::All => record.import_id >= oldest || Some(record.import_id) == newest,
    };
    Ok(records.iter().filter(is_wanted).cloned().collect())
}

/// The files of a table at its newest version; none where they cannot be listed.
fn newest(lake: &Lake, table: Table, found: &mut Found) -> Vec<DataFile> {
    found.table(table);
    lake.newest_files(table).unwrap_or_else(|error| {
        found.error(table, &error);
        Vec::new()
    })
}

/// Every file of a table's log as far as it reads by itself.
fn logs(lake: &Lake, table: Table, found: &mut Found) {
    match Log::new(table, &lake.table_dir(table)).unreadable() {
        Ok(unreadable) => unreadable.iter().for_each(|error| found.error(table, error)),
        Err(error) => found.error(table, &error),
    }
}

/// Compares a file with its checksum and its rows with `check`; none where it does not read.
fn checked(file: &DataFile, found: &mut Found, check: impl FnOnce(&DataFile) -> Result<Seen, LakeError>) -> Option<Seen> {
    let counts = found.table(file.table);
    counts.files += 1;
    counts.bytes += file.bytes_told();
    counts.files_without_checksum += u64::from(!file.has_checksum());
    match read(file, check) {
        Ok((seen, told)) => {
            seen.told().chain(told).for_each(|what| found.fault_of_file(file, what));
            found.table(file.table).rows += seen.rows;
            Some(seen)
        }
        Err(error) => {
            found.fault_of_file(file, chain(&error));
            None
        }
    }
}

/// What `check` sees, and where bytes and rows are not as many as they should be.
fn read(file: &DataFile, check: impl FnOnce(&DataFile) -> Result<Seen, LakeError>) -> Result<(Seen, Vec<String>), LakeError> {
    file.check()?;
    file.bring()?;
    let mut told = Vec::new();
    let bytes = fs::metadata(&file.path).map_err(|source| LakeError::io(&file.path, source))?.len();
    if bytes != file.bytes_told() {
        told.push(format!("it has {bytes} bytes, and the log says {}", file.bytes_told()));
    }
    let seen = check(file)?;
    let in_footer = footer(&file.path, None)?.rows;
    for (who, rows) in [("its footer", Some(in_footer)), ("the log", file.rows_told())] {
        if let Some(rows) = rows.filter(|rows| *rows != seen.rows) {
            told.push(format!("its pages hold {} rows, and {who} says {rows}", seen.rows));
        }
    }
    Ok((seen, told))
}

/// Reads each file of a table once, and looks at each version as a whole.
fn versions(table: Table, listed: &Listed, records: &[ImportRecord], stage: &Stage, found: &mut Found) {
    found.table(table);
    let is_usage = matches!(table, Table::UsageDaily | Table::UsageMonthly);
    let mut seen: BTreeMap<String, Option<Seen>> = BTreeMap::new();
    for (version, files) in listed {
        let files = match files {
            Ok(files) => files,
            Err(error) => {
                found.error(table, error);
                continue;
            }
        };
        // Imports that leave a table alone name the version of the one before.
        let Some(record) = records.iter().find(|record| record.table_versions.get(table.name()) == Some(version)) else { continue };
        for file in files {
            if !seen.contains_key(&file.relative) {
                let check = |file: &DataFile| if is_usage { rows::usage(file) } else { rows::small(file, record) };
                seen.insert(file.relative.clone(), checked(file, found, check));
                stage.advance(file.bytes_told());
            }
        }
        if !is_usage && files.len() > 1 {
            found.fault(table, format!("version {} names {} files, and an import writes one", record.import_id, files.len()));
        }
        let whole: Option<Vec<&Seen>> = files.iter().map(|file| seen.get(&file.relative).and_then(Option::as_ref)).collect();
        // A file that does not read has been told, and the last day is not known without it.
        if let (Table::UsageDaily, Some(whole)) = (table, whole) {
            days(record, records, &whole, found);
        }
    }
}

/// Checks the days of a version's usage against what the imports up to it say.
fn days(record: &ImportRecord, records: &[ImportRecord], files: &[&Seen], found: &mut Found) {
    let version = record.import_id;
    let last_used = files.iter().filter_map(|seen| seen.last_used).max();
    let last_day = files.iter().filter_map(|seen| seen.last_day).max();
    // Records of releases that did not keep the as-of day have none.
    if let Some(as_of) = record.as_of.filter(|as_of| Some(*as_of) != last_used) {
        let last = last_used.map_or_else(|| "no day has use".to_owned(), |last| format!("the last day with use is {last}"));
        found.fault(Table::UsageDaily, format!("in version {version} {last}, and its import says {as_of}"));
    }
    let tomorrow = records.iter().filter(|other| other.import_id <= version).map(|other| other.imported_on + 1).max();
    if let (Some(last), Some(tomorrow)) = (last_day, tomorrow)
        && last > tomorrow
    {
        found.fault(
            Table::UsageDaily,
            format!("version {version} has a row of {last}, later than {tomorrow}, the day after its last import"),
        );
    }
}

/// Checks the answers of feedback.
fn answers(files: &[DataFile], stage: &Stage, found: &mut Found) {
    let (mut numbers, mut known) = (BTreeSet::new(), HashSet::new());
    for file in files {
        let mut answers = Vec::new();
        let seen = checked(file, found, |file| {
            answers = feedback::read(std::slice::from_ref(file))?;
            rows::ids(file)
        });
        stage.advance(file.bytes_told());
        if seen.is_none() {
            continue;
        }
        for (number, feedback) in answers {
            if number < 1 || !numbers.insert(number) {
                found.fault_of_file(file, format!("the number {number} of feedback {} stands twice, or is below 1", feedback.feedback_id));
            }
            if !known.insert(feedback.feedback_id.clone()) {
                found.fault_of_file(file, format!("feedback {} stands twice", feedback.feedback_id));
            }
        }
    }
}

/// Checks the scorings, one a file.
fn scorings(files: &[DataFile], stage: &Stage, found: &mut Found) {
    let mut scorings = Vec::new();
    for file in files {
        let mut of_file = None;
        checked(file, found, |file| {
            of_file = Some(Lake::read_scoring(file)?);
            rows::ids(file)
        });
        stage.advance(file.bytes_told());
        let Some((head, breaches)) = of_file else { continue };
        for breach in breaches {
            found.fault_of_file(file, breach);
        }
        if scorings.iter().any(|known: &PortfolioScoring| known.is_the_same_as(&head.scoring)) {
            found.fault_of_file(file, "the same scoring stands in another file too".to_owned());
        }
        scorings.push(head.scoring);
    }
}
