//! Merging the many small files of a table into few.
//!
//! Every answer of feedback is a file of one row, so it is feedback that gathers files. A file of
//! `scores` is one scoring, told apart by its partition values, and a month of usage is
//! written whole by each import that touches it: there is nothing to merge, and that is told.
//!
//! Absent on purpose: deleting the files that were merged, which is the vacuum's; and merging
//! across partitions, which would lose what tells their rows apart.

use std::collections::BTreeMap;

use super::data_file::DataFile;
use super::feedback;
use super::parquet::write_file;
use super::schema::{Partition, Table};
use super::tables::{Lake, LakeError};

/// What was done to a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compacted {
    pub table: &'static str,
    pub files_before: u64,
    pub bytes_before: u64,
    pub files_after: u64,
    pub bytes_after: u64,
    /// Files that share their partition with another and were left as they are.
    pub left: u64,
}

impl Lake {
    /// Puts the rows of each table into as few files as its partitions allow, one commit a table.
    /// The rows are the same before and after, and so is the version of the tables.
    ///
    /// # Errors
    /// Where a table cannot be read or written; it then holds what it held.
    pub fn compact(&self) -> Result<Vec<Compacted>, LakeError> {
        let mut compacted = vec![self.compact_feedback()?, as_it_is(Table::Scores, &self.newest_files(Table::Scores)?)];
        let newest = self.snapshot(None)?;
        for table in [Table::UsageDaily, Table::UsageMonthly] {
            compacted.push(as_it_is(table, newest.as_ref().map_or(&[], |newest| newest.files(table))));
        }
        Ok(compacted)
    }

    fn compact_feedback(&self) -> Result<Compacted, LakeError> {
        let table = Table::Feedback;
        if let Some(remote) = self.written_through() {
            return remote.append(table, Self::compact_feedback)?.ok_or_else(|| remote.contended());
        }
        let _lease = self.feedback_lease()?;
        let files = self.newest_files(table)?;
        let before = as_it_is(table, &files);
        if files.len() < 2 {
            return Ok(before);
        }
        let rows = feedback::read(&files)?;
        let newest = rows.last().map_or(0, |(number, _)| *number);
        let merged = write_file(&self.table_dir(table), &format!("feedback-{newest:08}"), &feedback::batch(&rows)?)?;
        self.commit(table, &[], &[(Partition::new(), merged)])?;
        let after = as_it_is(table, &self.newest_files(table)?);
        Ok(Compacted { files_before: before.files_before, bytes_before: before.bytes_before, ..after })
    }
}

/// A table that stays as it is.
fn as_it_is(table: Table, files: &[DataFile]) -> Compacted {
    let count = files.len() as u64;
    let bytes = files.iter().map(DataFile::bytes_told).sum();
    let mut partitions: BTreeMap<String, u64> = BTreeMap::new();
    for file in files {
        *partitions.entry(file.in_digest().1).or_default() += 1;
    }
    let left = partitions.into_values().filter(|files| *files > 1).sum();
    Compacted { table: table.name(), files_before: count, bytes_before: bytes, files_after: count, bytes_after: bytes, left }
}
