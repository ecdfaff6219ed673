//! A chart: what plotly.js is to draw, and the same numbers as a table.
//!
//! Colours are names of the style sheet (`--left`), which the page's script looks up, so that a
//! chart is readable by day and by night.

use maud::{Markup, PreEscaped, html};
use serde_json::{Value, json};

use crate::plotly::in_script;

/// One chart.
#[derive(Debug)]
pub(super) struct Chart<'a> {
    pub id: &'a str,
    pub title: &'a str,
    /// What it shows, for those who do not see it.
    pub tells: &'a str,
    pub traces: Vec<Value>,
    pub layout: Value,
    /// The numbers; none where they stand in a table that the section names.
    pub numbers: Option<Markup>,
}

impl Chart<'_> {
    pub(super) fn draw(self) -> Markup {
        let drawn = in_script(&json!({ "data": self.traces, "layout": self.layout }).to_string());
        html! {
            figure.chart {
                figcaption { (self.title) }
                div.plot id=(self.id) role="img" aria-label={ (self.title) ". " (self.tells) } {}
                script type="application/json" data-chart=(self.id) { (PreEscaped(drawn)) }
                @if let Some(numbers) = self.numbers {
                    details { summary { "The numbers as a table" } (numbers) }
                }
            }
        }
    }
}

/// A line through points.
pub(super) fn line(name: &str, colour: &str, x: &[f64], y: &[f64]) -> Value {
    json!({ "type": "scatter", "mode": "lines", "name": name, "x": x, "y": y, "line": { "color": colour, "width": 2.5 } })
}

/// A dotted line for what is only there to be compared with.
pub(super) fn guide(name: &str, x: [f64; 2], y: [f64; 2]) -> Value {
    json!({ "type": "scatter", "mode": "lines", "name": name, "x": x, "y": y, "hoverinfo": "skip",
        "line": { "color": "--quiet", "dash": "dot", "width": 1.5 } })
}

/// Points alone.
pub(super) fn points(name: &str, colour: &str, symbol: &str, x: &[f64], y: &[f64]) -> Value {
    json!({ "type": "scatter", "mode": "markers", "name": name, "x": x, "y": y,
        "marker": { "color": colour, "symbol": symbol, "size": 9 } })
}

/// An axis of shares.
pub(super) fn shares(title: &str, range: [f64; 2]) -> Value {
    json!({ "title": { "text": title }, "range": range, "tickformat": ".0%" })
}

/// An axis of counts that differ by orders of magnitude, from a little below 1 on.
pub(super) fn counts(title: &str, most: u64) -> Value {
    let top = (most.max(1) as f64).log10() + 0.15;
    json!({ "title": { "text": title }, "type": "log", "range": [-0.15, top], "dtick": 1, "tickformat": ",d" })
}
