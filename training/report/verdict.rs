//! The top of the page: the verdict in a sentence, and what it comes to for whoever calls.

use maud::{Markup, html};

use super::Tested;
use super::parts;
use super::words::{count, counted, days, fine, gain, percent, percent_with_interval, rough};
use crate::model::{AtCutoff, CALIBRATION_ERROR_MAX, Card, Label, Method, Question};

/// The subscriptions that somebody may call in a week.
const RISKIEST: u64 = 100;

/// Grade or method, in a sentence that stands above all else.
pub(super) fn headline(card: &Card) -> Markup {
    html! {
        @match (card.grade, card.method) {
            (Some(grade), _) => {
                h1 {
                    span.grade data-grade=(grade) aria-hidden="true" { (grade) }
                    span { "Grade " (grade) ": this model " (grade.sentence()) "." }
                }
            }
            (None, Method::Baseline) => h1 { "No model: the rule of recency stands in, because there was too little to train on." },
            (None, Method::Model) => h1 { "No grade: this model was not measured on rows that it had not seen." },
        }
        p.lead { (asked(&card.question)) }
    }
}

/// The question, as a person would ask it.
fn asked(question: &Question) -> String {
    let from = match question.lead_days {
        0 => String::new(),
        lead => format!(", beginning {} after it", counted(u64::from(lead), "day", "days")),
    };
    let horizon = counted(u64::from(question.horizon_days.get()), "day", "days");
    let leaves = match question.label {
        Label::Status => format!(
            "be deprovisioned in the {horizon} after a day{from}, and not be recovered within {}",
            counted(u64::from(question.grace_days), "day", "days")
        ),
        Label::Silence => format!("have no usage at all in the {horizon} after a day{from}"),
    };
    let reasons = if question.churn_reasons.is_empty() {
        String::new()
    } else {
        format!(" Only these reasons of an end count as leaving: {}.", question.churn_reasons.join(", "))
    };
    let window = question.active_window_days.map_or_else(String::new, |window| format!(" and was used in the last {window} days"));
    let age = match question.min_age_days {
        0 => String::new(),
        age => format!(" and was first used at least {age} days ago"),
    };
    format!("It answers: will a subscription that is active{window}{age} {leaves}?{reasons}")
}

/// What the headline rests on.
fn evidence(tested: Tested<'_>) -> Markup {
    let Tested { evaluation, first } = tested;
    let (model, recency, over) = (&evaluation.model, &evaluation.recency_rule, &evaluation.gain_over_recency);
    html! {
        p {
            "It was tested on " strong { (counted(tested.rows(), "row", "rows")) } " that it had not seen (" (days(&first.test)) "), of which "
            strong { (count(tested.churners())) } " left: " (percent(first.base_rate)) "."
        }
        div.tiles {
            (tile("Ranking (PR AUC)", &rough(model.pr_auc), &format!("recency rule {}; better by {}", rough(recency.pr_auc), gain(over.pr_auc)),
                told(over.pr_auc.low > 0.0, over.pr_auc.high < 0.0)))
            (tile("Probabilities (log loss)", &fine(model.log_loss), &format!("recency rule {}; difference {}", fine(recency.log_loss), gain(over.log_loss)),
                told(over.log_loss.high < 0.0, over.log_loss.low > 0.0)))
            (tile("Calibration error", &rough(model.calibration_error), "mean distance of the risk told and the share that left",
                within_grade_a(model.calibration_error.value)))
        }
        p.note { "In parentheses: the 95 % interval. Log loss is better where it is smaller." }
    }
}

/// A's bound, whatever else keeps a model from that grade.
fn within_grade_a(calibration_error: f64) -> &'static str {
    if calibration_error <= CALIBRATION_ERROR_MAX { "as small as grade A asks" } else { "larger than the 0.02 of grade A" }
}

fn told(better: bool, worse: bool) -> &'static str {
    match (better, worse) {
        (true, _) => "better beyond chance",
        (_, true) => "worse beyond chance",
        _ => "the difference may be chance",
    }
}

fn tile(name: &str, figure: &str, beside: &str, verdict: &str) -> Markup {
    html! { div.tile { p.name { (name) } p.figure { (figure) } p { (beside) } p.verdict { (verdict) } } }
}

/// What there is where nothing was measured.
fn unmeasured(card: &Card) -> Markup {
    let first = card.main();
    html! {
        @match first {
            Some(first) => p {
                "There is no evaluation, and so no curves and no figures. At hand were "
                (counted(first.train.rows, "training row", "training rows")) " with " (counted(first.train.churners, "churner", "churners")) " among them, and "
                (counted(first.test.rows, "test row", "test rows")) " with " (counted(first.test.churners, "churner", "churners")) "."
            },
            None => p { "There is no evaluation, and the card counts no rows." },
        }
        p { "The table of the data below says what was left out and why." }
    }
}

/// The verdict and what it rests on.
pub(super) fn section(card: &Card, tested: Option<Tested<'_>>) -> Markup {
    parts::section("verdict", "The verdict", &tested.map_or_else(|| unmeasured(card), evidence))
}

/// What a person who calls customers has of it.
pub(super) fn meaning(tested: Tested<'_>) -> Markup {
    let evaluation = tested.evaluation;
    let riskiest = evaluation.curves.cutoffs.iter().find(|cutoff| cutoff.called >= RISKIEST);
    let tenth = evaluation.model.top.iter().zip(&evaluation.recency_rule.top).find(|(top, _)| (top.share - 0.1).abs() < 1e-9);
    let (expected, actual) = (evaluation.model.expected_churners, evaluation.model.actual_churners);
    parts::section(
        "meaning",
        "What it means for you",
        &html! {
            ul.meaning {
                @if let Some(cutoff) = riskiest { li { (among_the_riskiest(*cutoff, tested)) } }
                @if let Some((top, recency)) = tenth {
                    li {
                        "Whoever calls the riskiest tenth reaches " strong { (percent_with_interval(top.recall)) }
                        " of all who leave, where the recency rule reaches " (percent_with_interval(recency.recall)) "."
                    }
                }
                li {
                    "It foretold " strong { (format!("{expected:.0}")) } " leavers in all, and " strong { (format!("{actual:.0}")) } " left: "
                    (rough(evaluation.model.expected_to_actual)) " times as many as came to pass."
                }
            }
        },
    )
}

fn among_the_riskiest(cutoff: AtCutoff, tested: Tested<'_>) -> Markup {
    let by_chance = tested.first.base_rate * cutoff.called as f64;
    html! {
        "Of the " strong { (count(cutoff.called)) } " riskiest rows, " strong { (count(cutoff.caught)) } " left. Of as many picked at random it would have been "
        (format!("{by_chance:.1}")) "."
    }
}
