//! What every request passes: bounds before it is routed, counters after it; and
//! whatever failed, however it failed, becomes a problem, and failures of ours are logged once.
//!
//! Absent on purpose: anything that knows a route.

use std::any::Any;
use std::borrow::Cow;
use std::error::Error as StdError;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{StatusCode, header};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpResponse, ResponseError, rt, web};
use futures::FutureExt;

use super::Limits;
use super::body::{announced, limits};
use super::cache::GivenBy;
use super::guard::{self, Addressed, Guard, Identity, Visitor};
use super::places::{self, Place};
use super::problem::Problem;
use super::state::State;
use super::unread::closes_unread;

/// The outermost layer.
pub(super) async fn boundary<B: MessageBody + 'static>(mut request: ServiceRequest, next: Next<B>) -> Result<ServiceResponse<B>, Error> {
    let began = Instant::now();
    let state = request.app_data::<web::Data<State>>().cloned();
    let is_secure = guard::of(request.request()).is_ok_and(Guard::is_secure);
    // Nothing may hold the request itself while it is routed: the router changes it in place.
    let instance = request.path().to_owned();
    closes_unread(&mut request);
    let outcome = match let_in(&mut request).await {
        // A handler holds nothing that outlives its request, so a panic leaves nothing half-changed.
        Ok(turn) => {
            let within = turn.deadline;
            let answered = AssertUnwindSafe(async { next.call(request).await }).catch_unwind();
            let answered = rt::time::timeout(within, answered).await;
            drop(turn);
            answered.unwrap_or_else(|_| Ok(Err(Problem::TookTooLong { seconds: within.as_secs() }.into())))
        }
        Err(problem) => Ok(Err(problem.into())),
    };
    let (route, outcome) = match outcome {
        Ok(Ok(response)) => {
            let given_by = response.response().extensions().get::<GivenBy>().map(|given| Cow::Borrowed(given.0));
            let route = given_by.or_else(|| response.request().match_pattern().map(Cow::Owned));
            match (response.status().as_u16() < 400, response.response().error()) {
                (true, _) => (route, Ok(response)),
                (false, _) if response.response().extensions().get::<Said>().is_some() => (route, Ok(response)),
                (false, Some(error)) => (route, Err(told(error, &instance))),
                (false, None) => (route, Err(bare(response.status(), &instance))),
            }
        }
        Ok(Err(error)) => (None, Err(told(&error, &instance))),
        Err(panic) => {
            tracing::error!(path = instance, panic = message(panic.as_ref()), "a request panicked");
            (None, Err(answer(&Problem::Panicked, &instance)))
        }
    };
    if let Some(state) = state {
        let status = outcome.as_ref().map_or_else(|error| error.as_response_error().status_code(), ServiceResponse::status);
        state.counters().answered(route, status.as_u16(), began.elapsed());
    }
    match outcome {
        Ok(mut response) => {
            let is_kept = response.status() == StatusCode::NOT_MODIFIED;
            harden(response.headers_mut(), is_secure, is_kept);
            Ok(response)
        }
        Err(error) => {
            let mut response = error.as_response_error().error_response();
            harden(response.headers_mut(), is_secure, false);
            Err(InternalError::from_response(error.to_string(), response).into())
        }
    }
}

/// What a browser may do with an answer, where the answer itself does not say.
fn harden(headers: &mut HeaderMap, is_secure: bool, is_kept: bool) {
    let always = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    let https_alone = is_secure.then_some((header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"));
    for (name, value) in always.into_iter().chain(https_alone) {
        // What the client has keeps its own policy, which a header here would take the place of.
        let is_its_own = is_kept && name == header::CONTENT_SECURITY_POLICY;
        if !is_its_own && !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
}

/// The answer to an error of a handler, or of actix-web itself.
fn told(error: &Error, instance: &str) -> Error {
    match error.as_error::<Problem>() {
        Some(problem) => {
            tell(problem, instance);
            answer(problem, instance)
        }
        None => bare(error.as_response_error().status_code(), instance),
    }
}

/// Tells the log of a failure.
pub(super) fn tell(problem: &Problem, instance: &str) {
    // Not ready is a state, told at the start; every other failure of ours is news.
    let status = problem.status_code();
    if status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE {
        tracing::error!(path = instance, status = status.as_u16(), cause = problem.source(), "{problem}");
    } else {
        tracing::debug!(path = instance, status = status.as_u16(), "{problem}");
    }
}

/// That a response says by itself what failed.
#[derive(Debug, Clone, Copy)]
struct Said;

/// A failure that a route tells in a form of its own, and that the log knows of.
pub(super) fn said(mut response: HttpResponse) -> HttpResponse {
    response.extensions_mut().insert(Said);
    response
}

/// The answer where there is nothing but a status.
fn bare(status: StatusCode, instance: &str) -> Error {
    if status.is_server_error() {
        tracing::error!(path = instance, status = status.as_u16(), "a request failed");
    }
    match status {
        // The one refusal that the layer for compression has.
        StatusCode::NOT_ACCEPTABLE => answer(&Problem::EncodingNotAcceptable, instance),
        status => answer(&Problem::Framework(status), instance),
    }
}

fn answer(problem: &Problem, instance: &str) -> Error {
    InternalError::from_response(problem.to_string(), problem.response(Some(instance))).into()
}

/// The bounds that can be checked before anything is read.
fn admit(request: &ServiceRequest, limits: &Limits) -> Result<(), Problem> {
    let bytes = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if bytes > limits.target_max_bytes {
        return Err(Problem::TargetTooLong { bytes, max_bytes: limits.target_max_bytes });
    }
    // Which bound is a route's own it knows itself; no route takes more than this.
    let most = limits.body_max_bytes.max(limits.score_max_bytes);
    if announced(request.request()).is_some_and(|bytes| bytes > most) {
        return Err(Problem::BodyTooLarge { max_bytes: most });
    }
    Ok(())
}

/// The place of one request among those that are answered at the same time.
struct Turn {
    _place: Option<Place>,
    deadline: Duration,
}

/// Within this it has to be known who sent a request.
const KNOWN_WITHIN: Duration = Duration::from_secs(15);

/// Finds a place for a request, and who sent it.
async fn let_in(request: &mut ServiceRequest) -> Result<Turn, Problem> {
    let limits = limits(request.request());
    admit(request, &limits)?;
    let guard = guard::of(request.request())?.clone();
    let Addressed { from, is_ours, by_us_alone } = guard.addressed(request.head());
    if !is_ours {
        let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        return Err(Problem::OtherHost { host: host.chars().take(80).collect() });
    }
    if let Some(why) = by_us_alone {
        return Err(Problem::NotAllowed { why: why.to_owned() });
    }
    let deadline = limits.request_deadline;
    // Whoever asks whether the process lives waits for nobody.
    if matches!(request.path(), "/healthz" | "/readyz") {
        request.extensions_mut().insert(Visitor { identity: Identity::Nobody, from });
        return Ok(Turn { _place: None, deadline });
    }
    let seen = guard.recognise(request.request());
    guard.counted(&seen, from).map_err(|wait| Problem::TooMany { wait })?;
    let place = places::of(request.request())?.request(guard.whose(&seen, from)).ok_or(Problem::Overloaded)?;
    let late = || Problem::NobodyCanTell { why: "the OpenID provider is out of reach".to_owned() };
    let identity = rt::time::timeout(KNOWN_WITHIN, guard.identify(seen)).await.map_err(|_| late())?;
    request.extensions_mut().insert(Visitor { identity, from });
    Ok(Turn { _place: Some(place), deadline })
}

fn message(panic: &(dyn Any + Send)) -> &str {
    panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
