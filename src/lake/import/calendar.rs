//! Which days have rows, after an import: gaps, and the last day on which anything was used.

use std::collections::{BTreeSet, HashMap};

use super::ImportError;
use crate::domain::Day;
use crate::lake::LakeError;
use crate::lake::data_file::DataFile;
use crate::lake::engine::RolledMonth;
use crate::lake::schema::month_of;
use crate::lake::usage;

/// The months of a lake: those that an import has rolled up, and the stored files of the others.
#[derive(Debug)]
pub(super) struct Calendar<'a> {
    rolled: HashMap<&'a str, &'a RolledMonth>,
    stored: Vec<&'a DataFile>,
}

impl<'a> Calendar<'a> {
    /// `stored` are the usage files of the version that the import began from.
    pub(super) fn new(rolled: &'a [RolledMonth], stored: &'a [DataFile]) -> Self {
        let rolled: HashMap<&str, &RolledMonth> = rolled.iter().map(|month| (month.month.as_str(), month)).collect();
        let is_kept = |file: &&DataFile| file.month.as_deref().is_some_and(|month| !rolled.contains_key(month));
        let stored = stored.iter().filter(is_kept).collect();
        Self { rolled, stored }
    }

    fn stored_in(&self, month: &str) -> impl Iterator<Item = &'a DataFile> {
        self.stored.iter().copied().filter(move |file| file.month.as_deref() == Some(month))
    }

    /// Days from the first to the last usage day of the import (`days`) on which the lake has no
    /// row.
    pub(super) fn gaps(&self, days: &BTreeSet<Day>) -> Result<Vec<Day>, ImportError> {
        let (Some(first), Some(last)) = (days.first().copied(), days.last().copied()) else { return Ok(Vec::new()) };
        let mut gaps = Vec::new();
        let mut month = first.month_start();
        while month <= last {
            let name = month_of(month);
            let mut mask = self.rolled.get(name.as_str()).map_or(0, |rolled| rolled.days);
            for file in self.stored_in(&name) {
                mask |= days_of(file, month, false)?;
            }
            let next = month.plus_months(1);
            gaps.extend(
                (0..next - month).filter(|day| mask & (1 << day) == 0).map(|day| month + day).filter(|day| first < *day && *day < last),
            );
            month = next;
        }
        Ok(gaps)
    }

    /// The last day of the lake with a quantity above 0. Months are looked through backwards, so
    /// mostly one is read, and none where the import brought the newest.
    pub(super) fn last_used(&self) -> Result<Option<Day>, ImportError> {
        let stored = self.stored.iter().filter_map(|file| file.month.as_deref());
        let months: BTreeSet<&str> = self.rolled.keys().copied().chain(stored).collect();
        for name in months.into_iter().rev() {
            let Ok(month) = Day::parse(&format!("{name}-01")) else { continue };
            let mut mask = self.rolled.get(name).map_or(0, |rolled| rolled.used_days);
            for file in self.stored_in(name) {
                mask |= days_of(file, month, true)?;
            }
            if let Some(last) = mask.checked_ilog2().and_then(|bit| i32::try_from(bit).ok()) {
                return Ok(Some(month + last));
            }
        }
        Ok(None)
    }
}

/// Days of the month on which a stored file has a row, a bit each; with `used`, only rows whose
/// quantity is above 0.
fn days_of(file: &DataFile, month: Day, used: bool) -> Result<u32, LakeError> {
    let mut mask = 0;
    let columns: &[&str] = if used { &["on", "quantity_micros"] } else { &["on"] };
    for batch in file.read(Some(columns))? {
        for day in usage::days(&batch?, used)? {
            mask |= 1_u32.checked_shl(u32::try_from(day - month).unwrap_or(u32::MAX)).unwrap_or(0);
        }
    }
    Ok(mask)
}
