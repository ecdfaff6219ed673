//! The two lists of subscriptions, in two tabs: who is about to leave, and who is not used.

use maud::{Markup, html};

use super::board::{Board, Listed, Pairs, and};
use super::factors::sentence;
use super::parts::{Card, absent, bar, choices, level, name_of, scrolling};
use super::texts::fill;
use super::view::{FILTERS, Tab, subscription_path};
use crate::service::routes::at_risk::{self, AtRisk};
use crate::service::routes::without_usage::{self, Unused};
use crate::service::routes::words::{Standpoint, Who};

/// Rows of a page: what a person reads at once.
const ROWS: usize = 15;

/// Reasons in a row; the page of the subscription has them all.
const REASONS: usize = 2;

/// A column: its heading, the name that it is ordered by, whether it is ordered from the largest
/// down at first, and whether it holds numbers.
struct Column<'c> {
    name: &'c str,
    sort: Option<&'static str>,
    largest_first: bool,
    is_number: bool,
}

impl<'c> Column<'c> {
    const fn text(name: &'c str, sort: Option<&'static str>) -> Self {
        Self { name, sort, largest_first: false, is_number: false }
    }

    const fn number(name: &'c str, sort: &'static str, largest_first: bool) -> Self {
        Self { name, sort: Some(sort), largest_first, is_number: true }
    }
}

pub(super) fn lists(board: &Board<'_>) -> Markup {
    let (view, t) = (board.view, board.reader.t);
    let pairs = question(board, view.tab);
    let tabs = [(Tab::AtRisk, t.at_risk), (Tab::WithoutUsage, t.without_usage_tab)];
    let (source, list) = match view.tab {
        Tab::AtRisk => (Board::source::<AtRisk>(&pairs), at_risk_list(board, pairs)),
        Tab::WithoutUsage => (Board::source::<Unused>(&pairs), unused_list(board, pairs)),
    };
    let body = html! {
        nav.tabs aria-label=(t.lists) {
            @for (tab, name) in tabs {
                @let changes = [("tab", Some(tab.name())), ("sort", None), ("level", None)];
                a href={ (view.with(&changes)) "#subscriptions" } aria-current=[(tab == view.tab).then_some("true")] { (name) }
            }
        }
        (list)
    };
    Card { id: "subscriptions", title: t.subscriptions, source: &source, is_table: true, wide: true }.draw(board.reader, &body)
}

/// The question that the open list answers.
fn question(board: &Board<'_>, tab: Tab) -> Pairs {
    let view = board.view;
    let names: &[&str] = match tab {
        Tab::AtRisk => &["search", "level", "horizon"],
        Tab::WithoutUsage => &["search", "period", "from", "to"],
    };
    let mut pairs = view.only(&[names, &FILTERS].concat());
    if let Some(sort) = view.sort() {
        pairs = and(pairs, "sort", sort);
    }
    pairs
}

fn search(board: &Board<'_>) -> Markup {
    let (view, t) = (board.view, board.reader.t);
    html! {
        form.search role="search" action={ (view.path()) "#subscriptions" } {
            @for (name, value) in view.hidden(&["search"]) { input type="hidden" name=(name) value=(value); }
            label.unseen for="search" { (t.search_label) }
            input #search type="search" name="search" maxlength="256" placeholder=(t.search_label) value=(view.search.as_deref().unwrap_or_default());
            button { (t.search) }
            @if view.search.is_some() {
                a.chip href={ (view.with(&[("search", None)])) "#subscriptions" } { (t.clear) }
            }
        }
    }
}

/// Levels to list, each with how many there are.
fn levels(board: &Board<'_>, counts: &[u64; 4]) -> Markup {
    let (view, reader, t) = (board.view, board.reader, board.reader.t);
    let shown = Standpoint::ALL.into_iter().zip(Standpoint::NAMES).zip(counts).map(|((level, name), count)| {
        let is_chosen = view.levels.contains(&level);
        let address = if is_chosen { view.without("level", name) } else { view.with(&[("level", Some(name))]) };
        (level, format!("{address}#subscriptions"), is_chosen, count)
    });
    html! {
        nav.choices.levels aria-label=(t.levels) {
            @for (level, address, is_chosen, count) in shown {
                a.chip href=(address) aria-current=[is_chosen.then_some("true")] data-level=(level.as_str()) {
                    span class={ "dot " (level.as_str()) } aria-hidden="true" {}
                    (name_of(reader, level)) " " span.many { (reader.count(*count)) }
                }
            }
        }
    }
}

/// The horizons of the model, where it has several.
fn horizons(board: &Board<'_>) -> Markup {
    let (view, reader, t) = (board.view, board.reader, board.reader.t);
    let Some(loaded) = board.version.model().filter(|loaded| loaded.model.heads().len() > 1) else { return html! {} };
    let chosen = view.values("horizon").next().and_then(|days| days.trim().parse().ok()).unwrap_or(loaded.model.horizon().get());
    let all: Vec<(String, u32)> = loaded
        .model
        .heads()
        .iter()
        .map(|head| (reader.counted(u64::from(head.horizon_days.get()), t.days), head.horizon_days.get()))
        .collect();
    choices(
        t.horizon,
        all.iter().map(|(name, days)| {
            let address = format!("{}#subscriptions", view.with(&[("horizon", Some(&days.to_string()))]));
            (name.as_str(), address, *days == chosen)
        }),
    )
}

/// The list with its tools. A level only takes rows out of it, so all levels are counted in one pass.
fn at_risk_list(board: &Board<'_>, mut pairs: Pairs) -> Markup {
    pairs.retain(|(name, _)| name != "level");
    let mut all = match board.list::<AtRisk>(pairs) {
        Ok(all) => all,
        Err(problem) => return html! { div.tools { (search(board)) (horizons(board)) } (absent(&board.missing(&problem))) },
    };
    let counts = Standpoint::ALL.map(|level| all.entries.iter().filter(|row| row.level() == level).count() as u64);
    let wanted = &board.view.levels;
    all.entries.retain(|row| wanted.is_empty() || wanted.contains(&row.level()));
    let rows = match board.page(&all, board.view.page, ROWS) {
        Ok(listed) => at_risk_rows(board, &listed),
        Err(problem) => absent(&board.missing(&problem)),
    };
    html! { div.tools { (search(board)) (levels(board, &counts)) (horizons(board)) } (rows) }
}

fn at_risk_rows(board: &Board<'_>, listed: &Listed<at_risk::Row>) -> Markup {
    let (reader, t) = (board.reader, board.reader.t);
    let (month, year) = (reader.in_currency(t.cost_30_days), reader.in_currency(t.cost_12_months));
    let mut columns = vec![
        Column::text(t.customer, Some("customer")),
        Column::text(t.subscription, Some("subscription")),
        Column::number(t.risk, "risk", true),
        Column::number(t.last_used, "last_used_on", false),
    ];
    if board.has_cost() {
        columns.extend([Column::number(&month, "cost_30_days", true), Column::number(&year, "cost_12_months", true)]);
    }
    columns.extend([Column::number(t.term_end, "term_end_on", false), Column::text(t.reasons, None)]);
    let rows = html! { @for row in &listed.rows { (at_risk_row(board, row)) } };
    list(board, listed, &columns, &rows, t.at_risk, t.nobody_at_risk)
}

fn at_risk_row(board: &Board<'_>, row: &at_risk::Row) -> Markup {
    let (reader, t) = (board.reader, board.reader.t);
    let (judgement, stakes) = (&row.judgement, &row.stakes);
    html! {
        tr data-id=(row.who.subscription_id) data-level=(judgement.level.as_str()) {
            (who(board, &row.who))
            td.number data-label=(t.risk) {
                @match judgement.risk {
                    Some(risk) => {
                        span.risk { (bar(risk.get(), judgement.level.as_str())) (reader.percent(risk.get(), 1)) }
                        (level(reader, judgement.level))
                    }
                    None => { (level(reader, judgement.level)) span.why { (t.unknown_reason(judgement.unknown_code.unwrap_or_default())) } }
                }
            }
            td.number data-label=(t.last_used) { (reader.day_or_never(stakes.last_used_on)) }
            @if board.has_cost() {
                td.number data-label=(reader.in_currency(t.cost_30_days)) { (reader.maybe_money(stakes.cost_30_days)) }
                td.number data-label=(reader.in_currency(t.cost_12_months)) { (reader.maybe_money(stakes.cost_12_months)) }
            }
            td.number data-label=(t.term_end) { (reader.maybe_day(stakes.term_end_on)) }
            td.reasons data-label=(t.reasons) {
                @if judgement.risk.is_some() {
                    ul {
                        @for factor in row.factors.iter().take(REASONS) {
                            li.up[factor.contribution > 0.0].down[factor.contribution < 0.0] { (sentence(reader, factor)) }
                        }
                    }
                }
            }
        }
    }
}

/// Customer and subscription: a link to all of the customer, and one to the subscription.
fn who(board: &Board<'_>, who: &Who) -> Markup {
    let (view, t) = (board.view, board.reader.t);
    let all_of = view.with(&[("customer", Some(&who.customer_id)), ("search", None)]);
    html! {
        td data-label=(t.customer) {
            a.quiet href=(all_of) { (who.customer_called()) }
            @if let Some(country) = &who.country { " " span.country { (country) } }
        }
        th scope="row" data-label=(t.subscription) {
            a href=(view.at(&subscription_path(&who.subscription_id), &[])) { (who.called()) }
            @if let Some(product) = &who.product { span.product { (product) } }
        }
    }
}

fn unused_list(board: &Board<'_>, pairs: Pairs) -> Markup {
    let t = board.reader.t;
    let listed = match board.list::<Unused>(pairs).and_then(|list| board.page(&list, board.view.page, ROWS)) {
        Ok(listed) => listed,
        Err(problem) => return absent(&board.missing(&problem)),
    };
    let columns = [
        Column::text(t.customer, Some("customer")),
        Column::text(t.subscription, Some("subscription")),
        Column::text(t.state, None),
        Column::number(t.created_on, "created_on", true),
        Column::number(t.last_used, "last_used_on", false),
        Column { name: t.silent_for, sort: None, largest_first: false, is_number: true },
    ];
    let rows = html! { @for row in &listed.rows { (unused_row(board, row)) } };
    html! { div.tools { (search(board)) } (list(board, &listed, &columns, &rows, t.without_usage_tab, t.nobody_unused)) }
}

fn unused_row(board: &Board<'_>, row: &without_usage::Row) -> Markup {
    let (reader, t) = (board.reader, board.reader.t);
    html! {
        tr data-id=(row.who.subscription_id) {
            (who(board, &row.who))
            td data-label=(t.state) { (t.state_name(row.state)) }
            td.number data-label=(t.created_on) { (reader.maybe_day(row.created_on)) }
            td.number data-label=(t.last_used) { (reader.day_or_never(row.last_used_on)) }
            td.number data-label=(t.silent_for) {
                @match row.days_since { Some(days) => data value=(days) { (reader.counted(u64::from(days), t.days)) }, None => (reader.nothing()) }
            }
        }
    }
}

fn list<R>(board: &Board<'_>, listed: &Listed<R>, columns: &[Column<'_>], rows: &Markup, caption: &str, nobody: &str) -> Markup {
    let (view, t) = (board.view, board.reader.t);
    if listed.rows.is_empty() {
        let narrowed = view.search.is_some() || !view.levels.is_empty() || !view.only(&FILTERS).is_empty();
        let wide: Vec<(&str, Option<&str>)> = FILTERS.iter().chain(&["search", "level"]).map(|name| (*name, None)).collect();
        return html! {
            div.nobody {
                (absent(if narrowed { t.nothing_found } else { nobody }))
                @if narrowed { a.chip href={ (view.with(&wide)) "#subscriptions" } { (t.clear) } }
            }
        };
    }
    let table = html! {
        table.list {
            caption.unseen { (caption) }
            thead { tr { @for column in columns { (heading(board, column)) } } }
            tbody { (rows) }
        }
    };
    html! { (scrolling(board.reader, caption, &table)) (pages(board, listed.page, listed.total)) }
}

fn heading(board: &Board<'_>, column: &Column<'_>) -> Markup {
    let view = board.view;
    let Some(name) = column.sort else { return html! { th scope="col" .number[column.is_number] { (column.name) } } };
    let down = format!("-{name}");
    // The list of risks stands by falling risk where nothing is said.
    let chosen = view.sort().or((view.tab == Tab::AtRisk).then_some("-risk"));
    let (is_up, is_down) = (chosen == Some(name), chosen == Some(down.as_str()));
    let next = if is_down || !(is_up || column.largest_first) { name } else { down.as_str() };
    let sorted = if is_up {
        Some("ascending")
    } else if is_down {
        Some("descending")
    } else {
        None
    };
    html! {
        th scope="col" .number[column.is_number] aria-sort=[sorted] {
            a href={ (view.with(&[("sort", Some(next))])) "#subscriptions" } {
                (column.name)
                span.arrow aria-hidden="true" { @if is_up { " \u{25b2}" } @else if is_down { " \u{25bc}" } }
            }
        }
    }
}

/// Which rows are shown, and the way to others.
fn pages(board: &Board<'_>, page: usize, total: usize) -> Markup {
    let (view, reader, t) = (board.view, board.reader, board.reader.t);
    let (from, to) = ((page - 1) * ROWS + 1, total.min(page * ROWS));
    let last = total.div_ceil(ROWS);
    let address = |page: usize| format!("{}#subscriptions", view.with(&[("page", Some(&page.to_string()))]));
    let shown = |number: usize| reader.whole(number as i128);
    html! {
        nav.pages aria-label=(t.pages) {
            p { (fill(t.rows_of, &[("from", &shown(from)), ("to", &shown(to)), ("total", &shown(total))])) }
            @if page > 1 {
                a.chip href=(address(1)) { (t.first_page) }
                a.chip rel="prev" href=(address(page - 1)) { (t.previous_page) }
            }
            @if page < last {
                a.chip rel="next" href=(address(page + 1)) { (t.next_page) }
                a.chip href=(address(last)) { (t.last_page) }
            }
        }
    }
}
