//! What an answer stands on: versions, days, and what a reader of the figures should know.

use serde::Serialize;
use utoipa::ToSchema;

use super::hidden::{Hidden, money_in};
use super::version::{Sight, Version};
use crate::domain::{Day, HorizonDays, Period};
use crate::model::{Label, LoadedModel, Method};
use crate::portfolio::Portfolio;

/// What an answer stands on.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct Meta {
    /// The last day whose data are complete: "today" for every figure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) as_of: Option<Day>,
    /// The days that the figures are about.
    #[serde(skip_serializing_if = "Option::is_none")]
    period: Option<Span>,
    /// The number of the import that the tables stand at.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(examples(12))]
    pub(super) table_version: Option<u64>,
    /// The currency of every cost, as ISO 4217 has it; absent where no import told it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(examples("EUR"))]
    currency: Option<String>,
    /// The model that spoke, where one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(examples("2026-08-28-5d0c7a1e"))]
    pub(super) model_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<Method>,
    /// What it calls leaving: a recorded end, or silence.
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<Label>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) horizon_days: Option<HorizonDays>,
    /// Whether the period reaches beyond the data at either end.
    partial: bool,
    /// What a reader of the figures should know; empty where there is nothing.
    pub(super) warnings: Vec<Warning>,
    /// Fields that are null because they are kept from whoever asks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) hidden: Vec<Hidden>,
    /// Of a list: the rows of all pages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) total: Option<u64>,
    /// Of a list: the cursor of the next page; null on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[expect(clippy::option_option, reason = "absent where there are no pages, null on the last of them")]
    #[schema(value_type = Option<String>)]
    pub(super) next: Option<Option<String>>,
}

/// Two days and all between them.
#[derive(Debug, Serialize, ToSchema)]
struct Span {
    from: Day,
    to: Day,
}

/// Something that a reader of the figures should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Warning {
    /// A word for programs.
    #[schema(examples("gap_days"))]
    pub(super) code: &'static str,
    /// A sentence for people.
    #[schema(examples("1 day has no row in the whole feed; nothing is filled in"))]
    pub(super) detail: String,
    /// The days that it is about, where it is about days.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) days: Vec<Day>,
}

impl Warning {
    pub(super) fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), days: Vec::new() }
    }

    /// The feed's gaps between two days, where there are any.
    pub(super) fn gaps(portfolio: &Portfolio, from: Day, to: Day) -> Option<Self> {
        let days: Vec<Day> = portfolio.gaps().iter().copied().filter(|day| from <= *day && *day <= to).collect();
        let detail = match days.len() {
            0 => return None,
            1 => "1 day has no row in the whole feed; nothing is filled in".to_owned(),
            days => format!("{days} days have no row in the whole feed; nothing is filled in"),
        };
        Some(Self { code: "gap_days", detail, days })
    }

    /// What the tables say of lives, where that is less than all.
    pub(super) fn doubts_about_lives(portfolio: &Portfolio) -> impl Iterator<Item = Self> {
        let errors = portfolio.data_errors().len();
        let derived = portfolio.subscriptions().iter().filter(|subscription| subscription.creation_is_derived).count();
        let without_effect = (errors > 0).then(|| {
            let why = "before a creation, after an end, or a second creation";
            Self::new("events_without_effect", format!("{errors} lifecycle events of the whole portfolio had no effect: {why}"))
        });
        let not_recorded = (derived > 0).then(|| {
            let since = "they count as created on their first usage row or event";
            Self::new("creation_not_recorded", format!("{derived} subscriptions of the whole portfolio have no recorded creation; {since}"))
        });
        without_effect.into_iter().chain(not_recorded)
    }

    /// That costs are none, where they are.
    pub(super) fn doubts_about_cost(portfolio: &Portfolio) -> Option<Self> {
        (!portfolio.has_cost() && !portfolio.hides_cost()).then(|| Self::new("no_cost", "the tables have no cost; figures of it are null"))
    }
}

impl Meta {
    /// An answer that stands on these tables.
    pub(super) fn of(sight: Sight<'_>) -> Self {
        Self::on(sight.portfolio)
    }

    /// An answer that stands on a day alone.
    pub(super) fn standing_on(as_of: Day) -> Self {
        Self { as_of: Some(as_of), ..Self::default() }
    }

    /// An answer that stands on a version that may have no as-of day.
    pub(super) fn at(version: &Version) -> Self {
        Self::on(&version.tables().portfolio)
    }

    fn on(portfolio: &Portfolio) -> Self {
        let currency = portfolio.currency().map(str::to_owned);
        Self { as_of: portfolio.as_of(), table_version: Some(portfolio.version()), currency, ..Self::default() }
    }

    /// And is about these days.
    pub(super) fn about(mut self, sight: Sight<'_>, period: Period) -> Self {
        let Sight { portfolio, as_of } = sight;
        let first = portfolio.first_day().unwrap_or(as_of);
        self.period = Some(Span { from: period.from(), to: period.to() });
        if period.to() > as_of {
            self.warn(Warning::new("after_as_of", format!("the period ends after the as-of day; figures stand at {as_of}")));
        }
        if period.from() < first {
            self.warn(Warning::new("before_data", format!("the period begins before the first day of usage, {first}")));
        }
        self.partial = period.to() > as_of || period.from() < first;
        self.warnings.extend(Warning::gaps(portfolio, period.from(), period.to()));
        self
    }

    /// And a model spoke in it.
    pub(super) fn spoken_by(mut self, loaded: &LoadedModel) -> Self {
        self.model_version = Some(loaded.model.version().to_owned());
        self.method = Some(loaded.card.method);
        self.label = Some(loaded.model.label());
        self.horizon_days = Some(loaded.model.horizon());
        if loaded.card.method == Method::Baseline {
            let counts = loaded.card.main().map(|main| &main.train);
            let (rows, churners) = counts.map_or((0, 0), |counts| (counts.rows, counts.churners));
            let detail = format!(
                "{rows} rows with {churners} who left were too little to train a model on; the risks are those of the rule of recency"
            );
            self.warn(Warning::new("baseline", detail));
        }
        self
    }

    /// Of a horizon of the model.
    pub(super) fn ahead(mut self, loaded: &LoadedModel, head: usize) -> Self {
        self.horizon_days = loaded.model.heads().get(head).map(|head| head.horizon_days);
        self
    }

    /// In an answer of a type whose costs are kept from whoever asks, where they are.
    pub(super) fn hiding<T: ToSchema>(mut self, portfolio: &Portfolio) -> Self {
        if portfolio.hides_cost() {
            self.hidden = money_in::<T>();
        }
        self
    }

    pub(super) fn warn(&mut self, warning: impl Into<Option<Warning>>) {
        self.warnings.extend(warning.into());
    }

    /// With warnings.
    pub(super) fn warned(mut self, warnings: impl IntoIterator<Item = Warning>) -> Self {
        self.warnings.extend(warnings);
        self
    }
}
