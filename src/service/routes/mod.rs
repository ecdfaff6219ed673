//! The routes: which path answers what.
//!
//! Absent on purpose: figures. A handler takes its inputs, asks one function below, and wraps
//! the answer.

mod at_risk;
mod flows;
mod health;
mod model;
mod risk;
mod summary;
mod without_usage;
mod words;

use actix_web::guard::{self, Guard};
use actix_web::http::Method;
use actix_web::{FromRequest, Handler, Resource, Responder, web};

use futures::future::{Ready, ready};

use super::problem::Problem;

/// Mounts every route.
pub(super) fn configure(config: &mut web::ServiceConfig) {
    config
        .service(get("/v1/summary", summary::summary))
        .service(get("/v1/subscriptions/at-risk", at_risk::at_risk))
        .service(get("/v1/subscriptions/without-usage", without_usage::without_usage))
        .service(get("/v1/subscriptions/{id}/risk", risk::risk))
        .service(get("/v1/churn", flows::churn))
        .service(get("/v1/retention", flows::retention))
        .service(get("/v1/model", model::card))
        .service(
            web::resource("/v1/model/reload")
                .route(web::post().to(model::reload))
                .default_service(web::to(|method: Method| refuse(method, POST))),
        )
        .service(get("/healthz", health::alive))
        .service(get("/readyz", health::ready));
}

const READ: &[&str] = &["GET", "HEAD"];
const POST: &[&str] = &["POST"];

/// A path that is read: GET, and HEAD without the body.
fn get<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    web::resource(path).route(web::route().guard(reads()).to(handler)).default_service(web::to(|method: Method| refuse(method, READ)))
}

fn reads() -> impl Guard {
    guard::Any(guard::Get()).or(guard::Head())
}

fn refuse(method: Method, allowed: &'static [&'static str]) -> Ready<Result<&'static str, Problem>> {
    ready(Err(Problem::MethodNotAllowed { method, allowed }))
}

/// Every path that is none of the above.
pub(super) fn no_such_route() -> Ready<Result<&'static str, Problem>> {
    ready(Err(Problem::NoSuchRoute))
}
