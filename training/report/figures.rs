//! Tables of figures: all contestants, all horizons, and the model that was in service before.

use maud::{Markup, html};

use super::Tested;
use super::parts::{absent, section, table};
use super::words::{count, counted, fine, gain, money, percent, percent_with_interval, rough};
use crate::model::{Card, Evaluation, Gain, HorizonCard, Measured};

/// The model first, then what it has to beat, the strongest first.
pub(super) fn contestants_of(evaluation: &Evaluation) -> [(&'static str, &Measured); 4] {
    [
        ("model", &evaluation.model),
        ("three features", &evaluation.three_features),
        ("recency rule", &evaluation.recency_rule),
        ("base rate", &evaluation.base_rate_rule),
    ]
}

/// A figure of the measured, by its name.
type Row = (&'static str, fn(&Measured) -> String);

const ROWS: [Row; 13] = [
    ("rows", |measured| count(measured.rows)),
    ("ROC AUC", |measured| rough(measured.roc_auc)),
    ("PR AUC", |measured| rough(measured.pr_auc)),
    ("log loss (less is better)", |measured| fine(measured.log_loss)),
    ("Brier score (less is better)", |measured| fine(measured.brier)),
    ("Brier skill", |measured| rough(measured.brier_skill)),
    ("calibration slope (1 is perfect)", |measured| rough(measured.calibration_slope)),
    ("calibration intercept (0 is perfect)", |measured| rough(measured.calibration_intercept)),
    ("calibration error", |measured| fine(measured.calibration_error)),
    ("leavers foretold", |measured| format!("{:.1}", measured.expected_churners)),
    ("leavers", |measured| format!("{:.0}", measured.actual_churners)),
    ("foretold to actual", |measured| rough(measured.expected_to_actual)),
    ("30 days' cost foretold to leave, and left", |measured| format!("{}, {}", money(measured.expected_cost), money(measured.actual_cost))),
];

/// The figures of all contestants on the same rows.
pub(super) fn contestants(tested: Tested<'_>) -> Markup {
    let contestants = contestants_of(tested.evaluation);
    let rows = ROWS.iter().map(|(name, of)| {
        let [a, b, c, d] = contestants.map(|(_, measured)| of(measured));
        [(*name).to_owned(), a, b, c, d]
    });
    let over = |name: &str, of: &Gain| [name.to_owned(), gain(of.roc_auc), gain(of.pr_auc), gain(of.log_loss)];
    let gains = vec![
        over("over the recency rule", &tested.evaluation.gain_over_recency),
        over("over three features", &tested.evaluation.gain_over_three_features),
    ];
    let top = contestants.into_iter().flat_map(|(name, measured)| {
        measured.top.iter().map(move |top| {
            [
                name.to_owned(),
                format!("{:.0} %", top.share * 100.0),
                count(top.rows),
                percent_with_interval(top.precision),
                percent_with_interval(top.recall),
                format!("{:.2} ({:.2} to {:.2})", top.lift.value, top.lift.low, top.lift.high),
            ]
        })
    });
    section(
        "figures",
        "All figures, beside what it has to beat",
        &html! {
            (table("On the same test rows, with 95 % intervals", ["", "model", "three features", "recency rule", "base rate"], rows.collect()))
            (table("The model less its rivals (log loss is better below 0)", ["", "ROC AUC", "PR AUC", "log loss"], gains))
            (table("The riskiest rows, with 95 % intervals", ["", "riskiest", "rows", "precision", "recall", "lift"], top.collect()))
        },
    )
}

/// One row for each horizon.
pub(super) fn horizons(card: &Card) -> Markup {
    let row = |horizon: &HorizonCard| {
        let of =
            |of: fn(&Measured) -> String| horizon.evaluation.as_ref().map_or_else(|| "not measured".to_owned(), |found| of(&found.model));
        let over =
            |of: fn(&Gain) -> String| horizon.evaluation.as_ref().map_or_else(|| "-".to_owned(), |found| of(&found.gain_over_recency));
        [
            counted(u64::from(horizon.horizon_days.get()), "day", "days"),
            count(horizon.test.rows),
            percent(horizon.base_rate),
            of(|measured| rough(measured.roc_auc)),
            of(|measured| rough(measured.pr_auc)),
            over(|found| gain(found.pr_auc)),
            of(|measured| fine(measured.log_loss)),
            over(|found| gain(found.log_loss)),
            of(|measured| rough(measured.expected_to_actual)),
        ]
    };
    let levels = |horizon: &HorizonCard| {
        let levels = &horizon.levels;
        [
            counted(u64::from(horizon.horizon_days.get()), "day", "days"),
            format!("{:.4}", levels.high_from),
            format!("{:.4}", levels.medium_from),
            percent(levels.stated_precision),
            format!("{}, {}", percent(levels.train_precision), percent(levels.train_recall)),
            format!("{}, {}", percent(levels.test_precision), percent(levels.test_recall)),
        ]
    };
    let header =
        ["horizon", "test rows", "base rate", "ROC AUC", "PR AUC", "over recency", "log loss", "over recency", "foretold to actual"];
    let levels_header = [
        "horizon",
        "high from",
        "medium from",
        "precision asked of high",
        "precision, recall in training",
        "precision, recall on test rows",
    ];
    section(
        "horizons",
        "Further ahead",
        &html! {
            @if card.horizons.is_empty() {
                (absent("The card tells of no horizon."))
            } @else {
                @if card.horizons.len() == 1 { (absent("The model looks ahead over one horizon alone.")) }
                (table("Each horizon on its own test rows, with 95 % intervals", header, card.horizons.iter().map(row).collect()))
                (table("From which risk on a level begins, and what high holds", levels_header, card.horizons.iter().map(levels).collect()))
            }
        },
    )
}

/// Beside the model that was in service when this one was trained.
pub(super) fn against(card: &Card) -> Markup {
    section(
        "against",
        "Beside the model that was in service",
        &html! {
            @match &card.against {
                None => (absent("No model that answers the same question was in service when this one was trained, or too few rows were new to both.")),
                Some(against) => {
                    p {
                        "On " (counted(against.rows, "test row", "test rows")) " that neither had seen, " (count(against.churners)) " of which left, this model is "
                        strong { (if against.is_worse() { "worse, beyond chance," } else { "not worse, beyond chance," }) } " than " code { (against.version) } "."
                    }
                    (table(
                        "Both on the same rows, with 95 % intervals",
                        ["", "ROC AUC", "PR AUC", "log loss", "Brier score"],
                        vec![both("this model", &against.model), both(&against.version, &against.other),
                            ["difference".to_owned(), gain(against.gain.roc_auc), gain(against.gain.pr_auc), gain(against.gain.log_loss), "-".to_owned()]],
                    ))
                }
            }
        },
    )
}

fn both(name: &str, measured: &Measured) -> [String; 5] {
    [name.to_owned(), rough(measured.roc_auc), rough(measured.pr_auc), fine(measured.log_loss), fine(measured.brier)]
}
