//! GET /healthz: the process is up. GET /readyz: every route can answer. GET /metrics: what the
//! service counts of itself.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::path::HttpMethod;

use super::super::endpoint::{About, Envelope};
use super::super::guard;
use super::super::meta::Meta;
use super::super::openapi::{Route, Success, named, text};
use super::super::operation::Operation;
use super::super::parameters::Parameters;
use super::super::problem::Problem;
use super::super::state;
use super::plain;

#[derive(Debug, Serialize, ToSchema)]
struct Status {
    /// `up` or `ready`.
    status: &'static str,
}

fn status_route(about: About, mount: fn() -> actix_web::Route) -> Route {
    let mut schemas = Vec::new();
    let data = named::<Status>(&mut schemas);
    let success = Success::Enveloped { data, tabular: false };
    Route { about, method: HttpMethod::Get, parameters: Vec::new(), body: None, success, schemas, tagged: false, mount }
}

pub(super) fn alive_route() -> Route {
    let about = About {
        path: "/healthz",
        operation: Operation::Healthz,
        tag: "service",
        summary: "The process is up",
        what: "Answers whatever is missing.",
        fails: &[],
    };
    status_route(about, || web::route().to(alive))
}

pub(super) fn ready_route() -> Route {
    let about = About {
        path: "/readyz",
        operation: Operation::Readyz,
        tag: "service",
        summary: "Tables and model are there",
        what: "Every route can answer; or what is missing, all of it.",
        fails: &[503],
    };
    status_route(about, || web::route().to(ready))
}

pub(super) fn metrics_route() -> Route {
    Route {
        about: About {
            path: "/metrics",
            operation: Operation::Metrics,
            tag: "service",
            summary: "Counters of the service, for Prometheus",
            what: "Requests by route and status, durations, answers found among those given before, and what stands in service. No name or id of a customer is in it.",
            fails: &[],
        },
        method: HttpMethod::Get,
        parameters: Vec::new(),
        body: None,
        success: Success::Plain { media_type: METRICS, schema: text() },
        schemas: Vec::new(),
        tagged: false,
        mount: || web::route().to(metrics),
    }
}

const METRICS: &str = "application/openmetrics-text";

async fn alive(request: HttpRequest) -> Result<HttpResponse, Problem> {
    Parameters::of(&request).finish()?;
    plain(&Envelope { data: Status { status: "up" }, meta: Meta::default() })
}

async fn ready(request: HttpRequest) -> Result<HttpResponse, Problem> {
    Parameters::of(&request).finish()?;
    let version = state::of(&request)?.current();
    // Anyone may ask; what stands in service is told where nobody has to sign in.
    let tells = !guard::of(&request)?.signs_in();
    let missing = version.missing();
    if !missing.is_empty() {
        return Err(Problem::NotReady(missing));
    }
    let meta = if tells { Meta::at(&version).spoken_by(version.needed_model()?) } else { Meta::default() };
    plain(&Envelope { data: Status { status: "ready" }, meta })
}

async fn metrics(request: HttpRequest) -> Result<HttpResponse, Problem> {
    Parameters::of(&request).finish()?;
    let state = state::of(&request)?;
    let text = state.counters().text(&state.current()).map_err(|_| Problem::Panicked)?;
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).content_type(content_type).body(text))
}
