//! POST /v1/subscriptions/{id}/feedback

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::path::HttpMethod;

use crate::access::Credential;
use crate::domain::{ChurnRisk, Day, Feedback, FeedbackId, Note, SeenOutcome, State, SubscriptionId, Verdict};
use crate::lake::{FeedbackError, FeedbackReceipt};
use crate::model::Standing;

use super::super::body;
use super::super::endpoint::{About, Envelope, Question, parameters};
use super::super::forms::JSON;
use super::super::guard;
use super::super::meta::Meta;
use super::super::openapi::{Route, Success, named};
use super::super::operation::Operation;
use super::super::parameters::{Parameters, Query};
use super::super::problem::{Fault, Problem};
use super::super::state;
use super::super::version::Version;
use super::plain;

/// The subscription that it is about.
#[derive(Debug, Clone)]
struct FeedbackQuery {
    subscription: Option<SubscriptionId>,
}

impl Query for FeedbackQuery {
    fn parse(parameters: &mut Parameters) -> Self {
        Self { subscription: parameters.subscription() }
    }
}

/// What somebody says of a risk. At least one of `verdict`, `outcome` and `note`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::service) struct FeedbackRequest {
    /// Chosen by whoever sends it: the same again changes nothing, so a request may be repeated.
    #[schema(min_length = 1, max_length = 256, pattern = r"^[!-~]+$", examples("crm-2026-11-01-17"))]
    pub(in crate::service) feedback_id: String,
    /// Whether the risk was right, in a person's eyes.
    #[serde(default)]
    pub(in crate::service) verdict: Option<Verdict>,
    /// What became of the subscription.
    #[serde(default)]
    pub(in crate::service) outcome: Option<SeenOutcome>,
    #[serde(default)]
    #[schema(min_length = 1, max_length = 4000, pattern = r"^[!-~](?:[ -~]*[!-~])?$", examples("moved to another partner"))]
    pub(in crate::service) note: Option<String>,
}

/// Feedback as it is kept.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::service) struct FeedbackKept {
    feedback_id: String,
    subscription_id: String,
    given_on: Day,
    /// The day on which the risk stood.
    as_of: Day,
    /// The model that spoke; null where none did.
    model_version: Option<String>,
    /// The risk that it is about; null where it was unknown.
    risk: Option<ChurnRisk>,
    verdict: Option<Verdict>,
    outcome: Option<SeenOutcome>,
    note: Option<String>,
    /// Whether it was kept before, as it is here.
    known_before: bool,
}

pub(super) fn route() -> Route {
    let mut schemas = Vec::new();
    let data = named::<FeedbackKept>(&mut schemas);
    let body = named::<FeedbackRequest>(&mut schemas);
    Route {
        about: About {
            path: "/v1/subscriptions/{id}/feedback",
            operation: Operation::Feedback,
            tag: "risk",
            summary: "Say whether a risk was right",
            what: "Right or wrong, left or stayed, and a note: kept on disk with the risk and the model that it is about, for training and for the live record.",
            fails: &[404, 409, 503],
        },
        method: HttpMethod::Post,
        parameters: parameters::<FeedbackQuery>(false, false),
        body: Some((JSON, body)),
        success: Success::Enveloped { data, tabular: false },
        schemas,
        tagged: false,
        mount: || web::route().to(give),
    }
}

async fn give(request: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Problem> {
    let Question { query, .. } = Question::<FeedbackQuery>::read(&request, false, false)?;
    let limits = body::limits(&request);
    let bytes = body::json(&request, payload.into_inner(), limits.body_max_bytes, limits.body_deadline).await?;
    let given: FeedbackRequest = serde_json::from_slice(&bytes).map_err(|error| bad("body", error.to_string()))?;
    let (data, meta) = keep(&request, query.subscription, &given).await?;
    plain(&Envelope { data, meta })
}

/// Keeps what somebody says of the risk of a subscription.
///
/// # Errors
/// What is wrong with it, no such subscription, or why it cannot be kept.
pub(in crate::service) async fn keep(
    request: &HttpRequest,
    subscription: Option<SubscriptionId>,
    given: &FeedbackRequest,
) -> Result<(FeedbackKept, Meta), Problem> {
    let state = state::of(request)?;
    let caller = guard::caller(request)?;
    let version = state.seen_by(&caller.view).await?;
    let source = state.source().ok_or_else(|| Problem::NotReady(vec![Fault::missing("the service has no lake to keep feedback in")]))?;
    let (mut feedback, meta) = feedback(&version, subscription.as_ref(), given, (source.today)())?;
    feedback.given_by = (caller.by != Credential::Loopback).then(|| caller.who.clone());
    let lake = source.lake.clone();
    let kept = web::block(move || -> Result<FeedbackKept, Problem> {
        // Opened here, because its engine's threads may only be given up where blocking is allowed.
        let lake = lake.open().map_err(Problem::FeedbackNotKept)?;
        // A folder that is gone would be made anew, and what is kept there would be lost with it.
        if lake.newest_version().map_err(Problem::FeedbackNotKept)?.is_none() {
            return Err(Problem::NotReady(vec![Fault::missing("the lake holds no import: its folder is not where it was")]));
        }
        let receipt = lake.give_feedback(&feedback);
        match receipt {
            Ok(FeedbackReceipt::Recorded) => Ok(FeedbackKept::of(&feedback, false)),
            Ok(FeedbackReceipt::KnownAs(known)) => Ok(FeedbackKept::of(&known, true)),
            // What it was about may be none of theirs who ask.
            Err(FeedbackError::Conflict { feedback_id, .. }) => Err(Problem::FeedbackConflict { feedback_id }),
            Err(FeedbackError::Lake(error)) => Err(Problem::FeedbackNotKept(error)),
        }
    });
    Ok((kept.await.map_err(|_| Problem::Panicked)??, meta))
}

fn bad(field: &str, detail: impl Into<String>) -> Problem {
    Problem::BadBody(vec![Fault::parameter(field, detail)])
}

/// The feedback, with what the service knows of the risk that it is about.
fn feedback(
    version: &Version,
    subscription: Option<&SubscriptionId>,
    given: &FeedbackRequest,
    today: Day,
) -> Result<(Feedback, Meta), Problem> {
    let sight = version.sight()?;
    let ix = sight.find(subscription)?;
    let feedback_id = FeedbackId::parse(&given.feedback_id).map_err(|error| bad("feedback_id", error.to_string()))?;
    let note = given.note.as_deref().map(Note::parse).transpose().map_err(|error| bad("note", error.to_string()))?;
    if given.verdict.is_none() && given.outcome.is_none() && note.is_none() {
        return Err(Problem::ImpossibleParameters(vec![Fault::parameter("body", "says nothing: give a verdict, an outcome or a note")]));
    }
    let mut meta = Meta::of(sight);
    let mut risk = None;
    if let Some(loaded) = version.model() {
        meta = meta.spoken_by(loaded);
        if sight.portfolio.state_at(ix, sight.as_of) == State::Active
            && let Standing::Known { risk: known, .. } = version.scorer(loaded).at(sight.as_of).standing(ix)
        {
            risk = Some(known);
        }
    }
    let feedback = Feedback {
        feedback_id,
        subscription_id: sight.portfolio.subscription(ix).id.clone(),
        given_on: today,
        as_of: sight.as_of,
        model_version: version.model().map(|loaded| loaded.model.version().to_owned()),
        risk,
        verdict: given.verdict,
        outcome: given.outcome,
        note,
        given_by: None,
    };
    Ok((feedback, meta))
}

impl FeedbackKept {
    fn of(feedback: &Feedback, known_before: bool) -> Self {
        Self {
            feedback_id: feedback.feedback_id.to_string(),
            subscription_id: feedback.subscription_id.to_string(),
            given_on: feedback.given_on,
            as_of: feedback.as_of,
            model_version: feedback.model_version.clone(),
            risk: feedback.risk,
            verdict: feedback.verdict,
            outcome: feedback.outcome,
            note: feedback.note.as_ref().map(ToString::to_string),
            known_before,
        }
    }
}
