//! The files that several versions of the tables name.
//!
//! Opening every version by itself reads the log once for each of them; going forward from the
//! oldest reads it once.

use std::collections::{BTreeMap, BTreeSet};

use deltalake::DeltaTable;

use super::data_file::DataFile;
use super::imports::ImportRecord;
use super::log::{Log, is_absent};
use super::schema::Table;
use super::tables::{Lake, LakeError};

/// The files of a table, at each of some versions of its log.
pub(super) type Listed = BTreeMap<u64, Result<Vec<DataFile>, LakeError>>;

/// The versions of a table's log that imports name.
pub(super) fn named<'a>(table: Table, records: impl IntoIterator<Item = &'a ImportRecord>) -> BTreeSet<u64> {
    records.into_iter().filter_map(|record| record.table_versions.get(table.name()).copied()).collect()
}

impl Lake {
    /// What `read` makes of the files that a table holds at its newest version. Once more where one
    /// of them has gone since they were listed: a commit and a vacuum may come between, and the
    /// files of the newer listing have its rows.
    pub(super) fn read_newest<T>(&self, table: Table, read: impl Fn(&[DataFile]) -> Result<T, LakeError>) -> Result<T, LakeError> {
        match read(&self.newest_files(table)?) {
            Err(LakeError::Io { source, .. }) if is_absent(&source) => read(&self.newest_files(table)?),
            read => read,
        }
    }

    /// The files of a table at each of `versions`, each compared with what was committed. A version
    /// that cannot be listed does not keep the others from it.
    pub(super) fn listed_at(&self, table: Table, versions: &BTreeSet<u64>) -> Listed {
        self.runtime().block_on(async {
            let log = Log::new(table, &self.table_dir(table));
            let (mut listed, mut open) = (Listed::new(), None);
            for version in versions {
                let files = match self.step(table, &log, open.take(), *version).await {
                    Some((delta, files)) => {
                        open = Some(delta);
                        Ok(files)
                    }
                    None => self.listed_alone(table, &log, *version, &mut open).await,
                };
                listed.insert(*version, files);
            }
            listed
        })
    }

    /// The table one version further; none where the way there does not read, or is not sound.
    async fn step(&self, table: Table, log: &Log, open: Option<DeltaTable>, version: u64) -> Option<(DeltaTable, Vec<DataFile>)> {
        let mut delta = open?;
        delta.update_incremental(Some(version)).await.ok()?;
        let files = self.data_files(table, &delta).ok()?;
        (delta.version() == Some(version) && log.check(version, &files).is_ok()).then_some((delta, files))
    }

    async fn listed_alone(&self, table: Table, log: &Log, version: u64, open: &mut Option<DeltaTable>) -> Result<Vec<DataFile>, LakeError> {
        let (delta, files) = self.load(table, Some(version)).await?.ok_or_else(|| log.missing())?;
        *open = Some(delta);
        Ok(files)
    }
}
