//! What a person is told of a failure: the same as a program, in the reader's language.
//!
//! Absent on purpose: which failure has which status. That is `problem.rs`.

use maud::{Markup, html};

use super::board::Board;
use super::masthead::masthead;
use super::page::document;
use super::reader::Language;
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
        | Problem::NotAcceptable { .. }
        | Problem::EncodingNotAcceptable => (t.failed_form, None),
        Problem::NotReady(_) => (t.failed_not_ready, None),
        Problem::FeedbackNotKept(_)
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
