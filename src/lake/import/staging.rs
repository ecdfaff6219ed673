//! Usage rows on their way to the roll-up: numbers instead of texts, in spill files by month, so that
//! memory does not grow with the input.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::numbers::{Ids, SeriesNumbers};
use super::{ImportError, io_error};
use crate::domain::{Day, Exact, SubscriptionId};
use crate::lake::LakeError;
use crate::lake::durable::create_dirs;
use crate::lake::key::{Parts, SERIES_MAX, pack};
use crate::lake::spill::{Amount, Spill, Spilled};

/// Rows of a month that are written together, 24 or 48 bytes each.
const WRITTEN_ROWS: usize = 8 * 1024;

/// Rows of all months together that wait in memory: at most 24 MiB.
const WAITING_MAX_ROWS: usize = 512 * 1024;

/// The rows of one month.
#[derive(Debug)]
struct MonthStage {
    month: Day,
    /// The first day of the next.
    next: Day,
    /// Rows whose amounts are whole micro-units, as nearly all are in most files.
    micros: Spill<i64>,
    /// The others.
    attos: Spill<i128>,
}

impl MonthStage {
    fn push(&mut self, row: &StagedRow) -> usize {
        let (subscription, series) = (row.subscription, row.series);
        let key = pack(Parts { subscription, day_of_month: row.on - self.month, series });
        let cost = row.cost.map_or(Some(i64::NONE), |cost| cost.whole_micros().map(|micros| micros.0));
        if let (Some(quantity), Some(cost)) = (row.quantity.whole_micros(), cost) {
            return self.micros.push([key, quantity.0, cost]);
        }
        self.attos.push([key.into(), row.quantity.attos(), row.cost.map_or(i128::NONE, Exact::attos)])
    }

    fn write(&mut self) -> Result<usize, LakeError> {
        Ok(self.micros.write()? + self.attos.write()?)
    }
}

/// A usage row as numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StagedRow {
    pub(crate) subscription: u32,
    pub(crate) on: Day,
    pub(crate) series: u32,
    pub(crate) quantity: Exact,
    pub(crate) cost: Option<Exact>,
}

/// Removes what a dead import left in its staging area.
pub(crate) fn clear(dir: &Path) -> Result<(), ImportError> {
    match std::fs::remove_dir_all(dir) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(io_error(dir, source)),
        _ => Ok(()),
    }
}

/// The spill files of an import.
#[derive(Debug)]
pub(crate) struct Staging {
    dir: PathBuf,
    prefix: &'static str,
    /// In order of appearance.
    months: Vec<MonthStage>,
    by_month: BTreeMap<Day, usize>,
    /// The month of the last row: rows come in date order, more or less.
    last: usize,
    waiting: usize,
    pub(crate) ids: Ids,
    pub(crate) series: SeriesNumbers,
}

/// The spill files of a month, ready to be read.
#[derive(Debug, Clone)]
pub(crate) struct StagedMonth {
    /// First day of the month.
    pub(crate) month: Day,
    pub(crate) micros: Spilled<i64>,
    pub(crate) attos: Spilled<i128>,
}

impl Staging {
    /// An empty staging area in `dir`, whose files begin with `prefix`.
    pub(crate) fn create(dir: &Path, prefix: &'static str) -> Result<Self, ImportError> {
        create_dirs(dir).map_err(|source| io_error(dir, source))?;
        let (ids, series) = (Ids::default(), SeriesNumbers::default());
        Ok(Self { dir: dir.to_path_buf(), prefix, months: Vec::new(), by_month: BTreeMap::new(), last: 0, waiting: 0, ids, series })
    }

    fn month_of(&mut self, on: Day) -> usize {
        let is_of = |stage: &MonthStage| stage.month <= on && on < stage.next;
        if self.months.get(self.last).is_some_and(is_of) {
            return self.last;
        }
        let month = on.month_start();
        self.last = *self.by_month.entry(month).or_insert_with(|| {
            let spill = |amounts: &str| self.dir.join(format!("{}-{month}.{amounts}", self.prefix));
            let (micros, attos) = (Spill::new(spill("micros")), Spill::new(spill("attos")));
            self.months.push(MonthStage { month, next: month.plus_months(1), micros, attos });
            self.months.len() - 1
        });
        self.last
    }

    pub(crate) fn push(&mut self, row: &StagedRow) -> Result<(), ImportError> {
        if row.series as usize >= SERIES_MAX {
            return Err(ImportError::TooManySeries(self.series.len()));
        }
        let month = self.month_of(row.on);
        let waiting = self.months[month].push(row);
        self.ids.count_row(row.subscription);
        self.waiting += 1;
        if waiting >= WRITTEN_ROWS {
            self.waiting -= self.months[month].write()?;
        } else if self.waiting >= WAITING_MAX_ROWS {
            for stage in &mut self.months {
                stage.write()?;
            }
            self.waiting = 0;
        }
        Ok(())
    }

    /// Whether no row was staged.
    pub(crate) fn is_empty(&self) -> bool {
        self.months.is_empty()
    }

    /// Usage rows of a subscription.
    pub(crate) fn rows_of(&self, id: &SubscriptionId) -> u64 {
        self.ids.rows_of(id)
    }

    /// Ends the writing; the months ascending.
    pub(crate) fn seal(&mut self) -> Result<Vec<StagedMonth>, ImportError> {
        self.by_month.clear();
        let mut months = std::mem::take(&mut self.months);
        months.sort_unstable_by_key(|stage| stage.month);
        let sealed =
            |MonthStage { month, micros, attos, .. }: MonthStage| Ok(StagedMonth { month, micros: micros.seal()?, attos: attos.seal()? });
        months.into_iter().map(sealed).collect()
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What stays behind is cleared by the next import.
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
