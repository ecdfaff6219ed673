//! The page that a partner manager opens each morning, and that of one subscription: HTML that is
//! whole without scripts, made from the very answers of the interface.
//!
//! Absent on purpose: figures of its own, texts outside `texts/`, anything from another host.

mod assets;
mod board;
mod chart;
mod customers;
mod factors;
mod failure;
mod feedback;
mod lists;
mod masthead;
mod model;
mod one;
mod page;
mod parts;
mod reader;
mod retention;
mod status;
mod texts;
mod tiles;
mod view;
mod warnings;
mod watch;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use utoipa::openapi::path::{HttpMethod, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::AnyOfBuilder;
use utoipa::openapi::{ObjectBuilder, RefOr, Required, Schema, Type};

pub(super) use assets::Files;

use super::aside::aside;
use super::body;
use super::boundary;
use super::cache::{Answered, Tag, wants_anew};
use super::cursor::short;
use super::endpoint::{About, parameters};
use super::guard;
use super::openapi::{Route, Success, text};
use super::operation::Operation;
use super::parameters::{Parameters, Query};
use super::problem::Problem;
use super::state;
use crate::access::{Caller, Credential};
use board::Board;
use reader::{Reader, Tongue};
use view::{OneView, View};

const HTML: &str = "text/html; charset=utf-8";

/// What a page may do: load our own files, send its forms to us, and nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const START: About = About {
    path: "/",
    operation: Operation::Overview,
    tag: "pages",
    summary: "The page that a partner manager opens each morning",
    what: "Who is about to leave and why, the figures around it, and how good the model is, for a person: every number is that of the route which its card names.",
    fails: &[],
};

const ONE: About = About {
    path: "/subscriptions/{id}",
    operation: Operation::SubscriptionPage,
    tag: "pages",
    summary: "The page of one subscription",
    what: "What it used, what happened to it, its risk taken apart, the scores issued before, and a form to say whether the risk was right.",
    fails: &[404, 503],
};

const GIVE: About = About {
    path: "/subscriptions/{id}/feedback",
    operation: Operation::FeedbackForm,
    tag: "pages",
    summary: "What the form of that page sends",
    what: "Keeps what a person said of a risk, and leads back to the page. A form of another site is refused.",
    fails: &[403, 404, 409, 503],
};

const FILE: About = About {
    path: assets::PATH,
    operation: Operation::Asset,
    tag: "pages",
    summary: "A file of the pages",
    what: "Style sheet, script, drawing library, icon. The names change with the bytes.",
    fails: &[404],
};

/// The routes of the pages.
pub(super) fn routes() -> Vec<Route> {
    let page = |about, parameters, mount| Route {
        about,
        method: HttpMethod::Get,
        parameters,
        body: None,
        success: Success::Plain { media_type: "text/html", schema: text() },
        schemas: Vec::new(),
        tagged: false,
        mount,
    };
    let name = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[a-f0-9]{16}-[a-z]+[.](css|js|svg)$"));
    let file = ParameterBuilder::new()
        .name("file")
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .schema(Some(name))
        .example(Some(assets::STYLE.file().into()))
        .build();
    vec![
        page(START, asked::<View>(), || web::route().to(overview)),
        page(ONE, asked::<OneView>(), || web::route().to(subscription)),
        Route {
            method: HttpMethod::Post,
            body: Some((body::FORM, feedback::form_schema())),
            success: Success::SeeOther,
            ..page(GIVE, asked::<OneView>(), || web::route().to(give))
        },
        Route {
            success: Success::Plain { media_type: "text/css", schema: text() },
            ..page(FILE, vec![file], || web::route().to(assets::file))
        },
    ]
}

/// What a page takes, for the document. A form sends its fields whether or not anything was written
/// into them, so a value may be empty, and then says nothing.
fn asked<Q: Query>() -> Vec<Parameter> {
    let empty = || ObjectBuilder::new().schema_type(Type::String).max_length(Some(0));
    let mut all = parameters::<Q>(false, false);
    for parameter in all.iter_mut().filter(|one| matches!(one.parameter_in, ParameterIn::Query)) {
        parameter.schema = match parameter.schema.take() {
            Some(RefOr::T(list @ Schema::Array(_))) => Some(list.into()),
            Some(one) => Some(Schema::from(AnyOfBuilder::new().item(one).item(empty()).build()).into()),
            None => None,
        };
    }
    all
}

async fn overview(request: HttpRequest) -> Result<HttpResponse, Problem> {
    shown(&request, overview_of(&request).await).await
}

async fn subscription(request: HttpRequest) -> Result<HttpResponse, Problem> {
    shown(&request, subscription_of(&request).await).await
}

async fn give(request: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Problem> {
    let outcome = feedback::give(request.clone(), payload).await;
    shown(&request, outcome).await
}

/// The page, kept for whoever asks for the same in the same language.
async fn overview_of(request: &HttpRequest) -> Result<HttpResponse, Problem> {
    let state = state::of(request)?;
    let caller = guard::caller(request)?;
    let version = state.seen_by(&caller.view).await?;
    let view = read::<View>(request)?;
    if let Some(address) = view.with_ids(&version.tables().portfolio) {
        return Ok(HttpResponse::SeeOther().insert_header((header::LOCATION, address)).finish());
    }
    let tongue = Tongue::of(request, view.language);
    // The live record is worked out aside, and a page that tells it is another one.
    let form = format!("{HTML} {} {} {}", tongue.tag(), version.known_record().is_some(), whose(&caller));
    let found = if wants_anew(request) { None } else { state.answers().find_as(request, version.epoch(), &form) };
    state.counters().looked_up(found.is_some());
    if let Some(answered) = found {
        return answered.respond(request).await;
    }
    let target = request.uri().path_and_query().map_or("", |target| target.as_str());
    // The day tells how old the feed is, the names of the files what the page loads.
    let (epoch, day, files) = (version.epoch().to_be_bytes(), format!("{:?}", version.seen_on()), assets::names());
    let digest = short([version.digest().as_slice(), &epoch, day.as_bytes(), files.as_bytes(), form.as_bytes(), target.as_bytes()]);
    let epoch = version.epoch();
    let work = move || {
        let reader = Reader::new(&tongue, version.tables().portfolio.currency());
        let page = page::first(&Board { version: &version, view: &view, caller: &caller, reader: &reader });
        let mut headers = headers();
        if caller.by == Credential::Session {
            // Kept nowhere, so that going back after signing out shows nothing.
            headers.push((header::CACHE_CONTROL.as_str(), "no-store".to_owned()));
        }
        Ok(Answered::new(START.path, HTML, Tag::weak(u64::from_be_bytes(digest)), headers, page.into_bytes()))
    };
    state.answers().once_as(request, epoch, &form, aside(request, work)).await?.respond(request).await
}

/// The page of one subscription, made anew each time: what people say of it comes at any time.
async fn subscription_of(request: &HttpRequest) -> Result<HttpResponse, Problem> {
    let caller = guard::caller(request)?;
    let version = state::of(request)?.seen_by(&caller.view).await?;
    let one = read::<OneView>(request)?;
    let tongue = Tongue::of(request, one.view.language);
    let page = aside(request, move || {
        let reader = Reader::new(&tongue, version.tables().portfolio.currency());
        let id = one.subscription.clone().ok_or(Problem::NoSuchRoute)?;
        page::one(&Board { version: &version, view: &one.view, caller: &caller, reader: &reader }, &one, &id)
    });
    Ok(unkept(StatusCode::OK, page.await?))
}

fn read<Q: Query>(request: &HttpRequest) -> Result<Q, Problem> {
    let mut parameters = Parameters::of(request).without_empty();
    let query = Q::parse(&mut parameters);
    parameters.finish()?;
    Ok(query)
}

fn headers() -> Vec<(&'static str, String)> {
    vec![
        (header::CONTENT_SECURITY_POLICY.as_str(), POLICY.to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS.as_str(), "nosniff".to_owned()),
        (header::REFERRER_POLICY.as_str(), "same-origin".to_owned()),
        (header::VARY.as_str(), "accept-language, accept-encoding".to_owned()),
    ]
}

/// A page that nobody keeps, not the browser either.
fn unkept(status: StatusCode, page: String) -> HttpResponse {
    let mut response = HttpResponse::build(status);
    for (name, value) in headers() {
        response.insert_header((name, value));
    }
    response.insert_header((header::CACHE_CONTROL, "no-store")).content_type(HTML).body(page)
}

/// What of a page is one caller's own: their name is on it.
fn whose(caller: &Caller) -> &str {
    if caller.by == Credential::Session { &caller.who } else { "" }
}

/// A failure as a page, for whoever asked for a page.
async fn shown(request: &HttpRequest, outcome: Result<HttpResponse, Problem>) -> Result<HttpResponse, Problem> {
    let problem = match outcome {
        Ok(response) => return Ok(response),
        Err(problem) => problem,
    };
    if !guard::accepts_html(request) {
        return Err(problem);
    }
    boundary::tell(&problem, request.path());
    let caller = guard::caller(request)?;
    let version = state::of(request)?.seen_by(&caller.view).await?;
    let (view, tongue) = manner(request);
    let reader = Reader::new(&tongue, version.tables().portfolio.currency());
    let page = failure::failure(&Board { version: &version, view: &view, caller: &caller, reader: &reader }, &problem);
    Ok(boundary::said(unkept(problem.status_code(), page)))
}

/// The language that was chosen, whatever else of the address is wrong.
fn manner(request: &HttpRequest) -> (View, Tongue) {
    let given = Parameters::of(request);
    let chosen = given.pairs().iter().find(|(name, _)| name == "lang").cloned();
    let view = View::parse(&mut Parameters::asking(chosen.into_iter().collect(), None));
    let tongue = Tongue::of(request, view.language);
    (view, tongue)
}

/// Why somebody is not let in, as a page that holds nothing of the tables.
pub(super) fn refusal(request: &HttpRequest, problem: &Problem) -> HttpResponse {
    let reader = Reader::new(&manner(request).1, None);
    let mut response = unkept(problem.status_code(), failure::refusal(&reader, problem));
    problem.mark(response.headers_mut());
    response
}

/// The page after signing out, which leads on to the provider where that has a session as well.
pub(super) fn signed_out(request: &HttpRequest, onward: Option<&str>) -> HttpResponse {
    let reader = Reader::new(&manner(request).1, None);
    unkept(StatusCode::OK, failure::signed_out(&reader, onward))
}
