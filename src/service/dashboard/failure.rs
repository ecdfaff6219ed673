//! What a person is told of a failure: the same as a program, in the reader's language.
//!
//! Absent on purpose: which failure has which status. That is `problem.rs`.

use maud::{Markup, html};

use super::board::Board;
use super::masthead::{masthead, nameplate};
use super::page::document;
use super::reader::{Language, Reader};
use super::texts::Texts;
use crate::service::problem::{Fault, Problem};

/// The page of a failure.
pub(super) fn failure(board: &Board<'_>, problem: &Problem) -> String {
    let t = board.reader.t;
    let (title, sentence) = told(t, problem);
    let body = html! {
        div.empty {
            h1 { (title) }
            @if let Some(sentence) = sentence { p { (sentence) @if let Problem::NoSuchSubscription(id) = problem { " " code { (id) } } } }
            @if !problem.faults().is_empty() { ul { @for one in problem.faults() { li { (fault(board, problem, one)) } } } }
            p { a.chip href=(board.view.at("/", &[])) { (t.overview) } }
        }
    };
    document(board.reader, title, &masthead(board), &body)
}

/// Why somebody is not let in.
pub(super) fn refusal(reader: &Reader, problem: &Problem) -> String {
    let t = reader.t;
    let (title, _) = told(t, problem);
    let detail = problem.to_string();
    let body = html! {
        div.empty {
            h1 { (title) }
            // The provider's and the service's own words, as programs are told them.
            p lang="en" { (detail) }
            @if matches!(problem, Problem::Unknown { .. } | Problem::NobodyCanTell { .. }) { p { a.chip href="/sign-in" { (t.sign_in) } } }
            @else { p { a.chip href="/" { (t.overview) } } }
        }
    };
    document(reader, title, &nameplate(), &body)
}

/// The page of whoever has signed out.
pub(super) fn signed_out(reader: &Reader, onward: Option<&str>) -> String {
    let t = reader.t;
    let body = html! {
        // By itself, as a link that is followed: a form may lead to nobody else.
        @if let Some(onward) = onward { meta http-equiv="refresh" content={ "0;url=" (onward) }; }
        div.empty {
            h1 { (t.signed_out) }
            p {
                @if let Some(onward) = onward { a.chip href=(onward) { (t.sign_out_there) } } @else { a.chip href="/" { (t.sign_in) } }
            }
        }
    };
    document(reader, t.signed_out, &nameplate(), &body)
}

/// What it is, and a sentence where the faults do not say it.
fn told(t: &Texts, problem: &Problem) -> (&'static str, Option<&'static str>) {
    match problem {
        Problem::BadParameters(_) | Problem::ImpossibleParameters(_) | Problem::TargetTooLong { .. } | Problem::StaleCursor => {
            (t.failed_address, None)
        }
        Problem::NoSuchSubscription(_) => (t.failed_missing, Some(t.failed_subscription)),
        Problem::NoSuchRoute | Problem::NoReport { .. } | Problem::MethodNotAllowed { .. } => (t.failed_missing, None),
        Problem::ForeignForm => (t.failed_form, Some(t.failed_foreign)),
        Problem::BadBody(_)
        | Problem::BodyTooSlow { .. }
        | Problem::BodyTooLarge { .. }
        | Problem::BodyBroken
        | Problem::BodyNotTaken
        | Problem::WrongMediaType { .. }
        | Problem::CodingNotTaken { .. }
        | Problem::NotAcceptable { .. }
        | Problem::EncodingNotAcceptable => (t.failed_form, None),
        Problem::Unknown { .. } => (t.failed_unknown, None),
        Problem::NotAllowed { .. } => (t.failed_not_allowed, None),
        Problem::TooMany { .. } | Problem::Overloaded | Problem::TookTooLong { .. } => (t.failed_busy, None),
        Problem::OtherHost { .. } => (t.failed_address, None),
        Problem::NotReady(_) | Problem::NobodyCanTell { .. } => (t.failed_not_ready, None),
        Problem::FeedbackNotKept(_)
        | Problem::FeedbackConflict { .. }
        | Problem::NotRecorded(_)
        | Problem::ModelRefused { .. }
        | Problem::ReportDoesNotRead(_)
        | Problem::TablesDoNotLoad(_)
        | Problem::Panicked
        | Problem::Unserialisable(_)
        | Problem::Uncodable(_)
        | Problem::Framework(_) => (t.failed_inside, Some(t.failed_logged)),
    }
}

/// A fault with the name of its field; in English in the interface's own words, which say more.
fn fault(board: &Board<'_>, problem: &Problem, fault: &Fault) -> Markup {
    let t = board.reader.t;
    let name = fault.parameter.as_deref().unwrap_or_default();
    let sentence = match (board.reader.language, problem, name) {
        (_, _, "body") if matches!(problem, Problem::ImpossibleParameters(_)) => t.fault_says_nothing,
        (Language::English, ..) => fault.detail.as_str(),
        (_, Problem::NotReady(_), _) => t.no_days,
        (_, Problem::ImpossibleParameters(_), "period" | "from" | "to") => t.fault_period,
        (_, _, "note") => t.fault_note,
        _ => t.fault_value,
    };
    html! { @if !matches!(name, "" | "body") { code { (name) } (t.colon) } (sentence) }
}
