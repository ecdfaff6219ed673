//! The threshold chooser: from which risk on somebody is called, and what that comes to.

use maud::{Markup, html};
use serde_json::{Value, json};

use super::Tested;
use super::chart::{Chart, counts};
use super::parts::{self, table};
use super::words::{count, counted, money, percent};
use crate::model::{AtCutoff, RiskBar};

/// What the page's script fills in, by name.
const OUTPUTS: [(&str, &str); 8] = [
    ("risk", "Risk from"),
    ("called", "Called"),
    ("caught", "Leavers caught"),
    ("bothered", "Bothered for nothing"),
    ("missed", "Leavers missed"),
    ("precision", "Precision"),
    ("cost", "30 days' cost of the caught"),
    ("saved", "Saved by calling on one day"),
];

/// The section.
pub(super) fn section(tested: Tested<'_>) -> Markup {
    parts::section("chooser", "Whom to call", &chooser(tested))
}

fn chooser(tested: Tested<'_>) -> Markup {
    let cutoffs = &tested.evaluation.curves.cutoffs;
    let last = cutoffs.len().saturating_sub(1);
    let has_cost = tested.evaluation.model.actual_cost > 0.0;
    html! {
        p {
            "Move the slider: from some risk on, everybody is called. Counts are test rows, on "
            (counted(tested.first.test.as_of_days, "as-of day", "as-of days")) " together; a subscription that stays at risk is counted on each of them."
        }
        div.chooser {
            label for="cutoff" { "Cut-off, from the riskiest alone (left) to everybody (right)" }
            input #cutoff type="range" min="0" max=(last) step="1" value=(start(tested)) aria-describedby="chosen";
            div.jumps {
                button type="button" data-risk=(tested.first.levels.high_from) { "Level high (risk from " (percent(tested.first.levels.high_from)) ")" }
                button type="button" data-risk=(tested.first.levels.medium_from) { "Level medium (risk from " (percent(tested.first.levels.medium_from)) ")" }
                @if has_cost { button type="button" #most { "The cut-off that saves most" } }
            }
            dl #chosen .chosen aria-live="polite" {
                @for (name, title) in OUTPUTS.iter().filter(|(name, _)| has_cost || !matches!(*name, "cost" | "saved")) {
                    div { dt { (title) } dd data-out=(name) { "-" } }
                }
            }
            @if has_cost { (assumptions(tested.first.test.as_of_days)) } @else { p.absent { "The test rows that left had no cost, so there is no money to reckon with." } }
        }
        (distribution(&tested.evaluation.curves.histogram, tested))
        (all_cutoffs(cutoffs, tested))
    }
}

/// The reader's own numbers, and the formula that they go into.
fn assumptions(as_of_days: u64) -> Markup {
    html! {
        fieldset {
            legend { "Your assumptions" }
            label { "Cost of a call " input #call type="number" min="0" step="any" value="10" inputmode="decimal"; }
            label { "Kept of those caught, in % " input #kept type="number" min="0" max="100" step="any" value="20" inputmode="decimal"; }
            label { "Periods of 30 days that a kept one stays " input #periods type="number" min="0" step="any" value="12" inputmode="decimal"; }
        }
        p.note { "Saved by calling on one day = (kept share × periods × 30 days' cost of the caught − cost of a call × called) / " (as_of_days) ", the number of as-of days. The three numbers are yours to set; nothing here measured them. Costs are in the reporting currency, of the 30 days before the as-of day." }
    }
}

/// The place of the level `high` among the cut-offs.
fn start(tested: Tested<'_>) -> usize {
    let cutoffs = &tested.evaluation.curves.cutoffs;
    cutoffs.iter().rposition(|cutoff| cutoff.risk >= tested.first.levels.high_from).unwrap_or(0)
}

fn distribution(bars: &[RiskBar], tested: Tested<'_>) -> Markup {
    let x: Vec<f64> = bars.iter().map(|bar| f64::midpoint(bar.from, bar.to)).collect();
    let trace = |name: &str, colour: &str, of: fn(&RiskBar) -> u64| json!({ "type": "bar", "name": name, "x": x, "y": bars.iter().map(of).collect::<Vec<_>>(), "marker": { "color": colour } });
    let levels = &tested.first.levels;
    let mut marks = vec![mark("cut-off", levels.high_from, "solid", 1.0)];
    if levels.medium_from < levels.high_from {
        marks.extend([mark("high", levels.high_from, "dot", 0.93), mark("medium", levels.medium_from, "dot", 0.86)]);
    } else {
        marks.push(mark("high and medium", levels.high_from, "dot", 0.93));
    }
    let most = bars.iter().map(|bar| bar.stayed.max(bar.left)).max().unwrap_or(0);
    let rows = bars.iter().map(|bar| [format!("{} to {}", percent(bar.from), percent(bar.to)), count(bar.stayed), count(bar.left)]);
    Chart {
        id: "distribution",
        title: "Who has which risk (rows on a logarithmic scale)",
        tells: "Test rows by the risk told, those who stayed beside those who left, with the cut-off chosen and the levels high and medium.",
        traces: vec![trace("stayed", "--first", |bar| bar.stayed), trace("left", "--second", |bar| bar.left)],
        layout: json!({ "barmode": "group", "bargap": 0.1, "xaxis": { "title": { "text": "risk" }, "range": [0.0, 1.0], "tickformat": ".0%" },
            "yaxis": counts("rows", most), "shapes": marks }),
        numbers: Some(table("Test rows by risk", ["risk", "stayed", "left"], rows.collect())),
    }
    .draw()
}

/// A line at a risk, up to a part of the chart's height, with its name at the end.
fn mark(name: &str, risk: f64, dash: &str, height: f64) -> Value {
    json!({ "type": "line", "xref": "x", "yref": "paper", "x0": risk, "x1": risk, "y0": 0, "y1": height,
        "line": { "color": "--ink", "width": 1.5, "dash": dash },
        "label": { "text": name, "textposition": "end", "textangle": 0, "xanchor": "left", "yanchor": "top", "font": { "color": "--ink" } } })
}

fn all_cutoffs(cutoffs: &[AtCutoff], tested: Tested<'_>) -> Markup {
    let churners = tested.churners().max(1) as f64;
    let row = |cutoff: &AtCutoff| {
        let precision = cutoff.caught as f64 / cutoff.called.max(1) as f64;
        [
            format!("{:.4}", cutoff.risk),
            count(cutoff.called),
            percent(tested.share(cutoff.called)),
            count(cutoff.caught),
            percent(cutoff.caught as f64 / churners),
            count(cutoff.called - cutoff.caught),
            percent(precision),
            format!("{:.2}", precision / tested.first.base_rate.max(f64::MIN_POSITIVE)),
            money(cutoff.cost_caught),
        ]
    };
    let header = ["risk from", "called", "of all", "caught", "recall", "bothered", "precision", "lift", "cost of the caught"];
    html! {
        details #cutoffs {
            summary { "All cut-offs as a table: the points of every curve on this page" }
            (table("What calling from a risk on comes to, on the test rows", header, cutoffs.iter().map(row).collect()))
        }
    }
}
