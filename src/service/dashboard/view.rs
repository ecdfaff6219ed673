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
/// The orders of either list: those without usage are also ordered by the day of creation.
const SORTS: [&str; at_risk::SORTS.len() + 2] = {
    let mut all = ["created_on"; at_risk::SORTS.len() + 2];
    let mut at = 0;
    while at < at_risk::SORTS.len() {
        all[at] = at_risk::SORTS[at];
        at += 1;
    }
    all[at] = "-created_on";
    all
};
const SORT: Spec = Spec::new("sort", Kind::Choice(&SORTS), "The column that the open list is ordered by.");
const LEVEL: Spec = Spec::new("level", Kind::Choice(Standpoint::NAMES), "Levels to list.");
const HORIZON: Spec = Spec::new("horizon", Kind::Whole { least: 1, most: 365 }, "Days that the risks look ahead.");
const PAGE: Spec = Spec::new("page", Kind::Whole { least: 1, most: 100_000 }, "Page of the list; the last one where there are fewer.");
const BUCKET: Spec = Spec::new("bucket", Kind::Choice(Bucket::NAMES), "How the period is cut in the charts.");
const TOP_CATEGORY: Spec = Spec::new("top_category", Kind::Text, "Category of the top customers; cost of all where nothing is said.");
const TOP_UNIT: Spec = Spec::new("top_unit", Kind::Text, "Unit of the top customers' quantity; their cost where nothing is said.");
const COHORT: Spec = Spec::new("cohort", Kind::Choice(Cohort::NAMES), "What the cohort table shows.");
const WINDOW: Spec = Spec::new("window", Kind::Choice(WINDOW_NAMES), "When the commitments end that are listed.");
/// The names of the (category, unit) whose quantity is drawn.
const OF_CATEGORY: &str = "of_category";
const OF_UNIT: &str = "of_unit";
const SERIES_CATEGORY: Spec = Spec::new(OF_CATEGORY, Kind::Text, "Category whose quantity is drawn; cost where nothing is said.");
const SERIES_UNIT: Spec = Spec::new(OF_UNIT, Kind::Text, "Its unit.");
const KEPT: Spec = Spec::new("kept", Kind::Flag, "Says that feedback was kept.");

/// What another view begins without.
const TRANSIENT: [&str; 2] = [PAGE.name, KEPT.name];

/// What changes nothing of the open list.
const BESIDE_THE_LIST: [&str; 6] = [LANGUAGE.name, BUCKET.name, COHORT.name, WINDOW.name, TOP_CATEGORY.name, TOP_UNIT.name];

/// The names of the period and the common filters, as the interface has them.
pub(super) const PERIOD: [&str; 3] = ["period", "from", "to"];
pub(super) const FILTERS: [&str; 5] = ["customer", "country", "reseller", "category", "product"];

/// Most parts that a chart cuts a period into.
const PARTS_MAX: i32 = 800;

/// Most customers of one name that a filter takes; more do not fit an address.
const NAMESAKES_MAX: usize = 100;

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
    /// The (category, unit) as an address has it.
    pub(super) fn series_pairs(&self) -> Vec<(&str, &str)> {
        self.series.iter().flat_map(|(category, unit)| [(OF_CATEGORY, category.as_str()), (OF_UNIT, unit)]).collect()
    }

    /// The period of which nothing is said: long enough to see a course.
    pub(super) const PERIOD: &str = "last_6_months";
}

impl Query for View {
    fn parse(parameters: &mut Parameters) -> Self {
        let mut view = Self::shared(parameters);
        view.tab = parameters.choice(&TAB, &Tab::ALL).unwrap_or(Tab::AtRisk);
        view.search = parameters.text(&SEARCH);
        view.sort = parameters.choice(&SORT, &SORTS);
        view.levels = parameters.choices(&LEVEL, &Standpoint::ALL);
        view.page = parameters.whole(&PAGE).map_or(1, |page| page as usize);
        view.bucket = parameters.choice(&BUCKET, &Bucket::ALL);
        let unit = parameters.text(&TOP_UNIT);
        view.top = parameters.text(&TOP_CATEGORY).map(|category| (category, unit));
        view.window = parameters.choice(&WINDOW, WINDOW_NAMES);
        view.cohort = parameters.choice(&COHORT, &Cohort::ALL).unwrap_or(Cohort::Active);
        view
    }
}

impl Query for OneView {
    fn parse(parameters: &mut Parameters) -> Self {
        let subscription = parameters.subscription();
        let category = parameters.text(&SERIES_CATEGORY);
        let unit = parameters.text(&SERIES_UNIT);
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
        let days = period.days();
        match self.bucket {
            // A longer period has more parts than a chart has room for.
            Some(Bucket::Day) if days > PARTS_MAX => Bucket::Week,
            Some(Bucket::Week) if days > PARTS_MAX * 7 => Bucket::Month,
            Some(bucket) => bucket,
            None if days <= 45 => Bucket::Day,
            None if days <= 200 => Bucket::Week,
            None => Bucket::Month,
        }
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

    /// The address of this page with some parameters changed; those of none are left out. A list
    /// that changes begins at its first page.
    pub(super) fn with(&self, changes: &[(&str, Option<&str>)]) -> String {
        let stays = changes.iter().all(|(name, _)| BESIDE_THE_LIST.contains(name));
        let is_changed =
            |name: &str| (name == PAGE.name && !stays) || name == KEPT.name || changes.iter().any(|(changed, _)| *changed == name);
        let kept = self.pairs.iter().filter(|(name, _)| !is_changed(name)).map(|(name, value)| (name.as_str(), value.as_str()));
        let new = changes.iter().filter_map(|(name, value)| Some((*name, (*value)?)));
        address(&self.path, kept.chain(new))
    }

    /// The same without one value of a parameter that may be repeated.
    pub(super) fn without(&self, name: &str, value: &str) -> String {
        let kept = self.pairs.iter().filter(|(other, has)| !(TRANSIENT.contains(&other.as_str()) || (other == name && has == value)));
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

    /// The address with customers and resellers by their ids, where they are called by names: all
    /// of a name, where several have it. None where all are called by ids.
    pub(super) fn with_ids(&self, portfolio: &Portfolio) -> Option<String> {
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        let mut is_changed = false;
        for (name, value) in &self.pairs {
            let ids = ids_of(portfolio, name, value.trim());
            is_changed |= !ids.is_empty();
            let kept = if ids.is_empty() { vec![value.as_str()] } else { ids };
            for value in kept {
                if name == FILTERS[0] && pairs.contains(&(name, value)) {
                    continue;
                }
                pairs.push((name, value));
            }
        }
        is_changed.then(|| address(&self.path, pairs))
    }

    /// All pairs but these, for a form that sets them.
    pub(super) fn hidden(&self, but: &[&str]) -> Vec<(&str, &str)> {
        let kept = self.pairs.iter().filter(|(name, _)| !TRANSIENT.contains(&name.as_str()) && !but.contains(&name.as_str()));
        kept.map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }
}

/// The ids of those of a filter who have this name; nothing where it is an id, or nobody's name.
fn ids_of<'p>(portfolio: &'p Portfolio, filter: &str, name: &str) -> Vec<&'p str> {
    let is_called = |own: Option<&str>| own.is_some_and(|own| own.to_lowercase() == name.to_lowercase());
    let customers = portfolio.customers();
    let mut ids: Vec<&str> = match filter {
        "customer" if portfolio.find_customer(name).is_none() => {
            customers.iter().filter(|one| is_called(one.name.as_deref())).map(|one| one.id.as_str()).collect()
        }
        "reseller" if !customers.iter().any(|one| one.reseller_id.as_deref() == Some(name)) => {
            customers.iter().filter(|one| is_called(one.reseller_name.as_deref())).filter_map(|one| one.reseller_id.as_deref()).collect()
        }
        _ => Vec::new(),
    };
    ids.sort_unstable();
    ids.dedup();
    // As many as a filter takes.
    ids.truncate(NAMESAKES_MAX);
    ids
}

/// A path and a query.
pub(super) fn address<'a>(path: &str, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}
