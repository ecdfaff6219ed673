//! Why: what each feature of a subscription does to its risk, in sentences and as a waterfall.

use maud::{Markup, html};

use super::parts::scrolling;
use super::reader::{Language, Reader};
use super::texts::{fill, french_sentence};
use crate::features::Unit;
use crate::service::routes::risk::RiskAnswer;
use crate::service::routes::words::FactorRow;

/// Steps of the waterfall that are seen at once; the others open below them.
const SEEN: usize = 12;

/// What a feature says, in the reader's language.
pub(super) fn sentence(reader: &Reader, factor: &FactorRow) -> String {
    if reader.language == Language::English {
        // No line end between a number and its sign.
        return factor.sentence.replace(" %", "\u{a0}%");
    }
    let Some((own, usual)) = factor.value.zip(factor.typical) else { return reader.t.volume_hidden.to_owned() };
    let value = shown(reader, factor.unit, own);
    let typical = shown(reader, factor.unit, usual);
    french_sentence(factor.feature, own, usual)
        .map_or_else(|| factor.sentence.clone(), |sentence| fill(sentence, &[("value", &value), ("typical", &typical)]))
}

/// A value in its feature's unit.
fn shown(reader: &Reader, unit: Unit, value: f64) -> String {
    let plain = |value: f64| reader.number_text(value, if value.abs() >= 100.0 { 0 } else { 2 });
    match unit {
        Unit::Days | Unit::Count | Unit::Flag => reader.number_text(value, 0),
        Unit::VolumePerDay | Unit::Number => plain(value),
        Unit::Share => reader.percent_text(value, 0),
        Unit::ShareChange => fill(reader.t.points, &[("n", &reader.number_text(value * 100.0, 0))]),
        Unit::LogRatio if value < std::f64::consts::LN_2 => reader.percent_text(value.exp(), 0),
        Unit::LogRatio => fill(reader.t.times, &[("n", &reader.number_text(value.exp(), 1))]),
    }
}

/// One step of the waterfall, in log-odds.
struct Step<'s> {
    factor: &'s FactorRow,
    from: f64,
    to: f64,
}

/// From the log-odds of a typical subscription to those of this one, feature by feature.
pub(super) fn waterfall(reader: &Reader, risk: &RiskAnswer) -> Markup {
    let Some((base, end)) = risk.base_log_odds.zip(risk.log_odds) else { return html! {} };
    let t = reader.t;
    let mut at = base;
    let mut steps = Vec::with_capacity(risk.factors.len());
    for factor in &risk.factors {
        let from = at;
        at += factor.contribution;
        steps.push(Step { factor, from, to: at });
    }
    let all = || steps.iter().flat_map(|step| [step.from, step.to]).chain([base, end]);
    let scale = Scale { least: all().fold(f64::INFINITY, f64::min), most: all().fold(f64::NEG_INFINITY, f64::max) };
    let (seen, others) = steps.split_at(SEEN.min(steps.len()));
    let head = html! { thead { tr {
        th scope="col" { (t.feature) }
        th.number scope="col" { (t.log_odds) }
        th.wide scope="col" { (t.step) }
    } } };
    let first = html! {
        table.waterfall {
            caption.note { (t.waterfall_means) }
            (head)
            tbody {
                (end_row(reader, t.typical_subscription, base, &scale))
                @for step in seen { (step_row(reader, step, &scale)) }
                @if others.is_empty() { (end_row(reader, t.this_subscription, end, &scale)) }
            }
        }
    };
    let rest = html! {
        table.waterfall {
            caption.unseen { (t.other_features) }
            (head)
            tbody {
                @for step in others { (step_row(reader, step, &scale)) }
                (end_row(reader, t.this_subscription, end, &scale))
            }
        }
    };
    html! {
        (scrolling(reader, t.waterfall, &first))
        @if !others.is_empty() {
            details { summary { (reader.counted(others.len() as u64, t.more_features)) } (scrolling(reader, t.other_features, &rest)) }
        }
    }
}

/// Log-odds over the width of a bar.
struct Scale {
    least: f64,
    most: f64,
}

impl Scale {
    fn at(&self, log_odds: f64) -> f64 {
        let span = self.most - self.least;
        if span > 0.0 { 2.0 + 96.0 * (log_odds - self.least) / span } else { 50.0 }
    }
}

/// Where the sum stands at either end, as a risk.
fn end_row(reader: &Reader, name: &str, log_odds: f64, scale: &Scale) -> Markup {
    let risk = crate::domain::ChurnRisk::from_log_odds(log_odds).get();
    let at = scale.at(log_odds);
    html! {
        tr.sum {
            th scope="row" { (name) (reader.t.colon) (reader.percent(risk, 1)) }
            td.number { (reader.number(log_odds, 2)) }
            td.wide {
                svg.step viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" focusable="false" {
                    line.mark x1=(fixed(at)) x2=(fixed(at)) y1="0" y2="10" {}
                }
            }
        }
    }
}

fn step_row(reader: &Reader, step: &Step<'_>, scale: &Scale) -> Markup {
    let (left, right) = (scale.at(step.from.min(step.to)), scale.at(step.from.max(step.to)));
    let way = if step.to > step.from { "up" } else { "down" };
    html! {
        tr data-feature=(step.factor.feature) {
            th scope="row" { (sentence(reader, step.factor)) }
            td.number { data value=(step.factor.contribution) { (reader.signed_text(step.factor.contribution, 2)) } }
            td.wide {
                svg.step viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" focusable="false" {
                    rect class=(way) x=(fixed(left)) y="1" width=(fixed((right - left).max(0.4))) height="8" {}
                }
            }
        }
    }
}

fn fixed(number: f64) -> String {
    format!("{number:.2}")
}
