//! What a version of the tables holds, counted from the files themselves.

use super::parquet::{file_rows, read_file};
use super::schema::Table;
use super::tables::{LakeError, Snapshot};

/// One table of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableCensus {
    pub table: &'static str,
    /// Its Delta version; none where nothing was ever imported into it.
    pub delta_version: Option<u64>,
    pub files: u64,
    pub rows: u64,
    pub bytes: u64,
}

impl Snapshot {
    /// Counts files, rows and bytes of each table. With `decode`, every page of every file is
    /// read and decompressed as well, so that a damaged one is found.
    ///
    /// # Errors
    /// Where a file that the version names is missing or damaged.
    pub fn census(&self, decode: bool) -> Result<Vec<TableCensus>, LakeError> {
        let tables = Table::ALL.into_iter().filter(|table| *table != Table::Imports);
        tables.map(|table| self.table_census(table, decode)).collect()
    }

    fn table_census(&self, table: Table, decode: bool) -> Result<TableCensus, LakeError> {
        let delta_version = self.record.table_versions.get(table.name()).copied();
        let mut census = TableCensus { table: table.name(), delta_version, files: 0, rows: 0, bytes: 0 };
        for file in self.files(table) {
            census.files += 1;
            census.bytes += std::fs::metadata(&file.path).map_err(|source| LakeError::io(&file.path, source))?.len();
            let rows = file_rows(&file.path)?;
            census.rows += rows;
            if !decode {
                continue;
            }
            let mut decoded = 0;
            for batch in read_file(&file.path, None)? {
                decoded += batch?.num_rows() as u64;
            }
            if decoded != rows {
                let reason = format!("its footer says {rows} rows and its pages hold {decoded}");
                return Err(LakeError::File { path: file.path.clone(), reason });
            }
        }
        Ok(census)
    }
}
