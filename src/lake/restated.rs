//! What a newer file takes the place of: a month's stored rows beside the rows that came of it.
//!
//! A newer file replaces a subscription-day whole (FORMATS.md), so a (category, unit) that it no
//! longer names goes, and with it an amount. That is right, and must not happen in silence.

use std::iter::Peekable;

use super::tables::LakeError;

/// A stored or rolled-up row: its key (`engine.rs`), quantity and cost in micro-units.
pub(super) type KeyedRow = (i64, i64, Option<i64>);

/// Counts of what was replaced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Replaced {
    pub(crate) subscription_days: u64,
    /// Stored rows of these days.
    pub(crate) rows: u64,
    /// Of those, rows that came again with another quantity or cost.
    pub(crate) changed: u64,
    /// Of those, rows whose category and unit the newer file does not name on that day.
    pub(crate) gone: u64,
}

impl std::ops::AddAssign for Replaced {
    fn add_assign(&mut self, other: Self) {
        self.subscription_days += other.subscription_days;
        self.rows += other.rows;
        self.changed += other.changed;
        self.gone += other.gone;
    }
}

/// Lays new rows over stored ones, both in the order of their keys: a subscription-day that has a
/// new row is replaced whole, every other stored row stays.
pub(super) struct Merge<I: Iterator<Item = Result<KeyedRow, LakeError>>> {
    stored: Peekable<I>,
    series_bits: u32,
    last_new_day: Option<i64>,
}

impl<I: Iterator<Item = Result<KeyedRow, LakeError>>> Merge<I> {
    pub(super) fn new(stored: I, series_bits: u32) -> Self {
        Self { stored: stored.peekable(), series_bits, last_new_day: None }
    }

    /// Takes the next new row; it and the stored rows before it that stay go to `merged`, each with
    /// whether it is new.
    pub(super) fn new_row(&mut self, row: KeyedRow, merged: &mut Vec<(bool, KeyedRow)>) -> Result<(), LakeError> {
        let day = row.0 >> self.series_bits;
        // Stored rows of the new row's own day go, those before it and those after it.
        while let Some(stored) = self.next_to((day + 1) << self.series_bits)? {
            let its_day = stored.0 >> self.series_bits;
            if its_day != day && Some(its_day) != self.last_new_day {
                merged.push((false, stored));
            }
        }
        self.last_new_day = Some(day);
        merged.push((true, row));
        Ok(())
    }

    /// The stored rows after the last new one.
    pub(super) fn rest(&mut self, merged: &mut Vec<(bool, KeyedRow)>) -> Result<(), LakeError> {
        while let Some(stored) = self.next_to(i64::MAX)? {
            if Some(stored.0 >> self.series_bits) != self.last_new_day {
                merged.push((false, stored));
            }
        }
        Ok(())
    }

    fn next_to(&mut self, key: i64) -> Result<Option<KeyedRow>, LakeError> {
        self.stored.next_if(|row| row.as_ref().map_or(true, |(stored, ..)| *stored < key)).transpose()
    }
}

/// Walks the stored rows of a month beside its new ones, both in the order of their keys.
pub(super) struct Walk<I: Iterator<Item = Result<KeyedRow, LakeError>>> {
    stored: Peekable<I>,
    /// Bits of a key below its subscription-day.
    series_bits: u32,
    last_day: Option<i64>,
    replaced: Replaced,
    first_gone: Option<i64>,
}

impl<I: Iterator<Item = Result<KeyedRow, LakeError>>> Walk<I> {
    pub(super) fn new(stored: I, series_bits: u32) -> Self {
        Self { stored: stored.peekable(), series_bits, last_day: None, replaced: Replaced::default(), first_gone: None }
    }

    /// Takes the next new row: one of the import, or a stored one that stays.
    pub(super) fn row(&mut self, of_import: bool, row: KeyedRow) -> Result<(), LakeError> {
        self.gone_below(row.0)?;
        if let Some(stored) = self.next_below(row.0.saturating_add(1))?
            && of_import
        {
            self.count(stored.0);
            self.replaced.changed += u64::from(stored != row);
        }
        Ok(())
    }

    /// The counts, and the key of the first row that is gone.
    pub(super) fn finish(mut self) -> Result<(Replaced, Option<i64>), LakeError> {
        self.gone_below(i64::MAX)?;
        Ok((self.replaced, self.first_gone))
    }

    /// Stored rows below the next new one have no row in their place.
    fn gone_below(&mut self, key: i64) -> Result<(), LakeError> {
        while let Some((gone, ..)) = self.next_below(key)? {
            self.count(gone);
            self.replaced.gone += 1;
            self.first_gone.get_or_insert(gone);
        }
        Ok(())
    }

    fn count(&mut self, key: i64) {
        let day = Some(key >> self.series_bits);
        self.replaced.subscription_days += u64::from(day != self.last_day);
        self.last_day = day;
        self.replaced.rows += 1;
    }

    fn next_below(&mut self, key: i64) -> Result<Option<KeyedRow>, LakeError> {
        self.stored.next_if(|row| row.as_ref().map_or(true, |(stored, ..)| *stored < key)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys whose last digit in base 16 is the series.
    fn walk(stored: &[KeyedRow], new: &[(bool, KeyedRow)]) -> (Replaced, Option<i64>) {
        let mut walk = Walk::new(stored.iter().copied().map(Ok), 4);
        for (of_import, row) in new {
            walk.row(*of_import, *row).expect("rows that can be read");
        }
        walk.finish().expect("rows that can be read")
    }

    #[test]
    fn what_stays_what_changes_and_what_goes_is_told_apart() {
        let stored = [(0x11, 5, None), (0x21, 5, None), (0x22, 5, Some(1)), (0x23, 5, None), (0x31, 5, None)];
        let new = [
            (false, (0x11, 5, None)),
            (true, (0x20, 9, None)),
            (true, (0x22, 5, Some(2))),
            (true, (0x23, 5, None)),
            (false, (0x31, 5, None)),
            (true, (0x41, 5, None)),
        ];
        let replaced = Replaced { subscription_days: 1, rows: 3, changed: 1, gone: 1 };
        assert_eq!(walk(&stored, &new), (replaced, Some(0x21)));
        assert_eq!(walk(&stored, &new[..1]).0.gone, 4);
        assert_eq!(walk(&[], &new), (Replaced::default(), None));
    }

    #[test]
    fn a_row_that_cannot_be_read_is_an_error() {
        let unreadable = || Err(LakeError::File { path: "f".into(), reason: "torn".to_owned() });
        let mut walk = Walk::new([Ok((1, 1, None)), unreadable()].into_iter(), 4);
        walk.row(true, (1, 1, None)).expect("the first row");
        walk.row(true, (9, 1, None)).expect_err("the second row");
    }

    #[test]
    fn a_day_with_a_new_row_is_replaced_whole_and_every_other_stays() {
        let stored = [(0x11, 1, None), (0x21, 2, None), (0x22, 3, None), (0x31, 4, None), (0x41, 5, None), (0x43, 6, None)];
        let new = [(0x22, 9, None), (0x42, 8, Some(1)), (0x51, 7, None)];
        let mut merge = Merge::new(stored.iter().copied().map(Ok), 4);
        let mut merged = Vec::new();
        new.iter()
            .try_for_each(|row| merge.new_row(*row, &mut merged))
            .and_then(|()| merge.rest(&mut merged))
            .expect("rows that can be read");
        let keys: Vec<(bool, i64)> = merged.iter().map(|(is_new, row)| (*is_new, row.0)).collect();
        assert_eq!(keys, [(false, 0x11), (true, 0x22), (false, 0x31), (true, 0x42), (true, 0x51)]);
    }
}
