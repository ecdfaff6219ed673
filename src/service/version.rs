//! One version of everything that an answer stands on: tables, model, and what is derived from
//! both once. A request holds one of these from its first look to its last byte.
//!
//! Absent on purpose: a handler that holds the slot or the state's other versions.

use std::sync::{Arc, OnceLock};

use chrono::{DateTime, Utc};

use super::alphabet::Alphabet;
use super::cursor::{Short, short};
use super::problem::{Fault, Problem};
use super::scores::{Issued, RecordOfModel};
use crate::access::{Scope, View};
use crate::domain::{Day, Period, SubscriptionId};
use crate::features::{Kernel, Usual, VolumeScale};
use crate::lake::ImportRecord;
use crate::metrics::{self, Anomaly, Filter};
use crate::model::{self, Alarm, BEFORE_DAYS, Drift, LoadedModel, Ranking, Scorer};
use crate::portfolio::{Portfolio, SubscriptionIx};

/// The tables that a service answers from.
#[derive(Debug, Clone)]
pub struct Tables {
    pub portfolio: Portfolio,
    /// The imports that made them, oldest first.
    pub imports: Vec<ImportRecord>,
    /// The moment at which the newest of them came in; none where no log tells it.
    pub imported_at: Option<DateTime<Utc>>,
}

impl From<Portfolio> for Tables {
    fn from(portfolio: Portfolio) -> Self {
        Self { portfolio, imports: Vec::new(), imported_at: None }
    }
}

/// Tables and model together.
#[derive(Debug)]
pub(super) struct Version {
    /// Counts the versions of one service: no two answers of one epoch to the same question differ.
    epoch: u64,
    digest: Short,
    tables: Arc<Tables>,
    model: Option<Arc<LoadedModel>>,
    derived: Arc<Derived>,
    issued: Issued,
    record: OnceLock<Vec<RecordOfModel>>,
    /// The clock's day when it came into service; none without a clock.
    seen_on: Option<Day>,
    part: Part,
}

/// What of the tables a version shows.
#[derive(Debug, Clone)]
enum Part {
    Whole,
    /// Some customers of another version. What is usual is told by that one: a risk is the same
    /// number whoever reads it.
    Customers(Scope, Arc<Version>),
    /// Everything of another version but its costs. Risks are that one's, as a model may read cost.
    CostFree(Arc<Version>),
}

/// What tables and model come to, each worked out once.
#[derive(Debug, Default)]
struct Derived {
    kernel: OnceLock<Kernel>,
    usual: OnceLock<Usual>,
    usual_before: OnceLock<Usual>,
    /// One for each horizon of the model.
    rankings: OnceLock<Vec<Ranking>>,
    anomalies: OnceLock<Vec<Anomaly>>,
    drift: OnceLock<Option<Drift>>,
    alphabet: OnceLock<Alphabet>,
}

impl Version {
    pub(super) fn new(epoch: u64, tables: Arc<Tables>, model: Option<Arc<LoadedModel>>, issued: Issued) -> Self {
        let digest = digest(&tables.portfolio, model.as_deref());
        Self { epoch, digest, tables, model, derived: Arc::default(), issued, record: OnceLock::new(), seen_on: None, part: Part::Whole }
    }

    /// The same for those customers whom a scope holds. Reads all usage. Blocks.
    pub(super) fn of_scope(self: &Arc<Self>, epoch: u64, scope: Scope) -> Self {
        let whole = &self.tables;
        let portfolio = whole.portfolio.part(|customer| scope.holds(&customer.id, customer.reseller_id.as_deref()));
        let part = Part::Customers(scope, Arc::clone(self));
        self.shown(epoch, Tables { portfolio, imports: Vec::new(), imported_at: whole.imported_at }, part)
    }

    /// The same without any cost. Reads all usage. Blocks.
    pub(super) fn without_cost(self: &Arc<Self>, epoch: u64) -> Self {
        let portfolio = self.tables.portfolio.without_cost();
        let tables = Tables { portfolio, imports: self.tables.imports.clone(), imported_at: self.tables.imported_at };
        self.shown(epoch, tables, Part::CostFree(Arc::clone(self)))
    }

    fn shown(&self, epoch: u64, tables: Tables, part: Part) -> Self {
        let told = match &part {
            Part::Whole => String::new(),
            Part::Customers(scope, _) => format!("of {scope}"),
            Part::CostFree(_) => "without cost".to_owned(),
        };
        let digest = short([self.digest.as_slice(), told.as_bytes()]);
        let (model, issued) = (self.model.clone(), self.issued.clone());
        let (derived, record) = (Arc::default(), OnceLock::new());
        Self { epoch, digest, tables: Arc::new(tables), model, derived, issued, record, seen_on: self.seen_on, part }
    }

    /// The same part of another version of the same tables and model.
    pub(super) fn part_of(&self, epoch: u64, whole: &Arc<Self>) -> Self {
        let part = match &self.part {
            Part::Whole => Part::Whole,
            Part::Customers(scope, _) => Part::Customers(scope.clone(), Arc::clone(whole)),
            Part::CostFree(_) => Part::CostFree(Arc::clone(whole)),
        };
        Self { part, ..self.with_issued(epoch, whole.issued.clone()).seen(whole.seen_on) }
    }

    /// The version whose costs a model may read.
    fn scoring(&self) -> &Self {
        if let Part::CostFree(priced) = &self.part { priced } else { self }
    }

    /// Whether this is what somebody of `view` sees.
    pub(super) fn is_view(&self, view: &View) -> bool {
        let (priced, money_hidden) = if let Part::CostFree(priced) = &self.part { (&**priced, true) } else { (self, false) };
        let same_scope = match &priced.part {
            Part::Customers(scope, _) => *scope == view.scope,
            _ => view.scope.is_everybody(),
        };
        same_scope && money_hidden == view.money_hidden
    }

    /// Whether tables and model are those of another version.
    pub(super) fn stands_on(&self, other: &Self) -> bool {
        let model = |version: &Self| version.model.as_ref().map(Arc::as_ptr);
        Arc::ptr_eq(&self.tables, &other.tables) && model(self) == model(other)
    }

    /// The version of all customers and costs that this is of.
    pub(super) fn whole(self: &Arc<Self>) -> &Arc<Self> {
        match &self.part {
            Part::Whole => self,
            Part::Customers(_, whole) => whole.whole(),
            Part::CostFree(priced) => priced.whole(),
        }
    }

    /// Whether volume as the model reads it is money that is kept from whoever reads it.
    pub(super) fn hides_volume(&self) -> bool {
        let by_cost = self.model.as_ref().is_some_and(|loaded| *loaded.model.volume_scale() == VolumeScale::Cost);
        by_cost && matches!(self.part, Part::CostFree(_))
    }

    /// The tables as a model reads them, of the same subscriptions in the same places.
    pub(super) fn priced(&self) -> &Portfolio {
        &self.scoring().tables.portfolio
    }

    /// Whether it shows less than everything.
    pub(super) const fn is_part(&self) -> bool {
        !matches!(self.part, Part::Whole)
    }

    /// Whether it shows some customers alone.
    pub(super) fn is_scoped(&self) -> bool {
        match &self.part {
            Part::Whole => false,
            Part::Customers(..) => true,
            Part::CostFree(priced) => priced.is_scoped(),
        }
    }

    /// The same, in service since a day of the clock.
    pub(super) fn seen(self, seen_on: Option<Day>) -> Self {
        Self { seen_on, ..self }
    }

    /// The same tables and model with other scores issued; what was worked out stays.
    pub(super) fn with_issued(&self, epoch: u64, issued: Issued) -> Self {
        let (tables, model, derived) = (Arc::clone(&self.tables), self.model.clone(), Arc::clone(&self.derived));
        let (record, part) = (OnceLock::new(), self.part.clone());
        Self { epoch, digest: self.digest, tables, model, derived, issued, record, seen_on: self.seen_on, part }
    }

    pub(super) const fn seen_on(&self) -> Option<Day> {
        self.seen_on
    }

    pub(super) const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The tables and the model, told apart from every other.
    pub(super) const fn digest(&self) -> Short {
        self.digest
    }

    pub(super) const fn tables(&self) -> &Arc<Tables> {
        &self.tables
    }

    pub(super) const fn model(&self) -> Option<&Arc<LoadedModel>> {
        self.model.as_ref()
    }

    /// The scores that were recorded when it came into service.
    pub(super) const fn issued(&self) -> &Issued {
        &self.issued
    }

    /// What came of them. Worked out once; whoever asks meanwhile waits. Blocks.
    pub(super) fn record(&self) -> &[RecordOfModel] {
        let own = self.scoring();
        own.record.get_or_init(|| own.issued.record(&own.tables.portfolio, !own.is_scoped()))
    }

    /// The same where it is worked out already.
    pub(super) fn known_record(&self) -> Option<&[RecordOfModel]> {
        self.scoring().record.get().map(Vec::as_slice)
    }

    pub(super) fn imports(&self) -> &[ImportRecord] {
        &self.tables.imports
    }

    /// The tables, with their as-of day.
    ///
    /// # Errors
    /// Not ready, where there is no as-of day.
    pub(super) fn sight(&self) -> Result<Sight<'_>, Problem> {
        match self.tables.portfolio.as_of() {
            Some(as_of) => Ok(Sight { portfolio: &self.tables.portfolio, as_of }),
            None => Err(Problem::NotReady(self.no_days().into_iter().collect())),
        }
    }

    /// The model.
    ///
    /// # Errors
    /// Not ready, where there is none.
    pub(super) fn needed_model(&self) -> Result<&LoadedModel, Problem> {
        self.model.as_deref().ok_or_else(|| Problem::NotReady(self.no_model().into_iter().collect()))
    }

    /// What is missing, all of it; nothing where every route answers.
    pub(super) fn missing(&self) -> Vec<Fault> {
        [self.no_days(), self.no_model()].into_iter().flatten().collect()
    }

    fn no_days(&self) -> Option<Fault> {
        let portfolio = &self.tables.portfolio;
        if portfolio.as_of().is_some() {
            return None;
        }
        let sentence = if portfolio.version() == 0 && portfolio.subscriptions().is_empty() {
            "no import yet: run `churn-risk import`"
        } else {
            "no usage in the tables, so there is no as-of day: run `churn-risk import` with usage"
        };
        Some(Fault::missing(sentence))
    }

    fn no_model(&self) -> Option<Fault> {
        self.model.is_none().then(|| {
            Fault::missing("no model in service: run `churn-train`; where there is one, POST /v1/model/reload says why it is refused")
        })
    }

    /// The kernel under the model's scale of volume. Made once; whoever asks meanwhile waits.
    pub(super) fn kernel(&self, loaded: &LoadedModel) -> &Kernel {
        let own = self.scoring();
        own.derived.kernel.get_or_init(|| Kernel::new(&own.tables.portfolio, loaded.model.volume_scale()))
    }

    /// What is usual in the portfolio on a day; that of the as-of day, and of four weeks before, is worked out once. Days
    /// after it are told by it.
    pub(super) fn usual(&self, loaded: &LoadedModel, day: Day) -> Usual {
        let own = self.told_by();
        let portfolio = &own.tables.portfolio;
        let Some(as_of) = portfolio.as_of() else { return Usual::UNKNOWN };
        let on = |day| Usual::of(own.kernel(loaded), portfolio, day);
        match day {
            day if day >= as_of => *own.derived.usual.get_or_init(|| on(as_of)),
            day if day == as_of - BEFORE_DAYS => *own.derived.usual_before.get_or_init(|| on(day)),
            day => on(day),
        }
    }

    /// Whether [`Version::usual`] of a day (the as-of day where none is asked for) is worked out
    /// already, and does not read the portfolio.
    pub(super) fn knows_usual(&self, day: Option<Day>) -> bool {
        let as_of = self.tables.portfolio.as_of();
        as_of.is_none_or(|as_of| self.told_by().derived.usual.get().is_some() && day.is_none_or(|day| day >= as_of))
    }

    /// The version that says what is usual: that of all customers.
    fn told_by(&self) -> &Self {
        match &self.part {
            Part::Whole => self,
            Part::Customers(_, whole) => whole,
            Part::CostFree(priced) => priced.told_by(),
        }
    }

    /// Ready to score subscriptions of the portfolio.
    pub(super) fn scorer<'v>(&'v self, loaded: &'v LoadedModel) -> Scorer<'v> {
        let portfolio = &self.scoring().tables.portfolio;
        let usual = portfolio.as_of().map(|as_of| (as_of, self.usual(loaded, as_of)));
        Scorer::over(self.kernel(loaded), usual.into_iter().collect(), portfolio, &loaded.model)
    }

    /// The same, ready for the usage of four weeks before as well.
    pub(super) fn scorer_with_before<'v>(&'v self, loaded: &'v LoadedModel) -> Scorer<'v> {
        let portfolio = &self.scoring().tables.portfolio;
        let days = portfolio.as_of().into_iter().flat_map(|as_of| [as_of, as_of - BEFORE_DAYS]);
        Scorer::over(self.kernel(loaded), days.map(|day| (day, self.usual(loaded, day))).collect(), portfolio, &loaded.model)
    }

    /// The ranking of the portfolio under the model at one of its horizons. It reads every active
    /// subscription, so all horizons are computed at once; whoever asks meanwhile waits. Blocks.
    pub(super) fn ranking(&self, loaded: &LoadedModel, head: usize) -> &Ranking {
        let rankings = self.scoring().derived.rankings.get_or_init(|| Ranking::ahead(&self.scorer(loaded)));
        &rankings[head.min(rankings.len() - 1)]
    }

    /// How far the portfolio has moved from the training rows. Worked out once. Blocks.
    pub(super) fn drift(&self, loaded: &LoadedModel) -> Option<&Drift> {
        self.scoring().derived.drift.get_or_init(|| Drift::of(&self.scorer(loaded), &loaded.card)).as_ref()
    }

    /// The same where it is worked out already.
    pub(super) fn known_drift(&self) -> Option<&Drift> {
        self.scoring().derived.drift.get()?.as_ref()
    }

    /// The order of names, worked out once.
    pub(super) fn alphabet(&self) -> &Alphabet {
        self.derived.alphabet.get_or_init(|| Alphabet::of(&self.tables.portfolio))
    }

    /// Whether it is worked out already.
    pub(super) fn knows_drift(&self) -> bool {
        self.scoring().derived.drift.get().is_some()
    }

    /// What somebody should look at, with the drift as far as it is known.
    pub(super) fn alarms(&self, loaded: &LoadedModel) -> Vec<Alarm> {
        model::alarms(&loaded.model, &self.tables.portfolio, self.known_drift(), self.seen_on)
    }

    /// What stands out up to the as-of day, of everybody. Whoever walks through the list asks for
    /// it once a page, so it is computed once; whoever asks meanwhile waits for it. Blocks.
    pub(super) fn anomalies(&self) -> &[Anomaly] {
        let portfolio = &self.tables.portfolio;
        let all =
            || portfolio.as_of().map_or_else(Vec::new, |as_of| metrics::anomalies(portfolio, Period::last(1, as_of), &Filter::default()));
        self.derived.anomalies.get_or_init(all)
    }
}

/// Tables that have an as-of day.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sight<'v> {
    pub(super) portfolio: &'v Portfolio,
    pub(super) as_of: Day,
}

impl Sight<'_> {
    /// The subscription that the path names.
    ///
    /// # Errors
    /// Where there is none of that id.
    pub(super) fn find(&self, id: Option<&SubscriptionId>) -> Result<SubscriptionIx, Problem> {
        let id = id.ok_or(Problem::NoSuchRoute)?;
        self.portfolio.find_subscription(id.as_str()).ok_or_else(|| Problem::NoSuchSubscription(id.clone()))
    }
}

/// The number of a table version does not tell two lakes apart, or two settings of the settle
/// days; with the as-of day and the count of rows it does wherever figures differ.
fn digest(portfolio: &Portfolio, model: Option<&LoadedModel>) -> Short {
    let counts = [portfolio.customers().len(), portfolio.subscriptions().len(), portfolio.usage_rows()];
    let tables = format!("{} {:?} {counts:?}", portfolio.version(), portfolio.as_of());
    let model = model.map_or("-", |loaded| loaded.model.version());
    short([env!("CARGO_PKG_VERSION"), tables.as_str(), model].map(str::as_bytes))
}
