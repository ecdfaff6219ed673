//! What a service holds, and the only ways in which a handler gets at it: one portfolio and one
//! model for the whole of a request, both taken at its first look.
//!
//! Absent on purpose: a handler that holds the slot. Where a portfolio comes from and when it is
//! replaced is the caller's affair.

use std::ops::Deref;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use arc_swap::ArcSwap;
use futures::future::{Ready, ready};
use parking_lot::Mutex;

use super::problem::{Fault, Problem};
use super::rankings::Rankings;
use crate::domain::Day;
use crate::model::{LoadError, LoadedModel, ModelSlot};
use crate::portfolio::Portfolio;

/// The portfolio and the model in service. Clones are of one state.
#[derive(Debug, Clone)]
pub struct State(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    portfolio: ArcSwap<Portfolio>,
    model: ModelSlot,
    /// Reloads take turns, so that the last to begin is the last to be stored.
    reloading: Mutex<()>,
    rankings: Arc<Rankings>,
}

impl State {
    /// A portfolio, empty where there was no import yet, and a slot, empty where there is no model yet.
    #[must_use]
    pub fn new(portfolio: Portfolio, model: ModelSlot) -> Self {
        let inner =
            Inner { portfolio: ArcSwap::from_pointee(portfolio), model, reloading: Mutex::new(()), rankings: Arc::new(Rankings::new()) };
        Self(Arc::new(inner))
    }

    /// Puts another version of the tables in service. It was built and checked aside; requests
    /// in flight go on over the one they took. It cannot fail.
    pub fn replace_portfolio(&self, portfolio: Portfolio) {
        self.0.portfolio.store(Arc::new(portfolio));
    }

    /// Puts the registry's current model in service; the one in use stays where it is refused.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn reload_model(&self) -> Result<Arc<LoadedModel>, LoadError> {
        let _turn = self.0.reloading.lock();
        self.0.model.reload()
    }

    /// What is missing, in words; nothing where every route answers.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let seen = Seen { portfolio: self.0.portfolio.load_full(), model: self.0.model.current() };
        [no_days(&seen.portfolio), no_model(seen.model.as_deref())].into_iter().flatten().map(|fault| fault.detail).collect()
    }
}

fn no_days(portfolio: &Portfolio) -> Option<Fault> {
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

fn no_model(model: Option<&LoadedModel>) -> Option<Fault> {
    model.is_none().then(|| Fault::missing("no model: run `churn-train`, then POST /v1/model/reload"))
}

/// What a request saw at its first look: everything later in it sees the same.
#[derive(Debug, Clone)]
struct Seen {
    portfolio: Arc<Portfolio>,
    model: Option<Arc<LoadedModel>>,
}

impl Seen {
    fn of(request: &HttpRequest) -> Result<Self, Problem> {
        if let Some(seen) = request.extensions().get::<Self>() {
            return Ok(seen.clone());
        }
        let inner = &state(request)?.0;
        let seen = Self { portfolio: inner.portfolio.load_full(), model: inner.model.current() };
        request.extensions_mut().insert(seen.clone());
        Ok(seen)
    }
}

/// Every service is built with a state; one without is not ready.
fn state(request: &HttpRequest) -> Result<&State, Problem> {
    let state = request.app_data::<web::Data<State>>().map(|state| state.as_ref());
    state.ok_or_else(|| Problem::NotReady(vec![Fault::missing("the service has no state")]))
}

/// The tables of this request. They have an as-of day; a service without one is not ready.
#[derive(Debug, Clone)]
pub(super) struct CurrentPortfolio {
    portfolio: Arc<Portfolio>,
    as_of: Day,
}

impl CurrentPortfolio {
    pub(super) const fn as_of(&self) -> Day {
        self.as_of
    }

    pub(super) const fn shared(&self) -> &Arc<Portfolio> {
        &self.portfolio
    }
}

impl Deref for CurrentPortfolio {
    type Target = Portfolio;
    fn deref(&self) -> &Portfolio {
        &self.portfolio
    }
}

impl FromRequest for CurrentPortfolio {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;
    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Seen::of(request).and_then(|Seen { portfolio, .. }| match portfolio.as_of() {
            Some(as_of) => Ok(Self { portfolio, as_of }),
            None => Err(Problem::NotReady(no_days(&portfolio).into_iter().collect())),
        }))
    }
}

/// The model of this request, where there is one.
#[derive(Debug, Clone)]
pub(super) struct PossibleModel(pub(super) Option<CurrentModel>);

impl FromRequest for PossibleModel {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;
    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Seen::of(request).map(|seen| Self(seen.model.map(CurrentModel))))
    }
}

/// The model of this request; a service without one is not ready.
#[derive(Debug, Clone)]
pub(super) struct CurrentModel(Arc<LoadedModel>);

impl CurrentModel {
    pub(super) const fn shared(&self) -> &Arc<LoadedModel> {
        &self.0
    }
}

impl Deref for CurrentModel {
    type Target = LoadedModel;
    fn deref(&self) -> &LoadedModel {
        &self.0
    }
}

impl FromRequest for CurrentModel {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;
    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Seen::of(request).and_then(|seen| match seen.model {
            Some(model) => Ok(Self(model)),
            None => Err(Problem::NotReady(no_model(None).into_iter().collect())),
        }))
    }
}

/// The rankings computed so far.
#[derive(Debug, Clone)]
pub(super) struct SharedRankings(pub(super) Arc<Rankings>);

impl FromRequest for SharedRankings {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;
    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(state(request).map(|state| Self(Arc::clone(&state.0.rankings))))
    }
}

/// The right to ask what is missing and to load another model, and to nothing else.
#[derive(Debug, Clone)]
pub(super) struct Keeper(State);

impl Keeper {
    pub(super) fn missing(&self) -> Vec<Fault> {
        self.0.missing().into_iter().map(Fault::missing).collect()
    }

    /// Loads the registry's current model; the version before it stays where that fails.
    pub(super) fn reload_model(&self) -> Result<Arc<LoadedModel>, Problem> {
        self.0.reload_model().map_err(|source| {
            let in_service = self.0.0.model.current().map(|loaded| loaded.model.version().to_owned());
            Problem::ModelRefused { source, in_service }
        })
    }
}

impl FromRequest for Keeper {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;
    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(state(request).cloned().map(Self))
    }
}
