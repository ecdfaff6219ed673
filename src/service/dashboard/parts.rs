//! Pieces that every part of a page uses: a card, a scrolling table, bars, a sparkline, the
//! definition of a word.
//!
//! Shapes are SVG with attributes: the page's policy lets no element carry a style of its own.

use maud::{Markup, html};

use super::board::as_table;
use super::reader::Reader;
use crate::service::routes::words::Standpoint;

/// A part of the page with a heading, and where its numbers come from.
pub(super) struct Card<'c> {
    pub(super) id: &'c str,
    pub(super) title: &'c str,
    /// Path and query of the route that answers with the same.
    pub(super) source: &'c str,
    /// Whether that is a table, which a spreadsheet takes too.
    pub(super) is_table: bool,
    /// Whether it takes the whole width.
    pub(super) wide: bool,
}

impl Card<'_> {
    pub(super) fn draw(&self, reader: &Reader, body: &Markup) -> Markup {
        let t = reader.t;
        html! {
            section.card.wide[self.wide] id=(self.id) aria-labelledby={ (self.id) "-title" } data-source=(self.source) {
                header {
                    h2 id={ (self.id) "-title" } { (self.title) }
                    p.sources {
                        @if self.is_table {
                            a href=(as_table(self.source)) download={ (self.id) ".csv" } { (t.download_csv) span.unseen { ": " (self.title) } }
                        }
                        a href=(self.source) { (t.as_json) span.unseen { ": " (self.title) } }
                    }
                }
                (body)
            }
        }
    }
}

/// A table that scrolls by itself where it is wider than the page.
pub(super) fn scrolling(reader: &Reader, label: &str, table: &Markup) -> Markup {
    region(label, reader.t.table, table)
}

/// The same by another word than that it is a table: no two regions of a page are called alike.
pub(super) fn region(label: &str, what: &str, table: &Markup) -> Markup {
    html! { div.scrolls tabindex="0" role="region" aria-label={ (label) ": " (what) } { (table) } }
}

/// A sentence in the place of what is not there.
pub(super) fn absent(sentence: &str) -> Markup {
    html! { p.absent { (sentence) } }
}

/// A word with what it means: on hover, at the keyboard's focus, and for a screen reader.
pub(super) fn defined(id: &str, word: &str, meaning: &str) -> Markup {
    html! {
        span.defined {
            button.word type="button" aria-describedby={ (id) "-means" } { (word) }
            span.meaning id={ (id) "-means" } role="tooltip" { (meaning) }
        }
    }
}

/// A choice among some, each a link; the one that is chosen says so.
pub(super) fn choices<'c>(label: &str, all: impl IntoIterator<Item = (&'c str, String, bool)>) -> Markup {
    html! {
        nav.choices aria-label=(label) {
            @for (name, address, is_chosen) in all {
                a.chip href=(address) aria-current=[is_chosen.then_some("true")] { (name) }
            }
        }
    }
}

/// A level in its colour and in a word.
pub(super) fn level(reader: &Reader, level: Standpoint) -> Markup {
    html! { span class={ "level " (level.as_str()) } { (name_of(reader, level)) } }
}

pub(super) const fn name_of(reader: &Reader, level: Standpoint) -> &'static str {
    match level {
        Standpoint::High => reader.t.level_high,
        Standpoint::Medium => reader.t.level_medium,
        Standpoint::Low => reader.t.level_low,
        Standpoint::Unknown => reader.t.level_unknown,
    }
}

/// A part of a whole as a bar.
pub(super) fn bar(part: f64, class: &str) -> Markup {
    let width = format!("{:.2}", part.clamp(0.0, 1.0) * 100.0);
    html! {
        svg class={ "bar " (class) } viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true" focusable="false" {
            rect.track x="0" y="0" width="100" height="6" {}
            rect.filled x="0" y="0" width=(width) height="6" {}
        }
    }
}

/// The course of a figure, without axes.
pub(super) fn sparkline(values: &[f64]) -> Markup {
    let (least, most) =
        values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), value| (least.min(*value), most.max(*value)));
    if values.len() < 2 || !least.is_finite() || !most.is_finite() {
        return html! { svg.sparkline viewBox="0 0 100 30" aria-hidden="true" focusable="false" {} };
    }
    let step = 100.0 / (values.len() - 1) as f64;
    // A figure that never moves is a line in the middle.
    let height = |value: f64| if most > least { 28.0 - 26.0 * (value - least) / (most - least) } else { 15.0 };
    let points: Vec<String> =
        values.iter().zip(0..).map(|(value, at)| format!("{:.2},{:.2}", step * f64::from(at), height(*value))).collect();
    let line = points.join(" ");
    html! {
        svg.sparkline viewBox="0 0 100 30" preserveAspectRatio="none" aria-hidden="true" focusable="false" {
            polygon points={ "0,30 " (line) " 100,30" } {}
            polyline points=(line) {}
        }
    }
}
