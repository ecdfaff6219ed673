//! What an import did, for a person and for a program.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::domain::Day;
use crate::lake::imports::ImportRecord;

use super::Reject;

/// Whether the tables changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The import is in the tables, durably, under this version.
    Committed(Box<ImportRecord>),
    /// Every file was imported before; the tables stay at this version.
    Unchanged { version: u64 },
}

/// One file of an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileReport {
    pub name: String,
    /// The source that its header was recognised as.
    pub source: &'static str,
    pub table: &'static str,
    pub rows_read: u64,
    pub rows_refused: u64,
    /// Rows that are read and rightly in no table: purchases, taxes, duplicates.
    pub rows_set_aside: u64,
    /// First and last day of its usage rows.
    pub first_day: Option<Day>,
    pub last_day: Option<Day>,
    /// The import that held the same bytes before; this one read nothing of it.
    pub known_since: Option<u64>,
}

/// The summary of an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportReport {
    pub outcome: Outcome,
    pub files: Vec<FileReport>,
    /// Refused rows by reason.
    pub refused: BTreeMap<&'static str, u64>,
    /// Rows set aside by reason, as `ChargeCategory=Tax`.
    pub set_aside: BTreeMap<String, u64>,
    /// The first refused rows; all of them are in `rejects_file`.
    pub first_rejects: Vec<Reject>,
    pub rejects_file: Option<PathBuf>,
    /// Days between the first and the last usage day of the import on which the lake has no row.
    pub gaps: Vec<Day>,
    pub warnings: Vec<String>,
}
