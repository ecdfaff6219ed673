//! A subscription as a request to score it brings it along: read, checked, and made into the
//! history that the kernel reads.

use std::borrow::Cow;

use serde::Deserialize;
use utoipa::ToSchema;

use super::super::problem::Fault;
use super::daily::{Daily, costs, quantities};
use crate::domain::{Day, Event, EventKind, Micros, SubscriptionId, Timeline};
use crate::features::{FeedDays, History, Kernel, Usual, VolumeScale};
use crate::model::{Case, Factor, LoadedModel, Standing};
use crate::portfolio::{LooseUsage, Series};

/// Longest series, in days: ten years.
const DAYS_MAX: usize = 3_660;

/// Most series of one subscription. Azure has some hundred meter categories.
const SERIES_MAX: usize = 1_000;

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
    #[schema(value_type = String, min_length = 1, max_length = 256, pattern = r"^[!-~](?:[ -~]*[!-~])?$", examples("Virtual Machines"))]
    category: Cow<'a, str>,
    #[serde(borrow)]
    #[schema(value_type = String, min_length = 1, max_length = 256, pattern = r"^[!-~](?:[ -~]*[!-~])?$", examples("1 Hour"))]
    unit: Cow<'a, str>,
    /// The day of the first value; one value a day from there on.
    from: Day,
    /// Quantities a day; null for a day without a row.
    #[serde(deserialize_with = "quantities")]
    #[schema(value_type = Vec<Option<f64>>, max_items = 3660)]
    quantity: Daily,
    /// What each day cost; needed where the model in service reads cost.
    #[serde(default, deserialize_with = "costs")]
    #[schema(value_type = Option<Vec<Option<f64>>>, max_items = 3660)]
    cost: Daily,
}

/// Where posted subscriptions are made into histories, one after another.
#[derive(Debug)]
pub(super) struct Bench<'m> {
    loaded: &'m LoadedModel,
    /// The place of the horizon that is asked for.
    head: usize,
    as_of: Day,
    /// What is usual in the portfolio in service.
    usual: Usual,
    usage: LooseUsage,
}

impl<'m> Bench<'m> {
    pub(super) fn new(loaded: &'m LoadedModel, head: usize, as_of: Day, usual: Usual) -> Self {
        Self { loaded, head, as_of, usual, usage: LooseUsage::default() }
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
        Ok(model.judge(&mut kernel.at(self.as_of, self.usual), &case, self.head, factors))
    }

    /// Puts the rows up to the day to stand on in place, day by day; whether any has a cost.
    fn fill(&mut self, posted: &Posted<'_>, series: &[Series], faults: &mut Vec<Fault>) -> bool {
        self.usage.clear();
        let mut columns: Vec<Column<'_>> = Vec::with_capacity(posted.series.len());
        for (at, one) in posted.series.iter().enumerate() {
            let wanted = (one.category.trim(), one.unit.trim());
            let place = series.binary_search_by(|series| (series.category.as_str(), series.unit.as_str()).cmp(&wanted));
            let Some(number) = place.ok().and_then(|place| u16::try_from(place).ok()) else { continue };
            match Column::read(one, number) {
                Ok(column) => columns.push(column),
                Err(fault) => faults.push(Fault::parameter(&format!("series[{at}].{}", fault.0), fault.1)),
            }
        }
        columns.sort_by_key(|column| column.series);
        let first = columns.iter().map(|column| column.from).min();
        let last = columns.iter().map(Column::last).max().map(|last| last.min(self.as_of));
        let mut has_cost = false;
        if let Some((first, last)) = first.zip(last) {
            let mut day = first;
            while day <= last {
                let mut is_reached = false;
                for column in &columns {
                    is_reached |= column.from <= day && day <= column.last();
                    let Some((quantity, cost)) = column.on(day) else { continue };
                    has_cost |= cost.is_some();
                    self.usage.push(day, column.series, quantity, cost.unwrap_or_default());
                }
                // Over years between two series it is a step, not a walk.
                let next = || columns.iter().map(|column| column.from).filter(|from| *from > day).min();
                day = if is_reached { day + 1 } else { next().unwrap_or(last + 1) };
            }
        }
        has_cost
    }
}

/// The values of one series.
struct Column<'p> {
    series: u16,
    from: Day,
    quantity: &'p [Option<Micros>],
    cost: &'p [Option<Micros>],
}

/// A field, and what is wrong with it.
struct Wrong(String, String);

impl<'p> Column<'p> {
    fn read(posted: &'p PostedSeries<'_>, series: u16) -> Result<Self, Wrong> {
        let Daily { values: quantity, wrong: wrong_quantity } = &posted.quantity;
        let Daily { values: cost, wrong: wrong_cost } = &posted.cost;
        for (field, wrong) in [("quantity", wrong_quantity), ("cost", wrong_cost)] {
            if let Some((at, detail)) = wrong {
                return Err(Wrong(format!("{field}[{at}]"), detail.clone()));
            }
        }
        if quantity.len() > DAYS_MAX {
            return Err(Wrong("quantity".to_owned(), format!("has {} days, more than {DAYS_MAX}", quantity.len())));
        }
        if !cost.is_empty() && cost.len() != quantity.len() {
            let detail = format!("has {} values beside {} of quantity", cost.len(), quantity.len());
            return Err(Wrong("cost".to_owned(), detail));
        }
        Ok(Self { series, from: posted.from, quantity, cost })
    }

    /// The last day of it; the day before the first where it has none.
    fn last(&self) -> Day {
        self.from + i32::try_from(self.quantity.len()).unwrap_or(i32::MAX) - 1
    }

    /// Quantity and cost of a day; none without a row.
    fn on(&self, day: Day) -> Option<(Micros, Option<Micros>)> {
        let at = usize::try_from(day - self.from).ok()?;
        let quantity = (*self.quantity.get(at)?)?;
        Some((quantity, self.cost.get(at).copied().flatten()))
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
