//! What the features do: the strongest as charts, all of them as a table.

use maud::{Markup, html};
use serde_json::json;

use super::chart::Chart;
use super::parts::{self, absent, table};
use super::words::{count, percent};
use crate::features::{FEATURES, Feature};
use crate::model::{Card, FeatureCard};

/// Features that get a chart.
const STRONGEST: usize = 12;

fn strongest(card: &Card) -> Markup {
    let mut by_strength: Vec<&FeatureCard> = card.features.iter().collect();
    by_strength.sort_by(|a, b| strength(b).total_cmp(&strength(a)));
    let base = card.main().map_or(0.0, |first| first.train.base_rate());
    html! {
        p {
            "A coefficient says what one standard deviation more of a feature does to the odds of leaving where all other features stay as they are: "
            "features that go together share what they know, so one of them may point the other way than its chart does. "
            "The bars are plain counts of the training rows: the share that left, by tenths of the feature's value; the dotted line is the share of all."
        }
        div.features { @for (at, feature) in by_strength.iter().take(STRONGEST).enumerate() { (one(at, feature, base)) } }
        details {
            summary { "All " (card.features.len()) " features as a table" }
            (all(card, &by_strength))
        }
    }
}

/// Of the horizon that is graded.
fn strength(feature: &FeatureCard) -> f64 {
    first(feature).abs()
}

fn first(feature: &FeatureCard) -> f64 {
    feature.coefficients.first().copied().unwrap_or(0.0)
}

/// The catalogue's entry; none for a feature of another catalogue.
fn known(name: &str) -> Option<&'static Feature> {
    FEATURES.iter().find(|feature| feature.name == name)
}

fn show(feature: &FeatureCard, value: f64) -> String {
    known(&feature.name).map_or_else(|| format!("{value:.3}"), |known| known.show(value))
}

fn one(at: usize, feature: &FeatureCard, base: f64) -> Markup {
    let labels: Vec<String> = feature.deciles.iter().map(|group| format!("≤ {}", show(feature, group.to))).collect();
    let places: Vec<usize> = (0..labels.len()).collect();
    let rates: Vec<f64> = feature.deciles.iter().map(|group| group.churners as f64 / group.rows.max(1) as f64).collect();
    let hover: Vec<String> =
        feature.deciles.iter().map(|group| format!("{} of {} left", count(group.churners), count(group.rows))).collect();
    let edge = labels.len() as f64 - 0.5;
    let traces = vec![
        json!({ "type": "bar", "x": places, "y": rates, "text": hover, "textposition": "none", "hovertemplate": "%{text}<extra></extra>", "marker": { "color": "--first" } }),
        super::chart::guide("all", [-0.5, edge], [base, base]),
    ];
    let rows = feature.deciles.iter().zip(&labels).zip(&rates);
    let rows = rows.map(|((group, label), rate)| [label.clone(), count(group.rows), count(group.churners), percent(*rate)]);
    let coefficient = first(feature);
    html! {
        article.feature {
            h3 { code { (feature.name) } }
            p { "+1 standard deviation: odds " strong { "× " (format!("{:.2}", coefficient.exp())) } " (coefficient " (format!("{coefficient:+.3}")) ")" }
            @if let Some(known) = known(&feature.name) { p.note { (known.formula) } }
            (Chart {
                id: &format!("feature-{at}"),
                title: "Share that left, by tenths",
                tells: &format!("Feature {}.", feature.name),
                traces,
                layout: json!({ "small": true, "showlegend": false, "xaxis": { "tickvals": places, "ticktext": labels, "tickangle": -45 }, "yaxis": { "tickformat": ".0%", "rangemode": "tozero" } }),
                numbers: Some(table("Tenths of the training rows", ["value", "rows", "left", "share"], rows.collect())),
            }.draw())
        }
    }
}

fn all(card: &Card, by_strength: &[&FeatureCard]) -> Markup {
    let horizons: Vec<String> = card.horizons.iter().map(|horizon| format!("{} days", horizon.horizon_days.get())).collect();
    let row = |feature: &&FeatureCard| {
        let coefficients: Vec<String> = feature.coefficients.iter().map(|coefficient| format!("{coefficient:+.4}")).collect();
        [
            feature.name.clone(),
            format!("{:?}", feature.family).to_lowercase(),
            coefficients.join(" / "),
            format!("{:.3}", first(feature).exp()),
            show(feature, feature.typical),
            known(&feature.name).map_or_else(String::new, |known| known.formula.to_owned()),
        ]
    };
    let coefficients = format!("coefficient ({})", horizons.join(" / "));
    let header = ["feature", "family", &coefficients, "odds at +1 sd", "typical", "formula"];
    table("All features, the strongest first", header, by_strength.iter().map(row).collect())
}

/// The section.
pub(super) fn section(card: &Card) -> Markup {
    let content = if card.features.is_empty() { absent("The card tells of no features.") } else { strongest(card) };
    parts::section("features", "What it looks at", &content)
}
