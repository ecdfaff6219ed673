//! What every request passes: bounds and the form of the answer before it is routed; after it,
//! whatever failed, however it failed, becomes a problem, and failures of ours are logged once.
//!
//! Absent on purpose: anything that knows a route.

use std::any::Any;
use std::error::Error as StdError;
use std::panic::AssertUnwindSafe;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::{StatusCode, header};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError, web};
use futures::FutureExt;

use super::Limits;
use super::problem::Problem;

/// The outermost layer.
pub(super) async fn boundary<B: MessageBody + 'static>(request: ServiceRequest, next: Next<B>) -> Result<ServiceResponse<B>, Error> {
    let (method, instance) = (request.method().clone(), request.path().to_owned());
    let outcome = match admit(&request) {
        // A handler holds nothing that outlives its request, so a panic leaves nothing half-changed.
        Ok(()) => AssertUnwindSafe(async { next.call(request).await }).catch_unwind().await,
        Err(problem) => Ok(Err(problem.into())),
    };
    let problem = match outcome {
        Ok(Ok(response)) if response.status().as_u16() < 400 => {
            tracing::debug!(%method, path = instance, status = response.status().as_u16(), "answered");
            return Ok(response);
        }
        Ok(Ok(response)) => match response.response().error() {
            Some(error) => told(error, &instance),
            None => bare(response.status(), &instance),
        },
        Ok(Err(error)) => told(&error, &instance),
        Err(panic) => {
            tracing::error!(path = instance, panic = message(panic.as_ref()), "a request panicked");
            answer(&Problem::Panicked, &instance)
        }
    };
    Err(problem)
}

/// The answer to an error of a handler, or of actix-web itself.
fn told(error: &Error, instance: &str) -> Error {
    match error.as_error::<Problem>() {
        Some(problem) => {
            // Not ready is a state, told at the start; every other failure of ours is news.
            let status = problem.status_code();
            if status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE {
                tracing::error!(path = instance, status = status.as_u16(), cause = problem.source(), "{problem}");
            } else {
                tracing::debug!(path = instance, status = status.as_u16(), "{problem}");
            }
            answer(problem, instance)
        }
        None => bare(error.as_response_error().status_code(), instance),
    }
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

/// The bounds that can be checked before anything is read, and the form of the answer.
fn admit(request: &ServiceRequest) -> Result<(), Problem> {
    let Some(limits) = request.app_data::<web::Data<Limits>>() else { return Ok(()) };
    let bytes = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if bytes > limits.target_max_bytes {
        return Err(Problem::TargetTooLong { bytes, max_bytes: limits.target_max_bytes });
    }
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.trim().parse::<u64>().ok());
    if length.is_some_and(|length| length > limits.body_max_bytes) {
        return Err(Problem::BodyTooLarge { max_bytes: limits.body_max_bytes });
    }
    let accept: Vec<&str> = request.headers().get_all(header::ACCEPT).filter_map(|accept| accept.to_str().ok()).collect();
    let accept = accept.join(", ");
    if accept.trim().is_empty() || accepts_json(&accept) { Ok(()) } else { Err(Problem::NotAcceptable { accept }) }
}

/// Whether an Accept header allows `application/json`: its most specific range decides.
fn accepts_json(accept: &str) -> bool {
    let ranges = accept.split(',').filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let specific = match parts.next()?.to_ascii_lowercase().as_str() {
            "application/json" => 2,
            "application/*" => 1,
            "*/*" => 0,
            _ => return None,
        };
        let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q="))).map_or(Ok(1.0), str::parse::<f64>);
        Some((specific, weight.unwrap_or(1.0) > 0.0))
    });
    ranges.max().is_some_and(|(_, allowed)| allowed)
}

fn message(panic: &(dyn Any + Send)) -> &str {
    panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_range_of_an_accept_header_decides() {
        for yes in ["*/*", "application/json", "text/csv, application/*;q=0.1", "text/html,application/xhtml+xml,*/*;q=0.8"] {
            assert!(accepts_json(yes), "{yes}");
        }
        for no in ["text/csv", "application/json;q=0", "application/json;q=0, */*", "application/problem+json", ""] {
            assert!(!accepts_json(no), "{no}");
        }
    }
}
