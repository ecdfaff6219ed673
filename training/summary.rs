//! What training tells a person at its end: rows, what was left out and why, and the figures
//! beside the baselines.

use comfy_table::{CellAlignment, Table, presets};

use crate::model::{Against, AgainstVendor, AtLevel, Card, Counts, Evaluation, Interval};

/// The summary of a card, as text.
#[must_use]
pub fn summary(card: &Card) -> String {
    let Some((first, evaluation)) = card.main().zip(card.evaluation()) else { return baseline(card) };
    let levels = &first.levels;
    format!(
        "{}\n{}\n{}\n{}\n{}{}high: risk from {:.3}, asked for a precision of {:.2}; on test rows {:.2} of it left, and it held {:.0} % of all who left\n\
         medium: risk from {:.3}\n",
        rows(card),
        figures(evaluation),
        top(evaluation),
        verdict(card),
        against(card),
        against_vendor(card),
        levels.high_from,
        levels.stated_precision,
        levels.test_precision,
        levels.test_recall * 100.0,
        levels.medium_from,
    )
}

pub(super) fn table<const N: usize>(header: [&str; N], numbers_from: usize) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(header);
    for column in numbers_from..N {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// Grade or method, in a sentence.
pub(super) fn verdict(card: &Card) -> String {
    card.grade.map_or_else(
        || "the rule of recency: there was too little to train a model on".to_owned(),
        |grade| format!("grade {grade}: it {}", grade.sentence()),
    )
}

fn against(card: &Card) -> String {
    card.against.as_ref().map_or_else(String::new, |against| beside(&card.version, against) + "\n")
}

fn against_vendor(card: &Card) -> String {
    card.against_vendor.as_ref().map_or_else(String::new, |against| beside_vendor(against) + "\n")
}

/// The vendor's own level beside a model, in a sentence or two.
pub(super) fn beside_vendor(against: &AgainstVendor) -> String {
    let counts = &against.counts;
    let words = counts.unknown_words.iter().map(|(word, rows)| format!("`{word}` {rows} times"));
    let unknown = match words.collect::<Vec<_>>().join(", ") {
        words if words.is_empty() => words,
        words => format!("; no level that we know: {words}"),
    };
    let Some(figures) = &against.figures else {
        return format!(
            "the vendor's own level: {} of {} told are of rows new to the model whose outcome is known, {} of which left: too few to compare \
             (at least {}, with {} who left and {} who stayed){unknown}",
            counts.rows,
            counts.told,
            counts.churners,
            AgainstVendor::ROWS_MIN,
            AgainstVendor::EACH_MIN,
            AgainstVendor::EACH_MIN,
        );
    };
    let levels = |levels: &[AtLevel]| {
        let level = |at: &AtLevel| format!("{} of {} at {}", at.churners, at.rows, at.level.as_str());
        levels.iter().map(level).collect::<Vec<_>>().join(", ")
    };
    format!(
        "beside the vendor's own level, on {} rows new to the model: ROC AUC {}, the vendor's {}\n  who left by the vendor's level: {}; by the model's: {}; \
         of the {} riskiest by the model {}{unknown}",
        counts.rows,
        with_interval(figures.model_roc_auc),
        with_interval(figures.vendor_roc_auc),
        levels(&figures.vendor_levels),
        levels(&figures.model_levels),
        figures.riskiest_as_many.rows,
        figures.riskiest_as_many.churners,
    )
}

/// One version beside another, in a sentence.
pub(super) fn beside(version: &str, against: &Against) -> String {
    let clear = |gain: Interval| gain.low > 0.0 || gain.high < 0.0;
    let verdict = match (against.is_worse(), clear(against.gain.pr_auc) || clear(against.gain.log_loss)) {
        (true, _) => "it is worse, beyond chance",
        (false, true) => "it is better, beyond chance",
        (false, false) => "the difference is within chance",
    };
    format!(
        "{version} less {} on {} rows that neither had seen: PR AUC {}, log loss {}: {verdict}",
        against.version,
        against.rows,
        with_interval(against.gain.pr_auc),
        with_interval(against.gain.log_loss),
    )
}

fn baseline(card: &Card) -> String {
    format!("{}\n{}\n{}", rows(card), verdict(card), against_vendor(card))
}

fn rows(card: &Card) -> Table {
    let header = ["horizon", "part", "as-of days", "rows", "churners", "subscriptions", "window", "reason", "gaps", "lead", "migrated"];
    let mut table = table(header, 3);
    let parts = card.horizons.iter().flat_map(|horizon| [(horizon, "training", &horizon.train), (horizon, "test", &horizon.test)]);
    for (horizon, part, counts) in parts {
        let censored = [counts.censored_window, counts.censored_reason, counts.censored_gaps, counts.censored_lead];
        let mut cells = vec![
            format!("{} days", horizon.horizon_days.get()),
            part.to_owned(),
            days(counts),
            counts.rows.to_string(),
            counts.churners.to_string(),
        ];
        cells.push(counts.subscriptions.to_string());
        cells.extend(censored.map(|rows| if rows == 0 { "-".to_owned() } else { format!("{rows} censored") }));
        cells.push(counts.migrations.to_string());
        table.add_row(cells);
    }
    table
}

fn days(counts: &Counts) -> String {
    match (counts.first_as_of, counts.last_as_of) {
        (Some(first), Some(last)) => format!("{}: {first} to {last}", counts.as_of_days),
        _ => "none".to_owned(),
    }
}

fn figures(evaluation: &Evaluation) -> Table {
    let mut table = table(["on test rows", "ROC AUC", "PR AUC", "Brier", "log loss", "calibration error"], 1);
    let contestants = [
        ("model", &evaluation.model),
        ("three features", &evaluation.three_features),
        ("recency rule", &evaluation.recency_rule),
        ("base rate", &evaluation.base_rate_rule),
    ];
    for (who, measured) in contestants {
        let cells = [measured.roc_auc, measured.pr_auc, measured.brier, measured.log_loss].map(with_interval);
        let mut row = vec![who.to_owned()];
        row.extend(cells);
        row.push(format!("{:.4}", measured.calibration_error.value));
        table.add_row(row);
    }
    let gain = &evaluation.gain_over_recency;
    let mut row = vec!["gain over recency".to_owned()];
    row.extend([with_interval(gain.roc_auc), with_interval(gain.pr_auc), String::new(), with_interval(gain.log_loss), String::new()]);
    table.add_row(row);
    table
}

pub(super) fn with_interval(interval: Interval) -> String {
    format!("{:.4} ({:.4} to {:.4})", interval.value, interval.low, interval.high)
}

fn top(evaluation: &Evaluation) -> Table {
    let mut table = table(["riskiest rows", "rows", "precision", "recall", "lift", "lift by recency"], 1);
    let recency = &evaluation.recency_rule.top;
    for (top, recency) in evaluation.model.top.iter().zip(recency) {
        table.add_row([
            format!("{:.0} %", top.share * 100.0),
            top.rows.to_string(),
            format!("{:.3}", top.precision.value),
            format!("{:.3}", top.recall.value),
            format!("{:.2}", top.lift.value),
            format!("{:.2}", recency.lift.value),
        ]);
    }
    table
}
