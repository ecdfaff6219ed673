//! A chart: what the drawing library is to draw, and the same numbers as a table, which is what
//! is there without scripts.
//!
//! Colours are names of the style sheet (`--active`), which the page's script looks up, so that a
//! chart is readable by day and by night. Labels are written here, in the reader's manner.

use maud::{Markup, PreEscaped, html};
use serde_json::{Value, json};

use super::parts::region;
use super::reader::Reader;
use crate::domain::Bucket;
use crate::metrics::Slice;
use crate::plotly::in_script;

/// One chart.
pub(super) struct Chart<'c> {
    pub(super) id: &'c str,
    pub(super) title: &'c str,
    /// What it shows, for those who do not see it.
    pub(super) tells: &'c str,
    pub(super) traces: Vec<Value>,
    pub(super) layout: Value,
    /// The same numbers.
    pub(super) numbers: Markup,
}

impl Chart<'_> {
    pub(super) fn draw(self, reader: &Reader) -> Markup {
        let mut layout = self.layout;
        layout["separators"] = json!(reader.separators());
        let drawn = in_script(&json!({ "data": self.traces, "layout": layout }).to_string());
        html! {
            figure.chart {
                figcaption { (self.title) }
                div.plot id=(self.id) role="img" aria-label={ (self.title) ". " (self.tells) } {}
                script type="application/json" data-chart=(self.id) { (PreEscaped(drawn)) }
                details { summary { (reader.t.as_table) span.unseen { ": " (self.title) } } (self.numbers) }
            }
        }
    }
}

/// A row of a chart's numbers.
pub(super) struct Row {
    pub(super) name: Markup,
    pub(super) cells: Vec<Markup>,
}

/// Numbers under a header; the first column names the rows.
pub(super) fn numbers(reader: &Reader, caption: &str, header: &[&str], rows: &[Row]) -> Markup {
    let table = html! {
        table.numbers {
            caption.unseen { (caption) }
            thead { tr { @for (name, at) in header.iter().zip(0..) { th scope="col" .number[at > 0] { (name) } } } }
            tbody {
                @for row in rows {
                    tr { th scope="row" { (row.name) } @for cell in &row.cells { td.number { (cell) } } }
                }
            }
        }
    };
    region(caption, reader.t.as_table, &table)
}

/// How one bucket is called on an axis: no two of one chart alike.
fn label(reader: &Reader, bucket: Bucket, slices: &[Slice], slice: &Slice) -> String {
    let is_long = slices.first().zip(slices.last()).is_some_and(|(first, last)| last.bucket - first.bucket > 300);
    match bucket {
        Bucket::Month => reader.month_text(slice.bucket),
        Bucket::Day | Bucket::Week if is_long => reader.day_text(slice.bucket),
        Bucket::Day | Bucket::Week => reader.short_day(slice.bucket),
    }
}

/// A bucket in a table of numbers: its day or days, and whether it is cut.
pub(super) fn bucket_name(reader: &Reader, bucket: Bucket, slice: &Slice) -> Markup {
    html! {
        @match bucket {
            Bucket::Day => (reader.day(slice.bucket)),
            Bucket::Week => { (reader.t.week_of) " " (reader.day(slice.bucket)) },
            Bucket::Month => (reader.month(slice.bucket)),
        }
        @if slice.partial { " " span.partial { (reader.t.partial) } }
    }
}

/// A value and how the reader writes it.
pub(super) type Point = (f64, String);

/// Bars of one colour; those of cut buckets are hatched.
pub(super) fn bars(name: &str, colour: &str, labels: &[String], points: &[Point], partial: &[bool]) -> Value {
    let hatch: Vec<&str> = partial.iter().map(|partial| if *partial { "/" } else { "" }).collect();
    let mut trace = trace("bar", name, labels, points);
    trace["textposition"] = json!("none");
    trace["marker"] = json!({ "color": colour, "pattern": { "shape": hatch, "fgcolor": "--panel", "size": 5, "solidity": 0.4 } });
    trace
}

/// The buckets along the axis of a chart of counts.
pub(super) struct Axis<'a> {
    reader: &'a Reader,
    labels: Vec<String>,
    partial: Vec<bool>,
}

impl<'a> Axis<'a> {
    pub(super) fn of(reader: &'a Reader, bucket: Bucket, slices: &[Slice]) -> Self {
        let labels = slices.iter().map(|slice| label(reader, bucket, slices, slice)).collect();
        Self { reader, labels, partial: slices.iter().map(|slice| slice.partial).collect() }
    }

    /// A count of each bucket; those of what leaves stand below zero.
    pub(super) fn counts(&self, name: &str, colour: &str, leaves: bool, counts: impl Iterator<Item = u64>) -> Value {
        let sign = if leaves { -1.0 } else { 1.0 };
        let points: Vec<Point> = counts.map(|count| (sign * count as f64, self.reader.whole(count))).collect();
        bars(name, colour, &self.labels, &points, &self.partial)
    }
}

/// A line through points.
pub(super) fn line(name: &str, colour: &str, labels: &[String], points: &[Point]) -> Value {
    let mut trace = trace("scatter", name, labels, points);
    trace["mode"] = json!("lines+markers");
    trace["line"] = json!({ "color": colour, "width": 2 });
    trace["marker"] = json!({ "color": colour, "size": 5 });
    trace
}

fn trace(kind: &str, name: &str, labels: &[String], points: &[Point]) -> Value {
    let (values, shown): (Vec<f64>, Vec<&str>) = points.iter().map(|(value, shown)| (*value, shown.as_str())).unzip();
    json!({ "type": kind, "name": plain(name), "x": labels, "y": values, "text": shown,
        "hovertemplate": "%{x}<br>%{fullData.name}: %{text}<extra></extra>" })
}

/// A text that the drawing library takes for nothing but text: it knows some markup.
pub(super) fn plain(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The axis of buckets or days.
pub(super) fn labelled_axis() -> Value {
    json!({ "type": "category", "nticks": 8, "tickangle": 0, "showgrid": false })
}

/// The axis of counts of which the largest is this; small ones are told one by one.
pub(super) fn counts_axis(most: Option<u64>) -> Value {
    let mut axis = json!({ "zeroline": true, "zerolinecolor": "--ink" });
    if most.is_none_or(|most| most <= 6) {
        axis["dtick"] = json!(1);
    }
    axis
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_from_the_data_is_drawn_as_it_is_written() {
        let drawn = bars("<a href=\"x\">%{y} & co</a>", "--series-1", &["1".to_owned()], &[(1.0, "1".to_owned())], &[false]);
        assert_eq!(drawn["name"], "&lt;a href=\"x\"&gt;%{y} &amp; co&lt;/a&gt;");
        assert!(!drawn["hovertemplate"].to_string().contains("co"), "a name is no template: {drawn}");
    }
}
