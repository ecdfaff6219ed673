//! GET /v1/model and POST /v1/model/reload

use std::error::Error as _;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::model::{Alarm, Card, Drift};

use super::super::body::NoBody;
use super::super::endpoint::{About, Envelope, Figures, NoRows};
use super::super::meta::Meta;
use super::super::openapi::Route;
use super::super::parameters::{Nothing, Parameters};
use super::super::problem::Problem;
use super::super::state;
use super::super::version::Version;
use super::plain;

/// The card of the model in service, and how it stands today.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Model)]
pub(super) struct ModelAnswer {
    #[serde(flatten)]
    card: Card,
    /// What somebody should look at; empty where all is well.
    alarms: Vec<Alarm>,
    /// How far today's subscriptions have moved from those that the model learnt from; null where there are
    /// too few to tell.
    drift: Option<Drift>,
}

/// The card of the model in service.
#[derive(Debug)]
pub(super) struct CardInService;

impl Figures for CardInService {
    const ABOUT: About = About {
        path: "/v1/model",
        id: "model",
        tag: "model",
        summary: "The card of the model in service",
        what: "What it was asked, what it was trained on, how good it was on rows that it had not seen, beside the rules that it has to beat; as it was written at training; and what should be looked at now: figures that have moved from the training rows (population stability index beyond chance), gaps in the feed, a feed that has stopped, a model that has grown old.",
        fails: &[],
    };
    type Query = Nothing;
    type Answer = ModelAnswer;
    type Row = NoRows;
    const TABULAR: bool = false;

    fn answer(version: &Version, _: &Nothing) -> Result<(ModelAnswer, Meta), Problem> {
        let loaded = version.needed_model()?;
        let drift = version.drift(loaded).cloned();
        Ok((ModelAnswer { card: loaded.card.clone(), alarms: version.alarms(loaded), drift }, Meta::default().spoken_by(loaded)))
    }

    fn rows(_: &ModelAnswer) -> &[NoRows] {
        &[]
    }
}

#[derive(Debug, Serialize, ToSchema)]
struct ModelReload {
    /// The model in service.
    model_version: String,
    /// The one before it; null where there was none.
    previous_version: Option<String>,
    changed: bool,
}

pub(super) fn reload_route() -> Route {
    let about = About {
        path: "/v1/model/reload",
        id: "reload_model",
        tag: "model",
        summary: "Put the registry's current model in service",
        what: "Reads the registry again. A model that fails a check is refused with the reason, and the one in service stays. A service also looks by itself every few seconds.",
        fails: &[409],
    };
    Route::command::<ModelReload>(about, || web::route().to(reload))
}

async fn reload(request: HttpRequest, _: NoBody) -> Result<HttpResponse, Problem> {
    Parameters::of(&request).finish()?;
    let state = state::of(&request)?.clone();
    let before = state.current();
    let reloaded = web::block(move || state.reload_model()).await.map_err(|_| Problem::Panicked)?;
    let previous_version = before.model().map(|loaded| loaded.model.version().to_owned());
    let loaded = reloaded.map_err(|source| {
        tracing::warn!(cause = source.source(), "the current model is refused: {source}");
        Problem::ModelRefused { source, in_service: previous_version.clone() }
    })?;
    let model_version = loaded.model.version().to_owned();
    tracing::info!(model = model_version, previous = previous_version, "a model came into service");
    let changed = previous_version.as_ref() != Some(&model_version);
    plain(&Envelope { meta: Meta::default().spoken_by(&loaded), data: ModelReload { model_version, previous_version, changed } })
}
