//! What a page was asked to show, and the addresses of the same with one thing changed: a view is
//! a link.

use super::super::parameters::{Kind, Parameters, Query, Spec};
use super::super::period::{self, AskedPeriod};
use super::super::routes::watchlists::WINDOW_NAMES;
use super::super::routes::words::Standpoint;
use super::super::routes::{at_risk, without_usage};
use super::reader::Language;
use crate::domain::{Bucket, Period, SubscriptionId};
use crate::portfolio::Portfolio;

/// Which of the two lists of subscriptions is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tab {
    AtRisk,
    WithoutUsage,
}

impl Tab {
    const NAMES: &[&str] = &["at-risk", "without-usage"];
    const ALL: [Self; 2] = [Self::AtRisk, Self::WithoutUsage];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::AtRisk => Self::NAMES[0],
            Self::WithoutUsage => Self::NAMES[1],
        }
    }

    /// The orders that its list knows.
    pub(super) const fn sorts(self) -> &'static [&'static str] {
        match self {
            Self::AtRisk => at_risk::SORTS,
            Self::WithoutUsage => without_usage::SORTS,
        }
    }
}

/// What the cohort table shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cohort {
    Active,
    Using,
    Cost,
}

impl Cohort {
    pub(super) const NAMES: &[&str] = &["active", "using", "cost"];
    pub(super) const ALL: [Self; 3] = [Self::Active, Self::Using, Self::Cost];
}

const LANGUAGE: Spec =
    Spec::new("lang", Kind::Choice(Language::NAMES), "Language of the page; what the browser asks for where nothing is said.");
const TAB: Spec = Spec::new("tab", Kind::Choice(Tab::NAMES), "Which list of subscriptions is open.");
const SEARCH: Spec = Spec::new("search", Kind::Text, "Looks for subscriptions and customers in the list.");
const SORT: Spec = Spec::new(
    "sort",
    Kind::Choice(&[
        "-risk",
        "risk",
        "customer",
        "-customer",
        "subscription",
        "-subscription",
        "last_used_on",
        "-last_used_on",
        "cost_30_days",
        "-cost_30_days",
        "cost_12_months",
        "-cost_12_months",
        "term_end_on",
        "-term_end_on",
        "created_on",
        "-created_on",
    ]),
    "The column that the list is ordered by.",
);
const LEVEL: Spec = Spec::new("level", Kind::Choice(Standpoint::NAMES), "Levels to list.");
const HORIZON: Spec = Spec::new("horizon", Kind::Whole { least: 1, most: 365 }, "Days that the risks look ahead.");
const PAGE: Spec = Spec::new("page", Kind::Whole { least: 1, most: 100_000 }, "Page of the list; the last one where there are fewer.");
const BUCKET: Spec = Spec::new("bucket", Kind::Choice(&["day", "week", "month"]), "How the period is cut in the charts.");
const TOP_CATEGORY: Spec = Spec::new("top_category", Kind::Text, "Category of the top customers; cost of all where nothing is said.");
const TOP_UNIT: Spec = Spec::new("top_unit", Kind::Text, "Unit of the top customers' quantity; their cost where nothing is said.");
const COHORT: Spec = Spec::new("cohort", Kind::Choice(Cohort::NAMES), "What the cohort table shows.");
const WINDOW: Spec = Spec::new("window", Kind::Choice(WINDOW_NAMES), "When the commitments end that are listed.");
const SERIES_CATEGORY: Spec = Spec::new("of_category", Kind::Text, "Category whose quantity is drawn; cost where nothing is said.");
const SERIES_UNIT: Spec = Spec::new("of_unit", Kind::Text, "Its unit.");
const KEPT: Spec = Spec::new("kept", Kind::Flag, "Says that feedback was kept.");

/// The names of the period and the common filters, as the interface has them.
pub(super) const PERIOD: [&str; 3] = ["period", "from", "to"];
pub(super) const FILTERS: [&str; 5] = ["customer", "country", "reseller", "category", "product"];

/// What a page was asked to show.
#[derive(Debug, Clone)]
pub(super) struct View {
    path: String,
    /// The preset of which nothing is said.
    default_period: &'static str,
    /// As they were asked; values that no parameter takes end in an error before a page is made.
    pairs: Vec<(String, String)>,
    pub(super) period: AskedPeriod,
    pub(super) language: Option<Language>,
    pub(super) tab: Tab,
    pub(super) search: Option<String>,
    sort: Option<&'static str>,
    pub(super) levels: Vec<Standpoint>,
    pub(super) page: usize,
    bucket: Option<Bucket>,
    pub(super) top: Option<(String, Option<String>)>,
    pub(super) cohort: Cohort,
    /// When commitments end that are listed; the first window with any where nothing is said.
    pub(super) window: Option<&'static str>,
}

/// The page of one subscription.
#[derive(Debug, Clone)]
pub(super) struct OneView {
    pub(super) view: View,
    pub(super) subscription: Option<SubscriptionId>,
    /// The (category, unit) whose quantity is drawn.
    pub(super) series: Option<(String, String)>,
    pub(super) kept: bool,
}

impl OneView {
    /// The period of which nothing is said: long enough to see a course.
    pub(super) const PERIOD: &str = "last_6_months";
}

impl Query for View {
    fn parse(parameters: &mut Parameters) -> Self {
        let mut view = Self::shared(parameters);
        view.tab = parameters.choice(&TAB, &Tab::ALL).unwrap_or(Tab::AtRisk);
        view.search = parameters.one(&SEARCH).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        if let Kind::Choice(sorts) = SORT.kind {
            view.sort = parameters.choice(&SORT, sorts);
        }
        view.levels = parameters.choices(&LEVEL, &Standpoint::ALL);
        view.page = parameters.whole(&PAGE).map_or(1, |page| page as usize);
        view.bucket = parameters.choice(&BUCKET, &[Bucket::Day, Bucket::Week, Bucket::Month]);
        let unit = parameters.one(&TOP_UNIT).map(|unit| unit.trim().to_owned());
        view.top = parameters.one(&TOP_CATEGORY).map(|category| (category.trim().to_owned(), unit));
        view.window = parameters.choice(&WINDOW, WINDOW_NAMES);
        view.cohort = parameters.choice(&COHORT, &Cohort::ALL).unwrap_or(Cohort::Active);
        view
    }
}

impl Query for OneView {
    fn parse(parameters: &mut Parameters) -> Self {
        let subscription = parameters.subscription();
        let category = parameters.one(&SERIES_CATEGORY).map(|text| text.trim().to_owned());
        let unit = parameters.one(&SERIES_UNIT).map(|text| text.trim().to_owned());
        let kept = parameters.flag(&KEPT);
        let mut view = View::shared(parameters);
        view.default_period = OneView::PERIOD;
        if view.only(&PERIOD).is_empty() {
            view.period = AskedPeriod::named(OneView::PERIOD);
        }
        view.path = subscription.as_ref().map_or_else(|| "/".to_owned(), |id| subscription_path(id.as_str()));
        Self { view, subscription, series: category.zip(unit), kept }
    }
}

/// The path of the page of one subscription.
pub(super) fn subscription_path(id: &str) -> String {
    let mut url = url::Url::parse("http://host/subscriptions").ok();
    if let Some(mut steps) = url.as_mut().and_then(|url| url.path_segments_mut().ok()) {
        steps.push(id);
    }
    url.map_or_else(|| "/".to_owned(), |url| url.path().to_owned())
}

impl View {
    /// What all pages take.
    fn shared(parameters: &mut Parameters) -> Self {
        // Taken for what they are, so that they may stand in the address; the routes read them themselves.
        parameters.whole(&HORIZON);
        parameters.filter();
        Self {
            path: "/".to_owned(),
            default_period: period::DEFAULT_NAME,
            pairs: parameters.pairs().to_vec(),
            period: AskedPeriod::parse(parameters),
            language: parameters.choice(&LANGUAGE, &Language::ALL),
            tab: Tab::AtRisk,
            search: None,
            sort: None,
            levels: Vec::new(),
            page: 1,
            bucket: None,
            top: None,
            cohort: Cohort::Active,
            window: None,
        }
    }

    /// The values of a parameter.
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.pairs.iter().filter(move |(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The order of the open list, where one is asked for that it knows.
    pub(super) fn sort(&self) -> Option<&'static str> {
        self.sort.filter(|sort| self.tab.sorts().contains(sort))
    }

    /// How charts cut a period: as asked, or so that there are some ten to a hundred parts.
    pub(super) fn bucket(&self, period: Period) -> Bucket {
        self.bucket.unwrap_or(match period.days() {
            ..=45 => Bucket::Day,
            46..=200 => Bucket::Week,
            _ => Bucket::Month,
        })
    }

    /// The preset that is chosen; none where days are.
    pub(super) fn preset(&self) -> Option<&str> {
        let has_days = self.pairs.iter().any(|(name, _)| name == "from" || name == "to");
        if has_days { None } else { Some(self.values("period").next().unwrap_or(self.default_period)) }
    }

    /// The pairs with these names.
    pub(super) fn only(&self, names: &[&str]) -> Vec<(String, String)> {
        self.pairs.iter().filter(|(name, _)| names.contains(&name.as_str())).cloned().collect()
    }

    /// Period and filters, as the interface takes them.
    pub(super) fn scope(&self) -> Vec<(String, String)> {
        self.only(&[PERIOD.as_slice(), FILTERS.as_slice()].concat())
    }

    /// The address of this page with some parameters changed; those of none are left out. Whatever
    /// changes, the list begins at its first page.
    pub(super) fn with(&self, changes: &[(&str, Option<&str>)]) -> String {
        let is_changed = |name: &str| name == PAGE.name || changes.iter().any(|(changed, _)| *changed == name);
        let kept = self.pairs.iter().filter(|(name, _)| !is_changed(name)).map(|(name, value)| (name.as_str(), value.as_str()));
        let new = changes.iter().filter_map(|(name, value)| Some((*name, (*value)?)));
        address(&self.path, kept.chain(new))
    }

    /// The same without one value of a parameter that may be repeated.
    pub(super) fn without(&self, name: &str, value: &str) -> String {
        let kept = self.pairs.iter().filter(|(other, has)| other != PAGE.name && !(other == name && has == value));
        address(&self.path, kept.map(|(name, value)| (name.as_str(), value.as_str())))
    }

    /// The address of a page that shows the same period and filters in the same language.
    pub(super) fn at(&self, path: &str, changes: &[(&str, &str)]) -> String {
        let names = [PERIOD.as_slice(), FILTERS.as_slice(), &[LANGUAGE.name, HORIZON.name]].concat();
        let kept = self.only(&names);
        let is_changed = |name: &str| changes.iter().any(|(changed, _)| *changed == name);
        let kept = kept.iter().filter(|(name, _)| !is_changed(name)).map(|(name, value)| (name.as_str(), value.as_str()));
        address(path, kept.chain(changes.iter().copied()))
    }

    /// The address with customers by their ids, where one is called by a name that is only one's;
    /// none where all are called by ids.
    pub(super) fn with_ids(&self, portfolio: &Portfolio) -> Option<String> {
        let id_of = |name: &str| {
            let mut named =
                portfolio.customers().iter().filter(|one| one.name.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(name)));
            named.next().filter(|_| named.next().is_none() && portfolio.find_customer(name).is_none()).map(|one| one.id.as_str())
        };
        let ids: Vec<Option<&str>> =
            self.pairs.iter().map(|(name, value)| Some(value.trim()).filter(|_| name == FILTERS[0]).and_then(id_of)).collect();
        let pairs = self.pairs.iter().zip(&ids).map(|((name, value), id)| (name.as_str(), id.unwrap_or(value)));
        ids.iter().any(Option::is_some).then(|| address(&self.path, pairs))
    }

    /// All pairs but these, for a form that sets them.
    pub(super) fn hidden(&self, but: &[&str]) -> Vec<(&str, &str)> {
        let kept = self.pairs.iter().filter(|(name, _)| name != PAGE.name && !but.contains(&name.as_str()));
        kept.map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }
}

/// A path and a query.
pub(super) fn address<'a>(path: &str, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}
