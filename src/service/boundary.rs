//! What every request passes: bounds before it is routed, counters after it; and
//! whatever failed, however it failed, becomes a problem, and failures of ours are logged once.
//!
//! Absent on purpose: anything that knows a route.

use std::any::Any;
use std::borrow::Cow;
use std::error::Error as StdError;
use std::panic::AssertUnwindSafe;
use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::StatusCode;
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse, ResponseError, web};
use futures::FutureExt;

use super::Limits;
use super::body::announced;
use super::cache::GivenBy;
use super::problem::Problem;
use super::state::State;

/// The outermost layer.
pub(super) async fn boundary<B: MessageBody + 'static>(request: ServiceRequest, next: Next<B>) -> Result<ServiceResponse<B>, Error> {
    let began = Instant::now();
    let state = request.app_data::<web::Data<State>>().cloned();
    // Nothing may hold the request itself while it is routed: the router changes it in place.
    let instance = request.path().to_owned();
    let outcome = match admit(&request) {
        // A handler holds nothing that outlives its request, so a panic leaves nothing half-changed.
        Ok(()) => AssertUnwindSafe(async { next.call(request).await }).catch_unwind().await,
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
    outcome
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
fn admit(request: &ServiceRequest) -> Result<(), Problem> {
    let Some(limits) = request.app_data::<web::Data<Limits>>() else { return Ok(()) };
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

fn message(panic: &(dyn Any + Send)) -> &str {
    panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
