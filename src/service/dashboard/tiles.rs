//! The figures at a glance: what was sold, who uses it, what it costs, what is at risk.

use maud::{Markup, html};

use super::board::{Asked, Board};
use super::parts::{absent, defined, sparkline};
use super::reader::Good;
use super::view::FILTERS;
use crate::metrics::{Churn, Figure};
use crate::service::routes::summary::SummaryAnswer;
use crate::service::scores::CostAtRisk;

/// One figure.
struct Tile<'t> {
    id: &'static str,
    name: &'t str,
    meaning: &'t str,
    figure: Markup,
    growth: Markup,
    course: Vec<f64>,
    /// Where growth and course come from, where that is another route than the figure's.
    source: Option<&'t str>,
}

pub(super) fn tiles<'t>(board: &Board<'t>, asked: &Asked<SummaryAnswer>, churn: &'t Asked<Churn>) -> Markup {
    let t = board.reader.t;
    let tiles = match &asked.got {
        Ok((summary, _)) => all(board, summary, churn),
        Err(problem) => return html! { section.tiles aria-label=(t.summary) { (absent(&board.missing(problem))) } },
    };
    html! {
        section.tiles aria-label=(t.summary) data-source=(asked.source) {
            @for tile in &tiles { (draw(tile)) }
        }
    }
}

fn all<'t>(board: &Board<'t>, summary: &SummaryAnswer, churn: &'t Asked<Churn>) -> Vec<Tile<'t>> {
    let (reader, t) = (board.reader, board.reader.t);
    let counted = |id, name, meaning, figure: &Figure, good| Tile {
        id,
        name,
        meaning,
        figure: reader.count(figure.value),
        growth: reader.growth(figure.growth, good),
        course: figure.series.iter().map(|point| point.value as f64).collect(),
        source: None,
    };
    let figures = &summary.summary;
    vec![
        counted("subscriptions_sold", t.sold, t.sold_means, &figures.subscriptions_sold, Good::Up),
        counted("customers_with_usage", t.with_usage, t.with_usage_means, &figures.customers_with_usage, Good::Up),
        counted("customers_without_usage", t.without_usage, t.without_usage_means, &figures.customers_without_usage, Good::Down),
        active(board, figures.subscriptions_active, churn),
        Tile {
            id: "usage_cost",
            name: t.cost,
            meaning: t.cost_means,
            figure: html! { (reader.maybe_money(summary.cost.as_ref().map(|cost| cost.value))) " " span.unit { (reader.currency()) } },
            growth: summary.cost.as_ref().map_or_else(|| html! {}, |cost| reader.growth(cost.growth, Good::Up)),
            course: summary.cost.iter().flat_map(|cost| &cost.series).map(|point| point.value.as_f64()).collect(),
            source: None,
        },
        at_risk(board, summary),
    ]
}

/// Active subscriptions, whose course is that of the churn by date.
fn active<'t>(board: &Board<'t>, at_end: u64, asked: &'t Asked<Churn>) -> Tile<'t> {
    let churn = asked.got.as_ref().ok().map(|(churn, _)| churn);
    let (reader, t) = (board.reader, board.reader.t);
    let growth = churn.filter(|churn| churn.active_before > 0).map(|churn| {
        let before = churn.active_before as f64;
        (churn.active_at_end as f64 - before) / before
    });
    Tile {
        id: "subscriptions_active",
        name: t.active,
        meaning: t.active_means,
        figure: reader.count(at_end),
        growth: reader.growth(growth, Good::Up),
        course: churn.into_iter().flat_map(|churn| &churn.buckets).map(|slice| slice.active as f64).collect(),
        source: Some(&asked.source),
    }
}

/// The cost at risk, beside that of the scorings that were recorded; of all customers alone, since
/// those were of all.
fn at_risk<'t>(board: &Board<'t>, summary: &SummaryAnswer) -> Tile<'t> {
    let (reader, t) = (board.reader, board.reader.t);
    let figure = html! { (reader.maybe_money(summary.cost_at_risk)) " " span.unit { (reader.currency()) } };
    let Some((loaded, cost)) = board.version.model().zip(summary.cost_at_risk) else {
        return Tile {
            id: AT_RISK,
            name: t.cost_at_risk,
            meaning: t.cost_at_risk_means,
            figure,
            growth: html! {},
            course: Vec::new(),
            source: None,
        };
    };
    let days = u64::from(loaded.model.horizon().get());
    let past = if board.view.only(&FILTERS).is_empty() { issued_before(board, loaded.model.version()) } else { &[] };
    let before = past.last().filter(|last| last.cost_at_risk.0 > 0);
    let growth = html! {
        @if let Some(before) = before {
            (reader.growth(Some((cost.0 - before.cost_at_risk.0) as f64 / before.cost_at_risk.0 as f64), Good::Down)) " "
        }
        span.growth.even { (reader.counted(days, t.next_days)) }
    };
    let course: Vec<f64> = past.iter().map(|past| past.cost_at_risk.as_f64()).chain(before.map(|_| cost.as_f64())).collect();
    Tile { id: AT_RISK, name: t.cost_at_risk, meaning: t.cost_at_risk_means, figure, growth, course, source: Some("/v1/model/record") }
}

const AT_RISK: &str = "cost_at_risk";

/// The cost at risk of this model's scorings before the as-of day, as far as it is worked out.
fn issued_before<'t>(board: &Board<'t>, model: &str) -> &'t [CostAtRisk] {
    let records = board.version.known_record().unwrap_or_default();
    let measured = records.iter().find(|record| record.model_version == model).and_then(|record| record.measured.as_ref().ok());
    let all = measured.map_or([].as_slice(), |measured| &measured.cost_at_risk);
    let as_of = board.version.tables().portfolio.as_of();
    &all[..all.partition_point(|past| Some(past.as_of) < as_of)]
}

fn draw(tile: &Tile<'_>) -> Markup {
    html! {
        div.tile id={ "tile-" (tile.id) } data-source=[tile.source] {
            h2 { (defined(tile.id, tile.name, tile.meaning)) }
            p.figure { (tile.figure) }
            p.beside { (tile.growth) }
            @if !tile.course.is_empty() { (sparkline(&tile.course)) }
        }
    }
}
