//! The routes: which path answers what.
//!
//! Absent on purpose: figures. A route takes its query, asks one function below, and wraps the
//! answer.

pub(super) mod at_risk;
pub(super) mod churn;
pub(super) mod customers;
mod daily;
mod docs;
pub(super) mod feedback;
mod health;
pub(super) mod model;
mod nesting;
mod ordering;
mod posted;
mod record;
pub(super) mod retention;
pub(super) mod risk;
mod score;
pub(super) mod subscription;
pub(super) mod summary;
pub(super) mod tables;
pub(super) mod watchlists;
pub(super) mod without_usage;
pub(super) mod words;

use actix_web::body::BoxBody;
use actix_web::dev::ServiceRequest;
use actix_web::guard::{self, Guard as Matches};
use actix_web::http::{Method, header};
use actix_web::middleware::{Next, from_fn};
use actix_web::{HttpResponse, web};
use futures::future::{Ready, ready};
use serde::Serialize;
use utoipa::openapi::path::HttpMethod;

pub(super) use words::{reason_code, risked};

use super::endpoint::Envelope;
use super::forms::JSON;
use super::guard::{Guard, permit};
use super::openapi::Route;
use super::problem::Problem;

/// Every route of a service, in the order of the document.
pub(super) fn routes(guard: &Guard) -> Vec<Route> {
    let mut routes = vec![
        Route::listing::<at_risk::AtRisk>(),
        Route::figures::<risk::OneRisk>(),
        score::route(),
        feedback::route(),
        Route::figures::<summary::SummaryOfPeriod>(),
        Route::figures::<customers::Top>(),
        Route::figures::<customers::Count>(),
        Route::figures::<customers::Categories>(),
        Route::figures::<churn::ChurnOfPeriod>(),
        Route::figures::<retention::RetentionOfPeriod>(),
        Route::figures::<retention::Cohorts>(),
        Route::figures::<retention::Revenue>(),
        Route::listing::<watchlists::ExpiringCommitments>(),
        Route::listing::<watchlists::Anomalies>(),
        Route::listing::<without_usage::Unused>(),
        Route::figures::<subscription::OneSubscription>(),
        Route::figures::<model::CardInService>(),
        model::report_route(),
        record::route(),
        model::reload_route(),
        Route::figures::<tables::Imports>(),
        Route::figures::<tables::Gaps>(),
        tables::reload_route(),
        health::alive_route(),
        health::ready_route(),
        health::metrics_route(),
        docs::document_route(),
        docs::page_route(),
        docs::file_route(),
    ];
    routes.extend(super::dashboard::routes());
    if guard.has_flow() {
        routes.extend(super::guard::routes());
    }
    routes
}

/// Mounts every route: those without a part to fill in first, since the router tries one after
/// another, and a pattern costs it more than a text.
pub(super) fn configure(guard: &Guard, config: &mut web::ServiceConfig) {
    let mut routes = routes(guard);
    routes.sort_by_key(|route| route.about.path.contains('{'));
    for Route { about, method, mount, .. } in routes {
        let operation = about.operation;
        let resource = web::resource(about.path);
        let resource = if matches!(method, HttpMethod::Post) {
            resource.route(mount().guard(guard::Post())).default_service(web::to(|method: Method| refuse(method, POST)))
        } else {
            resource.route(mount().guard(reads())).default_service(web::to(|method: Method| refuse(method, READ)))
        };
        config.service(resource.wrap(from_fn(move |request: ServiceRequest, next: Next<BoxBody>| permit(operation, request, next))));
    }
}

const READ: &[&str] = &["GET", "HEAD"];
const POST: &[&str] = &["POST"];

/// A path that is read: GET, and HEAD without the body.
fn reads() -> impl Matches {
    guard::Any(guard::Get()).or(guard::Head())
}

fn refuse(method: Method, allowed: &'static [&'static str]) -> Ready<Result<&'static str, Problem>> {
    ready(Err(Problem::MethodNotAllowed { method, allowed }))
}

/// Answers without a tag: states of the service rather than of the tables.
fn plain<T: Serialize>(envelope: &Envelope<T>) -> Result<HttpResponse, Problem> {
    serde_json::to_vec(envelope).map(plain_body).map_err(Problem::Unserialisable)
}

/// The same from the bytes of its JSON.
fn plain_body(body: Vec<u8>) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).content_type(JSON).body(body)
}

/// Every path that is none of the above.
pub(super) fn no_such_route() -> Ready<Result<&'static str, Problem>> {
    ready(Err(Problem::NoSuchRoute))
}
