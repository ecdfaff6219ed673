//! Where a service's tables come from.

use super::version::Tables;
use crate::domain::Day;
use crate::lake::{Lake, LakeAt};
use crate::portfolio::{self, LoadError};

/// A lake, and how its tables are read.
#[derive(Debug, Clone)]
pub struct TableSource {
    pub lake: LakeAt,
    /// Days that the as-of day stands back from the last usage day.
    pub settle_days: u32,
    /// The version that is served whatever comes in; none for the newest.
    pub as_of_version: Option<u64>,
    /// The operator's clock: the day on which feedback is given.
    pub today: fn() -> Day,
}

impl TableSource {
    /// The tables: the newest, empty ones of version 0 where nothing was imported yet, or those of
    /// the version that is pinned.
    ///
    /// # Errors
    /// Where they cannot be read, or do not fit a portfolio.
    pub(super) fn load(&self) -> Result<Tables, LoadError> {
        let lake = self.open()?;
        let portfolio = portfolio::load_from(&lake, self.settle_days, self.as_of_version)?;
        let mut imports = lake.imports()?;
        imports.retain(|record| record.import_id <= portfolio.version());
        let imported_at = lake.imported_at(portfolio.version())?;
        Ok(Tables { portfolio, imports, imported_at })
    }

    /// The lake, opened. It is to be given up where blocking is allowed.
    ///
    /// # Errors
    /// Where the engine's threads cannot be started.
    pub(super) fn open(&self) -> Result<Lake, LoadError> {
        Ok(self.lake.open()?)
    }

    /// The newest tables, where they are of a later version and none is pinned. A lake that stays open remembers
    /// what it saw, so that looking again costs a few system calls.
    ///
    /// # Errors
    /// As [`TableSource::load`].
    pub(super) fn newer_than(&self, lake: &Lake, version: u64) -> Result<Option<Tables>, LoadError> {
        if self.as_of_version.is_some() {
            return Ok(None);
        }
        let newest = lake.newest_version()?;
        if newest.is_some_and(|newest| newest > version) { self.load().map(Some) } else { Ok(None) }
    }
}
