//! How numbers are written on the page, and what its words mean.

use maud::{Markup, html};

use super::parts::section;
use crate::model::{Counts, Interval};

/// `12,345`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `12,345 rows`, `1 row`.
pub(super) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// `4.3 %`, which no line end parts.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1}\u{a0}%", share * 100.0)
}

/// `4.3 % (3.1 to 5.6)`.
pub(super) fn percent_with_interval(interval: Interval) -> String {
    format!("{:.1}\u{a0}% ({:.1} to {:.1})", interval.value * 100.0, interval.low * 100.0, interval.high * 100.0)
}

/// `0.315 (0.209 to 0.422)`.
pub(super) fn rough(interval: Interval) -> String {
    format!("{:.3} ({:.3} to {:.3})", interval.value, interval.low, interval.high)
}

/// `0.0723 (0.0604 to 0.0875)`, for scores that differ little.
pub(super) fn fine(interval: Interval) -> String {
    format!("{:.4} ({:.4} to {:.4})", interval.value, interval.low, interval.high)
}

/// A difference with its sign.
pub(super) fn gain(interval: Interval) -> String {
    format!("{:+.4} ({:+.4} to {:+.4})", interval.value, interval.low, interval.high)
}

/// Money, in whole units of the reporting currency.
pub(super) fn money(amount: f64) -> String {
    let sign = if amount <= -0.5 { "-" } else { "" };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cost below 2^53, without its sign")]
    let whole = amount.abs().round() as u64;
    format!("{sign}{}", count(whole))
}

/// `5 days, 2026-07-30 to 2026-09-24`.
pub(super) fn days(counts: &Counts) -> String {
    match (counts.first_as_of, counts.last_as_of) {
        (Some(first), Some(last)) if first == last => first.to_string(),
        (Some(first), Some(last)) => format!("{}, {first} to {last}", counted(counts.as_of_days, "day", "days")),
        _ => "none".to_owned(),
    }
}

const GLOSSARY: [(&str, &str); 19] = [
    ("As-of day", "The day on which the question is asked. Nothing after it is known to the model."),
    ("Horizon", "The days after the as-of day in which a subscription may leave."),
    ("Row", "One subscription on one as-of day. A subscription is in a row of each as-of day on which it was active."),
    ("Churner", "A row whose subscription left within the horizon."),
    ("Test rows", "Rows of days after the training rows, with a gap between them, so that no answer reaches from one into the other."),
    ("Risk", "The probability of leaving that the model tells, from 0 to 1."),
    ("Base rate", "The share of churners among all test rows: what calling at random would find."),
    ("Recency rule", "A curve over the days since the last usage alone, fitted on the same training rows. What a model has to beat."),
    ("Three features", "A small model of recency, active days of the last 28, and the trend of 28 days."),
    (
        "95 % interval",
        "The figure is worked out again over customers drawn with replacement, many times; 95 of 100 times it falls in here.",
    ),
    ("Precision", "Of those called, the share that left."),
    ("Recall", "Of those who left, the share that was called."),
    ("Lift", "Precision over the base rate: how many times better than calling at random."),
    ("ROC AUC", "The probability that a churner has a higher risk than one who stays. 0.5 is chance, 1 is perfect."),
    ("PR AUC", "Average precision over all cut-offs. Chance is the base rate, 1 is perfect. Of rare events it says more than ROC AUC."),
    ("Log loss", "How surprised the risks were by what happened. Smaller is better; a confident mistake costs much."),
    (
        "Brier score, Brier skill",
        "Mean squared distance of risk and outcome; and by which share that is below always telling the base rate.",
    ),
    (
        "Calibration",
        "Whether of those with a risk of 20 %, 20 % leave. A slope of 1 and an intercept of 0 are perfect; a slope below 1 means too bold.",
    ),
    ("Censored", "A row whose outcome cannot be known, or counts neither way. It is left out and counted."),
];

pub(super) fn glossary() -> Markup {
    section(
        "glossary",
        "What the words mean",
        &html! {
            dl { @for (word, meaning) in GLOSSARY { dt { (word) } dd { (meaning) } } }
        },
    )
}
