//! Volume: what makes quantities of different categories and units one number.
//!
//! Cost where the portfolio has it; otherwise quantity over the median active-day quantity of
//! its (category, unit), so that one usual day of any category counts as 1 (MODEL.md).

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::domain::Day;
use crate::portfolio::{Portfolio, Series};

/// Why a scale cannot be used.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ScaleError {
    #[error("the median quantity of category `{category}` in `{unit}` is {median}, not above 0")]
    Median { category: String, unit: String, median: f64 },
}

/// The scale of one (category, unit).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeriesScale {
    pub category: String,
    pub unit: String,
    /// Median quantity, in units, over the (subscription, day)s on which it was above 0.
    pub median: f64,
}

/// How usage rows become volume. It is fitted on training days alone and stored with the model.
#[derive(Debug, Clone, PartialEq)]
pub enum VolumeScale {
    /// Volume is cost, in units of the reporting currency.
    Cost,
    /// Volume is quantity over its series' median. A series that the scale does not know (first
    /// seen after training) counts 1 for each of its usage days, as a usual day of a known one does.
    Quantity(Vec<SeriesScale>),
}

impl VolumeScale {
    /// The scale as the rows up to and including `until` give it.
    #[must_use]
    pub fn fit(portfolio: &Portfolio, until: Day) -> Self {
        if portfolio.has_cost() {
            return Self::Cost;
        }
        let mut quantities: Vec<Vec<i64>> = vec![Vec::new(); portfolio.series().len()];
        for subscription in portfolio.subscription_indices() {
            for row in portfolio.usage(subscription).iter().take_while(|row| row.on <= until).filter(|row| row.quantity.0 > 0) {
                quantities[usize::from(row.series.0)].push(row.quantity.0);
            }
        }
        let scales = portfolio.series().iter().zip(&mut quantities).filter_map(|(series, quantities)| {
            let median = median_micros(quantities)?;
            Some(SeriesScale { category: series.category.clone(), unit: series.unit.clone(), median })
        });
        Self::Quantity(scales.collect())
    }

    /// Checks what was read from a file: every median finite and above 0.
    ///
    /// # Errors
    /// Names the first series for which that fails.
    pub fn check(&self) -> Result<(), ScaleError> {
        let Self::Quantity(scales) = self else { return Ok(()) };
        match scales.iter().find(|scale| !(scale.median.is_finite() && scale.median > 0.0)) {
            None => Ok(()),
            Some(scale) => Err(ScaleError::Median { category: scale.category.clone(), unit: scale.unit.clone(), median: scale.median }),
        }
    }

    /// For each series of a portfolio, what a micro-unit of it adds to volume; none where the
    /// scale does not know the series.
    pub(super) fn weights(&self, series: &[Series]) -> Vec<Option<f64>> {
        let Self::Quantity(scales) = self else { return vec![None; series.len()] };
        series
            .iter()
            .map(|series| {
                let known = scales.iter().find(|scale| scale.category == series.category && scale.unit == series.unit)?;
                Some(1e-6 / known.median)
            })
            .collect()
    }
}

/// The median of micro-units, in units; of an even number the mean of the middle two. None of none.
fn median_micros(quantities: &mut [i64]) -> Option<f64> {
    let middle = quantities.len() / 2;
    if quantities.is_empty() {
        return None;
    }
    let even = quantities.len().is_multiple_of(2);
    let (below, upper, _) = quantities.select_nth_unstable(middle);
    let upper = *upper as f64;
    let lower = if even { below.iter().max().map_or(upper, |lower| *lower as f64) } else { upper };
    Some(f64::midpoint(lower, upper) / 1e6)
}
