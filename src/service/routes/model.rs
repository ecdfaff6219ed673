//! GET /v1/model and POST /v1/model/reload

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, HttpResponse, rt, web};
use futures::StreamExt;
use futures::future::LocalBoxFuture;
use serde::Serialize;

use crate::model::Card;

use super::super::Limits;
use super::super::answer::{Asked, Envelope, Meta, plain, versions};
use super::super::parameters::{Nothing, Valid};
use super::super::problem::Problem;
use super::super::state::{CurrentModel, Keeper, PossibleModel};

/// The card as it was written at training.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct CardAnswer(Card);

pub(super) async fn card(asked: Asked, model: CurrentModel, _: Valid<Nothing>) -> Result<HttpResponse, Problem> {
    let versions = versions(None, Some(&model));
    let work = move || Ok(Envelope { meta: Meta::default().spoken_by(&model), data: CardAnswer(model.card.clone()) });
    asked.answer(versions, work).await
}

#[derive(Debug, Serialize)]
struct Reloaded {
    /// The model in service.
    model_version: String,
    /// The one before it; none where there was none.
    previous_version: Option<String>,
    changed: bool,
}

pub(super) async fn reload(keeper: Keeper, before: PossibleModel, _: Valid<Nothing>, _: NoBody) -> Result<HttpResponse, Problem> {
    let loaded = web::block(move || keeper.reload_model()).await.map_err(|_| Problem::Panicked)??;
    let previous_version = before.0.map(|model| model.model.version().to_owned());
    let model_version = loaded.model.version().to_owned();
    tracing::info!(model = model_version, previous = previous_version, "a model came into service");
    let changed = previous_version.as_ref() != Some(&model_version);
    plain(&Envelope { meta: Meta::default().spoken_by(&loaded), data: Reloaded { model_version, previous_version, changed } })
}

/// The proof that a request came without a body.
#[derive(Debug, Clone, Copy)]
pub(super) struct NoBody;

impl FromRequest for NoBody {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let limits = request.app_data::<web::Data<Limits>>().map_or(Limits::STANDARD, |limits| *limits.get_ref());
        let payload = payload.take();
        Box::pin(async move {
            let read = rt::time::timeout(limits.body_deadline, read(payload, limits.body_max_bytes)).await;
            match read.map_err(|_| Problem::BodyTooSlow { seconds: limits.body_deadline.as_secs() })?? {
                0 => Ok(Self),
                _ => Err(Problem::BodyNotTaken),
            }
        })
    }
}

/// Reads a body of unannounced length up to `max_bytes`, so that the connection can go on.
async fn read(mut payload: Payload, max_bytes: u64) -> Result<u64, Problem> {
    let mut bytes = 0_u64;
    while let Some(chunk) = payload.next().await {
        bytes += chunk.map_err(|_| Problem::BodyBroken)?.len() as u64;
        if bytes > max_bytes {
            return Err(Problem::BodyTooLarge { max_bytes });
        }
    }
    Ok(bytes)
}
