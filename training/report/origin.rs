//! What a model was made from, and how.

use maud::{Markup, html};

use super::parts::{absent, section, table};
use super::words::{count, counted, days, percent};
use crate::model::{Card, Counts, HorizonCard, ValueGroup};

/// Rows used, and rows left out with the reason.
pub(super) fn rows(card: &Card) -> Markup {
    let population = &card.population;
    let span = match (population.data_first_day, population.data_as_of) {
        (Some(first), Some(last)) => format!("from {first} to {last}"),
        _ => "without a day of usage".to_owned(),
    };
    let both = |horizon: &HorizonCard| {
        let horizon_days = horizon.horizon_days.get();
        [part(&format!("{horizon_days} days, training"), &horizon.train), part(&format!("{horizon_days} days, test"), &horizon.test)]
    };
    let header = [
        "horizon and part",
        "as-of days",
        "rows",
        "left",
        "base rate",
        "subscriptions",
        "migrated, counted as staying",
        "censored: window after the data",
        "censored: other reason",
        "censored: feed gaps",
        "censored: left in the lead days",
    ];
    section(
        "rows",
        "The data it was made from",
        &html! {
            p {
                "Version " (population.table_version) " of the tables, " (span) ". Censored rows are left out, because their outcome is not known or counts neither way; here is how many there were."
            }
            @if card.horizons.is_empty() {
                (absent("The card counts no rows."))
            } @else {
                (table("Rows used and censored", header, card.horizons.iter().flat_map(both).collect()))
            }
            (risk_deciles(&card.risk_deciles))
        },
    )
}

fn part(name: &str, counts: &Counts) -> [String; 11] {
    [
        name.to_owned(),
        days(counts),
        count(counts.rows),
        count(counts.churners),
        percent(counts.base_rate()),
        count(counts.subscriptions),
        count(counts.migrations),
        count(counts.censored_window),
        count(counts.censored_reason),
        count(counts.censored_gaps),
        count(counts.censored_lead),
    ]
}

fn risk_deciles(groups: &[ValueGroup]) -> Markup {
    let row = |group: &ValueGroup| {
        let rate = group.churners as f64 / group.rows.max(1) as f64;
        [format!("≤ {:.4}", group.to), count(group.rows), count(group.churners), percent(rate)]
    };
    html! {
        @if !groups.is_empty() {
            details {
                summary { "Training rows by the risk that the model gives them" }
                (table("Tenths of the training rows by risk", ["risk", "rows", "left", "share"], groups.iter().map(row).collect()))
            }
        }
    }
}

/// How the coefficients were found.
pub(super) fn fit(card: &Card) -> Markup {
    let fit = &card.fit;
    let tried = fit.alphas_tried.iter().map(|tried| [tried.alpha.to_string(), format!("{:.6}", tried.log_loss)]);
    let steps: Vec<String> = fit.newton_steps.iter().map(u32::to_string).collect();
    section(
        "fit",
        "How it was fitted",
        &html! {
            @if steps.is_empty() {
                (absent("Nothing was fitted."))
            } @else {
                p {
                    "A logistic regression with an L2 penalty of " strong { (fit.alpha) } ", found in " (steps.join(", ")) " Newton steps ("
                    (counted(card.horizons.len() as u64, "horizon", "horizons")) "). "
                    @if fit.alphas_tried.is_empty() { "The penalty was given, not chosen." } @else { "The penalty is the one of these with the least log loss on training rows left out." }
                }
                @match &fit.calibration {
                    None => p { "Too few rows were left out to look for a calibration, so there is none." },
                    Some(found) => p {
                        "Platt's calibration, found on training rows left out: slope " (format!("{:.3}", found.slope)) ", intercept " (format!("{:+.3}", found.intercept))
                        ". On rows that it was not found on, the Brier score was " (format!("{:.6}", found.brier_before)) " without it and " (format!("{:.6}", found.brier_after)) " with it, so it was "
                        strong { (if found.kept { "kept" } else { "not kept" }) } "."
                    },
                }
                @if !fit.alphas_tried.is_empty() {
                    details { summary { "The penalties that were tried" } (table("Log loss on training rows left out", ["penalty", "log loss"], tried.collect())) }
                }
            }
            p.note { "SHA-256 of " code { "model.bin" } ": " code.long { (card.model_sha256) } }
        },
    )
}
