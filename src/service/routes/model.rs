//! GET /v1/model, GET /v1/model/report and POST /v1/model/reload

use std::error::Error as _;
use std::ops::Deref;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::path::HttpMethod;

use crate::features::{FEATURES, Unit};
use crate::model::{Alarm, Card, Drift};

use super::super::aside::aside;
use super::super::body::NoBody;
use super::super::endpoint::{About, Envelope, Figures, NoRows};
use super::super::guard;
use super::super::hidden::empty_money;
use super::super::meta::Meta;
use super::super::openapi::{Route, Success, text};
use super::super::operation::Operation;
use super::super::parameters::{Nothing, Parameters};
use super::super::problem::Problem;
use super::super::state;
use super::super::version::Version;
use super::plain;

/// The card of the model in service, and how it stands today.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Model)]
pub(in crate::service) struct ModelAnswer {
    #[serde(flatten)]
    #[schema(value_type = Card)]
    pub(in crate::service) card: CardShown,
    /// What somebody should look at; empty where all is well.
    pub(in crate::service) alarms: Vec<Alarm>,
    /// How far today's subscriptions have moved from those that the model learnt from; null where there are
    /// too few to tell.
    pub(in crate::service) drift: Option<Drift>,
}

/// A card as whoever asks may see it: to a reader of some customers, or of no costs, it tells no
/// money, which is that of all customers.
#[derive(Debug)]
pub(in crate::service) struct CardShown {
    card: Card,
    tells_money: bool,
    /// Whether costs are what the model calls volume, and are kept from whoever asks.
    hides_volume: bool,
}

impl Deref for CardShown {
    type Target = Card;

    fn deref(&self) -> &Card {
        &self.card
    }
}

impl Serialize for CardShown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.tells_money && !self.hides_volume {
            return self.card.serialize(serializer);
        }
        let mut card = serde_json::to_value(&self.card).map_err(S::Error::custom)?;
        if !self.tells_money {
            empty_money(&mut card);
        }
        let features = card.get_mut("features").and_then(Value::as_array_mut).into_iter().flatten();
        let is_volume = |feature: &&mut Value| FEATURES.iter().any(|one| one.unit == Unit::VolumePerDay && feature["name"] == one.name);
        for feature in features.filter(|_| self.hides_volume).filter(is_volume) {
            for name in ["mean", "deviation", "typical", "deciles", "low", "high"] {
                if let Some(told) = feature.get_mut(name) {
                    *told = Value::Null;
                }
            }
        }
        card.serialize(serializer)
    }
}

/// The card of the model in service.
#[derive(Debug)]
pub(in crate::service) struct CardInService;

impl Figures for CardInService {
    const ABOUT: About = About {
        path: "/v1/model",
        operation: Operation::Model,
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
        let card = CardShown { card: loaded.card.clone(), tells_money: !version.is_part(), hides_volume: version.hides_volume() };
        Ok((ModelAnswer { card, alarms: version.alarms(loaded), drift }, Meta::default().spoken_by(loaded)))
    }

    fn rows(_: &ModelAnswer) -> &[NoRows] {
        &[]
    }
}

/// What the report may do: run the scripts and wear the styles that stand in it, and ask nobody for
/// anything. Its own head says which scripts those are.
const REPORT_POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(super) fn report_route() -> Route {
    let about = About {
        path: "/v1/model/report",
        operation: Operation::ModelReport,
        tag: "model",
        summary: "The card of the model in service as a page",
        what: "One page for the browser, as it was written at training: the verdict, the curves, a chooser of the cut-off, the features. It loads nothing else.",
        fails: &[404, 503],
    };
    Route {
        about,
        method: HttpMethod::Get,
        parameters: Vec::new(),
        body: None,
        success: Success::Plain { media_type: "text/html", schema: text() },
        schemas: Vec::new(),
        tagged: false,
        mount: || web::route().to(report),
    }
}

async fn report(request: HttpRequest) -> Result<HttpResponse, Problem> {
    Parameters::of(&request).finish()?;
    let state = state::of(&request)?.clone();
    let seen = state.seen_by(&guard::caller(&request)?.view).await?;
    if seen.is_part() {
        return Err(Problem::NotAllowed { why: "the report tells figures and costs of all customers".to_owned() });
    }
    let version = seen.needed_model()?.model.version().to_owned();
    let page = aside(&request, move || {
        let page = state.report(&version).map_err(Problem::ReportDoesNotRead)?;
        page.ok_or(Problem::NoReport { version })
    });
    let page = page.await?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::CONTENT_SECURITY_POLICY, REPORT_POLICY))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .content_type("text/html; charset=utf-8")
        .body(page))
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
        operation: Operation::ReloadModel,
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
