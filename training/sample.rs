//! An evenly spaced sample of all rows with their features as the kernel gives them: what the
//! backtest refits on, and what shows how often each tenth of a feature's values left.

use super::matrix::Matrix;
use super::snapshots::Row;
use crate::features::FEATURE_COUNT;
use crate::model::ValueGroup;

/// Most rows of a sample.
const ROWS_MAX: usize = 65_536;

/// Groups of a feature's values.
const GROUPS: usize = 10;

/// Training rows first, by day and then by subscription; then test rows, by subscription.
#[derive(Debug, Clone, Default)]
pub(super) struct Sample {
    every: usize,
    pub rows: Vec<Row>,
    /// Row after row.
    values: Vec<f64>,
    /// How many of the rows are training rows.
    train: usize,
}

impl Sample {
    /// Of the training rows, out of `all` rows that there will be.
    pub(super) fn of(matrix: &Matrix, rows: &[Row], all: usize) -> Self {
        let every = all.div_ceil(ROWS_MAX).max(1);
        let mut sample = Self { every, ..Self::default() };
        for place in (0..rows.len()).step_by(every) {
            sample.rows.push(rows[place]);
            sample.values.extend(matrix.row(place));
        }
        sample.train = sample.rows.len();
        sample
    }

    /// Takes a test row where its turn has come.
    pub(super) fn offer(&mut self, place: usize, row: Row, values: &[f64]) {
        if place.is_multiple_of(self.every) {
            self.rows.push(row);
            self.values.extend_from_slice(values);
        }
    }

    /// Part of all rows that is in the sample, as one in so many.
    pub(super) const fn every(&self) -> usize {
        self.every
    }

    /// Some rows as a matrix, with the memory for `room` more columns.
    pub(super) fn matrix(&self, places: &[usize], room: usize) -> Matrix {
        let mut matrix = Matrix::with_room(places.len(), FEATURE_COUNT, room);
        for (at, place) in places.iter().enumerate() {
            matrix.set_row(at, self.row(*place));
        }
        matrix
    }

    fn row(&self, place: usize) -> &[f64] {
        &self.values[place * FEATURE_COUNT..(place + 1) * FEATURE_COUNT]
    }

    /// Tenths of the training rows by a feature.
    pub(super) fn by_feature(&self, feature: usize) -> Vec<ValueGroup> {
        self.groups((0..self.train).map(|place| self.row(place)[feature]))
    }

    /// Tenths of the training rows by a value that every training row has, in or out of the sample.
    pub(super) fn by(&self, values: &[f64]) -> Vec<ValueGroup> {
        self.groups(values.iter().step_by(self.every).copied())
    }

    fn groups(&self, values: impl Iterator<Item = f64>) -> Vec<ValueGroup> {
        let mut rows: Vec<(f64, bool)> = values.zip(self.rows.iter().map(|row| row.churned)).collect();
        rows.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut groups: Vec<ValueGroup> = Vec::with_capacity(GROUPS);
        let mut from = 0;
        for group in 1..=GROUPS {
            let wanted = group * rows.len() / GROUPS;
            if wanted <= from {
                continue;
            }
            let to = rows[wanted - 1].0;
            // Equal values share a group.
            let end = from + rows[from..].partition_point(|(value, _)| value.total_cmp(&to).is_le());
            let churners = rows[from..end].iter().filter(|(_, churned)| *churned).count() as u64;
            groups.push(ValueGroup { to, rows: (end - from) as u64, churners });
            from = end;
        }
        groups
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Day;
    use crate::portfolio::{CustomerIx, SubscriptionIx};

    #[test]
    fn equal_values_share_a_group_and_no_row_is_lost() {
        let row = |at: u32| Row {
            subscription: SubscriptionIx(at),
            customer: CustomerIx(at),
            as_of: Day::from_epoch_days(0),
            churned: at.is_multiple_of(4),
        };
        let rows: Vec<Row> = (0..100).map(row).collect();
        let mut matrix = Matrix::zeros(100, FEATURE_COUNT);
        for at in 0..100_u32 {
            // Half of the values are 0, the others 1 to 50.
            let mut values = [0.0; FEATURE_COUNT];
            values[0] = f64::from(at.saturating_sub(49));
            matrix.set_row(at as usize, &values);
        }
        let sample = Sample::of(&matrix, &rows, 100);
        let groups = sample.by_feature(0);
        assert_eq!(groups.iter().map(|group| group.rows).collect::<Vec<_>>(), [50, 10, 10, 10, 10, 10]);
        assert_eq!(groups.iter().map(|group| group.churners).sum::<u64>(), 25);
        assert!(groups.is_sorted_by(|a, b| a.to < b.to));
        assert_eq!(sample.by(&[3.0; 100]).len(), 1);
    }
}
