//! What a version of the tables holds, counted from the files themselves.

use super::data_file::DataFile;
use super::parquet::file_rows;
use super::schema::Table;
use super::tables::{Lake, LakeError, Snapshot};

/// One table of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableCensus {
    pub table: &'static str,
    /// Its Delta version; none where nothing was ever imported into it.
    pub delta_version: Option<u64>,
    pub files: u64,
    pub rows: u64,
    pub bytes: u64,
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
        let tables = Table::ALL.into_iter().filter(|table| *table != Table::Imports);
        let versions = &self.record.table_versions;
        tables.map(|table| table_census(table, versions.get(table.name()).copied(), self.files(table), decode)).collect()
    }
}

fn table_census(table: Table, delta_version: Option<u64>, files: &[DataFile], decode: bool) -> Result<TableCensus, LakeError> {
    let mut census = TableCensus { table: table.name(), delta_version, files: 0, rows: 0, bytes: 0, files_without_checksum: 0 };
    for file in files {
        census.files += 1;
        census.files_without_checksum += u64::from(!file.has_checksum());
        if decode {
            file.check()?;
        }
        census.bytes += std::fs::metadata(&file.path).map_err(|source| LakeError::io(&file.path, source))?.len();
        let rows = file_rows(&file.path)?;
        census.rows += rows;
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
    /// Counts what was scored, which belongs to no version, as [`Snapshot::census`] does; with
    /// `decode`, every row is also read as the score that it should be.
    ///
    /// # Errors
    /// Where a file of the table is missing or damaged.
    pub fn scores_census(&self, decode: bool) -> Result<TableCensus, LakeError> {
        let (version, files) = self.newest_listed(Table::Scores)?;
        let census = table_census(Table::Scores, version, &files, decode)?;
        for head in self.scorings()? {
            if decode {
                self.scores_of(&head)?.try_for_each(|score| score.map(drop))?;
            }
        }
        Ok(census)
    }

    /// Reads what belongs to no version: the rows of imports and the feedback. Returns how many of
    /// their files carry no checksum.
    ///
    /// # Errors
    /// Where a file is missing or damaged.
    pub fn read_records(&self) -> Result<u64, LakeError> {
        let (imports, feedback) = (self.newest_files(Table::Imports)?, self.feedback_files()?);
        self.records_in(&imports)?;
        self.feedback()?;
        Ok(imports.iter().chain(&feedback).filter(|file| !file.has_checksum()).count() as u64)
    }
}
