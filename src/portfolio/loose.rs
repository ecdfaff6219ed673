//! Usage rows of one subscription that no portfolio holds, in the form in which one would.

use super::UsageRows;
use crate::domain::{Day, Micros};

/// Rows in the order of a portfolio. Made once and filled again and again.
#[derive(Debug, Default)]
pub struct LooseUsage {
    first_day: Option<Day>,
    day: Vec<u16>,
    series: Vec<u16>,
    quantity: Vec<i64>,
    cost: Vec<i64>,
}

impl LooseUsage {
    /// Forgets every row.
    pub fn clear(&mut self) {
        self.first_day = None;
        self.day.clear();
        self.series.clear();
        self.quantity.clear();
        self.cost.clear();
    }

    /// Adds a row of the series with this number; rows come ascending by (day, series). One that
    /// is more than 65,535 days after the first is left out: no portfolio holds such.
    pub fn push(&mut self, on: Day, series: u16, quantity: Micros, cost: Micros) {
        let first_day = *self.first_day.get_or_insert(on);
        let Ok(day) = u16::try_from(on - first_day) else { return };
        self.day.push(day);
        self.series.push(series);
        self.quantity.push(quantity.0);
        self.cost.push(cost.0);
    }

    /// The rows.
    pub fn rows(&self) -> UsageRows<'_> {
        let first_day = self.first_day.unwrap_or(Day::from_epoch_days(0));
        UsageRows { first_day, day: &self.day, series: &self.series, quantity: &self.quantity, cost: &self.cost }
    }
}
