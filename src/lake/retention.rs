//! Which versions of the tables are kept, and the record of those that are gone.
//!
//! A version without its files looks like damage. So which versions are gone is written down
//! before the first file of theirs is deleted, and whoever opens an older version asks here
//! first. The newest version is always kept, so whoever opens that need not ask.
//!
//! Absent on purpose: a way back. A version that is gone stays gone, however many days are kept
//! from then on.

use std::fs;
use std::path::PathBuf;

use serde::Deserialize;

use super::checksum;
use super::durable::replace_file;
use super::imports::ImportRecord;
use super::log::is_absent;
use super::tables::{Lake, LakeError};
use crate::domain::Day;

/// The record's name in the lake.
pub(super) const RECORD: &str = "_vacuumed.json";

/// What the record says. The digest is of the two before it, so that a changed number is found.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Record {
    oldest_kept: u64,
    on: String,
    sha256: String,
}

impl Record {
    fn new(oldest_kept: u64, on: String) -> Self {
        let sha256 = checksum::of_bytes(format!("{oldest_kept} {on}").as_bytes());
        Self { oldest_kept, on, sha256 }
    }

    /// The record's bytes. The day is `2026-01-31`, so nothing in it wants escaping.
    fn text(&self) -> String {
        let Self { oldest_kept, on, sha256 } = self;
        format!("{{\"oldest_kept\":{oldest_kept},\"on\":\"{on}\",\"sha256\":\"{sha256}\"}}\n")
    }
}

/// The oldest of `records` (oldest first) that is kept; none where there is none.
///
/// A version is kept through the `keep_days` days after the one on which another took its place;
/// with 0, the newest alone is kept. What comes after a kept version is kept, whatever the clock
/// said when it was imported: so what is gone is always told by one number.
pub(super) fn oldest_kept(records: &[ImportRecord], today: Day, keep_days: u32) -> Option<u64> {
    let keep_days = i32::try_from(keep_days).unwrap_or(i32::MAX);
    let replaced = records.windows(2).map(|pair| (pair[0].import_id, pair[1].imported_on));
    let kept = |(_, on): &(u64, Day)| keep_days > 0 && *on >= today - keep_days;
    let newest = records.last().map(|record| record.import_id);
    replaced.filter(kept).map(|(version, _)| version).next().or(newest)
}

impl Lake {
    fn vacuum_record(&self) -> PathBuf {
        self.dir().join(RECORD)
    }

    /// The oldest version whose files are all there; none where nothing was ever vacuumed.
    ///
    /// # Errors
    /// Where the record is there and is not what a vacuum has written.
    pub fn oldest_version(&self) -> Result<Option<u64>, LakeError> {
        let path = self.vacuum_record();
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(source) => return Err(LakeError::io(&path, source)),
        };
        let told = serde_json::from_slice::<Record>(&bytes).ok();
        let same = |told: &Record| Record::new(told.oldest_kept, told.on.clone()).text().as_bytes() == bytes;
        match told.filter(same) {
            Some(told) => Ok(Some(told.oldest_kept)),
            None => Err(LakeError::VacuumRecord { path }),
        }
    }

    /// Writes down, durably, that what is older than `oldest_kept` is gone.
    pub(super) fn record_vacuum(&self, oldest_kept: u64, today: Day) -> Result<(), LakeError> {
        let text = Record::new(oldest_kept, today.to_string()).text();
        let path = self.vacuum_record();
        replace_file(&path, text.as_bytes()).map_err(|source| LakeError::io(&path, source))
    }

    /// Refuses a version that is gone.
    pub(super) fn check_kept(&self, version: u64) -> Result<(), LakeError> {
        match self.oldest_version()? {
            Some(oldest) if version < oldest => Err(LakeError::Vacuumed { lake: self.named(), version, oldest }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record((import_id, imported_on): (u64, i32)) -> ImportRecord {
        ImportRecord::of_test(import_id, Day::from_epoch_days(imported_on))
    }

    #[track_caller]
    fn check(imported_on: &[i32], today: i32, keep_days: u32, wanted: Option<u64>) {
        let records: Vec<_> = (1..).zip(imported_on.iter().copied()).map(record).collect();
        assert_eq!(oldest_kept(&records, Day::from_epoch_days(today), keep_days), wanted, "{imported_on:?} {today} {keep_days}");
    }

    #[test]
    fn a_version_is_kept_for_so_many_days_after_another_took_its_place() {
        check(&[], 100, 30, None);
        check(&[1], 100, 0, Some(1));
        // The first was the newest until day 70.
        check(&[10, 70, 99], 100, 30, Some(1));
        check(&[10, 69, 99], 100, 30, Some(2));
        check(&[10, 20, 30], 100, 30, Some(3));
        // Imported today, and replaced today.
        check(&[100, 100, 100], 100, 1, Some(1));
        check(&[100, 100, 100], 100, 0, Some(3));
        // A clock that went back keeps more, never less.
        check(&[10, 90, 20, 99], 100, 30, Some(1));
        check(&[10, 20, 90], 100, u32::MAX, Some(1));
    }
}
