//! What a reader of the figures should know, in words: of the feed, the tables, the model.

use maud::{Markup, html};

use super::board::Board;
use super::texts::fill;
use crate::domain::{Day, Period};
use crate::model::{Alarm, Method};
use crate::service::meta::Warning;

/// The codes of warnings that the page tells by its own means: a card says what it has not.
const TOLD_ELSEWHERE: [&str; 2] = ["no_model", "baseline"];

/// Days of a gap that are named.
const NAMED_DAYS: usize = 3;

pub(super) fn warnings(board: &Board<'_>, period: Period, warned: &[Warning]) -> Markup {
    let t = board.reader.t;
    let alarms = board.version.model().map_or_else(Vec::new, |loaded| board.version.alarms(loaded));
    let told = warned.iter().filter(|warning| !TOLD_ELSEWHERE.contains(&warning.code));
    let mut sentences: Vec<(&str, String)> =
        told.map(|warning| (warning.code, said(board, period, warning.code, &warning.detail, &warning.days))).collect();
    let (drifted, others): (Vec<&Alarm>, Vec<&Alarm>) = alarms.iter().partition(|alarm| alarm.code == "drift");
    sentences.extend(others.iter().map(|alarm| (alarm.code, said(board, period, alarm.code, &alarm.detail, &[]))));
    if !drifted.is_empty() {
        sentences.push(("drift", board.reader.counted(drifted.len() as u64, t.drift_alarms)));
    }
    if let Some(loaded) = board.version.model().filter(|loaded| loaded.card.method == Method::Baseline) {
        let counts = loaded.card.main().map(|main| (main.train.rows, main.train.churners)).unwrap_or_default();
        sentences.push((
            "baseline",
            fill(t.baseline_warning, &[("rows", &board.reader.whole(counts.0)), ("left", &board.reader.whole(counts.1))]),
        ));
    }
    html! {
        @if !sentences.is_empty() {
            aside.warnings aria-label=(t.warnings) {
                ul { @for (code, sentence) in &sentences { li data-code=(code) { (sentence) } } }
            }
        }
    }
}

/// A warning in the reader's language, with the numbers that it is about; in the words of the
/// interface where it is none that a page knows.
fn said(board: &Board<'_>, period: Period, code: &str, detail: &str, days: &[Day]) -> String {
    let (reader, t) = (board.reader, board.reader.t);
    let portfolio = &board.version.tables().portfolio;
    let as_of = portfolio.as_of().unwrap_or(period.to());
    let day = |day: Day| reader.day_text(day);
    let count = |count: usize, plural| reader.counted(count as u64, plural);
    match code {
        "gap_days" => {
            let named: Vec<String> = days.iter().take(NAMED_DAYS).map(|one| day(*one)).collect();
            let more = if days.len() > NAMED_DAYS { "\u{2026}" } else { "" };
            format!("{} ({}{more})", count(days.len(), t.gap_days), named.join(", "))
        }
        "after_as_of" => fill(t.after_as_of, &[("day", &day(as_of))]),
        "before_data" => fill(t.before_data, &[("day", &day(portfolio.first_day().unwrap_or(as_of)))]),
        "preceding_before_data" => t.preceding_before_data.to_owned(),
        "no_cost" => t.no_cost.to_owned(),
        "events_without_effect" => count(portfolio.data_errors().len(), t.events_without_effect),
        "creation_not_recorded" => {
            count(portfolio.subscriptions().iter().filter(|one| one.creation_is_derived).count(), t.creation_not_recorded)
        }
        "stale_feed" => {
            let age = board.version.seen_on().map_or(0, |today| u64::try_from(today - as_of).unwrap_or(0));
            fill(t.stale_feed, &[("day", &day(as_of)), ("days", &reader.counted(age, t.days))])
        }
        "gaps" => {
            let missing = portfolio.gaps().iter().filter(|gap| as_of - **gap < crate::model::GAP_WINDOW_DAYS).count();
            fill(t.recent_gaps, &[("days", &count(missing, t.days)), ("of", &reader.whole(crate::model::GAP_WINDOW_DAYS))])
        }
        "old_model" => {
            let learnt = board.version.model().map_or(as_of, |loaded| loaded.model.learnt_through());
            fill(t.old_model, &[("day", &day(learnt))])
        }
        _ => detail.to_owned(),
    }
}
