//! CPU time of each metric, without a category filter, on one thread. On a made-up partner of
//! `CHURN_RISK_BENCH_SUBSCRIPTIONS` subscriptions (2,000 where it is not set) and a year, or on
//! the lake that `CHURN_RISK_BENCH_LAKE` names.
//!
//! Time is that which the scheduler gave this thread, so that other work on the machine does
//! not count.

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use churn_risk::domain::{Bucket, Day, Micros, Period};
use churn_risk::metrics::{
    Filter, Measure, RawFilter, anomalies, categories, churn, cohorts, customer_count, expiring, gaps, retention, revenue_retention,
    subscription_history, summary, top_customers, without_usage,
};
use churn_risk::portfolio::{self, Portfolio, PortfolioBuilder, SmallTables, SubscriptionIx};
use churn_risk::simulate::{Partner, Plan, SERIES};
use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{Criterion, criterion_group, criterion_main};

const SUBSCRIPTIONS: u32 = 2_000;
const DAYS: u32 = 365;

/// Nanoseconds of CPU of this thread, from the kernel's `/proc/thread-self/schedstat`.
struct CpuTime;

#[expect(clippy::expect_used, reason = "a bench that cannot measure says so")]
fn cpu_nanoseconds() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux counts the time of threads");
    stat.split_whitespace().next().and_then(|first| first.parse().ok()).expect("a number comes first")
}

impl Measurement for CpuTime {
    type Intermediate = u64;
    type Value = Duration;

    fn start(&self) -> u64 {
        cpu_nanoseconds()
    }

    fn end(&self, since: u64) -> Duration {
        Duration::from_nanos(cpu_nanoseconds().saturating_sub(since))
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        value.as_nanos() as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

/// The portfolio of a made-up partner, built in memory.
#[expect(clippy::expect_used, reason = "a bench that cannot begin says so")]
fn made_up(subscriptions: u32) -> Portfolio {
    let plan = Plan::new(subscriptions, DAYS, 1, Day::from_epoch_days(20_757)).expect("in bounds");
    let partner = Partner::new(plan);
    let ids: Vec<String> = (0..subscriptions).map(|number| partner.subscription_id(number).expect("a GUID").to_string()).collect();
    let events = partner.events().flat_map(|(number, events)| events.into_iter().map(move |event| (number, event)));
    let tables = SmallTables {
        customers: partner.customers().collect::<Result<_, _>>().expect("GUIDs"),
        subscriptions: partner.subscriptions().collect::<Result<_, _>>().expect("GUIDs"),
        lifecycle: events.map(|(number, event)| (partner.subscription_id(number).expect("a GUID"), event)).collect(),
        commitments: partner.commitments().collect::<Result<_, _>>().expect("GUIDs"),
    };
    let mut builder = PortfolioBuilder::new(1, 0, tables);
    for series in &SERIES {
        builder.series(series.category, series.unit);
    }
    for day in plan.each_day() {
        partner.usage_on(day).for_each(|row| builder.count(&ids[row.subscription as usize], std::iter::once((day, row.quantity))));
    }
    let mut filler = builder.seal().expect("it fits");
    let numbers: Vec<u16> = SERIES.iter().map(|series| filler.series_number(series.category, series.unit).expect("told before")).collect();
    for day in plan.each_day() {
        for row in partner.usage_on(day) {
            let cost: Option<Micros> = Some(row.cost);
            let row_of_series = std::iter::once((day, numbers[row.series], row.quantity, cost));
            filler.fill(&ids[row.subscription as usize], row_of_series).expect("counted before");
        }
    }
    filler.finish()
}

#[expect(clippy::expect_used, reason = "a bench that cannot begin says so")]
#[expect(clippy::print_stderr, reason = "what is measured is told beside the figures")]
fn metrics(criterion: &mut Criterion<CpuTime>) {
    let subscriptions = std::env::var("CHURN_RISK_BENCH_SUBSCRIPTIONS").ok().and_then(|text| text.parse().ok());
    let portfolio = match std::env::var("CHURN_RISK_BENCH_LAKE") {
        Ok(lake) => portfolio::load(Path::new(&lake), 0).expect("the lake loads"),
        Err(_) => made_up(subscriptions.unwrap_or(SUBSCRIPTIONS)),
    };
    let as_of = portfolio.as_of().expect("something was used");
    eprintln!(
        "{} subscriptions, {} customers, {} usage rows, as of {as_of}; index: {:.1} MB",
        portfolio.subscriptions().len(),
        portfolio.customers().len(),
        portfolio.usage_rows(),
        portfolio.index_bytes() as f64 / 1e6
    );
    let everyone = Filter::default();
    let one_category = |category: &str| {
        let raw = RawFilter { category: vec![category.to_owned()], ..RawFilter::default() };
        Filter::parse(&raw).expect("a filter")
    };
    let storage = one_category("Storage");
    let gigabytes = Measure::Quantity { unit: portfolio.series().iter().find(|one| one.category == "Storage").map(|one| one.unit.clone()) };
    // In the middle of a month, where whole months help least; and as a service asks, up to the as-of day.
    let middle = (as_of + 1).month_start() - 16;
    let periods = [
        ("30 days", Period::last(30, as_of)),
        ("30 days up to mid-month", Period::last(30, middle)),
        ("92 days", Period::last(92, as_of)),
        ("12 months", Period::last(365, as_of)),
    ];
    for (name, period) in periods {
        let portfolio = black_box(&portfolio);
        let mut bench = |metric: &str, work: &dyn Fn() -> usize| {
            criterion.bench_function(&format!("{metric}, {name}"), |bencher| bencher.iter(work));
        };
        bench("summary", &|| summary(portfolio, period, &everyone).customers_with_usage.series.len());
        bench("top by cost", &|| top_customers(portfolio, period, &everyone, &Measure::Cost, 5).map_or(0, |top| top.rows.len()));
        bench("top by quantity", &|| top_customers(portfolio, period, &storage, &gigabytes, 5).map_or(0, |top| top.rows.len()));
        bench("categories", &|| categories(portfolio, period, &everyone).len());
        bench("customer count by day", &|| customer_count(portfolio, period, Bucket::Day, &everyone).buckets.len());
        bench("churn by day", &|| churn(portfolio, period, Bucket::Day, &everyone).buckets.len());
        bench("retention by month", &|| retention(portfolio, period, Bucket::Month, &everyone).buckets.len());
        bench("cohorts", &|| cohorts(portfolio, period, &everyone).len());
        bench("revenue", &|| usize::from(revenue_retention(portfolio, period, &everyone).flow.is_some()));
        bench("without usage", &|| without_usage(portfolio, period, &everyone).len());
        bench("gaps", &|| gaps(portfolio, period).len());
        bench("one subscription", &|| {
            subscription_history(portfolio, period, &everyone, SubscriptionIx(0)).map_or(0, |one| one.daily.len())
        });
    }
    let month = Period::last(28, as_of);
    criterion.bench_function("anomalies", |bencher| bencher.iter(|| anomalies(black_box(&portfolio), month, &everyone).len()));
    // Weeks of which no sums are kept are added up from the rows.
    let earlier = Period::last(28, as_of - 3);
    criterion.bench_function("anomalies three days before", |bencher| {
        bencher.iter(|| anomalies(black_box(&portfolio), earlier, &everyone).len());
    });
    criterion.bench_function("expiring", |bencher| bencher.iter(|| expiring(black_box(&portfolio), &everyone).expiries.len()));
}

fn on_cpu_time() -> Criterion<CpuTime> {
    Criterion::default()
        .with_measurement(CpuTime)
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
}

criterion_group! { name = benches; config = on_cpu_time(); targets = metrics }
criterion_main!(benches);
