//! The common filters. They cut the tables first; every metric is computed on what is left.
//!
//! Absent on purpose: filters that only one list has (level, risk): those belong to it.

use thiserror::Error;

use crate::domain::{CustomerId, Day, MicrosSum};
use crate::portfolio::{
    Customer, CustomerIx, MonthIx, MonthlyUsage, Portfolio, Series, SeriesIx, Span, SubscriptionIx, UsageLine, UsagePoint,
};

/// Longest value of a filter, in bytes: ids end at 256, and no meter category comes near it.
const VALUE_MAX_BYTES: usize = 256;

/// A value that cannot name anything.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FilterError {
    #[error("a {parameter} is empty")]
    Empty { parameter: &'static str },
    #[error("a {parameter} has {bytes} bytes, more than {VALUE_MAX_BYTES}")]
    TooLong { parameter: &'static str, bytes: usize },
    #[error("a {parameter} holds a control character")]
    Control { parameter: &'static str },
}

impl FilterError {
    /// The filter whose value it is.
    #[must_use]
    pub const fn parameter(&self) -> &'static str {
        match self {
            Self::Empty { parameter } | Self::TooLong { parameter, .. } | Self::Control { parameter } => parameter,
        }
    }
}

/// The filters as they were asked for, each any number of times.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RawFilter {
    pub customer: Vec<String>,
    pub country: Vec<String>,
    pub reseller: Vec<String>,
    pub category: Vec<String>,
    pub product: Vec<String>,
}

/// Which rows of the tables count (METRICS.md, Settled). The values of one filter are
/// alternatives, and the filters combine; one without values keeps everything.
///
/// - `customer` (an id), `product`: columns of the subscription itself.
/// - `country`, `reseller` (an id): columns of its customer's row; a subscription without such
///   a row does not pass them.
/// - `category`: keeps the subscriptions that used it (quantity above 0) on any day up to the
///   as-of day, and only its usage rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    customer: Vec<String>,
    country: Vec<String>,
    reseller: Vec<String>,
    category: Vec<String>,
    product: Vec<String>,
}

impl Filter {
    /// Values trimmed, GUIDs among ids lower-cased, each value once, ascending.
    ///
    /// # Errors
    /// Every value that is empty, longer than 256 bytes or holds a control character.
    pub fn parse(raw: &RawFilter) -> Result<Self, Vec<FilterError>> {
        let mut errors = Vec::new();
        let mut read = |parameter: &'static str, values: &[String], is_id: bool| {
            let mut kept: Vec<String> = values
                .iter()
                .filter_map(|value| match text(parameter, value) {
                    Ok(text) if is_id => CustomerId::parse(text).ok().map(|id| id.to_string()),
                    Ok(text) => Some(text.to_owned()),
                    Err(error) => {
                        errors.push(error);
                        None
                    }
                })
                .collect();
            kept.sort_unstable();
            kept.dedup();
            kept
        };
        let filter = Self {
            customer: read("customer", &raw.customer, true),
            country: read("country", &raw.country, false),
            reseller: read("reseller", &raw.reseller, true),
            category: read("category", &raw.category, false),
            product: read("product", &raw.product, false),
        };
        if errors.is_empty() { Ok(filter) } else { Err(errors) }
    }

    /// Every (filter, value), in one order however they were asked for.
    pub fn values(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("category", &self.category),
            ("country", &self.country),
            ("customer", &self.customer),
            ("product", &self.product),
            ("reseller", &self.reseller),
        ]
        .into_iter()
        .flat_map(|(name, values)| values.iter().map(move |value| (name, value.as_str())))
    }

    /// The categories asked for, ascending; none where all count.
    #[must_use]
    pub fn categories(&self) -> &[String] {
        &self.category
    }

    /// Whether it keeps all subscriptions of a customer and all of their rows, or none.
    #[must_use]
    pub fn keeps_whole_customers(&self) -> bool {
        self.category.is_empty() && self.product.is_empty()
    }

    /// Cuts the tables.
    #[must_use]
    pub fn cut<'a>(&self, portfolio: &'a Portfolio) -> Cut<'a> {
        self.cut_where(portfolio, |_| false)
    }

    /// Cuts the tables, usage by the month among them: a category keeps whoever used it in a month
    /// of which no day is told, too.
    pub(super) fn cut_with_months<'a>(&self, portfolio: &'a Portfolio) -> (Cut<'a>, MonthsCut<'a>) {
        let usage = portfolio.monthly_usage();
        let months = MonthsCut { usage, series: self.mask(usage.series()) };
        let cut = self.cut_where(portfolio, |ix| months.series.as_deref().is_some_and(|keeps| usage.is_used(ix, keeps)));
        (cut, months)
    }

    /// Which of some series its rows may have; none where all count.
    fn mask(&self, series: &[Series]) -> Option<Vec<bool>> {
        (!self.category.is_empty()).then(|| series.iter().map(|series| passes(&self.category, Some(&series.category))).collect())
    }

    /// Cuts the tables; `used_elsewhere` tells who used a category that is asked for beside the
    /// daily rows.
    fn cut_where<'a>(&self, portfolio: &'a Portfolio, used_elsewhere: impl Fn(SubscriptionIx) -> bool) -> Cut<'a> {
        let mut cut = Cut { portfolio, kept: None, series: self.mask(portfolio.series()) };
        if *self != Self::default() {
            let customers: Vec<bool> = portfolio.customers().iter().map(|customer| self.keeps_customer(customer)).collect();
            let keeps = |ix: SubscriptionIx| {
                let subscription = portfolio.subscription(ix);
                customers[subscription.customer.at()]
                    && passes(&self.product, subscription.product.as_deref())
                    && (self.category.is_empty() || cut.lines(ix).any(UsageLine::is_used) || used_elsewhere(ix))
            };
            let kept = portfolio.subscription_indices().map(keeps).collect();
            cut.kept = Some(kept);
        }
        cut
    }

    fn keeps_customer(&self, customer: &Customer) -> bool {
        passes(&self.customer, Some(&customer.id))
            && passes(&self.country, customer.country.as_deref())
            && passes(&self.reseller, customer.reseller_id.as_deref())
    }
}

/// For rows that are no subscriptions and have the columns of one.
impl Filter {
    /// Whether a row of this customer and product passes the filters on columns.
    pub(super) fn passes_columns(&self, customer: Option<&Customer>, product: Option<&str>) -> bool {
        let names_customers = !(self.customer.is_empty() && self.country.is_empty() && self.reseller.is_empty());
        customer.map_or(!names_customers, |customer| self.keeps_customer(customer)) && passes(&self.product, product)
    }

    /// The filter on categories alone.
    pub(super) fn of_categories(&self) -> Self {
        Self { category: self.category.clone(), ..Self::default() }
    }
}

fn text<'a>(parameter: &'static str, value: &'a str) -> Result<&'a str, FilterError> {
    let text = value.trim();
    if text.is_empty() {
        return Err(FilterError::Empty { parameter });
    }
    if text.len() > VALUE_MAX_BYTES {
        return Err(FilterError::TooLong { parameter, bytes: text.len() });
    }
    if text.chars().any(char::is_control) {
        return Err(FilterError::Control { parameter });
    }
    Ok(text)
}

fn passes(wanted: &[String], value: Option<&str>) -> bool {
    wanted.is_empty() || value.is_some_and(|value| wanted.binary_search_by(|one| one.as_str().cmp(value)).is_ok())
}

/// The tables of a portfolio as a filter has cut them.
#[derive(Debug, Clone)]
pub struct Cut<'a> {
    portfolio: &'a Portfolio,
    /// By subscription; none where all are kept.
    kept: Option<Vec<bool>>,
    /// By series; none where all rows are kept.
    series: Option<Vec<bool>>,
}

impl<'a> Cut<'a> {
    #[must_use]
    pub const fn portfolio(&self) -> &'a Portfolio {
        self.portfolio
    }

    /// Whether usage rows were cut: figures of a subscription then differ from those of the
    /// whole of it.
    #[must_use]
    pub const fn cuts_rows(&self) -> bool {
        self.series.is_some()
    }

    #[must_use]
    pub fn keeps(&self, subscription: SubscriptionIx) -> bool {
        self.kept.as_ref().is_none_or(|kept| kept[subscription.at()])
    }

    /// The subscriptions kept, ascending by id.
    pub fn subscriptions(&self) -> impl Iterator<Item = SubscriptionIx> {
        self.portfolio.subscription_indices().filter(|ix| self.keeps(*ix))
    }

    /// The subscriptions kept of one customer, ascending by id.
    pub fn subscriptions_of(&self, customer: CustomerIx) -> impl Iterator<Item = SubscriptionIx> {
        self.portfolio.subscriptions_of(customer).iter().copied().filter(|ix| self.keeps(*ix))
    }

    /// The rows kept of one subscription in `from..=to`, ascending by day.
    pub fn rows(&self, subscription: SubscriptionIx, from: Day, to: Day) -> impl DoubleEndedIterator<Item = UsagePoint> {
        let mask = self.series.as_deref();
        let rows = self.portfolio.usage_within(subscription, from, to);
        rows.iter().filter(move |row| mask.is_none_or(|mask| mask[usize::from(row.series.0)]))
    }

    /// The (category, unit)s kept of one subscription that have a row on any day, ascending.
    pub fn lines(&self, subscription: SubscriptionIx) -> impl Iterator<Item = UsageLine<'a>> + Clone {
        let mask = self.series.as_deref();
        let lines = self.portfolio.lines(subscription);
        lines.filter(move |line| mask.is_none_or(|mask| mask[usize::from(line.series().0)]))
    }

    /// Whether it has a usage day in `from..=to`.
    #[must_use]
    pub fn used_within(&self, subscription: SubscriptionIx, from: Day, to: Day) -> bool {
        self.portfolio.span(from, to).is_some_and(|span| self.used_in(subscription, &span))
    }

    /// Whether it has a usage day in `span`.
    #[must_use]
    pub fn used_in(&self, subscription: SubscriptionIx, span: &Span) -> bool {
        self.lines(subscription).any(|line| line.used_within(span))
    }

    /// Its last usage day up to `to`.
    #[must_use]
    pub fn last_used(&self, subscription: SubscriptionIx, to: Day) -> Option<Day> {
        let span = self.portfolio.span(Day::from_epoch_days(i32::MIN), to)?;
        self.lines(subscription).filter_map(|line| line.last_used(&span)).max()
    }

    /// Marks its usage days in `span`: bit d of the n-th word of `marks` is the day
    /// `from + 64 * n + d`.
    pub(super) fn mark_used(&self, subscription: SubscriptionIx, span: &Span, from: Day, marks: &mut [u64]) {
        self.portfolio.mark_used(span, &self.lines(subscription), from, marks);
    }

    /// What it cost in `from..=to`.
    #[must_use]
    pub fn cost(&self, subscription: SubscriptionIx, from: Day, to: Day) -> MicrosSum {
        self.portfolio.span(from, to).map_or(MicrosSum(0), |span| self.cost_in(subscription, &span))
    }

    /// What it cost in `span`.
    #[must_use]
    pub fn cost_in(&self, subscription: SubscriptionIx, span: &Span) -> MicrosSum {
        MicrosSum(self.portfolio.cost_within(subscription, span, self.series.as_deref()))
    }

    /// What all subscriptions kept cost in `span`.
    #[must_use]
    pub fn total_cost_in(&self, span: &Span) -> MicrosSum {
        let is_all = self.kept.is_none() && self.series.is_none();
        let all = (0..).map(SeriesIx).take(self.portfolio.series().len()).filter(|_| is_all);
        let sums: Option<i128> = all.map(|series| self.portfolio.total_within(series, span).map(|(_, cost)| cost)).sum();
        if let Some(sum) = sums.filter(|_| is_all) {
            return MicrosSum(sum);
        }
        let mut sum = MicrosSum(0);
        self.each_cost_in(span, |_, cost| sum.0 += cost.0);
        sum
    }

    /// Tells what each subscription kept cost in `span`, ascending by id.
    pub fn each_cost_in(&self, span: &Span, mut tell: impl FnMut(SubscriptionIx, MicrosSum)) {
        let keeps = self.series.as_deref();
        self.portfolio.each_cost_within(self.subscriptions(), span, keeps, |ix, cost| tell(ix, MicrosSum(cost)));
    }
}

/// The usage by the month as a filter has cut it, of whoever the [`Cut`] beside it keeps.
#[derive(Debug)]
pub(super) struct MonthsCut<'a> {
    usage: &'a MonthlyUsage,
    /// By series; none where all rows are kept.
    series: Option<Vec<bool>>,
}

impl MonthsCut<'_> {
    /// What a subscription cost in a month.
    pub(super) fn cost(&self, subscription: SubscriptionIx, month: MonthIx) -> MicrosSum {
        MicrosSum(self.usage.cost(subscription, month, self.series.as_deref()))
    }

    /// Whether it cost more than 0 in any one month that begins before `month`.
    pub(super) fn had_cost_before(&self, subscription: SubscriptionIx, month: Day) -> bool {
        self.usage.had_cost_before(subscription, month, self.series.as_deref())
    }
}
