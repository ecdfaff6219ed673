//! What a service holds: the version in service, older ones that somebody is walking through,
//! answers given before; and the only ways in which a version is replaced.
//!
//! Absent on purpose: a swap that can fail. All that can fail is done aside, before it.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::time::{Duration, Instant};

use actix_web::web::Bytes;
use actix_web::{HttpRequest, web};
use arc_swap::ArcSwap;
use parking_lot::Mutex;

use super::cache::Answers;
use super::counters::Counters;
use super::cursor::{Sealer, Short};
use super::dashboard::Files;
use super::problem::Problem;
use super::scores::{Issued, Scores};
use super::source::TableSource;
use super::version::{Tables, Version};
use super::views::{Views, fitting};
use crate::access::View;
use crate::domain::Day;
use crate::lake::{Lake, ScoresReceipt};
use crate::model::{LoadError, LoadedModel, ModelSlot};
use crate::portfolio;

/// Versions beside the one in service that are kept for those who walk through their lists. Each
/// holds a portfolio: some 0.5 GB at 20 million usage rows.
const WALKED_MAX: usize = 2;

/// How long after its last page a version is kept for a walk.
const WALKED_FOR: Duration = Duration::from_mins(2);

/// The portfolio and the model in service. Clones are of one state.
#[derive(Debug, Clone)]
pub struct State(Arc<Inner>);

struct Inner {
    current: ArcSwap<Version>,
    model: ModelSlot,
    source: Option<TableSource>,
    scores: Option<Arc<Scores>>,
    /// Wakes the thread that appends scores, where there is one.
    wake: Mutex<Option<mpsc::Sender<()>>>,
    /// Changes take turns, so that the last to begin is the last to be stored.
    changing: Mutex<()>,
    walked: Mutex<Vec<Walked>>,
    views: Views,
    /// The number of the next version, of those in service and of parts of them.
    epochs: AtomicU64,
    sealer: Sealer,
    answers: Answers,
    counters: Counters,
    document: OnceLock<Bytes>,
    files: Files,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("epoch", &self.current.load().epoch()).finish_non_exhaustive()
    }
}

/// A version with a list of which somebody has a part.
struct Walked {
    version: Arc<Version>,
    last: Instant,
}

impl State {
    /// Tables, empty where there was no import yet, and a slot, empty where there is no model yet.
    #[must_use]
    pub fn new(tables: impl Into<Tables>, model: ModelSlot) -> Self {
        Self::over(tables.into(), model, None, None)
    }

    /// The newest tables of a source, which is looked at again by [`State::reload_tables`].
    ///
    /// # Errors
    /// Where the tables do not load.
    pub fn from_source(source: TableSource, model: ModelSlot) -> Result<Self, portfolio::LoadError> {
        let tables = source.load()?;
        let scores = Scores::new(source.open()?, model.registry().clone(), source.today);
        Ok(Self::over(tables, model, Some(source), Some(Arc::new(scores))))
    }

    fn over(tables: Tables, model: ModelSlot, source: Option<TableSource>, scores: Option<Arc<Scores>>) -> Self {
        let mut secret = [0; 32];
        // A system without randomness is one without TLS and without temporary files too; its
        // cursors are then sealed with a key that can be guessed, and open nothing but the place
        // in a list that their holder may read anyway.
        if let Err(error) = getrandom::fill(&mut secret) {
            tracing::warn!(%error, "the system gives no random bytes; cursors are sealed with a fixed key");
        }
        let seen_on = source.as_ref().map(|source| (source.today)());
        let issued = scores.as_ref().map_or_else(Issued::default, Scores::issued);
        let version = Version::new(0, Arc::new(tables), model.current(), issued).seen(seen_on);
        let inner = Inner {
            current: ArcSwap::from_pointee(version),
            model,
            source,
            scores,
            wake: Mutex::new(None),
            changing: Mutex::new(()),
            walked: Mutex::new(Vec::new()),
            views: Views::default(),
            epochs: AtomicU64::new(1),
            sealer: Sealer::new(secret),
            answers: Answers::new(),
            counters: Counters::new(),
            document: OnceLock::new(),
            files: Files::default(),
        };
        Self(Arc::new(inner))
    }

    /// Puts another version of the tables in service. It was built and checked aside; requests
    /// in flight go on over the one they took. It cannot fail.
    pub fn replace_tables(&self, tables: impl Into<Tables>) {
        let tables = Arc::new(tables.into());
        let _turn = self.0.changing.lock();
        self.swap(tables, self.0.model.current());
    }

    /// Puts the registry's current model in service; the one in use stays where it is refused.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn reload_model(&self) -> Result<Arc<LoadedModel>, LoadError> {
        let _turn = self.0.changing.lock();
        let loaded = self.0.model.reload()?;
        let tables = Arc::clone(self.0.current.load().tables());
        self.swap(tables, Some(Arc::clone(&loaded)));
        Ok(loaded)
    }

    /// The page of a version of the model that a person reads; none where it has none.
    ///
    /// # Errors
    /// Where it is there and does not read.
    pub(super) fn report(&self, version: &str) -> Result<Option<Vec<u8>>, LoadError> {
        self.0.model.report(version)
    }

    /// Puts the newest tables of the source in service, where they are newer than those in use.
    /// Returns the version in service and whether it is a new one.
    ///
    /// # Errors
    /// Why they do not load; the ones in use stay.
    pub fn reload_tables(&self) -> Result<(u64, bool), portfolio::LoadError> {
        let lake = self.0.source.as_ref().map(TableSource::open).transpose()?;
        self.look_for_tables(lake.as_ref())
    }

    /// The same over a lake that is open already.
    fn look_for_tables(&self, lake: Option<&Lake>) -> Result<(u64, bool), portfolio::LoadError> {
        let _turn = self.0.changing.lock();
        let before = self.0.current.load().tables().portfolio.version();
        let newer = match (&self.0.source, lake) {
            (Some(source), Some(lake)) => source.newer_than(lake, before)?,
            _ => None,
        };
        let Some(tables) = newer else { return Ok((before, false)) };
        let version = tables.portfolio.version();
        self.swap(Arc::new(tables), self.0.model.current());
        tracing::info!(version, previous = before, "new tables came into service");
        Ok((version, true))
    }

    /// Looks for newer tables and another current model, and takes what is there. What does not
    /// load is told to the log; what is in service stays.
    pub(super) fn look_around(&self, lake: Option<&Lake>) {
        if let Err(error) = self.look_for_tables(lake) {
            tracing::error!(error = &error as &dyn std::error::Error, "the newer tables do not load; those in service stay");
        }
        let in_service = self.0.model.current().map(|loaded| loaded.model.version().to_owned());
        match self.0.model.current_version() {
            Ok(version) if in_service.as_ref() != Some(&version) => {
                let reloaded = self.reload_model();
                self.0.counters.model_refused(reloaded.is_err());
                match reloaded {
                    Ok(loaded) => tracing::info!(model = loaded.model.version(), previous = in_service, "a model came into service"),
                    Err(error) => tracing::error!(error = &error as &dyn std::error::Error, "the current model is refused"),
                }
            }
            Ok(_) => self.0.counters.model_refused(false),
            // No model at all is told at the start, and by /readyz.
            Err(_) => {}
        }
        self.wake();
        self.turn_the_day();
        let current = self.current();
        if let Some(loaded) = current.model() {
            current.drift(loaded);
        }
        self.forget_walks(Instant::now());
    }

    /// On a new day the same tables and model come into service anew: how old the feed is has changed.
    fn turn_the_day(&self) {
        let _turn = self.0.changing.lock();
        let current = self.current();
        let today = self.today();
        if current.seen_on() != today {
            self.0.current.store(Arc::new(current.with_issued(self.next_epoch(), self.issued()).seen(today)));
        }
    }

    /// The clock's day; none of tables that were handed over.
    fn today(&self) -> Option<Day> {
        self.0.source.as_ref().map(|source| (source.today)())
    }

    /// What is missing, in words; nothing where every route answers.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        self.0.current.load().missing().into_iter().map(|fault| fault.detail).collect()
    }

    /// With the turn held.
    fn swap(&self, tables: Arc<Tables>, model: Option<Arc<LoadedModel>>) {
        let version = Version::new(self.next_epoch(), tables, model, self.issued()).seen(self.today());
        self.0.current.store(Arc::new(version));
        self.forget_walks(Instant::now());
        self.wake();
    }

    fn next_epoch(&self) -> u64 {
        self.0.epochs.fetch_add(1, Ordering::Relaxed)
    }

    fn issued(&self) -> Issued {
        self.0.scores.as_ref().map_or_else(Issued::default, Scores::issued)
    }

    /// Names whom to wake when a version came into service.
    pub(super) fn wake_with(&self, wake: Option<mpsc::Sender<()>>) {
        *self.0.wake.lock() = wake;
    }

    fn wake(&self) {
        if let Some(wake) = self.0.wake.lock().as_ref() {
            // One that has ended wants no more scorings.
            let _ = wake.send(());
        }
    }

    /// Appends the scoring of the version in service, where it is not recorded yet. Then the same
    /// tables and model are in service again, with it among the scores issued.
    pub(super) fn record_scores(&self) {
        let Some(scores) = &self.0.scores else { return };
        let version = self.current();
        match scores.append(&version) {
            Ok(None) => return,
            Ok(Some(ScoresReceipt::Recorded(head))) => {
                self.0.counters.recorded_scoring(true);
                let model = &head.scoring.model_version;
                tracing::info!(as_of = %head.scoring.as_of, model, rows = head.rows, "the scoring of the portfolio is recorded");
            }
            // By another process.
            Ok(Some(ScoresReceipt::AlreadyRecorded(_))) => {}
            Err(error) => {
                self.0.counters.recorded_scoring(false);
                scores.tell_failure(&error);
                return;
            }
        }
        let _turn = self.0.changing.lock();
        let current = self.current();
        self.0.current.store(Arc::new(current.with_issued(self.next_epoch(), self.issued())));
    }

    /// Works out what is worked out once a version, so that who opens the page first need not wait.
    pub(super) fn prepare(&self) {
        let version = self.current();
        if let Some(loaded) = version.model() {
            version.ranking(loaded, 0);
            version.drift(loaded);
        }
        version.anomalies();
        version.alphabet();
        version.record();
    }

    /// Compares the recorded scores with their checksums.
    pub(super) fn check_scores(&self) {
        if let Some(scores) = &self.0.scores {
            scores.check_files();
        }
    }

    /// Lets go of versions that nobody walks through any more. Those in service, and parts of it,
    /// stay by themselves, so they do not count.
    fn forget_walks(&self, now: Instant) {
        let current = self.0.current.load();
        let mut walked = self.0.walked.lock();
        let of_current = |one: &Walked| one.version.whole().epoch() == current.epoch();
        walked.retain(|one| of_current(one) || now.duration_since(one.last) < WALKED_FOR);
        walked.sort_by_key(|one| std::cmp::Reverse(one.last));
        let mut older: Vec<u64> = Vec::new();
        walked.retain(|one| {
            let of = one.version.whole().epoch();
            if !of_current(one) && !older.contains(&of) {
                older.push(of);
            }
            of_current(one) || older.iter().take(WALKED_MAX).any(|kept| *kept == of)
        });
    }

    /// The version in service.
    pub(super) fn current(&self) -> Arc<Version> {
        self.0.current.load_full()
    }

    /// What somebody of `view` sees of the version in service.
    ///
    /// # Errors
    /// Where it has to be made, and that fails.
    pub(super) async fn seen_by(&self, view: &View) -> Result<Arc<Version>, Problem> {
        let current = self.current();
        if view.is_whole() {
            return Ok(current);
        }
        if let Some(seen) = self.0.views.find(&current, view) {
            return Ok(seen);
        }
        let (state, view) = (self.clone(), view.clone());
        // Parts have turns of their own.
        web::block(move || state.0.views.make(&current, &view, || state.next_epoch())).await.map_err(|_| Problem::Panicked)
    }

    /// The version that a cursor goes on over, for somebody who sees `seen` of the one in service.
    ///
    /// # Errors
    /// 410 where it is kept no more, and where it is not what they may see.
    pub(super) fn walked(&self, versions: Short, seen: &Arc<Version>, view: &View) -> Result<Arc<Version>, Problem> {
        if seen.digest() == versions {
            return Ok(Arc::clone(seen));
        }
        let walked = self.0.walked.lock();
        let kept = walked.iter().find(|one| one.version.digest() == versions && one.version.is_view(view));
        kept.map(|one| Arc::clone(&one.version)).ok_or(Problem::StaleCursor)
    }

    /// Keeps a version for the next page of somebody who was given one of it just now.
    pub(super) fn walk(&self, version: &Arc<Version>) {
        let now = Instant::now();
        let mut walked = self.0.walked.lock();
        // A part that was made anew shows the same, and needs no second place.
        walked.retain(|one| one.version.digest() != version.digest());
        walked.push(Walked { version: Arc::clone(version), last: now });
        walked.sort_by_key(|one| std::cmp::Reverse(one.last));
        let mut parts = fitting(walked.iter().map(|one| &*one.version).filter(|one| one.is_part()), version.whole());
        walked.retain(|one| {
            let stays = !one.version.is_part() || parts > 0;
            parts = parts.saturating_sub(usize::from(one.version.is_part()));
            stays
        });
    }

    /// Where the tables come from; none for tables that were handed over.
    pub(super) fn source(&self) -> Option<&TableSource> {
        self.0.source.as_ref()
    }

    pub(super) fn sealer(&self) -> &Sealer {
        &self.0.sealer
    }

    pub(super) fn answers(&self) -> &Answers {
        &self.0.answers
    }

    pub(super) fn counters(&self) -> &Counters {
        &self.0.counters
    }

    /// The files of the pages.
    pub(super) fn files(&self) -> &Files {
        &self.0.files
    }

    /// The document of the interface, made at the first look.
    ///
    /// # Errors
    /// Where it does not serialise.
    pub(super) fn document(&self, make: impl FnOnce() -> serde_json::Result<Vec<u8>>) -> Result<Bytes, Problem> {
        if let Some(document) = self.0.document.get() {
            return Ok(document.clone());
        }
        let bytes = make().map_err(Problem::Unserialisable)?;
        Ok(self.0.document.get_or_init(|| bytes.into()).clone())
    }
}

/// The state of the service that a request came to.
///
/// # Errors
/// Every service is built with a state; one without is not ready.
pub(super) fn of(request: &HttpRequest) -> Result<&State, Problem> {
    let state = request.app_data::<web::Data<State>>().map(|state| state.as_ref());
    state.ok_or_else(|| Problem::NotReady(vec![super::problem::Fault::missing("the service has no state")]))
}
