//! The record of which version came into service, when, and by whose word: `promotions.jsonl`
//! beside the versions, one line each, only ever added to.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Against, Grade};
use crate::domain::Day;

/// The file of the record, in the registry's folder.
pub(super) const RECORD: &str = "promotions.jsonl";

/// How a version comes into service.
#[derive(Debug, Clone, PartialEq)]
pub enum Promotion {
    /// By its grade, which must be above D, and by what its card says of it beside the version in service.
    Earned,
    /// The same, by a comparison with the version in service that was made anew.
    Beside(Box<Against>),
    /// In spite of its grade: who said so, and why.
    Forced { by: String, why: String },
    /// Back to what was in service before.
    Back,
}

/// One line of the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promoted {
    pub version: String,
    /// The version that it took the place of.
    pub previous: Option<String>,
    pub on: Day,
    /// None of a baseline.
    pub grade: Option<Grade>,
    /// Where it was forced: by whom, and why.
    pub forced_by: Option<String>,
    pub why: Option<String>,
    /// Whether it was a way back.
    pub back: bool,
}

/// Adds a line and flushes it to disk. A line before that a crash tore is ended first, so that it
/// takes no other with it.
pub(super) fn record(folder: &Path, promoted: &Promoted) -> io::Result<()> {
    let mut file = File::options().create(true).append(true).read(true).open(folder.join(RECORD))?;
    let mut written = Vec::new();
    file.read_to_end(&mut written)?;
    let mut line = serde_json::to_vec(promoted)?;
    line.push(b'\n');
    if written.last().is_some_and(|last| *last != b'\n') {
        line.insert(0, b'\n');
    }
    file.write_all(&line)?;
    file.sync_all()
}

/// The lines that read, oldest first. One that was torn by a crash is passed over: the promotion
/// it was of did not happen, since the record comes first.
pub(super) fn read(text: &str) -> Vec<Promoted> {
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The version that was in service before `current`.
pub(super) fn before(record: &[Promoted], current: &str) -> Option<String> {
    record.iter().rev().find(|promoted| promoted.version == current && !promoted.back)?.previous.clone()
}
