//! Reading everything again, and holding it against what must be true of it.
//!
//! A fault ends nothing: the next file is looked at, and every fault names its table, partition
//! and file. Memory is that of one batch of usage and of the small tables.
//!
//! Absent on purpose: repairing, and any judgement on what the rows mean to a metric.

mod records;
mod rows;
mod sweep;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;

use super::data_file::DataFile;
use super::schema::Table;
use super::tables::{Lake, LakeError};
use crate::domain::chain;
use crate::progress::Progress;

/// Which versions of the tables are read. Imports, feedback and scores are read whole in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerifyScope {
    Newest,
    Version(u64),
    /// Every version that is kept; a file that several of them name is read once.
    All,
}

/// Something that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub table: &'static str,
    /// What the rows of the file share: `month 2026-05`; none where it is no partition's.
    pub partition: Option<String>,
    /// The file at fault; none where it is not one alone.
    pub path: Option<PathBuf>,
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.table)?;
        if let Some(partition) = &self.partition {
            write!(f, ", {partition}")?;
        }
        if let Some(path) = &self.path {
            write!(f, ", {}", path.display())?;
        }
        write!(f, ": {}", self.what)
    }
}

/// What was read of one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifiedTable {
    pub table: &'static str,
    pub files: u64,
    pub rows: u64,
    pub bytes: u64,
    /// Files of releases that gave them no checksum: a changed number in them is found only where
    /// it breaks a rule.
    pub files_without_checksum: u64,
    pub faults: u64,
}

/// What a verification has read and found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// The versions of the tables that were read.
    pub versions: Vec<u64>,
    pub tables: Vec<VerifiedTable>,
    pub faults: Vec<Fault>,
}

impl Lake {
    /// Reads the files again, compares each with its checksum, and checks what must be true of the
    /// rows: keys unique and ascending, the rows of a month dated in it, ids canonical, quantities
    /// not negative, no use after the version's as-of day, rows as many as footer and log say;
    /// imports counted without a hole.
    ///
    /// # Errors
    /// Where the version asked for does not exist or was vacuumed. What cannot be read is a fault.
    pub fn verify(&self, scope: VerifyScope, progress: Progress) -> Result<Verification, LakeError> {
        sweep::sweep(self, scope, progress)
    }
}

/// What was found so far.
#[derive(Debug, Default)]
struct Found {
    tables: Vec<VerifiedTable>,
    faults: Vec<Fault>,
}

impl Found {
    fn table(&mut self, table: Table) -> &mut VerifiedTable {
        let name = table.name();
        let place = self.tables.iter().position(|known| known.table == name).unwrap_or_else(|| {
            self.tables.push(VerifiedTable { table: name, files: 0, rows: 0, bytes: 0, files_without_checksum: 0, faults: 0 });
            self.tables.len() - 1
        });
        &mut self.tables[place]
    }

    /// A fault of a table, as a sentence.
    fn fault(&mut self, table: Table, what: String) {
        self.table(table).faults += 1;
        self.faults.push(Fault { table: table.name(), partition: None, path: None, what });
    }

    /// What keeps a table from being read; the error names the file.
    fn error(&mut self, table: Table, error: &LakeError) {
        self.fault(table, chain(error));
    }

    fn fault_of_file(&mut self, file: &DataFile, what: String) {
        let values = file.table.partitions().filter_map(|name| Some(format!("{name} {}", file.partition(name)?)));
        let partition = values.collect::<Vec<_>>().join(", ");
        self.table(file.table).faults += 1;
        self.faults.push(Fault {
            table: file.table.name(),
            partition: (!partition.is_empty()).then_some(partition),
            path: Some(file.path.clone()),
            what,
        });
    }
}
