//! Subscriptions by status: active, and what came, came back, renewed, was suspended and ended,
//! by date.

use maud::{Markup, html};
use serde_json::json;

use super::board::{Asked, Board, and};
use super::chart::{Axis, Chart, Row, bucket_name, counts_axis, labelled_axis, numbers};
use super::parts::{Card, absent, choices, defined};
use crate::domain::{Bucket, Period};
use crate::metrics::{Churn, ChurnSlice, Slice};
use crate::service::routes::churn::ChurnOfPeriod;

/// A step of the flow: its name, colour, and its count in a bucket. Those that leave stand below
/// zero.
struct Step<'s> {
    name: &'s str,
    colour: &'static str,
    leaves: bool,
    count: fn(&ChurnSlice) -> u64,
}

/// Days, weeks or months.
pub(super) fn bucket_choices(board: &Board<'_>, chosen: Bucket, place: &str, of: &str) -> Markup {
    let t = board.reader.t;
    choices(
        &format!("{} ({of})", t.cut_by),
        Bucket::ALL
            .into_iter()
            .zip([t.by_day, t.by_week, t.by_month])
            .map(|(bucket, name)| (name, format!("{}#{place}", board.view.with(&[("bucket", Some(bucket.as_str()))])), bucket == chosen)),
    )
}

/// The churn of the page's period, which the tiles tell of as well.
pub(super) fn churn(board: &Board<'_>, period: Period) -> Asked<Churn> {
    board.figures::<ChurnOfPeriod>(and(board.view.scope(), "bucket", board.view.bucket(period).as_str()))
}

/// The chart, and the rates of the period.
pub(super) fn status(board: &Board<'_>, period: Period, asked: &Asked<Churn>) -> Markup {
    let (reader, t) = (board.reader, board.reader.t);
    let bucket = board.view.bucket(period);
    let body = match &asked.got {
        Err(problem) => absent(&board.missing(problem)),
        Ok((churn, _)) => html! {
            (bucket_choices(board, bucket, "status", t.by_status))
            dl.facts {
                div { dt { (defined("churn_rate", t.churn_rate, t.churn_rate_means)) } dd { (reader.maybe_percent(churn.churn_rate)) } }
                div { dt { (t.annualised) } dd { (reader.maybe_percent(churn.annualised)) } }
                div { dt { (t.deprovisioned) } dd { (reader.count(churn.total.deprovisioned)) } }
                div { dt { (t.created) } dd { (reader.count(churn.total.created)) } }
                div { dt { (t.renewed) } dd { (reader.count(churn.total.renewed)) } }
            }
            @if churn.buckets.is_empty() { (absent(t.no_buckets)) } @else { (chart(board, churn, bucket)) }
        },
    };
    Card { id: "status", title: t.by_status, source: &asked.source, is_table: false, wide: true }.draw(reader, &body)
}

fn chart(board: &Board<'_>, churn: &Churn, bucket: Bucket) -> Markup {
    let (reader, t) = (board.reader, board.reader.t);
    let steps = [
        Step { name: t.created, colour: "--created", leaves: false, count: |slice| slice.counts.created },
        Step { name: t.renewed, colour: "--renewed", leaves: false, count: |slice| slice.counts.renewed },
        Step { name: t.recovered, colour: "--recovered", leaves: false, count: |slice| slice.counts.recovered },
        Step { name: t.suspended, colour: "--suspended", leaves: true, count: |slice| slice.counts.suspended },
        Step { name: t.ended, colour: "--ended", leaves: true, count: |slice| slice.counts.ended },
    ];
    let slices: Vec<Slice> = churn.buckets.iter().map(|slice| slice.slice).collect();
    let axis = Axis::of(reader, bucket, &slices);
    let mut active = axis.counts(t.active_short, "--active", false, churn.buckets.iter().map(|slice| slice.active));
    active["yaxis"] = json!("y2");
    let mut traces = vec![active];
    traces.extend(steps.iter().map(|step| axis.counts(step.name, step.colour, step.leaves, churn.buckets.iter().map(step.count))));
    let header: Vec<&str> = [t.period, t.active_short].into_iter().chain(steps.iter().map(|step| step.name)).collect();
    let rows: Vec<Row> = churn
        .buckets
        .iter()
        .map(|slice| Row {
            name: bucket_name(reader, bucket, &slice.slice),
            cells: [slice.active]
                .into_iter()
                .chain(steps.iter().map(|step| (step.count)(slice)))
                .map(|count| reader.count(count))
                .collect(),
        })
        .collect();
    let largest = |slice: &ChurnSlice| {
        let ways =
            [false, true].map(|leaves| steps.iter().filter(|step| step.leaves == leaves).map(|step| (step.count)(slice)).sum::<u64>());
        ways.into_iter().max()
    };
    let mut flow_axis = counts_axis(churn.buckets.iter().filter_map(largest).max());
    flow_axis["domain"] = json!([0, 0.48]);
    flow_axis["title"] = json!({ "text": t.flow_axis });
    let mut active_axis = counts_axis(churn.buckets.iter().map(|slice| slice.active).max());
    active_axis["domain"] = json!([0.56, 1]);
    active_axis["title"] = json!({ "text": t.active_short });
    active_axis["rangemode"] = json!("tozero");
    let layout = json!({
        "barmode": "relative", "bargap": 0.15, "hovermode": "x unified",
        "xaxis": labelled_axis(),
        "yaxis": flow_axis,
        "yaxis2": active_axis,
    });
    Chart {
        id: "status-chart",
        title: t.status_chart,
        tells: t.status_tells,
        traces,
        layout,
        numbers: numbers(reader, t.by_status, &header, &rows),
    }
    .draw(reader)
}
