//! The vendor's own risk levels of subscriptions, as every version that is kept told them.
//!
//! A version holds the last level of each subscription; the earlier ones are in earlier versions.
//! Absent on purpose: what the words mean (`training/vendor.rs` says), and any way into a feature.

use std::collections::BTreeMap;

use super::imports::ImportRecord;
use super::kept::named;
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
        let records: Vec<ImportRecord> = self.imports()?.into_iter().filter(|record| wanted(record.import_id)).collect();
        let table = Table::Subscriptions;
        let mut levels = BTreeMap::new();
        // Most imports leave the table as it was: each version of it is listed once.
        for (version, files) in self.listed_at(table, &named(table, &records)) {
            let of_version = |record: &&ImportRecord| record.table_versions.get(table.name()) == Some(&version);
            let Some(record) = records.iter().find(of_version).cloned() else { continue };
            for row in (Snapshot { record, files: BTreeMap::from([(table, files?)]) }).subscriptions()? {
                if let Some((level, on)) = row.vendor_level.zip(row.vendor_level_on) {
                    levels.insert((row.subscription_id, on), level);
                }
            }
        }
        Ok(levels.into_iter().map(|((subscription_id, on), level)| VendorLevel { subscription_id, on, level }).collect())
    }
}
