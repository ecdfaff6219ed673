//! The head of a page: what it stands on, how fresh that is, what to doubt; and the period and
//! the filters that everything below is cut by.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::board::Board;
use super::parts::choices;
use super::reader::Language;
use super::view::{FILTERS, PERIOD};
use super::warnings::warnings;
use crate::access::Credential;
use crate::domain::{Day, Period};
use crate::model::Method;
use crate::portfolio::Portfolio;
use crate::service::meta::Warning;
use crate::service::period;

/// Most values that a list of suggestions holds: beyond it a browser is slow to open one.
const SUGGESTED: usize = 300;

/// Name, versions, freshness, languages.
pub(super) fn masthead(board: &Board<'_>) -> Markup {
    let (view, reader, t) = (board.view, board.reader, board.reader.t);
    html! {
        header.masthead {
            p.brand { a href=(view.at("/", &[])) { (mark()) "churn-risk" } }
            (facts(board))
            (signed_in(board))
            nav.languages aria-label=(t.language) {
                @for language in Language::ALL {
                    a href=(view.with(&[("lang", Some(language.code()))])) lang=(language.code()) hreflang=(language.code())
                        aria-current=[(language == reader.language).then_some("true")] { (language.own_name()) }
                }
            }
        }
    }
}

/// Who has signed in, and the way out.
fn signed_in(board: &Board<'_>) -> Markup {
    let (t, caller) = (board.reader.t, board.caller);
    html! {
        @if caller.by == Credential::Session {
            form.signed-in method="post" action="/sign-out" {
                span title={ (caller.roles) } { (caller.name.as_deref().unwrap_or(&caller.who)) }
                button data-act="sign-out" { (t.sign_out) }
            }
        }
    }
}

/// The name of the product alone, for whoever sees nothing else.
pub(super) fn nameplate() -> Markup {
    html! { header.masthead { p.brand { a href="/" { (mark()) "churn-risk" } } } }
}

/// A falling course with a point at its end.
fn mark() -> Markup {
    html! {
        svg.mark viewBox="0 0 24 24" aria-hidden="true" focusable="false" {
            polyline points="2,6 8,9 12,7 19,17" {}
            circle cx="19.5" cy="17.5" r="3" {}
        }
    }
}

/// What every figure stands on.
fn facts(board: &Board<'_>) -> Markup {
    let (reader, t) = (board.reader, board.reader.t);
    let portfolio = &board.version.tables().portfolio;
    html! {
        dl.stands-on {
            div { dt { (t.as_of) } dd { (reader.maybe_day(portfolio.as_of())) } }
            div { dt { (t.updated) } dd { (updated(board)) } }
            div { dt { (t.tables) } dd { a href="/v1/imports" { (t.version) " " (reader.count(portfolio.version())) } } }
            div { dt { (t.model) } dd {
                @match board.version.model() {
                    Some(loaded) => {
                        @match loaded.card.grade {
                            Some(grade) => { a href="#model" { (t.grade) " " strong { (grade) } } },
                            None if loaded.card.method == Method::Baseline => a href="#model" { (t.baseline_short) },
                            None => a href="#model" { (t.no_grade_short) },
                        }
                        " " code.version { (loaded.model.version()) }
                    }
                    None => (t.none),
                }
            } }
        }
    }
}

/// When the newest import came in: the moment, of which the page's script says how long ago it
/// is; the day where no moment is told.
fn updated(board: &Board<'_>) -> Markup {
    let (reader, tables) = (board.reader, board.version.tables());
    match (tables.imported_at, tables.imports.last()) {
        (Some(at), _) => html! {
            @let day = reader.day_text(Day::from_date(at.date_naive()));
            time.ago datetime=(at.format("%Y-%m-%dT%H:%M:%SZ")) title={ (day) " " (at.format("%H:%M")) " UTC" } { (day) }
        },
        (None, Some(record)) => reader.day(record.imported_on),
        (None, None) => reader.nothing(),
    }
}

/// Warnings and period, and the filters of a page that is about more than one subscription.
pub(super) fn controls(board: &Board<'_>, period: Period, warned: &[Warning]) -> Markup {
    html! {
        (warnings(board, period, warned))
        div.controls {
            (periods(board, period))
            @if board.view.path() == "/" { (filters(board)) }
        }
    }
}

fn periods(board: &Board<'_>, chosen: Period) -> Markup {
    let (view, reader, t) = (board.view, board.reader, board.reader.t);
    let names = [t.last_7_days, t.last_30_days, t.last_month, t.last_3_months, t.last_6_months, t.last_12_months];
    let presets = period::NAMES
        .iter()
        .zip(names)
        .map(|(preset, name)| (name, view.with(&[("period", Some(preset)), ("from", None), ("to", None)]), view.preset() == Some(preset)));
    let (is_custom, label) =
        (view.preset().is_none(), format!("{} \u{2013} {}", reader.day_text(chosen.from()), reader.day_text(chosen.to())));
    html! {
        div.periods {
            (choices(t.period, presets))
            details.custom {
                summary.chip.chosen[is_custom] { (t.custom) (t.colon) (label) }
                form action=(view.path()) {
                    @for (name, value) in view.hidden(&PERIOD) { input type="hidden" name=(name) value=(value); }
                    label { span { (t.from) } input type="date" name="from" required value=(chosen.from()); }
                    label { span { (t.to) } input type="date" name="to" required value=(chosen.to()); }
                    button { (t.show) }
                }
            }
        }
    }
}

fn filters(board: &Board<'_>) -> Markup {
    let (view, t) = (board.view, board.reader.t);
    let portfolio = &board.version.tables().portfolio;
    let chosen: Vec<(&str, &str)> = FILTERS.iter().flat_map(|name| view.values(name).map(move |value| (*name, value))).collect();
    let names = [t.customer, t.country, t.reseller, t.category, t.product];
    let name_of = |filter: &str| FILTERS.iter().zip(names).find(|(one, _)| **one == filter).map_or("", |(_, name)| name);
    html! {
        div.filters {
            @if !chosen.is_empty() {
                ul.chosen aria-label=(t.filters) {
                    @for (filter, value) in &chosen {
                        li {
                            a.chip.filter href=(view.without(filter, value)) {
                                (name_of(filter)) (t.colon) (shown(portfolio, filter, value))
                                span aria-hidden="true" { " \u{d7}" } span.unseen { " (" (t.remove) ")" }
                            }
                        }
                    }
                }
            }
            details.add {
                summary.chip { (t.add_filter) }
                form action=(view.path()) {
                    @for (name, value) in view.hidden(&[]) { input type="hidden" name=(name) value=(value); }
                    @for (filter, name) in FILTERS.iter().zip(names) {
                        label { span { (name) } input name=(filter) list={ "known-" (filter) } maxlength="256" autocomplete="off"; }
                        (suggestions(portfolio, filter))
                    }
                    button { (t.show) }
                }
            }
        }
    }
}

/// A value of a filter, by the name of what it is the id of.
fn shown(portfolio: &Portfolio, filter: &str, value: &str) -> String {
    let named = match filter {
        "customer" => portfolio.find_customer(value).and_then(|ix| portfolio.customer(ix).name.clone()),
        "reseller" => {
            portfolio.customers().iter().find(|one| one.reseller_id.as_deref() == Some(value)).and_then(|one| one.reseller_name.clone())
        }
        _ => None,
    };
    named.unwrap_or_else(|| value.to_owned())
}

/// Values that there are, where they are few enough to choose from.
fn suggestions(portfolio: &Portfolio, filter: &str) -> Markup {
    // Products of a hundred thousand subscriptions are a few names: a set stays small.
    let values: BTreeSet<(&str, Option<&str>)> = match filter {
        "customer" if portfolio.customers().len() > SUGGESTED => BTreeSet::new(),
        "customer" => portfolio.customers().iter().map(|one| (one.id.as_str(), one.name.as_deref())).collect(),
        "country" => portfolio.customers().iter().filter_map(|one| Some((one.country.as_deref()?, None))).collect(),
        "reseller" => {
            portfolio.customers().iter().filter_map(|one| Some((one.reseller_id.as_deref()?, one.reseller_name.as_deref()))).collect()
        }
        "category" => portfolio.series().iter().map(|one| (one.category.as_str(), None)).collect(),
        _ => portfolio.subscriptions().iter().filter_map(|one| Some((one.product.as_deref()?, None))).collect(),
    };
    html! {
        datalist id={ "known-" (filter) } {
            @for (value, name) in values.into_iter().take(SUGGESTED) { option value=(value) { @if let Some(name) = name { (name) } } }
        }
    }
}
