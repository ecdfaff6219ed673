//! ROC, precision and recall, calibration, gain and lift, from the cut-offs of the card.

use maud::{Markup, html};
use serde_json::{Value, json};

use super::Tested;
use super::chart::{Chart, counts, guide, line, points, shares};
use super::parts::{section, table};
use super::words::{count, percent, rough};
use crate::model::{AtCutoff, Evaluation, Measured};

/// What the curve is drawn of, beside those that have points alone.
fn rivals(evaluation: &Evaluation) -> [(&'static str, &Measured, &'static str, &'static str); 2] {
    [("three features", &evaluation.three_features, "--third", "diamond"), ("recency rule", &evaluation.recency_rule, "--second", "square")]
}

/// The model's curve over its cut-offs, with points of the rivals at the shares that the card tells.
fn curve(
    tested: Tested<'_>,
    at: impl Fn(&AtCutoff) -> [f64; 2],
    rival: impl Fn(f64, f64, f64) -> [f64; 2],
    from: Option<[f64; 2]>,
) -> Vec<Value> {
    let split = |places: Vec<[f64; 2]>| -> (Vec<f64>, Vec<f64>) { places.into_iter().map(|[x, y]| (x, y)).unzip() };
    let (x, y) = split(from.into_iter().chain(tested.evaluation.curves.cutoffs.iter().map(at)).collect());
    let mut traces = vec![line("model", "--first", &x, &y)];
    for (name, measured, colour, symbol) in rivals(tested.evaluation) {
        let places = measured.top.iter().map(|top| {
            let called = top.rows as f64 / tested.rows().max(1) as f64;
            rival(called, top.precision.value, top.recall.value)
        });
        let (x, y) = split(places.collect());
        traces.push(points(name, colour, symbol, &x, &y));
    }
    traces
}

/// How well it ranks: ROC, and precision over recall.
pub(super) fn ranking(tested: Tested<'_>) -> Markup {
    let (rows, churners) = (tested.rows() as f64, tested.churners().max(1) as f64);
    let stayers = (rows - churners).max(1.0);
    let base = tested.first.base_rate;
    let mut roc = curve(
        tested,
        |cutoff| [(cutoff.called - cutoff.caught) as f64 / stayers, cutoff.caught as f64 / churners],
        |called, precision, recall| [called * rows * (1.0 - precision) / stayers, recall],
        Some([0.0, 0.0]),
    );
    roc.push(guide("chance", [0.0, 1.0], [0.0, 1.0]));
    let mut pr = curve(
        tested,
        |cutoff| [cutoff.caught as f64 / churners, cutoff.caught as f64 / cutoff.called.max(1) as f64],
        |_, precision, recall| [recall, precision],
        None,
    );
    pr.push(guide("base rate", [0.0, 1.0], [base, base]));
    section(
        "ranking",
        "Does it put those who leave on top?",
        &html! {
            p { "A curve that bends to a corner ranks well: to the upper left in the first chart, to the upper right in the second. The points are those of the rules that the model has to beat, where the riskiest 1, 5, 10 and 20 % are called." }
            div.pair {
                (Chart {
                    id: "roc",
                    title: "ROC: leavers caught against stayers bothered",
                    tells: &format!("Area under the model's curve {}.", rough(tested.evaluation.model.roc_auc)),
                    traces: roc,
                    layout: json!({ "xaxis": shares("stayers called", [-0.01, 1.01]), "yaxis": shares("leavers called (recall)", [0.0, 1.02]) }),
                    numbers: None,
                }.draw())
                (Chart {
                    id: "pr",
                    title: "Precision over recall",
                    tells: &format!("Average precision of the model {}, base rate {}.", rough(tested.evaluation.model.pr_auc), percent(base)),
                    traces: pr,
                    layout: json!({ "xaxis": shares("leavers called (recall)", [-0.01, 1.01]), "yaxis": shares("of the called, left (precision)", [0.0, 1.02]) }),
                    numbers: None,
                }.draw())
            }
            (table("Area under both curves, with 95 % intervals", ["", "ROC AUC", "PR AUC"], areas(tested.evaluation)))
            p.note { "The points of the model's curves stand in the " a href="#cutoffs" { "table of cut-offs" } "." }
        },
    )
}

fn areas(evaluation: &Evaluation) -> Vec<[String; 3]> {
    super::figures::contestants_of(evaluation)
        .into_iter()
        .map(|(name, measured)| [name.to_owned(), rough(measured.roc_auc), rough(measured.pr_auc)])
        .collect()
}

/// Whether the risks told are the shares that leave.
pub(super) fn calibration(tested: Tested<'_>) -> Markup {
    let groups = &tested.evaluation.curves.calibration;
    let told: Vec<f64> = groups.iter().map(|group| group.mean_risk).collect();
    let left: Vec<f64> = groups.iter().map(|group| group.churners as f64 / group.rows.max(1) as f64).collect();
    let most = told.iter().chain(&left).fold(0.05_f64, |most, share| most.max(*share)) * 1.1;
    let most = most.min(1.05);
    let bars = &tested.evaluation.curves.histogram;
    let drawn: Vec<_> = bars.iter().filter(|bar| bar.from < most).collect();
    let mut risk_axis = shares("risk told (mean of the group)", [0.0, most]);
    risk_axis["anchor"] = "y2".into();
    let mut rows_axis = counts("rows", drawn.iter().map(|bar| bar.stayed + bar.left).max().unwrap_or(0));
    rows_axis["domain"] = json!([0.0, 0.2]);
    let histogram = json!({ "type": "bar", "name": "rows", "yaxis": "y2", "marker": { "color": "--quiet" }, "showlegend": false,
        "x": drawn.iter().map(|bar| f64::midpoint(bar.from, bar.to)).collect::<Vec<_>>(),
        "width": drawn.iter().map(|bar| bar.to - bar.from).collect::<Vec<_>>(),
        "y": drawn.iter().map(|bar| bar.stayed + bar.left).collect::<Vec<_>>() });
    let model = json!({ "type": "scatter", "mode": "lines+markers", "name": "model", "x": told, "y": left,
        "line": { "color": "--first", "width": 2.5 }, "marker": { "size": 8 } });
    let figures = &tested.evaluation.model;
    let rows =
        groups.iter().zip(&left).map(|(group, left)| [percent(group.mean_risk), percent(*left), count(group.churners), count(group.rows)]);
    section(
        "calibration",
        "Can its risks be taken at their word?",
        &html! {
            p {
                "Ten equal groups of test rows by risk. On the dotted line, of those with a risk of 20 %, 20 % leave. Slope "
                strong { (rough(figures.calibration_slope)) } " (1 is perfect, less is too bold), intercept " strong { (rough(figures.calibration_intercept)) }
                " (0 is perfect), mean distance " strong { (rough(figures.calibration_error)) } "."
            }
            (Chart {
                id: "calibration-curve",
                title: "Share that left against the risk told, and how many rows have which risk",
                tells: "The nearer the line is to the diagonal, the more the risks can be taken at their word.",
                traces: vec![guide("perfect", [0.0, most], [0.0, most]), model, histogram],
                layout: json!({ "xaxis": risk_axis, "yaxis": { "title": { "text": "share that left" }, "range": [0.0, most], "tickformat": ".0%", "domain": [0.3, 1.0] },
                    "yaxis2": rows_axis }),
                numbers: Some(table("Ten groups of test rows by risk", ["mean risk", "share that left", "left", "rows"], rows.collect())),
            }.draw())
        },
    )
}

/// How many of those who leave are reached by how many calls, and how much better than chance that is.
pub(super) fn gain_and_lift(tested: Tested<'_>) -> Markup {
    let (rows, churners, base) =
        (tested.rows().max(1) as f64, tested.churners().max(1) as f64, tested.first.base_rate.max(f64::MIN_POSITIVE));
    let mut gain = curve(
        tested,
        |cutoff| [cutoff.called as f64 / rows, cutoff.caught as f64 / churners],
        |called, _, recall| [called, recall],
        Some([0.0, 0.0]),
    );
    gain.push(guide("chance", [0.0, 1.0], [0.0, 1.0]));
    let mut lift = curve(
        tested,
        |cutoff| [cutoff.called as f64 / rows, cutoff.caught as f64 / cutoff.called.max(1) as f64 / base],
        |called, precision, _| [called, precision / base],
        None,
    );
    lift.push(guide("chance", [0.0, 1.0], [1.0, 1.0]));
    section(
        "gain",
        "What does calling more people bring?",
        &html! {
            p { "Called in the order of their risk. Gain is the share of all leavers that is reached; lift is how many times more leavers that is than by calling at random." }
            div.pair {
                (Chart {
                    id: "gain-curve",
                    title: "Gain: leavers reached by the share called",
                    tells: "The higher the curve is at the left, the fewer calls reach those who leave.",
                    traces: gain,
                    layout: json!({ "xaxis": shares("of all rows, called", [-0.01, 1.01]), "yaxis": shares("of all leavers, reached", [0.0, 1.02]) }),
                    numbers: None,
                }.draw())
                (Chart {
                    id: "lift-curve",
                    title: "Lift: times better than chance",
                    tells: "1 is chance.",
                    traces: lift,
                    layout: json!({ "xaxis": shares("of all rows, called", [-0.01, 1.01]), "yaxis": { "title": { "text": "lift" }, "rangemode": "tozero" } }),
                    numbers: None,
                }.draw())
            }
            p.note { "The points stand in the " a href="#cutoffs" { "table of cut-offs" } "; with intervals at 1, 5, 10 and 20 % in the " a href="#figures" { "table of figures" } "." }
        },
    )
}
