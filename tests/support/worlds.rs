//! Small tables, written by hand or at random, and the portfolio of them.
//!
//! The random ones are hostile on purpose: suspensions that recover and end, several events on
//! one day, events before creation and after the end, a leap day, the ISO year's end, customers
//! without subscriptions and subscriptions without customers, rows of quantity 0, gaps, trials.

use std::collections::{BTreeMap, BTreeSet};

use churn_risk::domain::{CommitmentRow, CustomerId, CustomerRow, Day, Event, EventKind, Micros, SubscriptionId, SubscriptionRow};
use churn_risk::metrics::{Filter, RawFilter};
use churn_risk::portfolio::{Portfolio, PortfolioBuilder, SmallTables};
use proptest::prelude::*;

/// (quantity, cost) of a (subscription, day, category, unit), in micro-units.
pub(crate) type UsageTable = BTreeMap<(String, Day, String, String), (i64, Option<i64>)>;

/// The tables before anything is made of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    pub(crate) customers: Vec<CustomerRow>,
    pub(crate) subscriptions: Vec<SubscriptionRow>,
    pub(crate) lifecycle: Vec<(SubscriptionId, Event)>,
    pub(crate) usage: UsageTable,
    /// Usage by the month; the day is the first of the month.
    pub(crate) monthly: UsageTable,
    pub(crate) settle_days: u32,
    pub(crate) version: u64,
}

pub(crate) fn day(text: &str) -> Day {
    Day::parse(text).expect("a test's own date")
}

pub(crate) fn subscription_id(text: &str) -> SubscriptionId {
    SubscriptionId::parse(text).expect("a test's own id")
}

impl World {
    pub(crate) fn customer(&mut self, id: &str, country: Option<&str>, reseller: Option<&str>) {
        self.customers.push(CustomerRow {
            customer_id: CustomerId::parse(id).expect("a test's own id"),
            name: Some(format!("Name of {id}")),
            country: country.map(str::to_owned),
            segment: None,
            reseller_id: reseller.map(str::to_owned),
            reseller_name: None,
            told_on: None,
        });
    }

    /// A subscription that was created on `created`, where that is told.
    pub(crate) fn subscription(&mut self, id: &str, customer: &str, created: Option<&str>) -> &mut SubscriptionRow {
        let customer = CustomerId::parse(customer).expect("a test's own id");
        self.subscriptions.push(SubscriptionRow {
            name: Some(format!("Name of {id}")),
            created_on: created.map(day),
            ..SubscriptionRow::bare(subscription_id(id), customer)
        });
        self.subscriptions.last_mut().expect("just pushed")
    }

    pub(crate) fn event(&mut self, id: &str, on: &str, kind: EventKind) {
        self.lifecycle.push((subscription_id(id), Event { on: day(on), kind, reason: None }));
    }

    /// One row in the category `Storage`, in GB, at one unit of money a GB.
    pub(crate) fn used(&mut self, id: &str, on: &str, gigabytes: i64) {
        let micros = gigabytes * 1_000_000;
        self.usage.insert((id.to_owned(), day(on), "Storage".to_owned(), "GB".to_owned()), (micros, Some(micros)));
    }

    /// The portfolio of these tables.
    pub(crate) fn portfolio(&self) -> Portfolio {
        self.portfolio_with(Vec::new())
    }

    /// The portfolio of these tables and of commitments.
    pub(crate) fn portfolio_with(&self, commitments: Vec<CommitmentRow>) -> Portfolio {
        let (customers, subscriptions) = (self.customers.clone(), self.subscriptions.clone());
        let tables = SmallTables { customers, subscriptions, lifecycle: self.lifecycle.clone(), commitments };
        let mut builder = PortfolioBuilder::new(self.version, self.settle_days, tables);
        for ((id, on, category, unit), (quantity, _)) in &self.usage {
            builder.count(id, std::iter::once((*on, Micros(*quantity))));
            builder.series(category, unit);
        }
        for ((id, month, category, unit), (quantity, cost)) in &self.monthly {
            let series = builder.monthly_series(category, unit);
            builder.months(id, std::iter::once((*month, series, Micros(*quantity), cost.map(Micros))));
        }
        let mut filler = builder.seal().expect("a small portfolio");
        for ((id, on, category, unit), (quantity, cost)) in &self.usage {
            let series = filler.series_number(category, unit).expect("told in the first pass");
            let row = (*on, series, Micros(*quantity), cost.map(Micros));
            filler.fill(id, std::iter::once(row)).expect("counted in the first pass");
        }
        filler.finish()
    }
}

/// Random days lie here: over the end of an ISO year and over a leap day, with seven whole months.
const FIRST: &str = "2023-12-18";
const DAYS: i32 = 240;

fn any_day() -> impl Strategy<Value = Day> {
    (0..DAYS).prop_map(|offset| day(FIRST) + offset)
}

fn any_kind() -> impl Strategy<Value = EventKind> {
    prop_oneof![
        1 => Just(EventKind::Created),
        3 => Just(EventKind::Renewed),
        3 => Just(EventKind::Reactivated),
        3 => Just(EventKind::Suspended),
        2 => Just(EventKind::Ended),
    ]
}

/// Two of these have no row in `customers`, so a subscription may name a customer that has none.
const CUSTOMERS: [&str; 6] = ["c0", "c1", "c2", "c3", "c4", "c5"];
const COUNTRIES: [&str; 2] = ["DE", "FR"];
const PRODUCTS: [&str; 2] = ["Azure plan", "Azure trial"];
const SERIES: [(&str, &str); 4] = [("Compute", "h"), ("Storage", "GB"), ("Storage", "h"), ("SQL", "h")];
/// Subscriptions beyond the 8th have no row in `subscriptions`.
const SUBSCRIPTIONS: usize = 10;

fn any_customers() -> impl Strategy<Value = Vec<CustomerRow>> {
    let row = (any::<bool>(), proptest::option::of(0..COUNTRIES.len()), proptest::option::of(0..2_u8));
    proptest::collection::vec(row, 4).prop_map(|rows| {
        let mut world = World::default();
        for (id, (known, country, reseller)) in CUSTOMERS.iter().zip(rows) {
            if known {
                world.customer(id, country.map(|at| COUNTRIES[at]), reseller.map(|number| format!("r{number}")).as_deref());
            }
        }
        world.customers
    })
}

fn any_subscriptions() -> impl Strategy<Value = Vec<SubscriptionRow>> {
    let row = (
        any::<bool>(),
        0..CUSTOMERS.len(),
        proptest::option::of(0..PRODUCTS.len()),
        proptest::option::weighted(0.8, any_day()),
        proptest::option::of(any_day()),
        proptest::option::of(any::<bool>()),
    );
    proptest::collection::vec(row, 8).prop_map(|rows| {
        let mut world = World::default();
        for (at, (known, customer, product, created_on, term_end_on, is_trial)) in rows.into_iter().enumerate() {
            if known {
                let row = world.subscription(&format!("s{at}"), CUSTOMERS[customer], None);
                row.product = product.map(|at| PRODUCTS[at].to_owned());
                (row.created_on, row.term_end_on, row.is_trial) = (created_on, term_end_on, is_trial);
            }
        }
        world.subscriptions
    })
}

fn any_lifecycle() -> impl Strategy<Value = Vec<(SubscriptionId, Event)>> {
    let reason = proptest::option::of(prop_oneof![Just("nonpayment".to_owned()), Just("cancelled".to_owned())]);
    let event = (0..SUBSCRIPTIONS, any_day(), any_kind(), reason)
        .prop_map(|(at, on, kind, reason)| (subscription_id(&format!("s{at}")), Event { on, kind, reason }));
    proptest::collection::vec(event, 0..60)
}

/// Single rows, and runs of rows, which give whole months something to compare.
fn any_usage() -> impl Strategy<Value = UsageTable> {
    let quantity = prop_oneof![1 => Just(0_i64), 4 => 1..5_000_000_i64];
    // Credits make some costs negative.
    let cost = || proptest::option::weighted(0.8, prop_oneof![9 => 0..9_000_000_i64, 1 => -5_000_000..0_i64]);
    let row = (0..SUBSCRIPTIONS, any_day(), 0..SERIES.len(), quantity, cost());
    let run = (0..SUBSCRIPTIONS, any_day(), 0..SERIES.len(), 0..5_000_000_i64, cost(), 1..100_i32, 1..9_i32);
    (proptest::collection::vec(row, 0..80), proptest::collection::vec(run, 0..6)).prop_map(|(rows, runs)| {
        let key = |at: usize, on: Day, series: usize| {
            let (category, unit) = SERIES[series];
            (format!("s{at}"), on, category.to_owned(), unit.to_owned())
        };
        let single = rows.into_iter().map(|(at, on, series, quantity, cost)| (key(at, on, series), (quantity, cost)));
        let in_runs = runs.into_iter().flat_map(|(at, from, series, quantity, cost, count, step)| {
            let days = (0..count).map(move |number| from + number * step).filter(|on| *on < day(FIRST) + DAYS);
            days.map(move |on| (key(at, on, series), (quantity, cost)))
        });
        in_runs.chain(single).collect()
    })
}

/// Hostile tables.
pub(crate) fn any_world() -> impl Strategy<Value = World> {
    (any_customers(), any_subscriptions(), any_lifecycle(), any_usage(), 0..4_u32).prop_map(
        |(customers, subscriptions, lifecycle, usage, settle_days)| World {
            customers,
            subscriptions,
            lifecycle,
            usage,
            monthly: UsageTable::new(),
            settle_days,
            version: 1,
        },
    )
}

/// Usage by the month, from four months before the days to the month after them, of some that no
/// other table knows and in categories that no day has.
fn any_monthly() -> impl Strategy<Value = UsageTable> {
    const MONTHLY: [(&str, &str); 4] = [("Backup", "GB"), ("Compute", "h"), ("SQL", "h"), ("Storage", "GB")];
    let quantity = prop_oneof![1 => Just(0_i64), 4 => 1..90_000_000_i64];
    let cost = proptest::option::weighted(0.9, prop_oneof![9 => 0..200_000_000_i64, 1 => -50_000_000..0_i64]);
    let row = (0..SUBSCRIPTIONS + 2, 0..13_i32, 0..MONTHLY.len(), quantity, cost);
    proptest::collection::vec(row, 0..90).prop_map(|rows| {
        let month = |number: i32| day(FIRST).month_start().plus_months(number - 4);
        let key = |at: usize, number: i32, series: usize| {
            let (category, unit) = MONTHLY[series];
            (format!("s{at}"), month(number), category.to_owned(), unit.to_owned())
        };
        rows.into_iter().map(|(at, number, series, quantity, cost)| (key(at, number, series), (quantity, cost))).collect()
    })
}

/// Hostile tables whose daily rows leave whole months out, with usage by the month.
pub(crate) fn any_world_by_month() -> impl Strategy<Value = World> {
    (any_world(), any_monthly(), proptest::collection::vec(any::<bool>(), 10)).prop_map(|(mut world, monthly, has_days)| {
        let first = day(FIRST).month_start();
        let months = (0..).map(|number| first.plus_months(number));
        let silent: BTreeSet<Day> = months.zip(has_days).filter(|(_, has_days)| !has_days).map(|(month, _)| month).collect();
        world.usage.retain(|(_, on, ..), _| !silent.contains(&on.month_start()));
        World { monthly, ..world }
    })
}

/// Periods before, across and after the data, of one day to ten months.
pub(crate) fn any_period() -> impl Strategy<Value = churn_risk::domain::Period> {
    (-40..DAYS + 20, prop_oneof![2 => 0..130_i32, 1 => 0..300_i32]).prop_map(|(from, length)| {
        let from = day(FIRST) + from;
        churn_risk::domain::Period::new(from, from + length).expect("forwards")
    })
}

/// Filters of up to two values each, some of which name nothing.
pub(crate) fn any_filter() -> impl Strategy<Value = RawFilter> {
    let some = |values: &'static [&'static str]| {
        prop_oneof![
            3 => Just(Vec::new()),
            1 => proptest::sample::subsequence(values, 1..=2).prop_map(|some| some.into_iter().map(str::to_owned).collect::<Vec<_>>()),
        ]
    };
    (
        some(&["c0", "c1", "c4", "unknown", "nobody"]),
        some(&["DE", "FR", "de"]),
        some(&["r0", "r1"]),
        some(&["Compute", "Storage", "Nothing"]),
        some(&["Azure plan", "Azure trial", "None"]),
    )
        .prop_map(|(customer, country, reseller, category, product)| RawFilter { customer, country, reseller, category, product })
}

pub(crate) fn filter(raw: &RawFilter) -> Filter {
    Filter::parse(raw).expect("well-formed values")
}
