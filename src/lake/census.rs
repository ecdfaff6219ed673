//! What a version of the tables holds, counted from the files themselves.

use super::data_file::DataFile;
use super::parquet::{Footer, footer};
use super::schema::Table;
use super::tables::{Lake, LakeError, Snapshot};
use crate::domain::Day;

/// One table: of a version, or beside the versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableCensus {
    pub table: &'static str,
    /// Its Delta version; none where nothing was ever written to it.
    pub delta_version: Option<u64>,
    pub files: u64,
    pub rows: u64,
    pub bytes: u64,
    /// The first and the last day of its rows, where they have one: of usage, of an event, of an
    /// import, on which feedback was given, on which scores stand.
    pub days: Option<(Day, Day)>,
    /// Files of releases that gave them no checksum: damage in them shows only where it keeps
    /// them from being decoded.
    pub files_without_checksum: u64,
}

impl Snapshot {
    /// Counts files, rows and bytes of each table. With `decode`, every file is compared with its
    /// checksum, and every page of it is decompressed as well, so that a damaged one is found.
    ///
    /// # Errors
    /// Where a file that the version names is missing or damaged.
    pub fn census(&self, decode: bool) -> Result<Vec<TableCensus>, LakeError> {
        let tables = Table::VERSIONED.into_iter();
        let versions = &self.record.table_versions;
        tables.map(|table| table_census(table, versions.get(table.name()).copied(), self.files(table), decode)).collect()
    }
}

/// The column that dates the rows of a table.
const fn day_column(table: Table) -> Option<&'static str> {
    match table {
        Table::UsageDaily | Table::UsageMonthly | Table::Lifecycle => Some("on"),
        Table::Imports => Some("imported_on"),
        Table::Feedback => Some("given_on"),
        // Of scores it is a partition value.
        Table::Scores | Table::Customers | Table::Subscriptions | Table::Commitments => None,
    }
}

fn table_census(table: Table, delta_version: Option<u64>, files: &[DataFile], decode: bool) -> Result<TableCensus, LakeError> {
    let mut census = TableCensus { table: table.name(), delta_version, files: 0, rows: 0, bytes: 0, days: None, files_without_checksum: 0 };
    for file in files {
        census.files += 1;
        census.files_without_checksum += u64::from(!file.has_checksum());
        if decode {
            file.check()?;
        }
        file.bring()?;
        census.bytes += std::fs::metadata(&file.path).map_err(|source| LakeError::io(&file.path, source))?.len();
        let Footer { rows, days } = footer(&file.path, day_column(table))?;
        census.rows += rows;
        let as_of = file.partition("as_of").and_then(|day| Day::parse(day).ok());
        if let Some((first, last)) = days.or(as_of.map(|day| (day, day))) {
            census.days = Some(census.days.map_or((first, last), |(earliest, latest)| (earliest.min(first), latest.max(last))));
        }
        if !decode {
            continue;
        }
        let mut decoded = 0;
        for batch in file.read(None)? {
            decoded += batch?.num_rows() as u64;
        }
        if decoded != rows {
            let reason = format!("its footer says {rows} rows and its pages hold {decoded}");
            return Err(LakeError::File { path: file.path.clone(), reason });
        }
    }
    Ok(census)
}

impl Lake {
    /// Counts what belongs to no version (imports, feedback and scores), as [`Snapshot::census`]
    /// does; with `decode`, every row is also read as what it should be.
    ///
    /// # Errors
    /// Where a file of the tables is missing or damaged.
    pub fn census_beside(&self, decode: bool) -> Result<Vec<TableCensus>, LakeError> {
        if decode {
            self.imports()?;
            self.feedback()?;
        }
        let (imports, feedback) = (self.newest_census(Table::Imports, decode)?, self.newest_census(Table::Feedback, decode)?);
        Ok(vec![imports, feedback, self.scores_census(decode)?])
    }

    /// Counts what was scored, as [`Lake::census_beside`] does.
    ///
    /// # Errors
    /// Where a file of the table is missing or damaged.
    pub fn scores_census(&self, decode: bool) -> Result<TableCensus, LakeError> {
        let census = self.newest_census(Table::Scores, decode)?;
        for head in self.scorings()? {
            if decode {
                self.scores_of(&head)?.try_for_each(|score| score.map(drop))?;
            }
        }
        Ok(census)
    }

    fn newest_census(&self, table: Table, decode: bool) -> Result<TableCensus, LakeError> {
        let (version, files) = self.newest_listed(table)?;
        table_census(table, version, &files, decode)
    }
}
