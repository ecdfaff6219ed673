//! What a service counts of itself, as Prometheus text.
//!
//! Absent on purpose: static registries (two services run in one process), and any name or id
//! of a customer in a label.

use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::version::Version;

/// Upper bounds of the buckets of durations, in seconds.
const DURATION_BOUNDS: [f64; 10] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    /// The route as it is written in the document, or `other`.
    route: Cow<'static, str>,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Figure {
    /// A feature, or `risk`.
    name: String,
}

/// The counters of one service.
pub(super) struct Counters {
    registry: Registry,
    requests: Family<Request, Counter>,
    durations: Histogram,
    hits: Counter,
    misses: Counter,
    table_version: Gauge,
    as_of_day: Gauge,
    subscriptions: Gauge,
    usage_rows: Gauge,
    gap_days: Gauge,
    model_loaded: Gauge,
    model_refused: Gauge,
    feed_age_days: Gauge,
    model_alarms: Gauge,
    drift: Family<Figure, Gauge<f64, AtomicU64>>,
    scorings_recorded: Counter,
    scorings_failed: Counter,
    last_scoring_age: Gauge,
}

impl fmt::Debug for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Counters")
    }
}

impl Counters {
    pub(super) fn new() -> Self {
        let mut registry = Registry::with_prefix("churn_risk");
        let counters = Self {
            requests: Family::default(),
            durations: Histogram::new(DURATION_BOUNDS),
            hits: Counter::default(),
            misses: Counter::default(),
            table_version: Gauge::default(),
            as_of_day: Gauge::default(),
            subscriptions: Gauge::default(),
            usage_rows: Gauge::default(),
            gap_days: Gauge::default(),
            model_loaded: Gauge::default(),
            model_refused: Gauge::default(),
            feed_age_days: Gauge::default(),
            model_alarms: Gauge::default(),
            drift: Family::default(),
            scorings_recorded: Counter::default(),
            scorings_failed: Counter::default(),
            last_scoring_age: Gauge::default(),
            registry: Registry::default(),
        };
        registry.register("http_requests", "Requests answered, by route and status", counters.requests.clone());
        registry.register_with_unit(
            "http_request_duration",
            "Time from a request's head to its answer's",
            Unit::Seconds,
            counters.durations.clone(),
        );
        registry.register("answer_cache_hits", "Answers found among those given before", counters.hits.clone());
        registry.register("answer_cache_misses", "Answers worked out because none was kept", counters.misses.clone());
        registry.register("table_version", "The import that the tables in service stand at", counters.table_version.clone());
        registry.register("as_of_day", "The as-of day, in days since 1970-01-01; 0 without one", counters.as_of_day.clone());
        registry.register("subscriptions", "Subscriptions in the tables", counters.subscriptions.clone());
        registry.register("usage_rows", "Usage rows in the tables", counters.usage_rows.clone());
        registry.register("feed_gap_days", "Days without a single usage row, up to the as-of day", counters.gap_days.clone());
        registry.register("model_loaded", "1 where a model is in service", counters.model_loaded.clone());
        registry.register(
            "model_refused",
            "1 where the registry names a version that is refused, and another stays in service",
            counters.model_refused.clone(),
        );
        registry.register(
            "feed_age_days",
            "Days from the as-of day to today; 0 where the service has no clock",
            counters.feed_age_days.clone(),
        );
        registry.register(
            "model_alarms",
            "Alarms of /v1/model: drift, gaps, a stale feed, an old model; -1 before they are worked out",
            counters.model_alarms.clone(),
        );
        registry.register(
            "model_drift_psi",
            "Population stability index of the risk and of each feature against the training rows, once it is worked out",
            counters.drift.clone(),
        );
        registry.register("scorings_recorded", "Scorings of the whole portfolio that were appended", counters.scorings_recorded.clone());
        registry.register("scorings_failed", "Attempts to append a scoring that failed", counters.scorings_failed.clone());
        registry.register(
            "last_scoring_age_days",
            "Days since the newest recorded scoring was made; -1 without one",
            counters.last_scoring_age.clone(),
        );
        Self { registry, ..counters }
    }

    /// Counts a request that was answered.
    pub(super) fn answered(&self, route: Option<Cow<'static, str>>, status: u16, took: Duration) {
        self.requests.get_or_create(&Request { route: route.unwrap_or(Cow::Borrowed("other")), status }).inc();
        self.durations.observe(took.as_secs_f64());
    }

    /// Whether the version that the registry names was refused at the last look.
    pub(super) fn model_refused(&self, refused: bool) {
        self.model_refused.set(i64::from(refused));
    }

    /// Counts a look among the answers given before.
    pub(super) fn looked_up(&self, hit: bool) {
        let counter = if hit { &self.hits } else { &self.misses };
        counter.inc();
    }

    /// Counts an attempt to append a scoring.
    pub(super) fn recorded_scoring(&self, succeeded: bool) {
        let counter = if succeeded { &self.scorings_recorded } else { &self.scorings_failed };
        counter.inc();
    }

    /// Everything, as `OpenMetrics` text, with what stands at `version`.
    pub(super) fn text(&self, version: &Version) -> Result<String, fmt::Error> {
        let portfolio = &version.tables().portfolio;
        let size = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.table_version.set(i64::try_from(portfolio.version()).unwrap_or(i64::MAX));
        self.as_of_day.set(portfolio.as_of().map_or(0, |day| i64::from(day.epoch_days())));
        self.subscriptions.set(size(portfolio.subscriptions().len()));
        self.usage_rows.set(size(portfolio.usage_rows()));
        self.gap_days.set(size(portfolio.gaps().len()));
        self.model_loaded.set(i64::from(version.model().is_some()));
        let age = version.seen_on().zip(portfolio.as_of()).map_or(0, |(today, as_of)| today - as_of);
        self.feed_age_days.set(i64::from(age));
        let looked_at = version.model().filter(|_| version.knows_drift());
        self.model_alarms.set(looked_at.map_or(-1, |loaded| size(version.alarms(loaded).len())));
        self.drift.clear();
        for moved in version.known_drift().into_iter().flat_map(|drift| &drift.moved) {
            self.drift.get_or_create(&Figure { name: moved.name.clone() }).set(moved.psi);
        }
        self.last_scoring_age.set(version.issued().age_days().map_or(-1, i64::from));
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
