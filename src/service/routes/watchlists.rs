//! GET /v1/commitments/expiring and /v1/anomalies: what somebody should look at.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{CommitmentKind, Day, Micros, MicrosSum, Period};
use crate::metrics::{self, Anomaly, AnomalyMeasure, Direction, ExpiringRow, Expiry, Filter, Window};
use crate::portfolio::Portfolio;

use super::super::cursor::Key;
use super::super::endpoint::{About, Listing};
use super::super::meta::{Meta, Warning};
use super::super::operation::Operation;
use super::super::parameters::{Kind, Parameters, Query, Spec};
use super::super::problem::Problem;
use super::super::version::Version;
use super::customers::PeriodQuery;
use super::words::Whose;

/// The windows by name, in the order of [`WINDOWS`].
pub(in crate::service) const WINDOW_NAMES: &[&str] = &["ended", "within_7_days", "within_15_days", "within_30_days", "later"];

const WINDOW: Spec = Spec::new(
    "window",
    Kind::Choice(WINDOW_NAMES),
    "When it ends, counted from the as-of day; `ended` is in the last 30 days. Each is in the first window that holds it.",
)
.such_as("within_30_days");

pub(in crate::service) const WINDOWS: [Window; 5] =
    [Window::Ended, Window::Within7Days, Window::Within15Days, Window::Within30Days, Window::Later];

/// Windows and the common filters.
#[derive(Debug, Clone)]
pub(in crate::service) struct ExpiringQuery {
    windows: Vec<Window>,
    filter: Filter,
}

impl Query for ExpiringQuery {
    fn parse(parameters: &mut Parameters) -> Self {
        Self { windows: parameters.choices(&WINDOW, &WINDOWS), filter: parameters.filter() }
    }
}

/// A reservation, a savings plan or a term, and its end.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Expiring)]
pub(in crate::service) struct Ending {
    /// The commitment's id; for a term that a subscription records, the subscription's.
    pub(in crate::service) id: String,
    pub(in crate::service) kind: CommitmentKind,
    pub(in crate::service) customer_id: Option<String>,
    pub(in crate::service) customer_name: Option<String>,
    pub(in crate::service) country: Option<String>,
    pub(in crate::service) subscription_id: Option<String>,
    pub(in crate::service) product: Option<String>,
    pub(in crate::service) quantity: Option<Micros>,
    /// The last day that it holds.
    pub(in crate::service) ends_on: Day,
    /// Days from the as-of day to the end; below 0 where it has ended.
    pub(in crate::service) days_to_end: i32,
    pub(in crate::service) window: Window,
}

impl Ending {
    fn of(portfolio: &Portfolio, row: &ExpiringRow<'_>) -> Self {
        let customer = row.customer.map(|customer| portfolio.customer(customer));
        Self {
            id: row.id.to_owned(),
            kind: row.kind,
            customer_id: customer.map(|customer| customer.id.clone()),
            customer_name: customer.and_then(|customer| customer.name.clone()),
            country: customer.and_then(|customer| customer.country.clone()),
            subscription_id: row.subscription.map(|ix| portfolio.subscription(ix).id.to_string()),
            product: row.product.map(str::to_owned),
            quantity: row.quantity,
            ends_on: row.ends_on,
            days_to_end: row.days_to_end,
            window: row.window,
        }
    }
}

/// A row and its place in a list that is short and made at once.
#[derive(Debug, Clone)]
pub(in crate::service) struct Placed<R>(u64, R);

impl Placed<Expiry> {
    /// When it ends.
    pub(in crate::service) const fn window(&self) -> Window {
        self.1.window
    }
}

fn placed<R>(rows: impl Iterator<Item = R>) -> Vec<Placed<R>> {
    (0..).zip(rows).map(|(place, row)| Placed(place, row)).collect()
}

/// Commitments and terms that end.
#[derive(Debug)]
pub(in crate::service) struct ExpiringCommitments;

impl Listing for ExpiringCommitments {
    const ABOUT: About = About {
        path: "/v1/commitments/expiring",
        operation: Operation::ExpiringCommitments,
        tag: "metrics",
        summary: "Reservations, savings plans and terms that end soon",
        what: "Those that end within 7, 15 or 30 days after the as-of day, later, or ended in the last 30; the next to end first. The terms are those that living subscriptions record.",
        fails: &[410],
    };
    type Query = ExpiringQuery;
    type Entry = Placed<Expiry>;
    type Row = Ending;

    fn entries(version: &Version, query: &ExpiringQuery) -> Result<(Vec<Placed<Expiry>>, Meta), Problem> {
        let sight = version.sight()?;
        let mut expiries = metrics::expiring(sight.portfolio, &query.filter).expiries;
        expiries.retain(|expiry| query.windows.is_empty() || query.windows.contains(&expiry.window));
        Ok((placed(expiries.into_iter()), Meta::of(sight)))
    }

    fn key(entry: &Placed<Expiry>) -> Key {
        Key(entry.0, 0, 0)
    }

    fn rows(version: &Version, _: &ExpiringQuery, entries: &[Placed<Expiry>], take: &mut dyn FnMut(Ending) -> bool) -> Result<(), Problem> {
        let portfolio = version.sight()?.portfolio;
        let _ = entries.iter().all(|entry| take(Ending::of(portfolio, &entry.1.row(portfolio))));
        Ok(())
    }
}

/// A category of a customer that stands out, with the evidence.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Anomaly)]
pub(in crate::service) struct AnomalyRow {
    #[serde(flatten)]
    pub(in crate::service) customer: Whose,
    pub(in crate::service) category: String,
    /// Null where cost is measured.
    pub(in crate::service) unit: Option<String>,
    pub(in crate::service) measure: AnomalyMeasure,
    pub(in crate::service) direction: Direction,
    /// First and last of the four weeks.
    pub(in crate::service) recent_from: Day,
    pub(in crate::service) recent_to: Day,
    /// What the line through the weeks before leads to expect of the four weeks.
    pub(in crate::service) expected: MicrosSum,
    pub(in crate::service) observed: MicrosSum,
    /// `(observed - expected) / expected`; null where nothing was expected.
    pub(in crate::service) change: Option<f64>,
    /// How far that is in standard errors; below 0 where it is down.
    pub(in crate::service) score: f64,
    /// The median week before.
    pub(in crate::service) typical_week: MicrosSum,
    pub(in crate::service) weeks_used: u32,
    pub(in crate::service) first_week: Day,
}

impl AnomalyRow {
    fn of(portfolio: &Portfolio, row: &Anomaly) -> Self {
        let change = (row.expected.0 > 0).then(|| (row.observed.0 - row.expected.0) as f64 / row.expected.0 as f64);
        Self {
            customer: Whose::of(portfolio, row.customer),
            category: row.category.clone(),
            unit: row.unit.clone(),
            measure: row.measure,
            direction: row.direction,
            recent_from: row.recent_from,
            recent_to: row.recent_to,
            expected: row.expected,
            observed: row.observed,
            change,
            score: row.score,
            typical_week: row.typical_week,
            weeks_used: row.weeks_used,
            first_week: row.first_week,
        }
    }
}

/// Days that anomalies read: four weeks, and the six months before them.
const WEEKS_DAYS: u32 = 7 * (4 + 26);

/// Usage that stands out.
#[derive(Debug)]
pub(in crate::service) struct Anomalies;

impl Listing for Anomalies {
    const ABOUT: About = About {
        path: "/v1/anomalies",
        operation: Operation::Anomalies,
        tag: "metrics",
        summary: "Usage that stands out",
        what: "Customers' categories whose last four weeks stand out from the line through the 26 weeks before, up or down: robust to weekdays (whole weeks), to trend (Theil-Sen) and to outliers (median absolute deviation), and no trifles. The weeks end on the period's last day.",
        fails: &[410],
    };
    type Query = PeriodQuery;
    type Entry = Placed<Anomaly>;
    type Row = AnomalyRow;

    fn entries(version: &Version, query: &PeriodQuery) -> Result<(Vec<Placed<Anomaly>>, Meta), Problem> {
        let sight = version.sight()?;
        let period = query.period.resolve(sight.as_of);
        let found = if period.to() >= sight.as_of && query.filter.keeps_whole_customers() {
            let cut = query.filter.cut(sight.portfolio);
            let keeps = |row: &&Anomaly| cut.subscriptions_of(row.customer).next().is_some();
            version.anomalies().iter().filter(keeps).cloned().collect()
        } else {
            metrics::anomalies(sight.portfolio, period, &query.filter)
        };
        let mut meta = Meta::of(sight).about(sight, Period::last(WEEKS_DAYS, period.to()));
        meta.warn(Warning::doubts_about_cost(sight.portfolio));
        Ok((placed(found.into_iter()), meta))
    }

    fn key(entry: &Placed<Anomaly>) -> Key {
        Key(entry.0, 0, 0)
    }

    fn rows(
        version: &Version,
        _: &PeriodQuery,
        entries: &[Placed<Anomaly>],
        take: &mut dyn FnMut(AnomalyRow) -> bool,
    ) -> Result<(), Problem> {
        let portfolio = version.sight()?.portfolio;
        let _ = entries.iter().all(|entry| take(AnomalyRow::of(portfolio, &entry.1)));
        Ok(())
    }
}
