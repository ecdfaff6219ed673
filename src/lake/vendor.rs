//! The vendor's own risk levels of subscriptions, as every version that is kept told them.
//!
//! A version holds the last level of each subscription; the earlier ones are in earlier versions.
//! Absent on purpose: what the words mean (`training/vendor.rs` says), and any way into a feature.

use std::collections::{BTreeMap, BTreeSet};

use super::log::Log;
use super::schema::Table;
use super::tables::{Lake, LakeError, Snapshot};
use crate::domain::{Day, SubscriptionId};

/// A level that the vendor gave a subscription.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct VendorLevel {
    pub subscription_id: SubscriptionId,
    /// The day of the export that had it.
    pub on: Day,
    /// In the vendor's words.
    pub level: String,
}

impl Lake {
    /// The vendor's levels of every version up to `version` (the newest without one) that was not
    /// vacuumed, each subscription and day once, ascending by both. Where two versions tell another
    /// level of the same day, the later one is right.
    ///
    /// # Errors
    /// Where a version cannot be read.
    pub fn vendor_levels(&self, version: Option<u64>) -> Result<Vec<VendorLevel>, LakeError> {
        let oldest = self.oldest_version()?.unwrap_or(0);
        let wanted = |import_id: u64| oldest <= import_id && version.is_none_or(|version| import_id <= version);
        let mut seen = BTreeSet::new();
        let mut levels = BTreeMap::new();
        for record in self.imports()?.into_iter().filter(|record| wanted(record.import_id)) {
            let table = Table::Subscriptions;
            let Some(of_table) = record.table_versions.get(table.name()).copied() else { continue };
            // Most imports leave the table as it was.
            if !seen.insert(of_table) {
                continue;
            }
            let Some((_, files)) = self.runtime().block_on(self.load(table, Some(of_table)))? else {
                return Err(Log::new(table, &self.table_dir(table)).missing());
            };
            for row in (Snapshot { record, files: BTreeMap::from([(table, files)]) }).subscriptions()? {
                if let Some((level, on)) = row.vendor_level.zip(row.vendor_level_on) {
                    levels.insert((row.subscription_id, on), level);
                }
            }
        }
        Ok(levels.into_iter().map(|((subscription_id, on), level)| VendorLevel { subscription_id, on, level }).collect())
    }
}
