//! The whole of a page: its head, its parts in their order, its foot.

use maud::{DOCTYPE, Markup, html};

use super::assets;
use super::board::Board;
use super::lists::lists;
use super::masthead::{controls, masthead};
use super::parts::absent;
use super::reader::Reader;
use super::tiles::tiles;
use super::view::OneView;
use super::{customers, model, one, retention, status, watch};
use crate::access::Credential;
use crate::domain::{Feedback, SubscriptionId};
use crate::service::problem::Problem;
use crate::service::routes::summary::SummaryOfPeriod;

/// Everything below the head of the first page.
pub(super) fn overview(board: &Board<'_>) -> Markup {
    let t = board.reader.t;
    let Ok(sight) = board.version.sight() else {
        return html! {
            h1.unseen { (t.title) }
            div.empty { h2 { (t.empty_title) } (absent(t.no_days)) pre { code { "churn-risk import FILES" } } }
        };
    };
    let period = board.view.period.resolve(sight.as_of);
    let summary = board.figures::<SummaryOfPeriod>(board.view.scope());
    let churn = status::churn(board, period);
    let warned = summary.got.as_ref().map(|(_, meta)| meta.warnings.clone()).unwrap_or_default();
    html! {
        h1.unseen { (t.title) }
        (controls(board, period, &warned))
        (tiles(board, &summary, &churn))
        div.grid {
            (lists(board))
            (status::status(board, period, &churn))
            (customers::top(board))
            div.stack { (customers::flow(board, period)) (retention::renewals(board, period)) (retention::revenue(board)) }
            (retention::cohorts(board, period, sight.as_of))
            (watch::commitments(board))
            (watch::anomalies(board))
            (model::model(board))
        }
    }
}

/// A page around its parts.
pub(super) fn document(reader: &Reader, title: &str, head: &Markup, body: &Markup) -> String {
    let t = reader.t;
    let page = html! {
        (DOCTYPE)
        html lang=(reader.tag) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                link rel="icon" type="image/svg+xml" href=(assets::ICON.path());
                // By this id and class the drawing library knows that its own styles are in the sheet: the policy
                // would keep it from adding any.
                link id="plotly.js-style-global" class="no-inline-styles" rel="stylesheet" href=(assets::STYLE.path());
                script defer src=(assets::SCRIPT.path()) {}
            }
            body data-locale=(reader.tag) data-library=(assets::LIBRARY.path()) {
                a.skip href="#main" { (t.skip) }
                (head)
                main #main tabindex="-1" { (body) }
                footer {
                    nav aria-label=(t.more) {
                        a href="/docs" { (t.interface) } a href="/v1/imports" { (t.imports) } a href="/v1/gaps" { (t.gaps) } a href="/v1/model" { (t.model_card) }
                    }
                    p.note { (t.footer) }
                }
            }
        }
    };
    page.into_string()
}

/// The page of the first view.
pub(super) fn first(board: &Board<'_>) -> String {
    document(board.reader, board.reader.t.title, &masthead(board), &overview(board))
}

/// The page of one subscription.
///
/// # Errors
/// Where there is no such subscription, or no as-of day.
pub(super) fn one(board: &Board<'_>, one: &OneView, id: &SubscriptionId) -> Result<String, Problem> {
    let given = board.version.issued().feedback().map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "the feedback does not read");
    });
    // What others said is not theirs to read (API.md, Roles).
    let is_own = |given: &Feedback| board.caller.by == Credential::Loopback || given.given_by.as_deref() == Some(&board.caller.who);
    let shown = |given: &Feedback| given.subscription_id == *id && is_own(given);
    let given = given.map(|all| all.into_iter().filter(shown).collect::<Vec<Feedback>>()).ok();
    let body = one::body(board, one, id, given.as_deref())?;
    let portfolio = &board.version.tables().portfolio;
    let name = portfolio.find_subscription(id.as_str()).and_then(|ix| portfolio.subscription(ix).name.as_deref());
    let title = format!("{} \u{b7} {}", name.unwrap_or(id.as_str()), board.reader.t.title);
    Ok(document(board.reader, &title, &masthead(board), &body))
}
