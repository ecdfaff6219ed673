//! Services on port 0, each with its own folder of models.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use churn_risk::access::{AccessConfig, AuditLog, Clock, KeyError, KeyFile, KeyRequest, Role};
use churn_risk::model::{ModelSlot, Registry};
use churn_risk::service::{Guard, Limits, Running, Service, ServiceConfig, State, TableSource};
use secrecy::ExposeSecret;
use serde_json::Value;
use tempfile::TempDir;

use super::client::{Reply, ask};
use super::models;
use super::worlds::{World, day};

/// A service and what it stands on; it stops when dropped.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) state: State,
    pub(crate) running: Option<Running>,
    models: PathBuf,
    /// The folder, where it is this service's own.
    _own: Option<TempDir>,
}

impl Served {
    /// These tables, without a model.
    pub(crate) fn without_model(world: &World) -> Self {
        Self::over(world, TempDir::new().expect("a folder"), Limits::STANDARD)
    }

    /// These tables and the model that finds silence alarming.
    pub(crate) fn with_model(world: &World) -> Self {
        Self::within(world, Limits::STANDARD)
    }

    /// A service that waits a tenth of a second for a body.
    pub(crate) fn impatient(world: &World) -> Self {
        let limits = Limits { body_deadline: Duration::from_millis(100), ..Limits::STANDARD };
        Self::over(world, TempDir::new().expect("a folder"), limits)
    }

    /// These tables and a model, within bounds of a test's own.
    pub(crate) fn within(world: &World, limits: Limits) -> Self {
        let models = published(world);
        let served = Self::over(world, models, limits);
        served.state.reload_model().expect("a sound model");
        served
    }

    /// The tables of a lake, which is looked at again every so often.
    pub(crate) fn of_lake(lake: &Path, look_every: Option<Duration>) -> Self {
        let models = TempDir::new().expect("a folder");
        let source = TableSource { lake: lake.into(), settle_days: 0, as_of_version: None, today: || day("2026-06-30") };
        let state = State::from_source(source, ModelSlot::new(Registry::open(models.path()))).expect("a lake that loads");
        Self::serve(state, models, ServiceConfig { look_every, ..ServiceConfig::new(([127, 0, 0, 1], 0).into()) })
    }

    /// The same with a folder of models that outlives it, and the current one of these in service.
    pub(crate) fn of_lake_and_models(lake: &Path, models: &Path, config: ServiceConfig) -> Self {
        let source = TableSource { lake: lake.into(), settle_days: 0, as_of_version: None, today: || day("2026-06-30") };
        let state = State::from_source(source, ModelSlot::new(Registry::open(models))).expect("a lake that loads");
        state.reload_model().expect("a sound model");
        let running = Service::open(config, state.clone()).and_then(Service::start).expect("a free port");
        Self { state, running: Some(running), models: models.to_path_buf(), _own: None }
    }

    /// These tables and the model that finds silence alarming, for whoever is known by an access file or by
    /// a key of `desk`.
    pub(crate) fn guarded(world: &World, access: &str, desk: &Doorkeeper) -> Self {
        let models = published(world);
        let state = State::new(world.portfolio(), ModelSlot::new(Registry::open(models.path())));
        state.reload_model().expect("a sound model");
        let config = ServiceConfig::new(([127, 0, 0, 1], 0).into());
        let running = Service::guarded(config, desk.guard(access), None, state.clone()).and_then(Service::start).expect("a free port");
        Self { state, running: Some(running), models: models.path().to_path_buf(), _own: Some(models) }
    }

    /// A lake and models that are there already, for whoever has a key of `desk`.
    pub(crate) fn guarded_lake(lake: &Path, models: &Path, access: &str, desk: &Doorkeeper) -> Self {
        let source = TableSource { lake: lake.into(), settle_days: 0, as_of_version: None, today: || day("2026-06-30") };
        let state = State::from_source(source, ModelSlot::new(Registry::open(models))).expect("a lake that loads");
        state.reload_model().expect("a sound model");
        let config = ServiceConfig::new(([127, 0, 0, 1], 0).into());
        let running = Service::guarded(config, desk.guard(access), None, state.clone()).and_then(Service::start).expect("a free port");
        Self { state, running: Some(running), models: models.to_path_buf(), _own: None }
    }

    fn over(world: &World, models: TempDir, limits: Limits) -> Self {
        let state = State::new(world.portfolio(), ModelSlot::new(Registry::open(models.path())));
        Self::serve(state, models, ServiceConfig { limits, ..ServiceConfig::new(([127, 0, 0, 1], 0).into()) })
    }

    fn serve(state: State, models: TempDir, config: ServiceConfig) -> Self {
        let running = Service::open(config, state.clone()).and_then(Service::start).expect("a free port");
        Self { state, running: Some(running), models: models.path().to_path_buf(), _own: Some(models) }
    }

    pub(crate) fn models(&self) -> &Path {
        &self.models
    }

    pub(crate) fn running(&self) -> &Running {
        self.running.as_ref().expect("not stopped yet")
    }

    pub(crate) fn get(&self, target: &str) -> Reply {
        self.ask("GET", target, &[])
    }

    pub(crate) fn ask(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> Reply {
        ask(self.running().address(), method, target, headers)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop().expect("an orderly end");
        }
    }
}

/// A folder of models with the one in service that finds silence alarming.
fn published(world: &World) -> TempDir {
    let models = TempDir::new().expect("a folder");
    let portfolio = world.portfolio();
    let version = models::publish(models.path(), &portfolio, models::parts(&portfolio, 1.5));
    models::promote(models.path(), &version);
    models
}

/// Keys, an audit log, and the clock by which they hold.
#[derive(Debug)]
pub(crate) struct Doorkeeper {
    folder: TempDir,
    clock: Clock,
}

/// The moment at which tests stand.
pub(crate) fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_782_820_800, 0).expect("a moment")
}

impl Doorkeeper {
    pub(crate) fn new() -> Self {
        Self::by(now)
    }

    pub(crate) fn by(clock: Clock) -> Self {
        Self { folder: TempDir::new().expect("a folder"), clock }
    }

    fn keys(&self) -> KeyFile {
        KeyFile::at(self.folder.path().join("keys.json"))
    }

    pub(crate) fn audit(&self) -> PathBuf {
        self.folder.path().join("audit")
    }

    pub(crate) fn guard(&self, access: &str) -> Guard {
        let config = AccessConfig::parse(access, Path::new("access.toml")).expect("an access file");
        Guard::new(config, Some(self.keys()), AuditLog::at(self.audit(), self.clock), self.clock).expect("somebody could")
    }

    /// A new key, as the header that bears it.
    pub(crate) fn key(&self, name: &str, roles: &[Role], scope: &[&str]) -> String {
        let scope = (!scope.is_empty()).then(|| scope.iter().map(|text| (*text).to_owned()).collect());
        let request = KeyRequest { name: name.to_owned(), roles: roles.to_vec(), scope, days: 30 };
        let made = self.keys().create(request, (self.clock)(), |_| Ok::<_, KeyError>(())).expect("a key");
        format!("Bearer {}", made.shown_once.expose_secret())
    }

    pub(crate) fn revoke(&self, name: &str) {
        self.keys().revoke(name, (self.clock)(), |_| Ok::<_, KeyError>(())).expect("a key");
    }

    /// The lines of the audit log.
    pub(crate) fn deeds(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.audit().join("audit.jsonl")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}

/// Forty subscriptions of four customers, each silent for another number of days, on data from
/// 2024-01-01 to 2024-03-31; every fifth has used SQL as well, and the last two are young.
pub(crate) fn forty() -> World {
    let mut world = World { version: 7, ..World::default() };
    for (at, country) in ["DE", "DE", "FR", "IT"].into_iter().enumerate() {
        world.customer(&format!("c{at}"), Some(country), Some(if at < 2 { "r1" } else { "r2" }));
    }
    for at in 0..40_i32 {
        let id = format!("s{at:02}");
        let created = if at < 38 { "2024-01-01" } else { "2024-03-25" };
        world.subscription(&id, &format!("c{}", at % 4), Some(created)).product = Some(format!("plan {}", at % 2));
        let last = day("2024-03-31") - at;
        let mut on = day(created);
        while on <= last {
            world.used(&id, &on.to_string(), 1 + i64::from(at % 3));
            on = on + 1;
        }
        if at % 5 == 0 {
            let key = (id, day("2024-02-10"), "SQL".to_owned(), "h".to_owned());
            world.usage.insert(key, (4_000_000, Some(8_000_000)));
        }
    }
    world
}
