//! The vendor's own level beside the model; nothing where the tables tell none.

use maud::{Markup, html};

use super::parts::{absent, section as part, table};
use super::words::{count, counted, gain, percent, rough};
use crate::model::{AgainstVendor, AtLevel, Card, VendorCounts, VendorFigures};

/// The section, where there is anything to tell.
pub(super) fn section(card: &Card) -> Markup {
    let Some(against) = &card.against_vendor else { return html! {} };
    let counts = &against.counts;
    part(
        "vendor",
        "Beside Microsoft's own level",
        &html! {
            p {
                "Microsoft tells a level of its own for each subscription; it is no feature of this model. The tables hold "
                (counted(counts.told, "such level", "such levels")) ", each of a subscription and a day. Compared are "
                strong { (counted(counts.rows, "row", "rows")) } " that the model had not learnt from and whose outcome is known"
                @if let Some((first, last)) = counts.first_on.zip(counts.last_on) { " (" (first) " to " (last) ")" }
                ", of which " strong { (count(counts.churners)) } " left."
            }
            (left_out(counts))
            @match &against.figures {
                None => (absent(&format!(
                    "That is too little to compare: figures need {} rows, {} that left among them and {} that stayed.",
                    AgainstVendor::ROWS_MIN, AgainstVendor::EACH_MIN, AgainstVendor::EACH_MIN
                ))),
                Some(figures) => (both(figures)),
            }
        },
    )
}

fn left_out(counts: &VendorCounts) -> Markup {
    let mut rows = vec![
        ["on days that the model had learnt from".to_owned(), count(counts.learnt_from)],
        ["not active then, or not asked about".to_owned(), count(counts.not_asked)],
        ["outcome not known yet, or censored".to_owned(), count(counts.without_outcome)],
    ];
    rows.extend(
        counts
            .unknown_words
            .iter()
            .map(|(word, rows)| [format!("the word \u{201c}{word}\u{201d}, which is no level that we know"), count(*rows)]),
    );
    html! { details { summary { "Levels that were left out" } (table("Levels left out, with the reason", ["reason", "levels"], rows)) } }
}

fn both(figures: &VendorFigures) -> Markup {
    let row = |who: &'static str| {
        move |at: &AtLevel| [format!("{who}, {}", at.level.as_str()), count(at.rows), count(at.churners), percent(at.share())]
    };
    let most = &figures.riskiest_as_many;
    let riskiest =
        [format!("this model, the {} riskiest", count(most.rows)), count(most.rows), count(most.churners), percent(most.share())];
    let levels =
        figures.vendor_levels.iter().map(row("Microsoft")).chain(figures.model_levels.iter().map(row("this model"))).chain([riskiest]);
    let aucs = vec![
        ["this model's risk".to_owned(), rough(figures.model_roc_auc)],
        ["Microsoft's level, as a score of three steps".to_owned(), rough(figures.vendor_roc_auc)],
        ["difference".to_owned(), gain(figures.gain_roc_auc)],
    ];
    html! {
        (table("Ranking of the same subscriptions on the same days, with 95 % intervals", ["", "ROC AUC"], aucs))
        (table("Who left, by level", ["", "rows", "left", "share"], levels.collect()))
    }
}
