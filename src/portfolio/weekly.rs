//! What each (category, unit) of each customer came to in each of the last 30 weeks: questions
//! about half a year of a whole portfolio would read every other row of it otherwise.
//!
//! It follows from the usage and is stored nowhere, as `index.rs` is.
//!
//! Absent on purpose: which weeks stand out, and weeks that end on any other day.

use super::{CustomerIx, Portfolio, SeriesIx};
use crate::domain::Day;

/// Weeks that are kept, the last of them ending on the as-of day: four that are looked at, and
/// six months before them to hold them against.
pub const WEEKS_KEPT: usize = 30;

const WEEK_DAYS: i32 = 7;

/// Micro-units by week, the oldest week first.
pub type WeekSums = [i64; WEEKS_KEPT];

/// The sums, 240 bytes a (customer, category, unit): a twentieth of what the rows take.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Weekly {
    /// `start[c]..start[c + 1]` are the places of customer c; empty where a sum passes an `i64`.
    start: Vec<u32>,
    /// Ascending in each customer.
    series: Vec<u16>,
    /// Days of the first row on any day.
    first: Vec<u16>,
    sums: Vec<WeekSums>,
}

/// One (category, unit) of one customer.
#[derive(Debug, Clone, Copy)]
pub struct WeeklyLine<'a> {
    pub series: SeriesIx,
    /// The day of its first row, whatever its quantity, also before these weeks.
    pub first_row: Day,
    /// Cost where the portfolio has cost, else quantity.
    pub sums: &'a WeekSums,
}

impl Portfolio {
    /// The (category, unit)s of a customer by week, ascending by series; none where they are not kept.
    pub fn weekly(&self, customer: CustomerIx) -> Option<impl Iterator<Item = WeeklyLine<'_>>> {
        let first_day = self.first_day()?;
        let weekly = &self.index.weekly;
        let bounds = weekly.start.get(customer.at()..=customer.at() + 1)?;
        let places = bounds[0] as usize..bounds[1] as usize;
        let lines = weekly.series[places.clone()].iter().zip(&weekly.first[places.clone()]).zip(&weekly.sums[places]);
        Some(lines.map(move |((series, first), sums)| WeeklyLine {
            series: SeriesIx(*series),
            first_row: first_day + i32::from(*first),
            sums,
        }))
    }

    /// Adds the rows up; nothing where a sum passes an `i64`.
    pub(super) fn sum_weeks(&self) -> Weekly {
        self.try_sum_weeks().unwrap_or_default()
    }

    fn try_sum_weeks(&self) -> Option<Weekly> {
        let (first_day, last_day) = self.days?;
        let begin = last_day + 1 - WEEK_DAYS * i32::try_from(WEEKS_KEPT).unwrap_or(0);
        let mut weekly = Weekly { start: vec![0], ..Weekly::default() };
        // By series, the place of the customer at hand; what other customers left is before `base`.
        let mut place_of = vec![0_usize; self.series.len()];
        for customer in (0..).map(CustomerIx).take(self.customers.len()) {
            let base = weekly.series.len();
            let lines = self.subscriptions_of(customer).iter().flat_map(|ix| self.lines(*ix));
            weekly.series.extend(lines.map(|line| line.series().0));
            weekly.series[base..].sort_unstable();
            let mut kept = base;
            for at in base..weekly.series.len() {
                if at == base || weekly.series[at] != weekly.series[kept - 1] {
                    weekly.series[kept] = weekly.series[at];
                    place_of[usize::from(weekly.series[kept])] = kept;
                    kept += 1;
                }
            }
            weekly.series.truncate(kept);
            weekly.first.resize(kept, u16::MAX);
            weekly.sums.resize(kept, [0; WEEKS_KEPT]);
            for ix in self.subscriptions_of(customer) {
                for line in self.lines(*ix) {
                    let first = &mut weekly.first[place_of[usize::from(line.series().0)]];
                    *first = (*first).min(u16::try_from(line.first_row() - first_day).unwrap_or(u16::MAX));
                }
                for row in self.usage_within(*ix, begin, last_day).iter() {
                    let amount = if self.usage.has_cost { row.cost } else { row.quantity };
                    let week = usize::try_from((row.on - begin) / WEEK_DAYS).unwrap_or(0);
                    let sum = &mut weekly.sums[place_of[usize::from(row.series.0)]][week];
                    *sum = sum.checked_add(amount.0)?;
                }
            }
            weekly.start.push(u32::try_from(kept).ok()?);
        }
        weekly.series.shrink_to_fit();
        weekly.first.shrink_to_fit();
        weekly.sums.shrink_to_fit();
        Some(weekly)
    }
}

impl Weekly {
    /// Bytes on the heap.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.start) + size_of_val(&*self.series) + size_of_val(&*self.first) + size_of_val(&*self.sums)
    }
}
