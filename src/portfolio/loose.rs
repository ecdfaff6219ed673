//! Usage rows of one subscription that no portfolio holds, in the form in which one would.

use super::UsageRows;
use crate::domain::{Day, Micros};

/// Rows in any order, then in that of a portfolio. Made once and filled again and again.
#[derive(Debug, Default)]
pub struct LooseUsage {
    first_day: Option<Day>,
    rows: Vec<(Day, u16, Micros, Micros)>,
    day: Vec<u16>,
    series: Vec<u16>,
    quantity: Vec<i64>,
    cost: Vec<i64>,
}

impl LooseUsage {
    /// Forgets every row.
    pub fn clear(&mut self) {
        self.first_day = None;
        self.rows.clear();
    }

    /// Adds a row of the series with this number.
    pub fn push(&mut self, on: Day, series: u16, quantity: Micros, cost: Micros) {
        self.first_day = Some(self.first_day.map_or(on, |first| first.min(on)));
        self.rows.push((on, series, quantity, cost));
    }

    /// The rows, ascending by (day, series). Those more than 65,535 days after the first are
    /// left out: no portfolio holds such.
    pub fn rows(&mut self) -> UsageRows<'_> {
        let first_day = self.first_day.unwrap_or(Day::from_epoch_days(0));
        if !self.rows.is_sorted_by_key(|(on, series, ..)| (*on, *series)) {
            self.rows.sort_by_key(|(on, series, ..)| (*on, *series));
        }
        for column in [&mut self.day, &mut self.series] {
            column.clear();
        }
        for column in [&mut self.quantity, &mut self.cost] {
            column.clear();
        }
        for (on, series, quantity, cost) in &self.rows {
            let Ok(day) = u16::try_from(*on - first_day) else { continue };
            self.day.push(day);
            self.series.push(*series);
            self.quantity.push(quantity.0);
            self.cost.push(cost.0);
        }
        UsageRows { first_day, day: &self.day, series: &self.series, quantity: &self.quantity, cost: &self.cost }
    }
}
