//! Rows of the small tables as the files gave them, by key.
//!
//! A column that a file does not have says nothing, and what is known of it stays; an empty cell
//! says that there is no value. So a list of ids and names takes nobody's country away.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::form::ColumnMap;
use crate::domain::{CommitmentRow, CustomerRow, SubscriptionRow};

/// Columns that a file does not have, a bit each, by their number in the forms of `generic`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lacking(u16);

impl Lacking {
    /// The columns of the form that a file does not have.
    pub(super) fn absent(columns: &ColumnMap) -> Self {
        Self(columns.absent().fold(0, |bits, column| bits | 1_u16.checked_shl(u32::try_from(column).unwrap_or(u32::MAX)).unwrap_or(0)))
    }

    /// No column but the customer of a commitment.
    pub(super) const CUSTOMER_OF_COMMITMENT: Self = Self(1 << 4);

    fn keep<T: Clone>(self, column: u32, value: &mut T, known: &T) {
        if self.0 & (1 << column) != 0 {
            value.clone_from(known);
        }
    }
}

/// A row of which a file may have had some columns alone.
pub(super) trait Narrow: Clone + PartialEq {
    /// Takes the values of absent columns from an earlier row of the same key.
    fn keep(&mut self, known: &Self, lacking: Lacking);
}

impl Narrow for CustomerRow {
    fn keep(&mut self, known: &Self, lacking: Lacking) {
        lacking.keep(1, &mut self.name, &known.name);
        lacking.keep(2, &mut self.country, &known.country);
        lacking.keep(3, &mut self.segment, &known.segment);
        lacking.keep(4, &mut self.reseller_id, &known.reseller_id);
        lacking.keep(5, &mut self.reseller_name, &known.reseller_name);
    }
}

impl Narrow for SubscriptionRow {
    fn keep(&mut self, known: &Self, lacking: Lacking) {
        lacking.keep(2, &mut self.name, &known.name);
        lacking.keep(3, &mut self.product, &known.product);
        lacking.keep(4, &mut self.created_on, &known.created_on);
        lacking.keep(5, &mut self.auto_renew, &known.auto_renew);
        lacking.keep(6, &mut self.term_end_on, &known.term_end_on);
        lacking.keep(7, &mut self.is_trial, &known.is_trial);
        lacking.keep(8, &mut self.status, &known.status);
        lacking.keep(9, &mut self.status_on, &known.status_on);
    }
}

impl Narrow for CommitmentRow {
    fn keep(&mut self, known: &Self, lacking: Lacking) {
        lacking.keep(3, &mut self.subscription_id, &known.subscription_id);
        lacking.keep(4, &mut self.customer_id, &known.customer_id);
        lacking.keep(5, &mut self.product, &known.product);
        lacking.keep(6, &mut self.quantity, &known.quantity);
    }
}

/// A row, the file that gave it last, and the columns that no file of it had.
#[derive(Debug)]
pub(super) struct Taken<R> {
    row: R,
    file: usize,
    lacking: Lacking,
}

/// An earlier row of the same file has the same key and other values.
#[derive(Debug)]
pub(super) struct Conflict;

/// Rows by key.
#[derive(Debug)]
pub(super) struct TakenRows<K, R>(BTreeMap<K, Taken<R>>);

impl<K, R> Default for TakenRows<K, R> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord, R: Narrow> TakenRows<K, R> {
    pub(super) fn get(&self, key: &K) -> Option<&R> {
        self.0.get(key).map(|taken| &taken.row)
    }

    /// Takes a row of file number `file`. It replaces an earlier file's; within one file a key
    /// may have but one row, however often it is told.
    pub(super) fn take(&mut self, key: K, mut row: R, file: usize, lacking: Lacking) -> Result<(), Conflict> {
        match self.0.entry(key) {
            Entry::Vacant(place) => {
                place.insert(Taken { row, file, lacking });
            }
            Entry::Occupied(mut place) => {
                let known = place.get_mut();
                row.keep(&known.row, lacking);
                if known.file == file && known.row != row {
                    return Err(Conflict);
                }
                *known = Taken { row, file, lacking: Lacking(lacking.0 & known.lacking.0) };
            }
        }
        Ok(())
    }

    /// Puts every row into `stored`; `replaces` sees each that takes an earlier one's place.
    pub(super) fn merge_into(self, stored: &mut BTreeMap<K, R>, mut replaces: impl FnMut(&R, &R)) {
        for (key, Taken { mut row, lacking, .. }) in self.0 {
            match stored.entry(key) {
                Entry::Vacant(place) => {
                    place.insert(row);
                }
                Entry::Occupied(mut place) => {
                    row.keep(place.get(), lacking);
                    replaces(place.get(), &row);
                    place.insert(row);
                }
            }
        }
    }
}
