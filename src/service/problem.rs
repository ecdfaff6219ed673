//! The one table from a failure to what a client is told (RFC 9457, `application/problem+json`).
//!
//! Absent on purpose: logging, which the boundary does once.

use std::time::Duration;

use actix_web::http::header::{HeaderMap, HeaderValue};
use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use thiserror::Error;
use utoipa::ToSchema;

use crate::access::AuditError;
use crate::domain::{FeedbackId, SubscriptionId, chain};
use crate::lake::LakeError;
use crate::model::LoadError;
use crate::portfolio;

/// When a client that met a service without data may ask again.
const RETRY_SECONDS: u64 = 10;

/// What is wrong with one parameter, or with one part of the service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Fault {
    /// The parameter or field; absent where a part of the service is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parameter: Option<String>,
    pub(super) detail: String,
}

impl Fault {
    pub(super) fn parameter(name: &str, detail: impl Into<String>) -> Self {
        Self { parameter: Some(name.to_owned()), detail: detail.into() }
    }

    pub(super) fn missing(detail: impl Into<String>) -> Self {
        Self { parameter: None, detail: detail.into() }
    }
}

/// Every way in which a request can fail.
#[derive(Debug, Error)]
pub(super) enum Problem {
    #[error("{}", count(.0.len()))]
    BadParameters(Vec<Fault>),
    #[error("{}", count(.0.len()))]
    ImpossibleParameters(Vec<Fault>),
    #[error("the tables or the model have changed since this cursor was given; begin again without it")]
    StaleCursor,
    #[error("there is nothing at this path")]
    NoSuchRoute,
    #[error("there is no subscription `{0}` in the tables")]
    NoSuchSubscription(SubscriptionId),
    #[error("{method} is not answered here; {} is", allowed.join(" or "))]
    MethodNotAllowed { method: Method, allowed: &'static [&'static str] },
    #[error("the answer is {}, which the Accept header `{accept}` rules out", if *.tabular { "application/json, text/csv or application/x-ndjson" } else { "application/json" })]
    NotAcceptable { accept: String, tabular: bool },
    #[error("no encoding that the Accept-Encoding header allows can be given")]
    EncodingNotAcceptable,
    #[error("the body did not come whole within {seconds} seconds")]
    BodyTooSlow { seconds: u64 },
    #[error("the body has more than {max_bytes} bytes")]
    BodyTooLarge { max_bytes: u64 },
    #[error("the body ended before it was whole")]
    BodyBroken,
    #[error("the body has {} fault{}", .0.len(), if .0.len() == 1 { "" } else { "s" })]
    BadBody(Vec<Fault>),
    #[error("the body must be {wanted}; its Content-Type is `{content_type}`")]
    WrongMediaType { wanted: &'static str, content_type: String },
    #[error("the body is compressed by `{coding}`; gzip is taken, and no compression")]
    CodingNotTaken { coding: String },
    #[error("the request was sent by a page of another site")]
    ForeignForm,
    #[error("{}", .why.as_deref().unwrap_or("send a token or an API key as `Authorization: Bearer`"))]
    Unknown { why: Option<String> },
    #[error("{why}")]
    NotAllowed { why: String },
    #[error("{why}; try again later")]
    NobodyCanTell { why: String },
    #[error("the service is not called `{host}`; the access file can name it under `hosts`")]
    OtherHost { host: String },
    #[error("too many requests; ask again in {} s", seconds(*.wait))]
    TooMany { wait: Duration },
    #[error("the service has as many requests as it can answer; ask again in a moment")]
    Overloaded,
    #[error("the request was not answered within {seconds} seconds")]
    TookTooLong { seconds: u64 },
    #[error("nothing was changed, since it could not be recorded in the audit log")]
    NotRecorded(#[source] AuditError),
    #[error("{}", chain(.0))]
    FeedbackNotKept(#[source] LakeError),
    #[error("feedback {feedback_id} was given before, and says something else")]
    FeedbackConflict { feedback_id: FeedbackId },
    #[error("this request takes no body")]
    BodyNotTaken,
    #[error("the path and query have {bytes} bytes, more than {max_bytes}")]
    TargetTooLong { bytes: usize, max_bytes: usize },
    #[error("{}", refused(.source, .in_service.as_deref()))]
    ModelRefused { source: LoadError, in_service: Option<String> },
    #[error("model {version} has no report; `churn-train report {version}` makes one from its card")]
    NoReport { version: String },
    #[error("{}", chain(.0))]
    ReportDoesNotRead(#[source] LoadError),
    #[error("the newer tables do not load: {}; those in service stay", chain(.0))]
    TablesDoNotLoad(#[source] portfolio::LoadError),
    #[error("{}", sentences(.0))]
    NotReady(Vec<Fault>),
    #[error("the request failed inside the service, which has logged it and goes on")]
    Panicked,
    #[error("the answer could not be written")]
    Unserialisable(#[source] serde_json::Error),
    #[error("the answer could not be compressed")]
    Uncodable(#[source] std::io::Error),
    #[error("the request failed with status {0}")]
    Framework(StatusCode),
}

/// Type, title and status of a failure.
struct Kind {
    name: &'static str,
    title: &'static str,
    status: StatusCode,
}

impl Problem {
    /// The table. Without a `_`, so that a new failure has to be given its place.
    fn kind(&self) -> Kind {
        let kind = |name, title, status| Kind { name, title, status };
        match self {
            Self::BadParameters(_) => kind("bad-parameters", "Malformed parameters", StatusCode::BAD_REQUEST),
            Self::ImpossibleParameters(_) => {
                kind("impossible-parameters", "Parameters that cannot be answered", StatusCode::UNPROCESSABLE_ENTITY)
            }
            Self::StaleCursor => kind("stale-cursor", "The list has changed", StatusCode::GONE),
            Self::NoSuchRoute => kind("no-such-route", "Nothing here", StatusCode::NOT_FOUND),
            Self::NoSuchSubscription(_) => kind("no-such-subscription", "No such subscription", StatusCode::NOT_FOUND),
            Self::MethodNotAllowed { .. } => kind("method-not-allowed", "Method not allowed", StatusCode::METHOD_NOT_ALLOWED),
            Self::NotAcceptable { .. } | Self::EncodingNotAcceptable => {
                kind("not-acceptable", "No acceptable form of the answer", StatusCode::NOT_ACCEPTABLE)
            }
            Self::BodyTooSlow { .. } => kind("body-too-slow", "The body came too slowly", StatusCode::REQUEST_TIMEOUT),
            Self::BodyTooLarge { .. } => kind("body-too-large", "The body is too large", StatusCode::PAYLOAD_TOO_LARGE),
            Self::BodyBroken => kind("body-broken", "The body is broken", StatusCode::BAD_REQUEST),
            Self::BadBody(_) => kind("bad-body", "Malformed body", StatusCode::BAD_REQUEST),
            Self::WrongMediaType { .. } => {
                kind("wrong-media-type", "The body is not what this route reads", StatusCode::UNSUPPORTED_MEDIA_TYPE)
            }
            Self::CodingNotTaken { .. } => kind("coding-not-taken", "A compression that is not taken", StatusCode::UNSUPPORTED_MEDIA_TYPE),
            Self::ForeignForm => kind("foreign-form", "A form of another site", StatusCode::FORBIDDEN),
            Self::Unknown { .. } => kind("unknown-caller", "Nobody has signed in", StatusCode::UNAUTHORIZED),
            Self::NotAllowed { .. } => kind("not-allowed", "Not allowed", StatusCode::FORBIDDEN),
            Self::NobodyCanTell { .. } => kind("nobody-can-tell", "Nobody can tell who asks", StatusCode::SERVICE_UNAVAILABLE),
            Self::OtherHost { .. } => kind("other-host", "Another host", StatusCode::MISDIRECTED_REQUEST),
            Self::TooMany { .. } => kind("too-many-requests", "Too many requests", StatusCode::TOO_MANY_REQUESTS),
            Self::Overloaded => kind("overloaded", "Too much at once", StatusCode::SERVICE_UNAVAILABLE),
            Self::TookTooLong { .. } => kind("took-too-long", "It took too long", StatusCode::SERVICE_UNAVAILABLE),
            Self::NotRecorded(_) => kind("not-recorded", "Not recorded", StatusCode::SERVICE_UNAVAILABLE),
            Self::FeedbackConflict { .. } => kind("feedback-conflict", "The feedback id was used before", StatusCode::CONFLICT),
            Self::FeedbackNotKept(_) => kind("feedback-not-kept", "The feedback could not be kept", StatusCode::INTERNAL_SERVER_ERROR),
            Self::BodyNotTaken => kind("body-not-taken", "A body that nothing reads", StatusCode::UNSUPPORTED_MEDIA_TYPE),
            Self::TargetTooLong { .. } => kind("target-too-long", "The path and query are too long", StatusCode::URI_TOO_LONG),
            Self::ModelRefused { .. } => kind("model-refused", "The model is refused", StatusCode::CONFLICT),
            Self::NoReport { .. } => kind("no-report", "The model has no report", StatusCode::NOT_FOUND),
            Self::ReportDoesNotRead(_) => kind("report-does-not-read", "The report does not read", StatusCode::INTERNAL_SERVER_ERROR),
            Self::TablesDoNotLoad(_) => kind("tables-do-not-load", "The newer tables do not load", StatusCode::INTERNAL_SERVER_ERROR),
            Self::NotReady(_) => kind("not-ready", "Not ready", StatusCode::SERVICE_UNAVAILABLE),
            Self::Panicked | Self::Unserialisable(_) | Self::Uncodable(_) => {
                kind("internal", "Internal error", StatusCode::INTERNAL_SERVER_ERROR)
            }
            Self::Framework(status) => kind("framework", "The request failed", *status),
        }
    }

    /// What sort of failure it is, in some words.
    pub(super) fn title(&self) -> &'static str {
        self.kind().title
    }

    /// What is wrong, part by part.
    pub(super) fn faults(&self) -> &[Fault] {
        match self {
            Self::BadParameters(faults) | Self::ImpossibleParameters(faults) | Self::BadBody(faults) | Self::NotReady(faults) => faults,
            Self::StaleCursor
            | Self::NoSuchRoute
            | Self::NoSuchSubscription(_)
            | Self::MethodNotAllowed { .. }
            | Self::NotAcceptable { .. }
            | Self::EncodingNotAcceptable
            | Self::BodyTooSlow { .. }
            | Self::BodyTooLarge { .. }
            | Self::BodyBroken
            | Self::BodyNotTaken
            | Self::WrongMediaType { .. }
            | Self::CodingNotTaken { .. }
            | Self::ForeignForm
            | Self::Unknown { .. }
            | Self::NotAllowed { .. }
            | Self::NobodyCanTell { .. }
            | Self::OtherHost { .. }
            | Self::TooMany { .. }
            | Self::Overloaded
            | Self::TookTooLong { .. }
            | Self::NotRecorded(_)
            | Self::FeedbackNotKept(_)
            | Self::FeedbackConflict { .. }
            | Self::TargetTooLong { .. }
            | Self::ModelRefused { .. }
            | Self::NoReport { .. }
            | Self::ReportDoesNotRead(_)
            | Self::TablesDoNotLoad(_)
            | Self::Panicked
            | Self::Unserialisable(_)
            | Self::Uncodable(_)
            | Self::Framework(_) => &[],
        }
    }

    /// What the client is told, of a failure at the path `instance`.
    pub(super) fn response(&self, instance: Option<&str>) -> HttpResponse {
        let Kind { name, title, status } = self.kind();
        let body = Body {
            r#type: format!("urn:problem-type:churn-risk:{name}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: self.to_string(),
            instance: instance.map(str::to_owned),
            errors: self.faults().to_vec(),
        };
        let mut response = HttpResponse::build(status);
        response.insert_header((header::CONTENT_TYPE, PROBLEM_JSON)).insert_header((header::CACHE_CONTROL, "no-store"));
        if let Some(allowed) = self.allowed() {
            response.insert_header((header::ALLOW, allowed));
        }
        // A struct of texts and numbers always serialises.
        let mut response = response.body(serde_json::to_vec(&body).unwrap_or_default());
        self.mark(response.headers_mut());
        response
    }

    /// What a client is told of a failure in whatever form: when to ask again, and how to be known.
    pub(super) fn mark(&self, headers: &mut HeaderMap) {
        if let Some(wait) = self.retry_after() {
            headers.insert(header::RETRY_AFTER, wait.into());
        }
        if let Self::Unknown { why } = self {
            // RFC 6750: an error code where there was a token.
            let challenge = if why.is_some() { "Bearer error=\"invalid_token\"" } else { "Bearer" };
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Self::CodingNotTaken { .. } = self {
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        }
    }

    /// Seconds after which the same may be asked again.
    fn retry_after(&self) -> Option<u64> {
        match self {
            Self::TooMany { wait } => Some(seconds(*wait)),
            Self::Overloaded => Some(1),
            _ => (self.status_code() == StatusCode::SERVICE_UNAVAILABLE).then_some(RETRY_SECONDS),
        }
    }

    fn allowed(&self) -> Option<String> {
        if let Self::MethodNotAllowed { allowed, .. } = self { Some(allowed.join(", ")) } else { None }
    }
}

/// The boundary gives a problem its place; one that gets past it still reads.
impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.kind().status
    }

    fn error_response(&self) -> HttpResponse {
        self.response(None)
    }
}

/// A failure (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct Body {
    /// What sort of failure, for programs.
    #[schema(examples("urn:problem-type:churn-risk:bad-parameters"))]
    r#type: String,
    #[schema(examples("Malformed parameters"))]
    title: String,
    #[schema(examples(400))]
    status: u16,
    /// What is wrong, in a sentence.
    #[schema(examples("1 parameter is wrong"))]
    detail: String,
    /// The path that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
    /// Each bad parameter or field, all of them at once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Fault>,
}

/// The media type of a failure.
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// What a status of failure means here, for the document.
pub(super) const fn title_of(status: u16) -> &'static str {
    match status {
        400 => "Malformed: a parameter or field is not what it should be. `errors` names each.",
        401 => "Nobody has signed in, or the token or key does not hold.",
        403 => "Whoever asks may not do this; or the request was sent by a page of another site.",
        404 => "There is no such thing in the tables.",
        406 => "No form of the answer that the Accept headers allow.",
        408 => "The body did not come in time.",
        409 => "Refused; what was in service stays.",
        410 => "The list has changed since its cursor was given.",
        413 => "The body is too large.",
        414 => "The path and query are too long.",
        415 => "The body is not what this route reads.",
        422 => "Well-formed, and cannot be answered. `errors` names each parameter.",
        421 => "The service does not go by the name that the request asks for.",
        429 => "Too many requests; `Retry-After` says when to ask again.",
        503 => {
            "Not ready: tables or model are missing, and `errors` says which; or the service has too much to do, or something that it needs is out of reach."
        }
        _ => "The request failed inside the service.",
    }
}

/// Whole seconds, rounded up: 0 would be an invitation.
fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + 1
}

fn count(faults: usize) -> String {
    if faults == 1 { "1 parameter is wrong".to_owned() } else { format!("{faults} parameters are wrong") }
}

fn sentences(faults: &[Fault]) -> String {
    faults.iter().map(|fault| fault.detail.as_str()).collect::<Vec<_>>().join("; ")
}

fn refused(error: &LoadError, in_service: Option<&str>) -> String {
    let text = chain(error);
    let stays = in_service.map_or_else(|| "no model is in service".to_owned(), |version| format!("model {version} stays in service"));
    format!("{text}; {stays}")
}
