//! What a person says of a risk, from the page of its subscription: a form that works without
//! scripts, and what was said before.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use maud::{Markup, html};
use utoipa::openapi::schema::AdditionalProperties;
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};

use super::board::Board;
use super::parts::{Card, absent};
use super::view::{OneView, subscription_path};
use crate::domain::{Feedback, SeenOutcome, SubscriptionId, Verdict};
use crate::service::body;
use crate::service::cursor::short;
use crate::service::guard;
use crate::service::problem::{Fault, Problem};
use crate::service::routes::feedback::{self, FeedbackRequest};

/// Thumbs, an outcome, a note; and what was said before.
pub(super) fn card(board: &Board<'_>, one: &OneView, id: &SubscriptionId, given: Option<&[Feedback]>) -> Markup {
    let (view, reader, t) = (board.view, board.reader, board.reader.t);
    let path = subscription_path(id.as_str());
    let action = view.at(&format!("{path}/feedback"), &one.series_pairs());
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
        @let said = given.unwrap_or_default();
        @if given.is_none() { (absent(t.feedback_unreadable)) } @else if said.is_empty() { (absent(t.nothing_said)) } @else {
            ul.said {
                @for one in said {
                    li {
                        (reader.day(one.given_on)) (t.colon)
                        @match one.verdict { Some(Verdict::Right) => strong { (t.right) }, Some(Verdict::Wrong) => strong { (t.wrong) }, None => {} }
                        @match one.outcome { Some(SeenOutcome::Left) => { " " (t.has_left) }, Some(SeenOutcome::Stayed) => { " " (t.has_stayed) }, None => {} }
                        @if let Some(note) = &one.note { " \u{2013} " q { (note) } }
                    }
                }
            }
        }
    };
    let source = format!("/v1{path}/risk");
    Card { id: "feedback", title: t.feedback, source: &source, is_table: false, wide: false }.draw(reader, &body)
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

/// The same for the document.
pub(super) fn form_schema() -> RefOr<Schema> {
    // A field that nothing was written into comes empty.
    let words = |[one, other]: [&str; 2]| ObjectBuilder::new().schema_type(Type::String).enum_values(Some([one, other, ""]));
    let note = ObjectBuilder::new().schema_type(Type::String).max_length(Some(4_000)).pattern(Some("^[!-~](?:[ -~]*[!-~])?$"));
    let form = ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("verdict", words([Verdict::Right.as_str(), Verdict::Wrong.as_str()]))
        .property("outcome", words([SeenOutcome::Left.as_str(), SeenOutcome::Stayed.as_str()]))
        .property("note", note)
        .additional_properties(Some(AdditionalProperties::FreeForm(false)));
    Schema::from(form.build()).into()
}

impl Form {
    fn parse(bytes: &[u8]) -> Result<Self, Problem> {
        let mut form = Self::default();
        let mut faults = Vec::new();
        let mut seen: Vec<String> = Vec::new();
        for (name, value) in url::form_urlencoded::parse(bytes) {
            // Browsers end lines as letters do, and count them as one character.
            let text = value.replace("\r\n", "\n");
            match name.as_ref() {
                // The reader of escapes puts it for what is no UTF-8.
                _ if value.contains('\u{fffd}') => faults.push(Fault::parameter(&name, "is not UTF-8")),
                _ if seen.iter().any(|one| *one == name) => faults.push(Fault::parameter(&name, "is given twice")),
                "verdict" => form.verdict = text,
                "outcome" => form.outcome = text,
                "note" => form.note = text,
                other => faults.push(Fault::parameter(other, "is unknown here: this form has verdict, outcome, note")),
            }
            seen.push(name.into_owned());
        }
        if faults.is_empty() { Ok(form) } else { Err(Problem::BadBody(faults)) }
    }
}

/// Keeps what the form says, and leads back to the page.
pub(super) async fn give(request: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Problem> {
    let one = super::read::<OneView>(&request)?;
    let limits = body::limits(&request);
    let bytes = body::form(&request, payload.into_inner(), limits.body_max_bytes, limits.body_deadline).await?;
    let form = Form::parse(&bytes)?;
    let id = one.subscription.as_ref().ok_or(Problem::NoSuchRoute)?;
    let given = FeedbackRequest {
        feedback_id: feedback_id(id, &form, &request).await?,
        verdict: word(&form.verdict, "verdict")?,
        outcome: word(&form.outcome, "outcome")?,
        note: Some(form.note.clone()).filter(|note| !note.trim().is_empty()),
    };
    feedback::keep(&request, Some(id.clone()), &given).await?;
    let changes = [one.series_pairs(), vec![("kept", "true")]].concat();
    let back = one.view.at(&subscription_path(id.as_str()), &changes);
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
async fn feedback_id(id: &SubscriptionId, form: &Form, request: &HttpRequest) -> Result<String, Problem> {
    let caller = guard::caller(request)?;
    let state = crate::service::state::of(request)?;
    let version = state.seen_by(&caller.view).await?;
    let today = state.source().map(|source| (source.today)().to_string()).unwrap_or_default();
    let words = [id.as_str(), &form.verdict, &form.outcome, form.note.trim(), &today, &caller.who].map(str::as_bytes);
    let digest = short([version.digest().as_slice()].into_iter().chain(words));
    Ok(format!("page-{}", crate::domain::hex(&digest)))
}
