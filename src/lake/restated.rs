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

/// Lays new rows over the stored ones of a month, both in the order of their keys: a
/// subscription-day that has a new row is replaced whole, every other stored row stays.
pub(super) struct Merge<I: Iterator<Item = Result<KeyedRow, LakeError>>> {
    stored: Peekable<I>,
    /// Bits of a key below its subscription-day.
    series_bits: u32,
    last_new_day: Option<i64>,
    last_replaced_day: Option<i64>,
    replaced: Replaced,
    first_gone: Option<i64>,
}

impl<I: Iterator<Item = Result<KeyedRow, LakeError>>> Merge<I> {
    pub(super) fn new(stored: I, series_bits: u32) -> Self {
        Self {
            stored: stored.peekable(),
            series_bits,
            last_new_day: None,
            last_replaced_day: None,
            replaced: Replaced::default(),
            first_gone: None,
        }
    }

    /// Takes the next new row; the stored rows before it that stay, and it, go to `merged`.
    pub(super) fn new_row(&mut self, row: KeyedRow, merged: &mut Vec<KeyedRow>) -> Result<(), LakeError> {
        let day = row.0 >> self.series_bits;
        self.stored_below(row.0, Some(day), merged)?;
        self.last_new_day = Some(day);
        if let Some(stored) = self.next_below(row.0.saturating_add(1))? {
            self.count(stored.0);
            self.replaced.changed += u64::from(stored != row);
        }
        merged.push(row);
        Ok(())
    }

    /// The stored rows after the last new one.
    pub(super) fn rest(&mut self, merged: &mut Vec<KeyedRow>) -> Result<(), LakeError> {
        self.stored_below(i64::MAX, None, merged)
    }

    /// The counts, and the key of the first row that is gone.
    pub(super) fn counted(self) -> (Replaced, Option<i64>) {
        (self.replaced, self.first_gone)
    }

    /// Stored rows below the next new one, of the subscription-day `day`: those of a day with a new
    /// row are gone, since no new row has their key.
    fn stored_below(&mut self, key: i64, day: Option<i64>, merged: &mut Vec<KeyedRow>) -> Result<(), LakeError> {
        while let Some(stored) = self.next_below(key)? {
            let its_day = Some(stored.0 >> self.series_bits);
            if its_day == day || its_day == self.last_new_day {
                self.count(stored.0);
                self.replaced.gone += 1;
                self.first_gone.get_or_insert(stored.0);
            } else {
                merged.push(stored);
            }
        }
        Ok(())
    }

    fn count(&mut self, key: i64) {
        let day = Some(key >> self.series_bits);
        self.replaced.subscription_days += u64::from(day != self.last_replaced_day);
        self.last_replaced_day = day;
        self.replaced.rows += 1;
    }

    fn next_below(&mut self, key: i64) -> Result<Option<KeyedRow>, LakeError> {
        self.stored.next_if(|row| row.as_ref().map_or(true, |(stored, ..)| *stored < key)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys whose last digit in base 16 is the series. The counts, the first key that is gone, and
    /// what the month then holds.
    fn merge(stored: &[KeyedRow], new: &[KeyedRow]) -> (Replaced, Option<i64>, Vec<KeyedRow>) {
        let mut merge = Merge::new(stored.iter().copied().map(Ok), 4);
        let mut merged = Vec::new();
        let taken = new.iter().try_for_each(|row| merge.new_row(*row, &mut merged)).and_then(|()| merge.rest(&mut merged));
        taken.expect("rows that can be read");
        let (replaced, first_gone) = merge.counted();
        (replaced, first_gone, merged)
    }

    #[test]
    fn what_stays_what_changes_and_what_goes_is_told_apart() {
        let stored = [(0x11, 5, None), (0x21, 5, None), (0x22, 5, Some(1)), (0x23, 5, None), (0x31, 5, None)];
        let new = [(0x20, 9, None), (0x22, 5, Some(2)), (0x23, 5, None), (0x41, 5, None)];
        let holds = vec![(0x11, 5, None), new[0], new[1], new[2], (0x31, 5, None), new[3]];
        let replaced = Replaced { subscription_days: 1, rows: 3, changed: 1, gone: 1 };
        assert_eq!(merge(&stored, &new), (replaced, Some(0x21), holds));
        // A new row of every day takes the rest of the days with it.
        let lone = [(0x10, 1, None), (0x20, 1, None), (0x30, 1, None)];
        assert_eq!(merge(&stored, &lone), (Replaced { subscription_days: 3, rows: 5, changed: 0, gone: 5 }, Some(0x11), lone.to_vec()));
        assert_eq!(merge(&stored, &[]), (Replaced::default(), None, stored.to_vec()));
        assert_eq!(merge(&[], &new), (Replaced::default(), None, new.to_vec()));
    }

    #[test]
    fn a_row_that_cannot_be_read_is_an_error() {
        let unreadable = || Err(LakeError::File { path: "f".into(), reason: "torn".to_owned() });
        let mut merge = Merge::new([Ok((1, 1, None)), unreadable()].into_iter(), 4);
        merge.new_row((1, 1, None), &mut Vec::new()).expect("the first row");
        merge.new_row((9, 1, None), &mut Vec::new()).expect_err("the second row");
    }

    #[test]
    fn a_day_with_a_new_row_is_replaced_whole_and_every_other_stays() {
        let stored = [(0x11, 1, None), (0x21, 2, None), (0x22, 3, None), (0x31, 4, None), (0x41, 5, None), (0x43, 6, None)];
        let new = [(0x22, 9, None), (0x42, 8, Some(1)), (0x51, 7, None)];
        let keys: Vec<(bool, i64)> = merge(&stored, &new).2.iter().map(|row| (new.contains(row), row.0)).collect();
        assert_eq!(keys, [(false, 0x11), (true, 0x22), (false, 0x31), (true, 0x42), (true, 0x51)]);
    }
}
