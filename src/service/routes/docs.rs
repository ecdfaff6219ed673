//! GET /openapi.json, and the page on which it can be read and tried: Swagger UI, whose files
//! are part of the program.

use std::sync::Arc;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use utoipa::openapi::path::{HttpMethod, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::{ObjectBuilder, Required, Type};
use utoipa_swagger_ui::{Config, serve};

use super::super::endpoint::About;
use super::super::forms::JSON;
use super::super::guard;
use super::super::openapi::{Route, Success, document, text};
use super::super::operation::Operation;
use super::super::parameters::Parameters;
use super::super::problem::Problem;
use super::super::state;

const DOCUMENT: &str = "/openapi.json";

/// What a page of ours may load: itself alone. Swagger UI styles its elements in place.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";

fn route(about: About, parameters: Vec<Parameter>, media_type: &'static str, mount: fn() -> actix_web::Route) -> Route {
    let success = Success::Plain {
        media_type,
        schema: if media_type == JSON { ObjectBuilder::new().schema_type(Type::Object).into() } else { text() },
    };
    Route { about, method: HttpMethod::Get, parameters, body: None, success, schemas: Vec::new(), tagged: false, mount }
}

pub(super) fn document_route() -> Route {
    let about = About {
        path: DOCUMENT,
        operation: Operation::Document,
        tag: "service",
        summary: "This document",
        what: "OpenAPI 3.1, made from the routes themselves.",
        fails: &[],
    };
    route(about, Vec::new(), JSON, || web::route().to(openapi))
}

pub(super) fn page_route() -> Route {
    let about = About {
        path: "/docs",
        operation: Operation::Docs,
        tag: "service",
        summary: "The document as a page",
        what: "Swagger UI over this document: read every route, and try it.",
        fails: &[],
    };
    route(about, Vec::new(), "text/html", || web::route().to(page))
}

pub(super) fn file_route() -> Route {
    let about = About {
        path: "/docs/{file}",
        operation: Operation::DocsFile,
        tag: "service",
        summary: "A file of that page",
        what: "Scripts and styles of Swagger UI; no other host is asked for anything.",
        fails: &[404],
    };
    let name = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[a-zA-Z0-9][a-zA-Z0-9._-]{0,99}$"));
    let file = ParameterBuilder::new()
        .name("file")
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .schema(Some(name))
        .example(Some("swagger-ui.css".into()))
        .build();
    route(about, vec![file], "text/css", || web::route().to(file_of_page))
}

async fn openapi(request: HttpRequest) -> Result<HttpResponse, Problem> {
    Parameters::of(&request).finish()?;
    let guard = guard::of(&request)?;
    let body = state::of(&request)?.document(|| serde_json::to_vec(&document(&super::routes(guard), guard)))?;
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-cache")).content_type(JSON).body(body))
}

async fn page(request: HttpRequest) -> Result<HttpResponse, Problem> {
    Parameters::of(&request).finish()?;
    let index = file("index.html")?;
    // The page stands at paths with and without a slash at the end; its files stand below one.
    let html = String::from_utf8_lossy(&index.1)
        .replace("href=\"./", "href=\"/docs/")
        .replace("src=\"./", "src=\"/docs/")
        .replace("href=\"index.css", "href=\"/docs/index.css");
    Ok(answer("text/html; charset=utf-8", html.into_bytes()))
}

async fn file_of_page(request: HttpRequest) -> Result<HttpResponse, Problem> {
    Parameters::of(&request).finish()?;
    let (content_type, bytes) = file(request.match_info().get("file").unwrap_or_default())?;
    Ok(answer(&content_type, bytes))
}

fn answer(content_type: &str, body: Vec<u8>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .content_type(content_type)
        .body(body)
}

/// A file of Swagger UI: media type and bytes.
fn file(name: &str) -> Result<(String, Vec<u8>), Problem> {
    let config = Arc::new(Config::from(DOCUMENT).try_it_out_enabled(true).display_request_duration(true));
    let served = serve(name, config).map_err(|error| {
        tracing::error!(%error, "a file of the page does not read");
        Problem::Panicked
    })?;
    served.map(|file| (file.content_type, file.bytes.into_owned())).ok_or(Problem::NoSuchRoute)
}
