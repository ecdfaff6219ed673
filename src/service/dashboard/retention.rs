//! Retention: renewals and their rate, cohorts as a heat map, and what became of the revenue.

use maud::{Markup, html};

use super::board::{Board, and};
use super::parts::{Card, absent, choices, defined, scrolling};
use super::view::{Cohort, FILTERS};
use crate::domain::{Day, MicrosSum, Period};
use crate::metrics::{CohortMonth, RevenueFlow, RevenueRetention};
use crate::service::period::last_months;
use crate::service::routes::retention::{Cohorts, RetentionOfPeriod, Revenue};

/// Shades of the heat map.
const SHADES: f64 = 10.0;

/// Renewals, terms due, and their ratio.
pub(super) fn renewals(board: &Board<'_>, period: Period) -> Markup {
    let (reader, t) = (board.reader, board.reader.t);
    let bucket = board.view.bucket(period);
    let asked = board.figures::<RetentionOfPeriod>(and(board.view.scope(), "bucket", bucket.as_str()));
    let body = match &asked.got {
        Err(problem) => absent(&board.missing(problem)),
        Ok((retention, _)) => html! {
            dl.facts {
                div { dt { (defined("renewal_rate", t.renewal_rate, t.renewal_rate_means)) } dd { (reader.maybe_percent(retention.renewal_rate)) } }
                div { dt { (t.due) } dd { (reader.count(retention.due)) } }
                div { dt { (t.renewed_of_due) } dd { (reader.count(retention.renewed_of_due)) } }
                div { dt { (t.renewals) } dd { (reader.count(retention.renewed)) } }
            }
        },
    };
    Card { id: "renewals", title: t.retention, source: &asked.source, is_table: false, wide: false }.draw(reader, &body)
}

/// What became of the revenue of the period.
pub(super) fn revenue(board: &Board<'_>) -> Markup {
    let (reader, t) = (board.reader, board.reader.t);
    let asked = board.figures::<Revenue>(board.view.scope());
    let body = match &asked.got {
        Err(problem) => absent(&board.missing(problem)),
        Ok((answer, _)) => revenue_of(board, &answer.revenue),
    };
    Card { id: "revenue", title: t.revenue_retention, source: &asked.source, is_table: false, wide: false }.draw(reader, &body)
}

fn revenue_of(board: &Board<'_>, revenue: &RevenueRetention) -> Markup {
    let (reader, t) = (board.reader, board.reader.t);
    let months = revenue.start_month.zip(revenue.end_month);
    let Some(flow) = &revenue.flow else { return absent(t.no_revenue) };
    html! {
        @if let Some((start, end)) = months {
            p.note { (t.revenue_between) " " (reader.month(start)) " \u{2192} " (reader.month(end)) }
        }
        dl.facts {
            div { dt { (defined("grr", t.grr, t.grr_means)) } dd { (reader.maybe_percent(flow.grr)) } }
            div { dt { (defined("nrr", t.nrr, t.nrr_means)) } dd { (reader.maybe_percent(flow.nrr)) } }
            div { dt { (defined("quick_ratio", t.quick_ratio, t.quick_ratio_means)) }
                dd { @match flow.quick_ratio { Some(ratio) => (reader.number(ratio, 2)), None => (reader.nothing()) } } }
        }
        (steps(board, flow))
    }
}

/// From what was there to what is there.
fn steps(board: &Board<'_>, flow: &RevenueFlow) -> Markup {
    let (reader, t) = (board.reader, board.reader.t);
    let rows = [
        (t.starting, flow.starting, None, ""),
        (t.churned, flow.churned, Some(flow.subscriptions_churned), "\u{2212}"),
        (t.contraction, flow.contraction, Some(flow.subscriptions_contracted), "\u{2212}"),
        (t.expansion, flow.expansion, Some(flow.subscriptions_expanded), "+"),
        (t.reactivation, flow.reactivation, Some(flow.subscriptions_reactivated), "+"),
        (t.new, flow.new, Some(flow.subscriptions_new), "+"),
        (t.ending, flow.ending, None, ""),
    ];
    let table = html! {
        table {
            caption.unseen { (t.revenue_retention) }
            thead { tr {
                th scope="col" { (t.step) }
                th.number scope="col" { (reader.in_currency(t.cost_per_day)) }
                th.number scope="col" { (t.subscriptions) }
            } }
            tbody {
                @for (name, amount, subscriptions, sign) in rows {
                    tr.sum[subscriptions.is_none()] {
                        th scope="row" { (name) }
                        td.number { @if amount.0 != 0 { (sign) } (reader.money(amount)) }
                        td.number { @match subscriptions { Some(count) => (reader.count(count)), None => (reader.nothing()) } }
                    }
                }
            }
        }
    };
    scrolling(reader, t.revenue_retention, &table)
}

/// Cohorts of a year, or of the period where it is longer.
pub(super) fn cohorts(board: &Board<'_>, period: Period, as_of: Day) -> Markup {
    let (view, reader, t) = (board.view, board.reader, board.reader.t);
    let year = last_months(12, as_of);
    let pairs = if period.days() > year.days() { view.scope() } else { and(view.only(&FILTERS), "period", "last_12_months") };
    let asked = board.figures::<Cohorts>(pairs);
    let names = [t.cohort_active, t.cohort_using, t.cohort_cost];
    let options = Cohort::ALL
        .into_iter()
        .zip(Cohort::NAMES)
        .zip(names)
        .map(|((cohort, word), name)| (name, format!("{}#cohorts", view.with(&[("cohort", Some(word))])), cohort == view.cohort));
    let body = match &asked.got {
        Err(problem) => absent(&board.missing(problem)),
        Ok((rows, _)) if rows.is_empty() => absent(t.no_cohorts),
        Ok((rows, _)) => html! { (choices(t.cohort_shows, options)) (heat(board, rows)) },
    };
    Card { id: "cohorts", title: t.cohorts, source: &asked.source, is_table: false, wide: true }.draw(reader, &body)
}

fn heat(board: &Board<'_>, rows: &[CohortMonth]) -> Markup {
    let (reader, t) = (board.reader, board.reader.t);
    let months = rows.iter().map(|row| row.month).max().unwrap_or(0);
    let cohorts: Vec<&[CohortMonth]> = rows.chunk_by(|a, b| a.cohort == b.cohort).collect();
    let most = rows.iter().filter_map(|row| row.cost).map(MicrosSum::as_f64).fold(0.0, f64::max);
    let table = html! {
        table.heat {
            caption.note { (t.cohort_means) }
            thead { tr {
                th scope="col" { (t.cohort) }
                th.number scope="col" { (t.size) }
                @for month in 0..=months { th.number scope="col" { (month) } }
            } }
            tbody {
                @for cohort in &cohorts {
                    @if let Some(first) = cohort.first() {
                        tr {
                            th scope="row" { (reader.month(first.cohort)) @if first.cohort_partial { " " span.partial { (t.partial) } } }
                            td.number { (reader.count(first.size)) }
                            @for row in *cohort { (cell(board, row, most)) }
                        }
                    }
                }
            }
        }
    };
    scrolling(reader, t.cohorts, &table)
}

fn cell(board: &Board<'_>, row: &CohortMonth, most: f64) -> Markup {
    let reader = board.reader;
    let share = match board.view.cohort {
        Cohort::Active => row.active_share,
        Cohort::Using => row.using_share,
        Cohort::Cost => row.cost.filter(|_| most > 0.0).map(|cost| (cost.as_f64() / most).max(0.0)),
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of 0 to 1 in ten shades")]
    let tint = share.map_or(0, |share| (share * SHADES).round() as u32);
    let count = |count: u64, share: Option<f64>| {
        html! { (reader.maybe_percent(share)) span.many { (reader.count(count)) } }
    };
    let class = format!("number shade-{tint}{}", if row.partial { " cut" } else { "" });
    html! {
        td class=(class) title=[row.partial.then_some(board.reader.t.partial)] {
            @if row.partial { span.unseen { (board.reader.t.partial) " " } }
            @match board.view.cohort {
                Cohort::Active => (count(row.active, row.active_share)),
                Cohort::Using => (count(row.using, row.using_share)),
                Cohort::Cost => (reader.maybe_money(row.cost)),
            }
        }
    }
}
