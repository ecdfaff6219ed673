//! The model: what it earned, how well its risks came true, and whether the portfolio has moved
//! from under it.

use maud::{Markup, html};
use serde_json::json;

use super::board::Board;
use super::chart::{Chart, Row, numbers};
use super::parts::{Card, absent, defined, scrolling};
use super::reader::Reader;
use super::texts::fill;
use crate::model::{BacktestMonth, Card as ModelCard, Drift, HorizonRecord, Interval, Method, RiskGroup};
use crate::service::routes::model::CardInService;

/// Moves told of; the interface has all.
const MOVES: usize = 5;

pub(super) fn model(board: &Board<'_>) -> Markup {
    let (reader, t) = (board.reader, board.reader.t);
    let asked = board.figures::<CardInService>(Vec::new());
    let body = match &asked.got {
        Err(problem) => absent(&board.missing(problem)),
        Ok((answer, _)) => html! {
            (verdict(reader, &answer.card))
            div.columns {
                (calibration(reader, &answer.card))
                (backtest(reader, &answer.card.backtest))
                (record(board))
                (drift(reader, answer.drift.as_ref()))
            }
            p { a href="/v1/model/report" { (t.report) } " \u{b7} " a href="/v1/model/record" { (t.record_as_json) } }
        },
    };
    Card { id: "model", title: t.model, source: &asked.source, is_table: false, wide: true }.draw(reader, &body)
}

fn verdict(reader: &Reader, card: &ModelCard) -> Markup {
    let t = reader.t;
    let sentence = match (card.method, card.grade) {
        (Method::Baseline, _) => t.baseline,
        (_, Some(grade)) => t.grade_sentence(grade),
        (_, None) => t.no_grade,
    };
    html! {
        p.verdict {
            @if let Some(grade) = card.grade { span.grade data-grade=(grade) { span.unseen { (t.grade) " " } (grade) } }
            span { (sentence) " " span.note { (t.version) " " code { (card.version) } } }
        }
        @if let Some(main) = card.main() {
            @let levels = &main.levels;
            dl.facts {
                div { dt { (t.horizon) } dd { (reader.counted(u64::from(main.horizon_days.get()), t.days)) } }
                div { dt { (t.base_rate) } dd { (reader.percent(main.base_rate, 1)) } }
                div { dt { (defined("precision", t.precision_high, t.precision_means)) } dd { (reader.percent(levels.test_precision, 0)) } }
                div { dt { (defined("recall", t.recall_high, t.recall_means)) } dd { (reader.percent(levels.test_recall, 0)) } }
                @if let Some(evaluation) = &main.evaluation {
                    div { dt { "ROC AUC" } dd { (interval(reader, evaluation.model.roc_auc)) } }
                    div { dt { (t.expected_actual) }
                        dd { (reader.number(evaluation.model.expected_churners, 0)) " / " (reader.number(evaluation.model.actual_churners, 0)) } }
                }
            }
        }
    }
}

/// A figure and its 95 % interval.
fn interval(reader: &Reader, interval: Interval) -> Markup {
    html! {
        (reader.number(interval.value, 2))
        span.interval { " (" (reader.number_text(interval.low, 2)) "\u{2013}" (reader.number_text(interval.high, 2)) ")" }
    }
}

/// Whether of those with a risk of 20 %, 20 % leave.
fn calibration(reader: &Reader, card: &ModelCard) -> Markup {
    let t = reader.t;
    let Some(evaluation) = card.evaluation() else { return html! { div { h3 { (t.calibration) } (absent(t.not_evaluated)) } } };
    html! { div { h3 { (t.calibration) } (calibration_chart(reader, "calibration-chart", t.calibration_tells, &evaluation.curves.calibration)) } }
}

fn calibration_chart(reader: &Reader, id: &str, tells: &str, groups: &[RiskGroup]) -> Markup {
    let t = reader.t;
    let share = |group: &RiskGroup| group.churners as f64 / group.rows.max(1) as f64;
    let most = groups.iter().flat_map(|group| [group.mean_risk, share(group)]).fold(0.01, f64::max) * 1.1;
    let shown = |group: &RiskGroup| {
        fill(
            t.told_and_left,
            &[
                ("told", &reader.percent_text(group.mean_risk, 1)),
                ("left", &reader.percent_text(share(group), 1)),
                ("rows", &reader.whole(group.rows)),
            ],
        )
    };
    let traces = vec![
        json!({ "type": "scatter", "mode": "lines", "name": t.perfect, "x": [0.0, most], "y": [0.0, most], "hoverinfo": "skip",
            "line": { "color": "--quiet", "dash": "dot", "width": 1.5 } }),
        json!({ "type": "scatter", "mode": "lines+markers", "name": t.this_model,
            "x": groups.iter().map(|group| group.mean_risk).collect::<Vec<_>>(), "y": groups.iter().map(share).collect::<Vec<_>>(),
            "text": groups.iter().map(shown).collect::<Vec<_>>(), "hovertemplate": "%{text}<extra></extra>",
            "line": { "color": "--first", "width": 2 }, "marker": { "color": "--first", "size": 8 } }),
    ];
    let axis = |title: &str| json!({ "title": { "text": title }, "range": [0.0, most], "tickformat": ".0%", "nticks": 6 });
    let rows: Vec<Row> = groups
        .iter()
        .map(|group| Row {
            name: reader.percent(group.mean_risk, 1),
            cells: vec![reader.percent(share(group), 1), reader.count(group.churners), reader.count(group.rows)],
        })
        .collect();
    let numbers = numbers(reader, t.calibration, &[t.risk_told, t.share_left, t.left, t.rows], &rows);
    let layout = json!({ "xaxis": axis(t.risk_told), "yaxis": axis(t.share_left), "small": true });
    Chart { id, title: t.calibration_chart, tells, traces, layout, numbers }.draw(reader)
}

/// Fit and test repeated as of months of the past.
fn backtest(reader: &Reader, months: &[BacktestMonth]) -> Markup {
    let t = reader.t;
    let table = html! {
        table {
            caption.note { (t.backtest_means) }
            thead { tr {
                th scope="col" { (t.month) }
                th.number scope="col" { "PR AUC" }
                th.number scope="col" { (t.base_rate) }
                th.number scope="col" { (t.expected_over_actual) }
            } }
            tbody {
                @for month in months {
                    tr {
                        th scope="row" { (reader.month_text(month.month)) }
                        td.number { (interval(reader, month.pr_auc)) }
                        td.number { (reader.percent(month.base_rate, 1)) }
                        td.number { (interval(reader, month.expected_to_actual)) }
                    }
                }
            }
        }
    };
    html! {
        div {
            h3 { (t.backtest) }
            @if months.is_empty() { (absent(t.no_backtest)) } @else { (scrolling(reader, t.backtest, &table)) }
        }
    }
}

/// Scores as they were issued, and what came of them.
fn record(board: &Board<'_>) -> Markup {
    let (reader, t) = (board.reader, board.reader.t);
    let body = match board.version.known_record() {
        None if board.version.issued().has_lake() => absent(t.record_in_the_making),
        None => absent(t.no_record),
        Some(records) => {
            let measured =
                records.iter().filter_map(|record| Some((record.model_version.as_str(), &record.measured.as_ref().ok()?.horizons)));
            let rows: Vec<(&str, &HorizonRecord)> =
                measured.flat_map(|(version, horizons)| horizons.iter().map(move |horizon| (version, horizon))).collect();
            if rows.is_empty() { absent(t.no_record) } else { scrolling(reader, t.live_record, &record_table(reader, &rows)) }
        }
    };
    html! { div data-source="/v1/model/record" { h3 { (t.live_record) } (body) } }
}

fn record_table(reader: &Reader, rows: &[(&str, &HorizonRecord)]) -> Markup {
    let t = reader.t;
    html! {
        table {
            caption.note { (t.record_means) }
            thead { tr {
                th scope="col" { (t.model) }
                th.number scope="col" { (t.horizon) }
                th.number scope="col" { (t.matured) }
                th.number scope="col" { (t.expected_actual) }
                th.number scope="col" { "ROC AUC" }
            } }
            tbody {
                @for (version, record) in rows {
                    tr {
                        th scope="row" { code { (version) } }
                        td.number { (reader.counted(u64::from(record.horizon_days.get()), t.days)) }
                        td.number {
                            (reader.count(record.matured))
                            @if record.matured == 0 { @if let Some(day) = record.next_matures_on { span.later { (t.first_on) " " (reader.day(day)) } } }
                        }
                        td.number { (reader.number(record.expected_churners, 0)) " / " (reader.count(record.churners)) }
                        td.number { @match &record.evaluation { Some(found) => (interval(reader, found.model.roc_auc)), None => (reader.nothing()) } }
                    }
                }
            }
        }
    }
}

/// What has moved most since training.
fn drift(reader: &Reader, drift: Option<&Drift>) -> Markup {
    let t = reader.t;
    let body = match drift {
        None => absent(t.no_drift),
        Some(drift) => {
            let alarms = drift.moved.iter().filter(|moved| moved.alarm).count() as u64;
            let table = html! {
                table {
                    caption.note { @if alarms == 0 { (t.drift_calm) } @else { (reader.counted(alarms, t.drift_alarms)) } }
                    thead { tr {
                        th scope="col" { (t.feature) }
                        th.number scope="col" { "PSI" }
                        th.number scope="col" { (t.bound) }
                    } }
                    tbody {
                        @for moved in drift.moved.iter().take(MOVES) {
                            tr.alarm[moved.alarm] {
                                th scope="row" { code { (moved.name) } }
                                td.number { (reader.number(moved.psi, 3)) @if moved.alarm { span.unseen { " " (t.alarm) } } }
                                td.number { (reader.number(moved.bound, 3)) }
                            }
                        }
                    }
                }
            };
            scrolling(reader, t.drift, &table)
        }
    };
    html! { div { h3 { (defined("drift", t.drift, t.drift_means)) } (body) } }
}
