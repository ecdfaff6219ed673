//! What somebody should look at: commitments that end, usage that stands out.

use maud::{Markup, html};

use super::board::{Board, and};
use super::parts::{Card, absent, choices, scrolling};
use super::view::{FILTERS, PERIOD, subscription_path};
use crate::metrics::AnomalyMeasure;
use crate::service::routes::watchlists::{Anomalies, AnomalyRow, Ending, ExpiringCommitments, WINDOW_NAMES, WINDOWS};

/// Rows shown of each list; the links lead to all of them.
const ROWS: usize = 10;

/// Reservations, savings plans and terms, by when they end.
pub(super) fn commitments(board: &Board<'_>) -> Markup {
    let (view, reader, t) = (board.view, board.reader, board.reader.t);
    let filters = view.only(&FILTERS);
    let mut list = match board.list::<ExpiringCommitments>(filters.clone()) {
        Ok(list) => list,
        Err(problem) => {
            let source = Board::source::<ExpiringCommitments>(&filters);
            return Card { id: "commitments", title: t.commitments, source: &source, is_table: false, wide: false }
                .draw(reader, &absent(&board.missing(&problem)));
        }
    };
    let names = [t.ended_window, t.within_7_days, t.within_15_days, t.within_30_days, t.later];
    let counts: Vec<usize> = WINDOWS.iter().map(|window| list.entries.iter().filter(|entry| entry.window() == *window).count()).collect();
    // What ends next is shown, where nothing is said; what has ended only where nothing else does.
    let next = (1..WINDOWS.len()).chain([0]).find(|at| counts[*at] > 0).unwrap_or(1);
    let chosen = view.window.and_then(|name| WINDOW_NAMES.iter().position(|one| *one == name)).unwrap_or(next);
    let pairs = and(filters, "window", WINDOW_NAMES[chosen]);
    list.entries.retain(|entry| entry.window() == WINDOWS[chosen]);
    let labels: Vec<String> = names.iter().zip(&counts).map(|(name, count)| format!("{name} ({})", reader.whole(*count as i128))).collect();
    let mut options: Vec<(&str, String, bool)> = WINDOW_NAMES
        .iter()
        .zip(&labels)
        .zip(0..)
        .map(|((word, label), at)| (label.as_str(), format!("{}#commitments", view.with(&[("window", Some(word))])), at == chosen))
        .collect();
    // What has ended is told last.
    options.rotate_left(1);
    let body = match board.page(&list, 1, ROWS) {
        Err(problem) => absent(&board.missing(&problem)),
        Ok(_) if counts.iter().all(|count| *count == 0) => absent(t.no_commitments),
        Ok(listed) => html! {
            (choices(t.ends, options))
            @if listed.rows.is_empty() { (absent(t.none_in_window)) } @else {
                (scrolling(reader, t.commitments, &endings(board, &listed.rows)))
                @if listed.total > listed.rows.len() { p.note { (reader.counted((listed.total - listed.rows.len()) as u64, t.and_more)) } }
            }
        },
    };
    let source = Board::source::<ExpiringCommitments>(&pairs);
    Card { id: "commitments", title: t.commitments, source: &source, is_table: true, wide: false }.draw(reader, &body)
}

fn endings(board: &Board<'_>, rows: &[Ending]) -> Markup {
    let (view, reader, t) = (board.view, board.reader, board.reader.t);
    html! {
        table {
            caption.unseen { (t.commitments) }
            thead { tr {
                th scope="col" { (t.what) }
                th scope="col" { (t.customer) }
                th.number scope="col" { (t.ends_on) }
                th.number scope="col" { (t.days_left) }
            } }
            tbody {
                @for row in rows {
                    tr data-id=(row.id) {
                        th scope="row" {
                            span.kind { (t.commitment_kind(row.kind)) } " "
                            @match &row.subscription_id {
                                Some(id) => a href=(view.at(&subscription_path(id), &[])) { (row.product.as_deref().unwrap_or(id)) },
                                None => (row.product.as_deref().unwrap_or(&row.id)),
                            }
                        }
                        td { @match row.customer_name.as_deref().or(row.customer_id.as_deref()) { Some(name) => (name), None => (reader.nothing()) } }
                        td.number { (reader.day(row.ends_on)) }
                        td.number { (reader.signed_plain(i64::from(row.days_to_end))) }
                    }
                }
            }
        }
    }
}

/// Usage that stands out, with the evidence.
pub(super) fn anomalies(board: &Board<'_>) -> Markup {
    let (view, reader, t) = (board.view, board.reader, board.reader.t);
    let pairs = view.only(&[FILTERS.as_slice(), PERIOD.as_slice()].concat());
    let body = match board.list::<Anomalies>(pairs.clone()).and_then(|list| board.page(&list, 1, ROWS)) {
        Err(problem) => absent(&board.missing(&problem)),
        Ok(listed) if listed.rows.is_empty() => absent(t.no_anomalies),
        Ok(listed) => html! {
            (scrolling(reader, t.anomalies, &standing_out(board, &listed.rows)))
            @if listed.total > listed.rows.len() { p.note { (reader.counted((listed.total - listed.rows.len()) as u64, t.and_more)) } }
        },
    };
    let source = Board::source::<Anomalies>(&pairs);
    Card { id: "anomalies", title: t.anomalies, source: &source, is_table: true, wide: false }.draw(reader, &body)
}

fn standing_out(board: &Board<'_>, rows: &[AnomalyRow]) -> Markup {
    let (view, reader, t) = (board.view, board.reader, board.reader.t);
    html! {
        table {
            caption.note { (t.anomalies_means) }
            thead { tr {
                th scope="col" { (t.customer) }
                th scope="col" { (t.category) }
                th.number scope="col" { (t.observed) }
                th.number scope="col" { (t.expected) }
                th.number scope="col" { (t.change) }
            } }
            tbody {
                @for row in rows {
                    @let amount = |amount| if row.measure == AnomalyMeasure::Cost { reader.money(amount) } else { reader.quantity(amount) };
                    tr data-id=(row.customer.customer_id) {
                        th scope="row" {
                            a href=(view.with(&[("customer", Some(&row.customer.customer_id))])) {
                                (row.customer.called())
                            }
                        }
                        td { (row.category) " " span.unit { (row.unit.as_deref().unwrap_or(reader.currency())) } }
                        td.number { (amount(row.observed)) }
                        td.number { (amount(row.expected)) }
                        td.number { (reader.growth(row.change, super::reader::Good::Neither)) }
                    }
                }
            }
        }
    }
}
