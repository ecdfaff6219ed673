//! The report of a model: its card as one page that a person enjoys reading, `report.html`.
//!
//! A pure function of the card: the same card gives the same bytes. The page carries its style,
//! its scripts, the card and every chart, and says in its head that it may load nothing.
//!
//! Absent on purpose: arithmetic that is not in the card's figures but for plain ratios of its
//! counts, and the moment at which it was made.

mod chart;
mod chooser;
mod curves;
mod features;
mod figures;
mod months;
mod origin;
mod parts;
mod vendor;
mod verdict;
mod words;

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::model::{Card, Evaluation, HorizonCard};
use crate::plotly::{DRAWING, in_script, library};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Why there is no page.
#[derive(Debug, Error)]
pub enum ReportError {
    #[error("the drawing library does not unpack")]
    Library(#[source] io::Error),
    #[error("the card does not serialise")]
    Card(#[from] serde_json::Error),
}

/// The horizon that is graded and the figures on its test rows.
#[derive(Debug, Clone, Copy)]
struct Tested<'a> {
    first: &'a HorizonCard,
    evaluation: &'a Evaluation,
}

impl Tested<'_> {
    fn rows(&self) -> u64 {
        self.evaluation.model.rows
    }

    /// Test rows that left.
    fn churners(&self) -> u64 {
        self.first.test.churners
    }

    fn share(&self, part: u64) -> f64 {
        part as f64 / self.rows().max(1) as f64
    }
}

/// The page of a card.
///
/// # Errors
/// Where the card does not serialise.
pub fn report(card: &Card) -> Result<String, ReportError> {
    let plotly = library().map_err(ReportError::Library)?;
    let plotly = String::from_utf8_lossy(&plotly);
    let embedded = in_script(&serde_json::to_string(card)?);
    let tested = card.main().zip(card.evaluation()).map(|(first, evaluation)| Tested { first, evaluation });
    let policy = format!(
        "default-src 'none'; script-src '{}' '{}' '{}'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'",
        digest(&plotly),
        digest(DRAWING),
        digest(SCRIPT)
    );
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Churn model " (card.version) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#verdict" { "Skip to the verdict" }
                (sections(card, tested))
                script #card type="application/json" { (PreEscaped(embedded)) }
                script { (PreEscaped(plotly)) }
                script { (PreEscaped(DRAWING)) }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    Ok(page.into_string())
}

fn sections(card: &Card, tested: Option<Tested<'_>>) -> Markup {
    html! {
        header {
            p.kicker { "Churn model " code { (card.version) } }
            (verdict::headline(card))
        }
        @if tested.is_some() { (contents(card)) }
        main {
            (verdict::section(card, tested))
            @if let Some(tested) = tested {
                (verdict::meaning(tested))
                (chooser::section(tested))
                (curves::ranking(tested))
                (curves::calibration(tested))
                (curves::gain_and_lift(tested))
                (figures::contestants(tested))
            }
            (figures::horizons(card))
            @if tested.is_some() {
                (months::backtest(card))
                (features::section(card))
                (months::segments(card))
                (figures::against(card))
            }
            (vendor::section(card))
            (origin::rows(card))
            (origin::fit(card))
            (words::glossary())
        }
        footer {
            p { "Every figure stands in " code { "card.json" } " beside this page, and in the page itself. The page loads nothing from anywhere." }
        }
    }
}

/// What the page holds, by the names of its sections.
fn contents(card: &Card) -> Markup {
    const PLACES: [(&str, &str); 13] = [
        ("meaning", "For you"),
        ("chooser", "Whom to call"),
        ("ranking", "Ranking"),
        ("calibration", "Calibration"),
        ("gain", "Gain and lift"),
        ("figures", "All figures"),
        ("horizons", "Horizons"),
        ("backtest", "Backtest"),
        ("features", "Features"),
        ("segments", "Segments"),
        ("against", "Before"),
        ("rows", "Data"),
        ("glossary", "Words"),
    ];
    html! {
        nav aria-label="Sections" {
            @for (place, name) in PLACES { a href={ "#" (place) } { (name) } }
            @if card.against_vendor.is_some() { a href="#vendor" { "Microsoft" } }
        }
    }
}

/// The name of a script in the page's policy.
fn digest(script: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(script)))
}
