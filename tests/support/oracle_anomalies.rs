//! The second implementation, continued: what stands out. Medians by sorting, everything else
//! as the docstring of `anomalies` says it.

use std::collections::BTreeMap;

use churn_risk::domain::{Day, Period};

use super::oracle::Oracle;

/// What is told of a (customer, category, unit) that stands out.
#[derive(Debug, Clone)]
pub(crate) struct Odd {
    pub(crate) customer: String,
    pub(crate) category: String,
    pub(crate) unit: Option<String>,
    pub(crate) expected: f64,
    pub(crate) observed: f64,
    pub(crate) typical: f64,
    pub(crate) score: f64,
    pub(crate) weeks_used: usize,
    pub(crate) first_week: Day,
}

/// (customer, category, unit)
type Topic = (String, String, Option<String>);

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    if values.len() % 2 == 1 { values[half] } else { f64::midpoint(values[half - 1], values[half]) }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// (expected, observed, score) of the recent weeks, beside the line through those before.
pub(crate) fn judge(before: &[(f64, f64)], recent: &[(f64, f64)]) -> (f64, f64, f64) {
    let root = |amount: f64| if amount < 0.0 { -(-amount).sqrt() } else { amount.sqrt() };
    let points: Vec<(f64, f64)> = before.iter().map(|(week, amount)| (*week, root(*amount))).collect();
    let mut slopes = Vec::new();
    for (x, y) in &points {
        for (later, other) in points.iter().filter(|(later, _)| later > x) {
            slopes.push((other - y) / (later - x));
        }
    }
    let slope = median(slopes);
    let height = median(points.iter().map(|(x, y)| y - slope * x).collect());
    let deviations: Vec<f64> = points.iter().map(|(x, y)| (y - slope * x - height).abs()).collect();
    let typical = median(points.iter().map(|(_, y)| *y).collect());
    let mut noise = 1.4826 * median(deviations.clone());
    if typical <= 0.0 && median(deviations.clone()) <= 0.0 {
        noise = deviations.into_iter().fold(0.0, f64::max);
    }
    noise = noise.max(0.05 * typical).max(0.5);
    let line = |x: f64| (height + slope * x).max(0.0);
    let xs: Vec<f64> = points.iter().map(|(x, _)| *x).collect();
    let centre = mean(&xs);
    let spread: f64 = xs.iter().map(|x| (x - centre).powi(2)).sum();
    let at = mean(&recent.iter().map(|(x, _)| *x).collect::<Vec<_>>());
    let error = noise * (1.0 / recent.len() as f64 + 1.0 / xs.len() as f64 + (at - centre).powi(2) / spread).sqrt();
    let difference = mean(&recent.iter().map(|(x, y)| root(*y) - line(*x)).collect::<Vec<_>>());
    let expected = mean(&recent.iter().map(|(x, _)| line(*x).powi(2)).collect::<Vec<_>>());
    (expected, mean(&recent.iter().map(|(_, y)| *y).collect::<Vec<_>>()), difference / error)
}

impl Oracle {
    /// Every (customer, category) that stands out, by customer, category and unit.
    pub(crate) fn anomalies(&self, period: Period) -> Vec<Odd> {
        let Some(as_of) = self.as_of else { return Vec::new() };
        let end = as_of.min(period.to());
        let mut topics: BTreeMap<Topic, Vec<(Day, i64)>> = BTreeMap::new();
        for life in &self.lives {
            for row in &life.rows {
                let unit = (!self.has_cost).then(|| row.unit.clone());
                let amount = if self.has_cost { row.cost } else { row.quantity };
                topics.entry((life.customer.clone(), row.category.clone(), unit)).or_default().push((row.on, amount));
            }
        }
        topics.into_iter().filter_map(|((customer, category, unit), rows)| self.look(&rows, end, (customer, category, unit))).collect()
    }

    fn look(&self, rows: &[(Day, i64)], end: Day, (customer, category, unit): Topic) -> Option<Odd> {
        let first_row = rows.iter().map(|(on, _)| *on).min()?;
        let (mut before, mut recent, mut first_week) = (Vec::new(), Vec::new(), None);
        for week in 0..30_i32 {
            let from = end + 1 - 7 * (30 - week);
            let known = (0..7).filter(|day| self.known_days.contains(&(from + *day))).count();
            if known < 4 {
                continue;
            }
            let sum: i128 = rows.iter().filter(|(on, _)| from <= *on && *on < from + 7).map(|(_, amount)| i128::from(*amount)).sum();
            let point = (f64::from(week), sum as f64 / 1e6 * 7.0 / known as f64);
            if week >= 26 {
                recent.push(point);
            } else if from >= first_row {
                before.push(point);
                first_week = first_week.or(Some(from));
            }
        }
        if before.len() < 16 || recent.len() < 3 {
            return None;
        }
        let mut late: Vec<f64> = before[before.len() - 13..].iter().map(|(_, amount)| *amount).collect();
        late.sort_by(f64::total_cmp);
        let (expected, observed, score) = judge(&before, &recent);
        let is_trifle = 4.0 * observed < 20.0 && 4.0 * median(before.iter().map(|(_, amount)| *amount).collect()) < 20.0;
        if is_trifle || (late[3] <= observed && observed <= late[9]) {
            return None;
        }
        let (expected, observed) = (4.0 * expected, 4.0 * observed);
        let change = (observed - expected).abs();
        let typical = median(before.iter().map(|(_, amount)| *amount).collect());
        let odd = Odd { customer, category, unit, expected, observed, typical, score, weeks_used: before.len(), first_week: first_week? };
        (score.abs() >= 5.0 && change >= 0.3 * expected && change >= 20.0).then_some(odd)
    }
}
