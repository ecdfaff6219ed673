//! The same fit in other circumstances: month by month in the past, and part by part of the customers.

use maud::{Markup, html};
use serde_json::{Value, json};

use super::chart::Chart;
use super::parts::{absent, section, table};
use super::words::{count, fine, gain, percent, rough};
use crate::model::{BacktestMonth, Card, Interval, Segment};

/// A line with the intervals of its points.
fn with_intervals(name: &str, colour: &str, x: &[String], figures: &[Interval]) -> Value {
    json!({ "type": "scatter", "mode": "lines+markers", "name": name, "x": x, "y": figures.iter().map(|figure| figure.value).collect::<Vec<_>>(),
        "line": { "color": colour, "width": 2.5 }, "marker": { "size": 8 },
        "error_y": { "type": "data", "symmetric": false, "color": colour, "thickness": 1.2,
            "array": figures.iter().map(|figure| figure.high - figure.value).collect::<Vec<_>>(),
            "arrayminus": figures.iter().map(|figure| figure.value - figure.low).collect::<Vec<_>>() } })
}

/// Fit and test as of each month of the past.
pub(super) fn backtest(card: &Card) -> Markup {
    if card.backtest.is_empty() {
        return section(
            "backtest",
            "Would it have worked before?",
            &absent("There is no backtest: the data hold no month with enough rows before it."),
        );
    }
    // The year and the month of its first as-of day.
    let months: Vec<String> = card.backtest.iter().map(|month| month.month.to_string().chars().take(7).collect()).collect();
    let figures: Vec<Interval> = card.backtest.iter().map(|month| month.pr_auc).collect();
    let recency: Vec<f64> = card.backtest.iter().map(|month| month.pr_auc.value - month.gain_over_recency.pr_auc.value).collect();
    let base: Vec<f64> = card.backtest.iter().map(|month| month.base_rate).collect();
    let traces = vec![
        with_intervals("model", "--first", &months, &figures),
        json!({ "type": "scatter", "mode": "lines+markers", "name": "recency rule", "x": months, "y": recency, "line": { "color": "--second", "width": 2 }, "marker": { "symbol": "square" } }),
        json!({ "type": "scatter", "mode": "lines", "name": "base rate", "x": months, "y": base, "line": { "color": "--quiet", "dash": "dot" } }),
    ];
    let beaten = card.backtest.iter().filter(|month| month.gain_over_recency.pr_auc.value > 0.0).count();
    section(
        "backtest",
        "Would it have worked before?",
        &html! {
            p {
                "As of each month the model was fitted on what was known by then and tested on the month: it ranked better than the recency rule in "
                strong { (beaten) " of " (card.backtest.len()) } " months."
            }
            (Chart {
                id: "backtest-months",
                title: "PR AUC as of each month, with 95 % intervals",
                tells: "The model beside the recency rule and the base rate.",
                traces,
                layout: json!({ "xaxis": { "type": "category", "title": { "text": "month" } }, "yaxis": { "title": { "text": "PR AUC" }, "rangemode": "tozero" } }),
                numbers: None,
            }.draw())
            (table(
                "Backtest, with 95 % intervals",
                ["first as-of day of the month", "trained on", "rows", "left", "base rate", "ROC AUC", "PR AUC", "over recency", "log loss", "over recency", "foretold to actual"],
                card.backtest.iter().map(month).collect(),
            ))
        },
    )
}

fn month(month: &BacktestMonth) -> [String; 11] {
    [
        month.month.to_string(),
        count(month.train_rows),
        count(month.rows),
        count(month.churners),
        percent(month.base_rate),
        rough(month.roc_auc),
        rough(month.pr_auc),
        gain(month.gain_over_recency.pr_auc),
        fine(month.log_loss),
        gain(month.gain_over_recency.log_loss),
        rough(month.expected_to_actual),
    ]
}

/// Test rows that have something in common.
pub(super) fn segments(card: &Card) -> Markup {
    let row = |segment: &Segment| {
        [
            format!("{}: {}", segment.by, segment.name),
            count(segment.rows),
            count(segment.churners),
            percent(segment.churners as f64 / segment.rows.max(1) as f64),
            rough(segment.roc_auc),
            rough(segment.pr_auc),
            fine(segment.brier),
            rough(segment.expected_to_actual),
        ]
    };
    section(
        "segments",
        "For whom is it good?",
        &html! {
            @if card.segments.is_empty() {
                (absent("There are no segments: no part of the test rows by tenure, size or country is large enough, with leavers and stayers in it."))
            } @else {
                p { "Parts of the test rows. PR AUC depends on how many leave, so hold it against the base rate beside it; foretold to actual is 1 where the risks are right on the whole." }
                (table(
                    "Segments of the test rows, with 95 % intervals",
                    ["segment", "rows", "left", "base rate", "ROC AUC", "PR AUC", "Brier score", "foretold to actual"],
                    card.segments.iter().map(row).collect(),
                ))
            }
        },
    )
}
