//! What a person says of a risk, from the page of its subscription: a form that works without
//! scripts, and what was said before.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use maud::{Markup, html};

use super::board::Board;
use super::parts::{Card, absent};
use super::view::{OneView, subscription_path};
use crate::domain::{Feedback, SeenOutcome, SubscriptionId, Verdict};
use crate::service::body;
use crate::service::cursor::short;
use crate::service::endpoint::Question;
use crate::service::problem::{Fault, Problem};
use crate::service::routes::feedback::{self, FeedbackRequest};

/// Thumbs, an outcome, a note; and what was said before.
pub(super) fn card(board: &Board<'_>, one: &OneView, id: &SubscriptionId, given: &[Feedback]) -> Markup {
    let (view, reader, t) = (board.view, board.reader, board.reader.t);
    let path = subscription_path(id.as_str());
    let action = view.at(&format!("{path}/feedback"), &[]);
    let body = html! {
        @if one.kept { p.kept role="status" { (t.feedback_kept) } }
        form.feedback method="post" action=(action) {
            fieldset {
                legend { (t.was_it_right) }
                label.thumb { input type="radio" name="verdict" value="right"; span { (thumb(true)) " " (t.right) } }
                label.thumb { input type="radio" name="verdict" value="wrong"; span { (thumb(false)) " " (t.wrong) } }
            }
            label { span { (t.what_became) }
                select name="outcome" {
                    option value="" { (t.not_known) }
                    option value="left" { (t.has_left) }
                    option value="stayed" { (t.has_stayed) }
                }
            }
            label { span { (t.note) } textarea name="note" rows="3" maxlength="4000" {} }
            button { (t.send) }
        }
        h3 { (t.said_before) }
        @if given.is_empty() { (absent(t.nothing_said)) } @else {
            ul.said {
                @for one in given {
                    li {
                        (reader.day(one.given_on)) ": "
                        @match one.verdict { Some(Verdict::Right) => strong { (t.right) }, Some(Verdict::Wrong) => strong { (t.wrong) }, None => {} }
                        @match one.outcome { Some(SeenOutcome::Left) => { " " (t.has_left) }, Some(SeenOutcome::Stayed) => { " " (t.has_stayed) }, None => {} }
                        @if let Some(note) = &one.note { " \u{2013} " q { (note) } }
                    }
                }
            }
        }
    };
    let source = format!("/v1{path}/risk");
    Card { id: "feedback", title: t.feedback, source: &source, table: None, wide: false }.draw(reader, &body)
}

/// A thumb up, or the same turned around.
fn thumb(is_up: bool) -> Markup {
    html! {
        svg viewBox="0 0 24 24" aria-hidden="true" focusable="false" {
            path transform=[(!is_up).then_some("rotate(180 12 12)")]
                d="M7 10v11H3V10zM7 11l4-8a2.500 2.500 0 0 1 2.500 2.500V9h5.500a2 2 0 0 1 2 2.300l-1.300 7.200a2.500 2.500 0 0 1-2.500 2H7" {}
        }
    }
}

/// What the form sends; an empty text says nothing.
#[derive(Debug, Default)]
struct Form {
    verdict: String,
    outcome: String,
    note: String,
}

impl Form {
    fn parse(bytes: &[u8]) -> Result<Self, Problem> {
        let mut form = Self::default();
        let mut faults = Vec::new();
        for (name, value) in url::form_urlencoded::parse(bytes) {
            match name.as_ref() {
                "verdict" => form.verdict = value.into_owned(),
                "outcome" => form.outcome = value.into_owned(),
                "note" => form.note = value.into_owned(),
                other => faults.push(Fault::parameter(other, "is unknown here: this form has verdict, outcome, note")),
            }
        }
        if faults.is_empty() { Ok(form) } else { Err(Problem::BadBody(faults)) }
    }
}

/// Keeps what the form says, and leads back to the page.
pub(super) async fn give(request: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Problem> {
    let Question { query: one, .. } = Question::<OneView>::read(&request, false, false)?;
    same_origin(&request)?;
    let limits = body::limits(&request);
    let bytes = body::form(&request, payload.into_inner(), limits.body_max_bytes, limits.body_deadline).await?;
    let form = Form::parse(&bytes)?;
    let id = one.subscription.as_ref().ok_or(Problem::NoSuchRoute)?;
    let given = FeedbackRequest {
        feedback_id: feedback_id(id, &form, &request)?,
        verdict: word(&form.verdict, "verdict")?,
        outcome: word(&form.outcome, "outcome")?,
        note: Some(form.note.clone()).filter(|note| !note.trim().is_empty()),
    };
    feedback::keep(&request, Some(id.clone()), &given).await?;
    let back = one.view.at(&subscription_path(id.as_str()), &[("kept", "true")]);
    Ok(HttpResponse::SeeOther().insert_header((header::LOCATION, format!("{back}#feedback"))).finish())
}

fn word<T: std::str::FromStr<Err = crate::domain::UnknownWord>>(text: &str, field: &str) -> Result<Option<T>, Problem> {
    let read = |text: &str| {
        text.parse().map_err(|error: crate::domain::UnknownWord| Problem::BadBody(vec![Fault::parameter(field, error.to_string())]))
    };
    Some(text).filter(|text| !text.is_empty()).map(read).transpose()
}

/// The same words about the same risk on the same day are the same answer, however often the
/// button is pressed.
fn feedback_id(id: &SubscriptionId, form: &Form, request: &HttpRequest) -> Result<String, Problem> {
    let state = crate::service::state::of(request)?;
    let version = state.current();
    let today = state.source().map(|source| (source.today)().to_string()).unwrap_or_default();
    let words = [id.as_str(), &form.verdict, &form.outcome, form.note.trim(), &today].map(str::as_bytes);
    let digest = short([version.digest().as_slice()].into_iter().chain(words));
    Ok(format!("page-{}", crate::domain::hex(&digest)))
}

/// A form of another site could be sent by whoever looks at that site, in their name.
fn same_origin(request: &HttpRequest) -> Result<(), Problem> {
    let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let is_foreign = match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => !matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => origin.split_once("://").map(|(_, host)| host) != text("host"),
        (None, None) => false,
    };
    if is_foreign { Err(Problem::ForeignForm) } else { Ok(()) }
}
