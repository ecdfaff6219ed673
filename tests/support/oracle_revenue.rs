//! The second implementation, continued: cohorts and revenue.

use std::collections::BTreeMap;

use churn_risk::domain::{Bucket, Day, Period, State};
use churn_risk::metrics::RawFilter;

use super::oracle::{Life, Oracle};
use super::worlds::World;

/// (size, active, using, cost, last day, partial) by (cohort, k).
pub(crate) type Cohorts = BTreeMap<(Day, u32), (usize, usize, usize, i128, Day, bool)>;

/// Sums in 1 / (start days x end days) micro-units a day, and how many subscriptions they are of.
#[derive(Debug, Clone, Default)]
pub(crate) struct Revenue {
    pub(crate) starting: i128,
    pub(crate) kept: i128,
    pub(crate) churned: (i128, u64),
    pub(crate) contraction: (i128, u64),
    pub(crate) expansion: (i128, u64),
    pub(crate) reactivation: (i128, u64),
    pub(crate) new: (i128, u64),
}

/// Every month from 2022 that begins by `last`, as all of its days.
fn months_until(last: Day) -> Vec<Vec<Day>> {
    let first = Day::from_ymd(2022, 1, 1).expect("a day");
    let mut months: BTreeMap<Day, Vec<Day>> = BTreeMap::new();
    for on in (0..).map(|offset| first + offset).take_while(|on| *on <= last + 62) {
        months.entry(on.month_start()).or_default().push(on);
    }
    months.into_values().filter(|days| days[0] <= last).collect()
}

impl Oracle {
    pub(crate) fn cohorts(&self, period: Period) -> Cohorts {
        let mut found = Cohorts::new();
        let Some(as_of) = self.as_of else { return found };
        let days = self.days(period);
        for life in self.lives.iter().filter(|life| life.created.is_some_and(|on| days.contains(&on))) {
            let cohort = life.created.expect("just asked").month_start();
            let months = months_until(as_of).into_iter().filter(|month| month[0] >= cohort);
            for (k, month) in (0..).zip(months) {
                let end = month[month.len() - 1];
                let read_on = end.min(as_of);
                let row = found.entry((cohort, k)).or_insert((0, 0, 0, 0, read_on, end > as_of));
                row.0 += 1;
                row.1 += usize::from(life.state(read_on) == State::Active);
                row.2 += usize::from(life.used_on_any(&month));
                row.3 += life.cost(&month);
            }
        }
        found
    }

    /// The months of S and of E, with their known days.
    pub(crate) fn revenue_months(&self, period: Period) -> Option<[(Vec<Day>, usize); 2]> {
        let last = self.as_of?.min(period.to());
        let full = |until: Day| months_until(until).into_iter().filter(move |month| month[month.len() - 1] <= until);
        let end = full(last).next_back()?;
        let start = full(period.from() - 1).rfind(|month| month[0] < end[0])?;
        Some([start, end].map(|month| {
            let known = month.iter().filter(|on| self.known_days.contains(on) && Some(**on) <= self.as_of).count();
            (month, known)
        }))
    }

    pub(crate) fn revenue(&self, period: Period) -> Option<Revenue> {
        let [(start, start_days), (end, end_days)] = self.revenue_months(period)?;
        if !self.has_cost || self.first_day? > start[0] || start_days == 0 || end_days == 0 {
            return None;
        }
        let mut sums = Revenue::default();
        let paid = |life: &Life, month: &[Day]| life.cost(month).max(0);
        for life in &self.lives {
            // Both over the same denominator.
            let s = paid(life, &start) * end_days as i128;
            let e = paid(life, &end) * start_days as i128;
            let before = months_until(start[0] - 1).iter().any(|month| life.cost(month) > 0);
            sums.starting += s;
            sums.kept += if s > 0 { e } else { 0 };
            let add = |to: &mut (i128, u64), amount: i128| *to = (to.0 + amount, to.1 + u64::from(amount > 0));
            add(&mut sums.churned, if e == 0 { s } else { 0 });
            add(&mut sums.contraction, if 0 < e && e < s { s - e } else { 0 });
            add(&mut sums.expansion, if s > 0 && e > s { e - s } else { 0 });
            add(&mut sums.reactivation, if s == 0 && before { e } else { 0 });
            add(&mut sums.new, if s == 0 && !before { e } else { 0 });
        }
        Some(sums)
    }

    /// Whether the month of a bucket is cut by the period or the as-of day.
    pub(crate) fn month_is_cut(&self, period: Period, month: Day) -> bool {
        let days = self.days(period);
        let of_month: Vec<_> = days.iter().filter(|on| on.month_start() == month).collect();
        of_month.first().is_none_or(|first| **first != month) || of_month.last().is_none_or(|last| **last + 1 != Bucket::Month.next(month))
    }
}

/// Revenue where months are told by the month too: what a source tells of a month that has no day
/// is taken for rows of its first day, and a row of nothing and nobody makes each of its days
/// known. All else is the oracle above.
#[derive(Debug)]
pub(crate) struct ByMonths {
    oracle: Oracle,
    /// Whether any daily row has a cost.
    days_have_cost: bool,
    /// Whether any row has, of each month that is told by the month.
    months: BTreeMap<Day, bool>,
}

impl ByMonths {
    pub(crate) fn new(world: &World, filter: &RawFilter) -> Self {
        let plain = Oracle::new(world, &RawFilter::default());
        let mut spread = world.clone();
        let mut months = BTreeMap::new();
        for ((id, month, category, unit), amounts) in &world.monthly {
            let days: Vec<Day> = (0..31).map(|offset| *month + offset).filter(|on| on.month_start() == *month).collect();
            let is_over = plain.as_of.is_some_and(|as_of| days[days.len() - 1] <= as_of);
            if !is_over || days.iter().any(|on| plain.known_days.contains(on)) {
                continue;
            }
            let blank = |on: &Day| (("nobody".to_owned(), *on, String::new(), String::new()), (0, None));
            spread.usage.extend(days.iter().map(blank));
            spread.usage.insert((id.clone(), *month, category.clone(), unit.clone()), *amounts);
            *months.entry(*month).or_insert(false) |= amounts.1.is_some();
        }
        Self { oracle: Oracle::new(&spread, filter), days_have_cost: plain.has_cost, months }
    }

    pub(crate) fn revenue_months(&self, period: Period) -> Option<[(Vec<Day>, usize); 2]> {
        self.oracle.revenue_months(period)
    }

    pub(crate) fn revenue(&self, period: Period) -> Option<Revenue> {
        let months = self.oracle.revenue_months(period)?;
        let has_cost = |month: &Vec<Day>| self.months.get(&month[0]).copied().unwrap_or(self.days_have_cost);
        self.oracle.revenue(period).filter(|_| months.iter().all(|(month, _)| has_cost(month)))
    }

    /// The months of S and of E, where each is told by the month.
    pub(crate) fn by_month(&self, period: Period) -> Option<[bool; 2]> {
        Some(self.revenue_months(period)?.map(|(month, _)| self.months.contains_key(&month[0])))
    }
}
