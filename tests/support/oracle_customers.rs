//! The second implementation, continued: figures of customers and of categories.

use std::collections::{BTreeMap, BTreeSet};

use churn_risk::domain::{Day, Period, State};

use super::oracle::{Life, Oracle};

/// What is summed for the top: cost, or the quantity of a (category, unit).
#[derive(Debug, Clone)]
pub(crate) enum Wanted {
    Cost,
    Quantity { category: String, unit: Option<String> },
}

/// (customer, value, preceding, subscriptions used) of the top, the unit, the total, and the
/// number of customers above 0.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Top {
    pub(crate) unit: Option<String>,
    pub(crate) total: i128,
    pub(crate) customers: usize,
    pub(crate) rows: Vec<(String, i128, i128, usize)>,
}

/// (quantity, cost, customers) by (category, unit).
pub(crate) type Categories = BTreeMap<(String, String), (i128, i128, BTreeSet<String>)>;

/// (new, lost, returned, active, net).
pub(crate) type Flow = (usize, usize, usize, usize, i64);

impl Oracle {
    fn customers(&self) -> BTreeSet<&str> {
        self.lives.iter().map(|life| life.customer.as_str()).collect()
    }

    fn lives_of<'a>(&'a self, customer: &'a str) -> impl Iterator<Item = &'a Life> {
        self.lives.iter().filter(move |life| life.customer == customer)
    }

    /// The top; the units to choose from where the category has several.
    pub(crate) fn top(&self, wanted: &Wanted, period: Period, limit: usize) -> Result<Top, Vec<String>> {
        let unit = match wanted {
            Wanted::Cost => None,
            Wanted::Quantity { category, unit } => {
                let of_category = self.lives.iter().flat_map(|life| &life.rows).filter(|row| row.category == *category);
                let units: BTreeSet<String> = of_category.map(|row| row.unit.clone()).collect();
                match unit {
                    Some(unit) => units.get(unit).cloned(),
                    None if units.len() > 1 => return Err(units.into_iter().collect()),
                    None => units.first().cloned(),
                }
            }
        };
        let counts = |row: &super::oracle::Row| match wanted {
            Wanted::Cost => true,
            Wanted::Quantity { category, .. } => row.category == *category && Some(&row.unit) == unit.as_ref(),
        };
        let amount = |row: &super::oracle::Row| i128::from(if matches!(wanted, Wanted::Cost) { row.cost } else { row.quantity });
        let sum = |customer: &str, days: &[Day]| -> i128 {
            self.lives_of(customer).flat_map(|life| life.rows_on(days)).filter(|row| counts(row)).map(amount).sum()
        };
        let (days, earlier) = (self.days(period), self.days(period.preceding()));
        let used = |life: &&Life| life.rows_on(&days).any(|row| counts(row) && row.quantity > 0);
        let mut rows: Vec<_> = self
            .customers()
            .into_iter()
            .map(|id| (id.to_owned(), sum(id, &days), sum(id, &earlier), self.lives_of(id).filter(used).count()))
            .collect();
        let total = rows.iter().map(|row| row.1).sum();
        rows.retain(|row| row.1 > 0);
        rows.sort_by(|a, b| (-a.1, &a.0).cmp(&(-b.1, &b.0)));
        let customers = rows.len();
        rows.truncate(limit);
        Ok(Top { unit, total, customers, rows })
    }

    pub(crate) fn categories(&self, period: Period) -> Categories {
        let mut found = Categories::new();
        for life in &self.lives {
            for row in life.rows_on(&self.days(period)) {
                let (quantity, cost, customers) = found.entry((row.category.clone(), row.unit.clone())).or_default();
                *quantity += i128::from(row.quantity);
                *cost += i128::from(row.cost);
                if row.quantity > 0 {
                    customers.insert(life.customer.clone());
                }
            }
        }
        found
    }

    pub(crate) fn is_active(&self, customer: &str, on: Day) -> bool {
        self.as_of.is_some() && self.lives_of(customer).any(|life| life.state(on) == State::Active)
    }

    /// The first creation of a customer's subscriptions.
    fn first_created(&self, customer: &str) -> Option<Day> {
        self.lives_of(customer).filter_map(|life| life.created).min()
    }

    pub(crate) fn active_customers(&self, on: Day) -> usize {
        self.customers().into_iter().filter(|id| self.is_active(id, on)).count()
    }

    /// Who came and went between `from` and `to`.
    pub(crate) fn customer_flow(&self, from: Day, to: Day) -> Flow {
        let (mut new, mut lost, mut returned, mut net) = (0, 0, 0, 0);
        for id in self.customers().into_iter().filter(|_| self.as_of.is_some()) {
            let (before, at_end) = (self.is_active(id, from - 1), self.is_active(id, to));
            let first = self.first_created(id);
            new += usize::from(first.is_some_and(|on| from <= on && on <= to));
            lost += usize::from(before && !at_end);
            returned += usize::from(at_end && !before && first.is_some_and(|on| on < from));
            net += i64::from(at_end) - i64::from(before);
        }
        (new, lost, returned, self.active_customers(to), net)
    }
}
