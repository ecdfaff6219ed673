//! What training tells a person at its end: rows, what was left out and why, and the figures
//! beside the baselines.

use comfy_table::{CellAlignment, Table, presets};

use crate::model::{Card, Counts, Interval};

/// The summary of a card, as text.
#[must_use]
pub fn summary(card: &Card) -> String {
    let levels = &card.levels;
    format!(
        "{}\n{}\n{}\ngrade {}: it {}\nhigh: risk from {:.3}, asked for a precision of {:.2}; on test rows {:.2} of it left, and it held {:.0} % of all who left\n\
         medium: risk from {:.3}\n",
        rows(card),
        figures(card),
        top(card),
        card.grade,
        card.grade.sentence(),
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

fn rows(card: &Card) -> Table {
    let header = ["part", "as-of days", "rows", "churners", "subscriptions", "window", "reason", "gaps", "lead", "migrated"];
    let mut table = table(header, 2);
    for (part, counts) in [("training", &card.population.train), ("test", &card.population.test)] {
        let censored = [counts.censored_window, counts.censored_reason, counts.censored_gaps, counts.censored_lead];
        let mut cells = vec![part.to_owned(), days(counts), counts.rows.to_string(), counts.churners.to_string()];
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

fn figures(card: &Card) -> Table {
    let mut table = table(["on test rows", "ROC AUC", "PR AUC", "Brier", "log loss", "calibration error"], 1);
    for (who, measured) in [("model", &card.model), ("recency rule", &card.recency_rule), ("base rate", &card.base_rate_rule)] {
        let cells = [measured.roc_auc, measured.pr_auc, measured.brier, measured.log_loss].map(with_interval);
        let mut row = vec![who.to_owned()];
        row.extend(cells);
        row.push(format!("{:.4}", measured.calibration_error));
        table.add_row(row);
    }
    let gain = &card.gain_over_recency;
    let mut row = vec!["gain over recency".to_owned()];
    row.extend([with_interval(gain.roc_auc), with_interval(gain.pr_auc), String::new(), with_interval(gain.log_loss), String::new()]);
    table.add_row(row);
    table
}

pub(super) fn with_interval(interval: Interval) -> String {
    format!("{:.4} ({:.4} to {:.4})", interval.value, interval.low, interval.high)
}

fn top(card: &Card) -> Table {
    let mut table = table(["riskiest rows", "rows", "precision", "recall", "lift", "lift by recency"], 1);
    let recency = &card.recency_rule.top;
    for (top, recency) in card.model.top.iter().zip(recency) {
        table.add_row([
            format!("{:.0} %", top.share * 100.0),
            top.rows.to_string(),
            format!("{:.3}", top.precision),
            format!("{:.3}", top.recall),
            format!("{:.2}", top.lift),
            format!("{:.2}", recency.lift),
        ]);
    }
    table
}
