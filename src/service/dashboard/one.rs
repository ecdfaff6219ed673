//! The page of one subscription: what it used, what happened to it, its risk taken apart, the
//! scores that were issued before, and what people said of them.

use maud::{Markup, html};
use serde_json::{Value, json};

use super::board::{Board, and};
use super::chart::{Chart, Point, Row, bars, labelled_axis, line, numbers, plain};
use super::factors::waterfall;
use super::feedback;
use super::masthead::controls;
use super::parts::{Card, absent, bar, level, scrolling};
use super::texts::fill;
use super::view::{OneView, PERIOD, subscription_path};
use crate::domain::{Day, Feedback, MicrosSum, Period, State, SubscriptionId};
use crate::metrics::{DailyUse, StateChange};
use crate::service::problem::Problem;
use crate::service::routes::risk::{OneRisk, RiskAnswer};
use crate::service::routes::subscription::{OneSubscription, SubscriptionAnswer};

/// Categories with a colour of their own; the rest are drawn together.
const COLOURS: [&str; 6] = ["--series-1", "--series-2", "--series-3", "--series-4", "--series-5", "--series-6"];

/// Everything below the head of the page.
///
/// # Errors
/// Where there is no such subscription, or no as-of day.
pub(super) fn body(board: &Board<'_>, one: &OneView, id: &SubscriptionId, given: Option<&[Feedback]>) -> Result<Markup, Problem> {
    let path = format!("/v1{}", subscription_path(id.as_str()));
    let sight = board.version.sight()?;
    let period = board.view.period.resolve(sight.as_of);
    // Silence up to the as-of day is a part of the picture.
    let known = period.cut_at(sight.as_of).unwrap_or(period);
    let mut pairs = board.view.only(&PERIOD);
    if pairs.is_empty() {
        pairs = and(pairs, "period", OneView::PERIOD);
    }
    let used = board.figures_of::<OneSubscription>(id, &path, pairs);
    let (answer, meta) = used.got?;
    let risk = board.figures_of::<OneRisk>(id, &format!("{path}/risk"), board.view.only(&["horizon"]));
    Ok(html! {
        (title(board, &answer))
        (controls(board, period, &meta.warnings))
        div.grid {
            (risk_card(board, &risk.source, &risk.got))
            (usage_card(board, one, &used.source, &answer, known))
            @if let Ok((risk, _)) = &risk.got { (history_card(board, risk)) }
            (feedback::card(board, one, id, given))
        }
    })
}

fn title(board: &Board<'_>, answer: &SubscriptionAnswer) -> Markup {
    let (view, reader, t) = (board.view, board.reader, board.reader.t);
    let who = &answer.who;
    html! {
        nav.crumbs aria-label=(t.crumbs) {
            a href=(view.at("/", &[])) { (t.overview) } span aria-hidden="true" { " / " }
            a href=(view.at("/", &[("customer", &who.customer_id)])) { (who.customer_called()) }
        }
        h1 { (who.called()) }
        dl.facts.subscription {
            div { dt { (t.state) } dd { (t.state_name(answer.state)) @if answer.is_trial { " (" (t.trial) ")" } } }
            div { dt { (t.created_on) } dd { (reader.maybe_day(answer.created_on)) } }
            div { dt { (t.last_used) } dd { (reader.day_or_never(answer.last_used_on)) } }
            div { dt { (t.term_end) } dd { (reader.maybe_day(answer.term_end_on)) } }
            @if let Some(renews) = answer.auto_renew { div { dt { (t.auto_renew) } dd { @if renews { (t.yes) } @else { (t.no) } } } }
            @if let Some(product) = &who.product { div { dt { (t.product) } dd { (product) } } }
            div { dt { (t.id) } dd { code { (who.subscription_id) } } }
        }
    }
}

fn risk_card(board: &Board<'_>, source: &str, got: &Result<(RiskAnswer, crate::service::meta::Meta), Problem>) -> Markup {
    let (reader, t) = (board.reader, board.reader.t);
    let body = match got {
        Err(problem) => absent(&board.missing(problem)),
        Ok((risk, meta)) => {
            let days = meta.horizon_days.map_or(0, |days| u64::from(days.get()));
            html! {
                @match risk.risk {
                    Some(told) => {
                        p.verdict {
                            span.big { (reader.percent(told.get(), 1)) }
                            span { (level(reader, risk.level)) " " (reader.counted(days, t.leaves_within)) }
                        }
                        (bar(told.get(), risk.level.as_str()))
                    }
                    None => p.verdict { (level(reader, risk.level)) " " (t.unknown_reason(risk.unknown_code.unwrap_or_default())) }
                }
                dl.facts {
                    div { dt { (reader.in_currency(t.cost_30_days)) } dd { (reader.maybe_money(risk.stakes.cost_30_days)) } }
                    div { dt { (reader.in_currency(t.cost_at_risk)) } dd { (reader.maybe_money(risk.stakes.cost_at_risk)) } }
                    div { dt { (reader.in_currency(t.cost_12_months)) } dd { (reader.maybe_money(risk.stakes.cost_12_months)) } }
                }
                @if let (Some(counterfactual), Some(told)) = (&risk.counterfactual, risk.risk) {
                    p.counterfactual {
                        (fill(t.counterfactual, &[
                            ("day", &reader.day_text(counterfactual.usage_of)),
                            ("then", &reader.percent_text(counterfactual.risk.get(), 1)),
                            ("now", &reader.percent_text(told.get(), 1)),
                        ]))
                    }
                }
                (waterfall(reader, risk))
            }
        }
    };
    Card { id: "risk", title: t.risk_and_why, source, is_table: false, wide: true }.draw(reader, &body)
}

fn usage_card(board: &Board<'_>, one: &OneView, source: &str, answer: &SubscriptionAnswer, period: Period) -> Markup {
    let (reader, t) = (board.reader, board.reader.t);
    let body = if answer.daily.is_empty() {
        absent(t.no_usage_in_period)
    } else {
        html! { (usage_chart(board, one, answer, period)) (totals(board, answer)) }
    };
    Card { id: "usage", title: t.usage, source, is_table: false, wide: true }.draw(reader, &html! { (body) (events(board, answer)) })
}

/// What the period used, by category and unit; each leads to its quantity by day.
fn totals(board: &Board<'_>, answer: &SubscriptionAnswer) -> Markup {
    let (view, reader, t) = (board.view, board.reader, board.reader.t);
    let table = html! {
        table {
            caption.unseen { (t.usage) }
            thead { tr {
                th scope="col" { (t.category) }
                th.number scope="col" { (t.quantity) }
                th.number scope="col" { (reader.in_currency(t.cost)) }
                th.number scope="col" { (t.usage_days) }
            } }
            tbody {
                @for total in &answer.totals {
                    @let address = view.with(&[("of_category", Some(&total.category)), ("of_unit", Some(&total.unit))]);
                    tr {
                        th scope="row" { a href={ (address) "#usage" } { (total.category) } " " span.unit { (total.unit) } }
                        td.number { (reader.quantity(total.quantity)) }
                        td.number { (reader.maybe_money(total.cost)) }
                        td.number { (reader.count(total.usage_days)) }
                    }
                }
            }
        }
    };
    scrolling(reader, t.usage, &table)
}

/// Every change of state and every renewal, in a list and as marks of the chart.
fn events(board: &Board<'_>, answer: &SubscriptionAnswer) -> Markup {
    let (reader, t) = (board.reader, board.reader.t);
    let named = |(at, change): (usize, &StateChange)| match change.state {
        State::Active if at == 0 => t.event_created,
        State::Active => t.event_reactivated,
        State::Suspended => t.event_suspended,
        State::Ended => t.event_ended,
        State::None => t.state_none,
    };
    let mut events: Vec<(Day, &str, Option<&str>)> =
        answer.states.iter().enumerate().map(|(at, change)| (change.on, named((at, change)), change.reason.as_deref())).collect();
    events.extend(answer.renewals.iter().map(|on| (*on, t.renewed_once, None)));
    events.sort_unstable();
    html! {
        h3 { (t.events) }
        @if events.is_empty() { (absent(t.no_events)) } @else {
            ol.events {
                @for (on, what, reason) in events {
                    li { (reader.day(on)) (t.colon) (what) @if let Some(reason) = reason { " (" (reason) ")" } }
                }
            }
        }
    }
}

fn usage_chart(board: &Board<'_>, one: &OneView, answer: &SubscriptionAnswer, period: Period) -> Markup {
    let (reader, t) = (board.reader, board.reader.t);
    let Some(first) = answer.daily.first() else { return html! {} };
    // A bar of its own for each day of the period, whether or not anything was used.
    let labels: Vec<String> = (0..period.days()).map(|at| reader.day_text(period.from() + at)).collect();
    // Cost where there is any and no quantity is asked for; else the quantity of one series.
    let has_cost = answer.daily.iter().any(|row| row.cost.is_some());
    let is_known = |(category, unit): &(String, String)| answer.daily.iter().any(|row| row.category == *category && row.unit == *unit);
    let chosen = one.series.clone().filter(is_known).or_else(|| (!has_cost).then(|| (first.category.clone(), first.unit.clone())));
    let at = |day: Day| usize::try_from(day - period.from()).unwrap_or(0);
    let traces = match &chosen {
        Some((category, unit)) => vec![quantity_of(board, &answer.daily, &labels, &at, (category, unit))],
        None => cost_by_category(board, &answer.daily, &labels, &at),
    };
    let measure = chosen.as_ref().map_or_else(|| reader.in_currency(t.cost), |(category, unit)| format!("{category} ({unit})"));
    let rows: Vec<Row> = answer
        .daily
        .iter()
        .rev()
        .map(|row| Row {
            name: reader.day(row.on),
            cells: vec![
                html! { (row.category) },
                html! { (reader.quantity(MicrosSum(i128::from(row.quantity.0)))) " " (row.unit) },
                reader.maybe_money(row.cost.map(|cost| MicrosSum(i128::from(cost.0)))),
            ],
        })
        .collect();
    let header = [t.day, t.category, t.quantity, t.cost];
    let layout = json!({
        "barmode": "relative", "bargap": 0, "hovermode": "x unified", "xaxis": labelled_axis(),
        "yaxis": { "title": { "text": plain(&measure) }, "rangemode": "tozero" },
        "shapes": marks(answer, period), "annotations": mark_names(board, answer, period),
    });
    let numbers = numbers(reader, t.usage, &header, &rows);
    html! {
        @if one.series.is_some() && has_cost {
            p { a.chip href={ (board.view.with(&[("of_category", None), ("of_unit", None)])) "#usage" } { (t.by_cost) } }
        }
        (Chart { id: "usage-chart", title: t.usage_chart, tells: t.usage_tells, traces, layout, numbers }.draw(reader))
    }
}

fn quantity_of(board: &Board<'_>, daily: &[DailyUse], labels: &[String], at: &dyn Fn(Day) -> usize, series: (&str, &str)) -> Value {
    let mut micros = vec![0_i128; labels.len()];
    for row in daily.iter().filter(|row| (row.category.as_str(), row.unit.as_str()) == series) {
        micros[at(row.on)] += i128::from(row.quantity.0);
    }
    let points: Vec<Point> = micros.iter().map(|micros| (as_units(*micros), board.reader.number_text(as_units(*micros), 2))).collect();
    bars(series.0, COLOURS[0], labels, &points, &vec![false; labels.len()])
}

fn as_units(micros: i128) -> f64 {
    MicrosSum(micros).as_f64()
}

/// Cost of each category by day, the dearest with colours of their own.
fn cost_by_category(board: &Board<'_>, daily: &[DailyUse], labels: &[String], at: &dyn Fn(Day) -> usize) -> Vec<Value> {
    let (reader, t) = (board.reader, board.reader.t);
    let mut categories: Vec<(&str, Vec<i128>)> = Vec::new();
    for row in daily {
        let place = categories.iter().position(|(name, _)| *name == row.category).unwrap_or_else(|| {
            categories.push((&row.category, vec![0; labels.len()]));
            categories.len() - 1
        });
        categories[place].1[at(row.on)] += i128::from(row.cost.map_or(0, |cost| cost.0));
    }
    categories.sort_by_key(|(name, costs)| (-costs.iter().sum::<i128>(), *name));
    let others = categories.split_off(COLOURS.len().min(categories.len()));
    let mut traces: Vec<(&str, &str, Vec<i128>)> =
        categories.into_iter().zip(COLOURS).map(|((name, costs), colour)| (name, colour, costs)).collect();
    if !others.is_empty() {
        let sum = (0..labels.len()).map(|day| others.iter().map(|(_, costs)| costs[day]).sum()).collect();
        traces.push((t.other_categories, "--quiet", sum));
    }
    let not_partial = vec![false; labels.len()];
    let trace = |(name, colour, costs): (&str, &str, Vec<i128>)| {
        let points: Vec<Point> = costs.iter().map(|micros| (as_units(*micros), reader.money_text(MicrosSum(*micros)))).collect();
        bars(name, colour, labels, &points, &not_partial)
    };
    traces.into_iter().map(trace).collect()
}

/// Suspensions as grey stretches, ends and renewals as lines. Places on the axis count days.
fn marks(answer: &SubscriptionAnswer, period: Period) -> Vec<Value> {
    let place = |day: Day| f64::from((day - period.from()).clamp(0, period.days() - 1));
    let shape = |from: f64, to: f64, colour: &str| {
        json!({ "type": "rect", "xref": "x", "yref": "paper", "x0": from - 0.5, "x1": to - 0.5, "y0": 0, "y1": 1, "layer": "below",
            "fillcolor": colour, "opacity": 0.25, "line": { "width": 0 } })
    };
    let rule = |day: Day, colour: &str| {
        json!({ "type": "line", "xref": "x", "yref": "paper", "x0": place(day), "x1": place(day), "y0": 0, "y1": 1,
            "line": { "color": colour, "width": 1.5, "dash": "dot" } })
    };
    let mut shapes = Vec::new();
    for (at, change) in answer.states.iter().enumerate() {
        let until = answer.states.get(at + 1).map_or(period.to() + 1, |next| next.on);
        let is_seen = change.on <= period.to() && until > period.from();
        match change.state {
            State::Suspended if is_seen => {
                let end = f64::from((until - period.from()).clamp(0, period.days()));
                shapes.push(shape(place(change.on), end, "--suspended"));
            }
            State::Ended if is_seen => shapes.push(rule(change.on, "--ended")),
            _ => {}
        }
    }
    shapes.extend(answer.renewals.iter().filter(|on| period.contains(**on)).map(|on| rule(*on, "--renewed")));
    shapes
}

fn mark_names(board: &Board<'_>, answer: &SubscriptionAnswer, period: Period) -> Vec<Value> {
    let t = board.reader.t;
    let name = |day: Day, text: &str, colour: &str| {
        json!({ "x": day - period.from(), "y": 1, "xref": "x", "yref": "paper", "text": text, "showarrow": false, "yanchor": "bottom",
            "font": { "color": colour, "size": 11 } })
    };
    let suspended = answer.states.iter().filter(|change| change.state == State::Suspended && period.contains(change.on));
    let renewed = answer.renewals.iter().filter(|on| period.contains(**on));
    suspended
        .map(|change| name(change.on, t.event_suspended, "--ink"))
        .chain(renewed.map(|on| name(*on, t.renewed_once, "--ink")))
        .collect()
}

/// The scores as they were issued.
fn history_card(board: &Board<'_>, risk: &RiskAnswer) -> Markup {
    let (reader, t) = (board.reader, board.reader.t);
    let source = format!("/v1{}/risk", subscription_path(&risk.who.subscription_id));
    let known: Vec<(Day, f64)> = risk.history.iter().flatten().filter_map(|past| Some((past.as_of, past.risk?.get()))).collect();
    let body = if known.is_empty() {
        absent(t.no_history)
    } else {
        let labels: Vec<String> = known.iter().map(|(day, _)| reader.day_text(*day)).collect();
        let points: Vec<Point> = known.iter().map(|(_, risk)| (*risk, reader.percent_text(*risk, 1))).collect();
        let traces = vec![line(t.risk, "--first", &labels, &points)];
        let rows: Vec<Row> = risk
            .history
            .iter()
            .flatten()
            .rev()
            .map(|past| Row {
                name: reader.day(past.as_of),
                cells: vec![
                    reader.maybe_percent(past.risk.map(crate::domain::ChurnRisk::get)),
                    level(reader, past.level),
                    html! { code { (past.model_version) } },
                ],
            })
            .collect();
        let layout = json!({ "xaxis": labelled_axis(), "yaxis": { "tickformat": ".0%", "rangemode": "tozero" }, "small": true });
        let numbers = numbers(reader, t.score_history, &[t.day, t.risk, t.level, t.model], &rows);
        Chart { id: "history-chart", title: t.history_chart, tells: t.history_tells, traces, layout, numbers }.draw(reader)
    };
    Card { id: "history", title: t.score_history, source: &source, is_table: false, wide: false }.draw(reader, &body)
}
