//! What `churn-train` does with models that are there: list, show, report, compare, promote, go
//! back, verify.
//!
//! Absent on purpose: fitting. Every figure is read from a card.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::beside::hold_beside;
use super::outcome::TrainError;
use super::report::{self, ReportError};
use super::summary;
use crate::domain::{Day, chain};
use crate::model::{Card, Counts, Evaluation, Interval, LoadError, Promoted, Promotion, PublishError, Registry};
use crate::portfolio::Portfolio;
use crate::progress::Progress;

/// All versions, one a row: grade, question, and the figures on their own test rows.
///
/// # Errors
/// Where the registry does not read. A version that is refused is told in its row.
pub fn list(registry: &Registry) -> Result<String, LoadError> {
    let versions = registry.versions()?;
    if versions.is_empty() {
        return Ok(format!("no models in {}", registry.folder().display()));
    }
    let current = registry.current_version().ok();
    let header = ["version", "", "grade", "label", "horizon", "test rows", "churn", "ROC AUC", "PR AUC", "log loss", "over recency"];
    let mut table = summary::table(header, 5);
    for version in &versions {
        let mark = if current.as_ref() == Some(version) { "in service" } else { "" };
        let mut cells = vec![version.clone(), mark.to_owned()];
        match registry.load(version) {
            Ok(loaded) => cells.extend(figures(&loaded.card)),
            Err(error) => cells.push(chain(&error)),
        }
        table.add_row(cells);
    }
    Ok(table.to_string())
}

fn figures(card: &Card) -> Vec<String> {
    let horizons: Vec<String> = card.horizons.iter().map(|horizon| horizon.horizon_days.get().to_string()).collect();
    let mut cells = vec![grade(card), format!("{:?}", card.question.label).to_lowercase(), format!("{} days", horizons.join(", "))];
    if let Some((first, evaluation)) = card.main().zip(card.evaluation()) {
        cells.extend([
            first.test.rows.to_string(),
            format!("{:.3}", first.base_rate),
            format!("{:.3}", evaluation.model.roc_auc.value),
            format!("{:.3}", evaluation.model.pr_auc.value),
            format!("{:.4}", evaluation.model.log_loss.value),
            format!("{:+.4}", evaluation.gain_over_recency.log_loss.value),
        ]);
    }
    cells
}

fn grade(card: &Card) -> String {
    card.grade.map_or_else(|| "baseline".to_owned(), |grade| grade.to_string())
}

/// One version: its rows, its figures, its grade, and when it was in service.
///
/// # Errors
/// Where the version is refused.
pub fn show(registry: &Registry, version: Option<&str>) -> Result<String, LoadError> {
    let current = registry.current_version();
    let version = match version {
        Some(version) => version.to_owned(),
        None => current?,
    };
    let loaded = registry.load(&version)?;
    let mut lines = vec![format!("model {version}"), summary::summary(&loaded.card).trim_end().to_owned()];
    lines.extend(registry.promotions()?.iter().filter(|promoted| promoted.version == version).map(sentence));
    Ok(lines.join("\n"))
}

/// Why there is no report.
#[derive(Debug, Error)]
pub enum WriteReportError {
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error("cannot write `{}`", path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// Makes the report of a version, the one in service if none is named, from its card, and writes
/// it to `out`, or beside the model. Returns where it is.
///
/// # Errors
/// Where the version is refused, or the file cannot be written.
pub fn report(registry: &Registry, version: Option<&str>, out: Option<&Path>) -> Result<PathBuf, WriteReportError> {
    let version = version.map_or_else(|| registry.current_version(), |version| Ok(version.to_owned()))?;
    let page = report::report(&registry.load(&version)?.card)?;
    let Some(out) = out else { return Ok(registry.put_report(&version, &page)?) };
    std::fs::write(out, page).map_err(|source| WriteReportError::Write { path: out.to_path_buf(), source })?;
    Ok(out.to_path_buf())
}

fn sentence(promoted: &Promoted) -> String {
    let previous = promoted.previous.as_ref().map_or_else(String::new, |previous| format!(" in the place of {previous}"));
    let how = match (&promoted.forced_by, &promoted.why, promoted.back) {
        (Some(by), Some(why), _) => format!(", forced by {by}: {why}"),
        (_, _, true) => ", as a way back".to_owned(),
        _ => String::new(),
    };
    format!("in service from {}{previous}{how}", promoted.on)
}

/// A figure of a comparison.
type Figure = (&'static str, fn(&Evaluation) -> Interval);

const FIGURES: [Figure; 8] = [
    ("ROC AUC", |evaluation| evaluation.model.roc_auc),
    ("PR AUC", |evaluation| evaluation.model.pr_auc),
    ("Brier", |evaluation| evaluation.model.brier),
    ("log loss", |evaluation| evaluation.model.log_loss),
    ("calibration error", |evaluation| evaluation.model.calibration_error),
    ("expected to actual", |evaluation| evaluation.model.expected_to_actual),
    ("PR AUC over recency", |evaluation| evaluation.gain_over_recency.pr_auc),
    ("log loss over recency", |evaluation| evaluation.gain_over_recency.log_loss),
];

/// Two versions side by side, each on its own test rows, and whether those are the same.
///
/// # Errors
/// Where one of them is refused, or the lake has no rows that neither had seen.
pub fn compare(registry: &Registry, one: &str, other: &str, lake: Option<&Portfolio>) -> Result<String, CommandError> {
    let [first, second] = [registry.load(one)?, registry.load(other)?];
    let anew = lake.map(|portfolio| hold_beside(portfolio, &first, &second, Progress::Shown)).transpose()?.flatten();
    let beside = anew.or_else(|| first.card.against.clone().filter(|against| against.version == other));
    let cards = [first.card, second.card];
    let mut table = summary::table(["", one, other], 3);
    let mut row = |name: &str, of: &dyn Fn(&Card) -> String| {
        table.add_row([name.to_owned(), of(&cards[0]), of(&cards[1])]);
    };
    let counts =
        |counts: Option<&Counts>| counts.map_or_else(String::new, |counts| format!("{} rows, {} churners", counts.rows, counts.churners));
    row("grade", &grade);
    row("trained on", &|card| counts(card.main().map(|first| &first.train)));
    row("tested on", &|card| counts(card.main().map(|first| &first.test)));
    row("test days", &|card| {
        let days = card.main().and_then(|first| first.test.first_as_of.zip(first.test.last_as_of));
        days.map_or_else(String::new, |(first, last)| format!("{first} to {last}"))
    });
    row("penalty", &|card| card.fit.alpha.to_string());
    for (name, of) in FIGURES {
        row(name, &|card| card.evaluation().map_or_else(String::new, |evaluation| summary::with_interval(of(evaluation))));
    }
    let same_question = cards[0].question == cards[1].question;
    let same_rows = same_question && cards[0].population.table_version == cards[1].population.table_version && {
        cards[0].main().map(|first| &first.test) == cards[1].main().map(|first| &first.test)
    };
    let note = match (same_question, same_rows) {
        (_, true) => "both were tested on the same rows",
        (true, false) => "they were tested on other rows: read each against its own recency rule, not against the other",
        (false, _) => "they answer other questions: their figures cannot be held against each other",
    };
    let mut text = format!("{table}\n{note}");
    if let Some(against) = beside {
        text.extend(["\n".to_owned(), summary::beside(one, &against)]);
    }
    Ok(text)
}

/// How a version may come into service without force: by its card, or held beside the version in
/// service on the rows of a lake.
///
/// # Errors
/// Where a model is refused, or the lake has no rows that neither had seen.
pub fn earned(registry: &Registry, version: &str, lake: Option<&Portfolio>) -> Result<Promotion, CommandError> {
    let Some(portfolio) = lake else { return Ok(Promotion::Earned) };
    let against = hold_beside(portfolio, &registry.load(version)?, &registry.load_current()?, Progress::Shown)?;
    Ok(against.map_or(Promotion::Earned, |against| Promotion::Beside(Box::new(against))))
}

/// Why a command says nothing.
#[derive(Debug, Error)]
pub enum CommandError {
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error("the two cannot be held side by side")]
    Beside(#[from] TrainError),
}

/// Puts a version in service.
///
/// # Errors
/// As [`Registry::promote`].
pub fn promote(registry: &Registry, version: &str, how: &Promotion, on: Day) -> Result<String, PublishError> {
    let loaded = registry.promote(version, how, on)?;
    Ok(format!("model {version} is in service; {}", summary::verdict(&loaded.card)))
}

/// Puts the version before in service.
///
/// # Errors
/// As [`Registry::roll_back`].
pub fn roll_back(registry: &Registry, on: Day) -> Result<String, PublishError> {
    let left = registry.current_version()?;
    let loaded = registry.roll_back(on)?;
    Ok(format!("model {} is in service again, in the place of {left}", loaded.model.version()))
}

/// Reads and checks every version. Returns what to tell, and whether all are sound.
///
/// # Errors
/// Where the registry does not read.
pub fn verify(registry: &Registry) -> Result<(String, bool), LoadError> {
    let mut lines = Vec::new();
    let mut sound = true;
    for version in registry.versions()? {
        match registry.verify(&version) {
            Ok(_) => lines.push(format!("{version}: sound")),
            Err(error) => {
                sound = false;
                lines.push(format!("{version}: {}", chain(&error)));
            }
        }
    }
    if let Err(error) = registry.load_current() {
        sound = false;
        lines.push(format!("in service: {}", chain(&error)));
    }
    Ok((lines.join("\n"), sound))
}
