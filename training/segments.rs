//! The test rows parted by tenure, size and country: where a model is good, and where it is not.

use std::collections::BTreeMap;

use super::snapshots::Row;
use crate::features::History;
use crate::model::{Outcome, Segment, measure};
use crate::portfolio::Portfolio;

/// Days from which on a tenure has its name.
const TENURES: [(i32, &str); 3] = [(0, "under 90 days"), (90, "90 days to a year"), (365, "over a year")];

/// Shares of the rows by size, the smallest first, at which a size begins.
const SIZES: [(f64, &str); 3] = [(0.0, "smaller half"), (0.5, "larger half"), (0.9, "largest tenth")];

/// Most countries that stand by themselves.
const COUNTRIES_MAX: usize = 5;

/// Fewest rows of a segment.
const ROWS_MIN: usize = 50;

/// All segments that have enough rows, and both who left and who did not.
pub(super) fn of(portfolio: &Portfolio, rows: &[Row], size: &[f64], outcomes: &[Outcome], risks: &[f64]) -> Vec<Segment> {
    let by_tenure = rows.iter().map(|row| {
        let days = row.as_of - History::of(portfolio, row.subscription).since(row.as_of);
        TENURES.iter().rposition(|(from, _)| days >= *from).unwrap_or(0)
    });
    let mut sorted = size.to_vec();
    sorted.sort_by(f64::total_cmp);
    let by_size = size.iter().map(|size| {
        let share = sorted.partition_point(|other| other.total_cmp(size).is_lt()) as f64 / sorted.len() as f64;
        SIZES.iter().rposition(|(from, _)| share >= *from).unwrap_or(0)
    });
    let (countries, by_country) = countries(portfolio, rows);
    let mut segments = Vec::new();
    let names = |names: &[(i32, &str)]| names.iter().map(|(_, name)| (*name).to_owned()).collect::<Vec<_>>();
    segments.extend(parts("tenure", &names(&TENURES), &by_tenure.collect::<Vec<_>>(), outcomes, risks));
    let sizes: Vec<String> = SIZES.iter().map(|(_, name)| (*name).to_owned()).collect();
    segments.extend(parts("size", &sizes, &by_size.collect::<Vec<_>>(), outcomes, risks));
    if countries.len() > 1 {
        segments.extend(parts("country", &countries, &by_country, outcomes, risks));
    }
    segments
}

/// The countries with the most rows, all others together, and each row's place among these.
fn countries(portfolio: &Portfolio, rows: &[Row]) -> (Vec<String>, Vec<usize>) {
    let of = |row: &Row| portfolio.customer(portfolio.subscription(row.subscription).customer).country.as_deref().unwrap_or("unknown");
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows {
        *counts.entry(of(row)).or_default() += 1;
    }
    let mut names: Vec<(&str, usize)> = counts.into_iter().collect();
    names.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let more = names.len() > COUNTRIES_MAX;
    names.truncate(COUNTRIES_MAX);
    let place = |row: &Row| names.iter().position(|(name, _)| *name == of(row)).unwrap_or(names.len());
    let places = rows.iter().map(place).collect();
    let mut names: Vec<String> = names.into_iter().map(|(name, _)| name.to_owned()).collect();
    if more {
        names.push("others".to_owned());
    }
    (names, places)
}

fn parts(by: &str, names: &[String], part_of: &[usize], outcomes: &[Outcome], risks: &[f64]) -> Vec<Segment> {
    let part = |(number, name): (usize, &String)| {
        let places: Vec<usize> = (0..part_of.len()).filter(|place| part_of[*place] == number).collect();
        let rows: Vec<Outcome> = places.iter().map(|place| outcomes[*place]).collect();
        let risks: Vec<f64> = places.iter().map(|place| risks[*place]).collect();
        let churners = rows.iter().filter(|row| row.churned).count();
        if rows.len() < ROWS_MIN || churners == 0 || churners == rows.len() {
            return None;
        }
        let measured = measure(&rows, &[&risks]).of(0);
        Some(Segment {
            by: by.to_owned(),
            name: name.clone(),
            rows: rows.len() as u64,
            churners: churners as u64,
            roc_auc: measured.roc_auc,
            pr_auc: measured.pr_auc,
            brier: measured.brier,
            expected_to_actual: measured.expected_to_actual,
        })
    };
    names.iter().enumerate().filter_map(part).collect()
}
