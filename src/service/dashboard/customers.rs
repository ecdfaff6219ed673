//! Customers: those with the most of a category, and those who came and went.

use maud::{Markup, html};
use serde_json::json;

use super::board::{Board, and};
use super::chart::{Axis, Chart, Row, bucket_name, counts_axis, labelled_axis, numbers};
use super::parts::{Card, absent, bar, defined, scrolling};
use super::reader::Good;
use super::status::bucket_choices;
use super::texts::fill;
use crate::domain::{Bucket, Period};
use crate::metrics::{CategoryUse, CustomerCount, Slice};
use crate::service::routes::customers::{Categories, Count, Top, TopAnswer, TopRow};

/// Customers in the table.
const TOP: &str = "10";

/// Top customers of a category and unit, or by cost.
pub(super) fn top(board: &Board<'_>) -> Markup {
    let (view, reader, t) = (board.view, board.reader, board.reader.t);
    let all = board.figures::<Categories>(view.scope()).got.map(|(all, _)| all).unwrap_or_default();
    // Where there is no cost, the category of most customers.
    let widest = || all.iter().max_by_key(|one| one.customers).filter(|_| !board.has_cost());
    let asked_for = view.top.clone().or_else(|| widest().map(|one| (one.category.clone(), Some(one.unit.clone()))));
    let chosen = asked_for.map(|(category, unit)| {
        let of_category = || all.iter().filter(|one| one.category == category);
        // A unit that the category does not have is that of the one chosen before.
        let known = of_category().find(|one| Some(&one.unit) == unit.as_ref()).or_else(|| of_category().next());
        let unit = known.map(|one| one.unit.clone());
        (category, unit)
    });
    let mut pairs = and(view.scope(), "limit", TOP);
    if let Some((category, unit)) = &chosen {
        // The category in question, whichever the page is filtered by.
        pairs.retain(|(name, _)| name != "category");
        pairs = and(and(pairs, "category", category), "measure", "quantity");
        if let Some(unit) = unit {
            pairs = and(pairs, "unit", unit);
        }
    }
    let asked = board.figures::<Top>(pairs);
    let body = match &asked.got {
        Err(problem) => html! { (chooser(board, &all, chosen.as_ref())) (absent(&board.missing(problem))) },
        Ok((answer, _)) => html! {
            (chooser(board, &all, chosen.as_ref()))
            @if answer.rows.is_empty() { (absent(t.no_top)) } @else { (ranked(board, answer)) }
        },
    };
    Card { id: "top", title: t.top_customers, source: &asked.source, is_table: true, wide: false }.draw(reader, &body)
}

/// Cost of all, or one (category, unit).
fn chooser(board: &Board<'_>, all: &[CategoryUse], chosen: Option<&(String, Option<String>)>) -> Markup {
    let (view, t) = (board.view, board.reader.t);
    let mut units: Vec<&str> = all.iter().map(|one| one.unit.as_str()).collect();
    units.sort_unstable();
    units.dedup();
    let mut categories: Vec<&str> = all.iter().map(|one| one.category.as_str()).collect();
    categories.dedup();
    let is = |name: &str, at: Option<&str>| at == Some(name);
    let (category, unit) = (chosen.map(|one| one.0.as_str()), chosen.and_then(|one| one.1.as_deref()));
    let of_category = |name: &&&str| category.is_none_or(|category| all.iter().any(|one| one.category == category && one.unit == ***name));
    html! {
        form.choose action={ (view.path()) "#top" } {
            @for (name, value) in view.hidden(&["top_category", "top_unit"]) { input type="hidden" name=(name) value=(value); }
            label { span { (t.category) }
                select name="top_category" {
                    @if board.has_cost() { option value="" selected[category.is_none()] { (t.all_by_cost) } }
                    @for name in &categories { option value=(name) selected[is(name, category)] { (name) } }
                }
            }
            @if category.is_some() {
                label { span { (t.unit) }
                    select name="top_unit" {
                        @for name in units.iter().filter(of_category) { option value=(name) selected[is(name, unit)] { (name) } }
                    }
                }
            }
            button { (t.show) }
        }
    }
}

fn ranked(board: &Board<'_>, answer: &TopAnswer) -> Markup {
    let (reader, t) = (board.reader, board.reader.t);
    let measure = answer.unit.as_ref().map_or_else(|| reader.in_currency(t.cost), |unit| fill(t.quantity_in, &[("unit", unit)]));
    let most = answer.rows.first().map_or(1.0, |row| row.value.as_f64());
    let table = html! {
        table {
            caption.unseen { (t.top_customers) }
            thead { tr {
                th scope="col" { (t.customer) }
                th.number scope="col" { (measure) }
                th.number scope="col" { (t.share) }
                th.number scope="col" { (t.growth) }
                th.number scope="col" { (t.subscriptions_used) }
            } }
            tbody { @for row in &answer.rows { (top_row(board, row, answer.unit.is_some(), most)) } }
        }
    };
    html! {
        (scrolling(reader, t.top_customers, &table))
        p.note { (reader.counted(answer.customers, t.customers_in_total)) }
    }
}

fn top_row(board: &Board<'_>, row: &TopRow, is_quantity: bool, most: f64) -> Markup {
    let reader = board.reader;
    let customer = &row.customer;
    let address = board.view.with(&[("customer", Some(&customer.customer_id))]);
    html! {
        tr data-id=(customer.customer_id) {
            th scope="row" { a href=(address) { (customer.called()) } }
            td.number {
                span.risk { (bar(row.value.as_f64() / most.max(f64::MIN_POSITIVE), "plain")) " "
                    @if is_quantity { (reader.quantity(row.value)) } @else { (reader.money(row.value)) } }
            }
            td.number { (reader.maybe_percent(row.share)) }
            td.number { (reader.growth(row.growth, Good::Up)) }
            td.number { (reader.count(row.subscriptions_used)) }
        }
    }
}

/// New and lost customers by date.
pub(super) fn flow(board: &Board<'_>, period: Period) -> Markup {
    let (reader, t) = (board.reader, board.reader.t);
    let bucket = board.view.bucket(period);
    let asked = board.figures::<Count>(and(board.view.scope(), "bucket", bucket.as_str()));
    let body = match &asked.got {
        Err(problem) => absent(&board.missing(problem)),
        Ok((count, _)) => html! {
            (bucket_choices(board, bucket, "customers", t.new_and_lost))
            dl.facts {
                div { dt { (defined("new_customers", t.new_customers, t.new_customers_means)) } dd { (reader.count(count.total.new_customers)) } }
                div { dt { (defined("lost_customers", t.lost_customers, t.lost_customers_means)) } dd { (reader.count(count.total.lost_customers)) } }
                div { dt { (t.returned_customers) } dd { (reader.count(count.total.returned_customers)) } }
                div { dt { (t.net) } dd { (reader.signed(count.total.net)) } }
                div { dt { (t.active_customers) } dd { (reader.count(count.total.active_customers)) } }
            }
            @if count.buckets.is_empty() { (absent(t.no_buckets)) }
            @else if moved(count) { (flow_chart(board, count, bucket)) }
            @else { (absent(t.nobody_moved)) }
        },
    };
    Card { id: "customers", title: t.new_and_lost, source: &asked.source, is_table: false, wide: false }.draw(reader, &body)
}

/// Whether any bucket has anything to draw.
fn moved(count: &CustomerCount) -> bool {
    count.buckets.iter().any(|slice| slice.flow.new_customers + slice.flow.lost_customers + slice.flow.returned_customers > 0)
}

fn flow_chart(board: &Board<'_>, count: &CustomerCount, bucket: Bucket) -> Markup {
    let (reader, t) = (board.reader, board.reader.t);
    let slices: Vec<Slice> = count.buckets.iter().map(|slice| slice.slice).collect();
    let axis = Axis::of(reader, bucket, &slices);
    let flows = || count.buckets.iter().map(|slice| slice.flow);
    let traces = vec![
        axis.counts(t.new_customers, "--created", false, flows().map(|flow| flow.new_customers)),
        axis.counts(t.returned_customers, "--recovered", false, flows().map(|flow| flow.returned_customers)),
        axis.counts(t.lost_customers, "--ended", true, flows().map(|flow| flow.lost_customers)),
    ];
    let header = [t.period, t.new_customers, t.returned_customers, t.lost_customers, t.net, t.active_customers];
    let row = |slice: &crate::metrics::CustomerSlice| {
        let flow = &slice.flow;
        let [new, returned, lost] = [flow.new_customers, flow.returned_customers, flow.lost_customers].map(|count| reader.count(count));
        let cells = vec![new, returned, lost, reader.signed(flow.net), reader.count(flow.active_customers)];
        Row { name: bucket_name(reader, bucket, &slice.slice), cells }
    };
    let rows: Vec<Row> = count.buckets.iter().map(row).collect();
    let layout = json!({
        "barmode": "relative", "bargap": 0.15, "hovermode": "x unified", "xaxis": labelled_axis(),
        "yaxis": counts_axis(flows().map(|flow| (flow.new_customers + flow.returned_customers).max(flow.lost_customers)).max()),
    });
    let numbers = numbers(reader, t.new_and_lost, &header, &rows);
    Chart { id: "customers-chart", title: t.customers_chart, tells: t.customers_tells, traces, layout, numbers }.draw(reader)
}
