//! A subscription as a request to score it brings it along: read, checked, and made into the
//! history that the kernel reads.

use std::borrow::Cow;

use serde::Deserialize;
use utoipa::ToSchema;

use super::super::problem::Fault;
use crate::domain::{Day, Event, EventKind, Micros, SubscriptionId, Timeline};
use crate::features::{FeedDays, History, Kernel, VolumeScale};
use crate::model::{Case, Factor, LoadedModel, Standing};
use crate::portfolio::{LooseUsage, Series};

/// Longest series, in days: ten years.
const DAYS_MAX: usize = 3_660;

/// Most series of one subscription. Azure has some hundred meter categories.
const SERIES_MAX: usize = 1_000;

/// Largest amount, in units: that of an import.
const AMOUNT_MAX: f64 = 9e12;

/// A subscription to score.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = PostedSubscription)]
#[serde(deny_unknown_fields)]
pub(super) struct Posted<'a> {
    /// Comes back with the score.
    #[serde(borrow)]
    #[schema(value_type = String, min_length = 1, max_length = 256, pattern = r"^[!-~]+$", examples("7e3c1f0a-52d4-4a53-9a3e-1f0f6a3b0c55"))]
    pub(super) id: Cow<'a, str>,
    /// Its creation; its first usage day where nothing is said.
    #[serde(default)]
    created_on: Option<Day>,
    /// Days on which its term was renewed.
    #[serde(default)]
    #[schema(max_items = 1000)]
    renewed_on: Vec<Day>,
    /// What it used, by category and unit.
    #[serde(borrow)]
    #[schema(max_items = 1000)]
    series: Vec<PostedSeries<'a>>,
}

/// The daily use of one category in one unit.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PostedSeries<'a> {
    #[serde(borrow)]
    #[schema(value_type = String, min_length = 1, max_length = 256, pattern = r"^[!-~]+$", examples("Virtual Machines"))]
    category: Cow<'a, str>,
    #[serde(borrow)]
    #[schema(value_type = String, min_length = 1, max_length = 256, pattern = r"^[!-~]+$", examples("1 Hour"))]
    unit: Cow<'a, str>,
    /// The day of the first value; one value a day from there on.
    from: Day,
    /// Quantities a day; null for a day without a row.
    #[schema(max_items = 3660, examples(json!([24.0, 24.0, 12.5])))]
    quantity: Vec<Option<f64>>,
    /// What each day cost; needed where the model in service reads cost.
    #[serde(default)]
    #[schema(max_items = 3660, examples(json!([2.3, 2.3, 1.2])))]
    cost: Option<Vec<Option<f64>>>,
}

/// Where posted subscriptions are made into histories, one after another.
#[derive(Debug)]
pub(super) struct Bench<'m> {
    loaded: &'m LoadedModel,
    as_of: Day,
    usage: LooseUsage,
}

impl<'m> Bench<'m> {
    pub(super) fn new(loaded: &'m LoadedModel, as_of: Day) -> Self {
        Self { loaded, as_of, usage: LooseUsage::default() }
    }

    /// The standing of a subscription and its strongest factors.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(super) fn judge(&mut self, posted: &Posted<'_>, factors: usize) -> Result<(Standing, Vec<Factor>), Vec<Fault>> {
        let mut faults = Vec::new();
        if let Err(error) = SubscriptionId::parse(&posted.id) {
            faults.push(Fault::parameter("id", error.to_string()));
        }
        if let Some(created) = posted.created_on.filter(|created| *created > self.as_of) {
            faults.push(Fault::parameter("created_on", format!("{created} lies after the day to stand on, {}", self.as_of)));
        }
        let series = names(posted, &mut faults);
        let has_cost = self.fill(posted, &series, &mut faults);
        if !faults.is_empty() {
            return Err(faults);
        }
        let model = &self.loaded.model;
        if *model.volume_scale() == VolumeScale::Cost && !has_cost && !posted.series.is_empty() {
            return Err(vec![Fault::parameter("series", "has no cost, which the model in service reads")]);
        }
        let usage = self.usage.rows();
        let first = usage.first_used();
        let since = posted.created_on.into_iter().chain(first).min().unwrap_or(self.as_of).min(self.as_of);
        let renewed = posted.renewed_on.iter().map(|on| Event { on: *on, kind: EventKind::Renewed, reason: None });
        let (life, _) = Timeline::build(Some(posted.created_on.or(first).unwrap_or(since)), renewed.collect());
        let kernel = Kernel::over(FeedDays::unbroken(since - REACH_DAYS, self.as_of), &series, model.volume_scale());
        // Whoever sends no cost has none; the kernel then reads quantities.
        let case = Case { history: History::new(usage, &life), as_of: self.as_of, feed: kernel.feed(), has_cost: true };
        Ok(model.judge(&mut kernel.at(self.as_of), &case, factors))
    }

    /// Puts the rows up to the day to stand on in place; whether any has a cost.
    fn fill(&mut self, posted: &Posted<'_>, series: &[Series], faults: &mut Vec<Fault>) -> bool {
        self.usage.clear();
        let mut has_cost = false;
        for (at, one) in posted.series.iter().enumerate() {
            let wanted = (one.category.trim(), one.unit.trim());
            let place = series.binary_search_by(|series| (series.category.as_str(), series.unit.as_str()).cmp(&wanted));
            let Some(number) = place.ok().and_then(|place| u16::try_from(place).ok()) else { continue };
            if one.quantity.len() > DAYS_MAX {
                faults.push(Fault::parameter(
                    &format!("series[{at}].quantity"),
                    format!("has {} days, more than {DAYS_MAX}", one.quantity.len()),
                ));
                continue;
            }
            if let Some(cost) = one.cost.as_ref().filter(|cost| cost.len() != one.quantity.len()) {
                let detail = format!("has {} values beside {} of quantity", cost.len(), one.quantity.len());
                faults.push(Fault::parameter(&format!("series[{at}].cost"), detail));
                continue;
            }
            let costs = one.cost.as_deref().unwrap_or_default();
            for (offset, quantity) in (0_i32..).zip(&one.quantity) {
                let day = usize::try_from(offset).unwrap_or(0);
                let cost = costs.get(day).copied().flatten();
                let Some(quantity) = *quantity else { continue };
                let (Some(quantity), Some(micros)) = (amount(quantity, 0.0), amount(cost.unwrap_or(0.0), -AMOUNT_MAX)) else {
                    let what = if amount(quantity, 0.0).is_none() { "quantity" } else { "cost" };
                    let value = if what == "quantity" { quantity } else { cost.unwrap_or(0.0) };
                    let detail = format!(
                        "{value} is no {what} between {} and 9,000,000,000,000",
                        if what == "quantity" { "0" } else { "-9,000,000,000,000" }
                    );
                    faults.push(Fault::parameter(&format!("series[{at}].{what}[{day}]"), detail));
                    break;
                };
                has_cost |= cost.is_some();
                let on = one.from + offset;
                if on <= self.as_of {
                    self.usage.push(on, number, quantity, micros);
                }
            }
        }
        has_cost
    }
}

/// Days that windows reach back; a feed that spoke before a subscription began is no gap of it.
const REACH_DAYS: i32 = 84;

/// The (category, unit)s of a subscription, ascending.
fn names(posted: &Posted<'_>, faults: &mut Vec<Fault>) -> Vec<Series> {
    if posted.series.len() > SERIES_MAX {
        faults.push(Fault::parameter("series", format!("are {}, more than {SERIES_MAX}", posted.series.len())));
        return Vec::new();
    }
    let name = |text: &str| text.trim().to_owned();
    let mut series: Vec<Series> = posted.series.iter().map(|one| Series { category: name(&one.category), unit: name(&one.unit) }).collect();
    series.sort_unstable();
    for (at, one) in posted.series.iter().enumerate() {
        for (field, text) in [("category", &one.category), ("unit", &one.unit)] {
            if text.trim().is_empty() || text.len() > 256 {
                faults.push(Fault::parameter(&format!("series[{at}].{field}"), format!("`{text}` is no name of 1 to 256 bytes")));
            }
        }
    }
    if let Some(pair) = series.windows(2).find(|pair| pair[0] == pair[1]) {
        faults.push(Fault::parameter("series", format!("hold {} in {} twice; put its days into one", pair[0].category, pair[0].unit)));
    }
    series
}

/// A number as an exact amount. A trace of use is never rounded to none.
fn amount(value: f64, least: f64) -> Option<Micros> {
    if !(least..=AMOUNT_MAX).contains(&value) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "9e12 units are 9e18 micro-units, which an i64 holds")]
    let micros = (value * 1e6).round_ties_even() as i64;
    Some(Micros(if micros == 0 && value > 0.0 { 1 } else { micros }))
}
