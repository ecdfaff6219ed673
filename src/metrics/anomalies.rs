//! What stands out: customers whose last four weeks of a category are not what the half year
//! before would lead one to expect, more or less.
//!
//! Absent on purpose: reasons, seasons of the year, and categories younger than 16 weeks, of
//! which nothing can be expected yet.

use std::cmp::Ordering;

use serde::Serialize;
use utoipa::ToSchema;

use super::near::{Least, WEEKS_MAX, is_certainly_near};
use super::trend::{Amounts, Desk, Reach, is_outside_late_half, standing, typical};
use super::{Cut, Filter, known_days};
use crate::domain::{Day, MICROS_PER_UNIT, MicrosSum, Period};
use crate::portfolio::{CustomerIx, Portfolio, WEEKS_KEPT, WeeklyLine};

/// Weeks that are looked at.
const RECENT_WEEKS: usize = 4;
/// Weeks that they are held against: six months.
const BASELINE_WEEKS: usize = WEEKS_MAX;
const WEEKS: usize = RECENT_WEEKS + BASELINE_WEEKS;
/// The weeks up to the as-of day are those that a portfolio keeps the sums of.
const _: () = assert!(WEEKS == WEEKS_KEPT);
const WEEK_DAYS: i32 = 7;

/// Fewest days of a week with a feed: with less than half of the week known, its mean could be
/// that of a weekend alone.
const KNOWN_DAYS_MIN: u32 = 4;
/// Fewest weeks to draw a line through. With 16 the noise is already so little known that false
/// alarms are up to four times as many as with 26.
const BASELINE_WEEKS_MIN: usize = 16;
/// Fewest recent weeks.
const RECENT_WEEKS_MIN: usize = 3;

/// Least score, up or down. On weeks of independent noise (normal, log-normal, or sums of noisy
/// days with quiet weekends) that vary by up to half their mean, it is passed by chance by at
/// most 3 in 1,000 of those with 26 weeks, and 8 in 1,000 of those with 16; a full stop passes it
/// in 80 % of the cases and more with 26 weeks. Where a week resembles the one before (a
/// correlation of 0.5), 2 in 100 pass it. These rates are of the score and the share of change
/// alone, on 20,000 simulated topics each; the other rules only lower them.
const SCORE_MIN: f64 = 5.0;
/// Least change, as a share of what was expected.
const CHANGE_SHARE_MIN: f64 = 0.3;
/// Least change over four weeks, in units of money or of the category: below that, finding out
/// why costs more than the change.
const CHANGE_UNITS_MIN: f64 = 20.0;

const LEAST: Least = Least { score: SCORE_MIN, share: CHANGE_SHARE_MIN, amount: CHANGE_UNITS_MIN / RECENT_WEEKS as f64 };

/// What stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AnomalyMeasure {
    Cost,
    Quantity,
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    Up,
    Down,
}

/// A (customer, category) that stands out, with the evidence.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Anomaly {
    pub customer: CustomerIx,
    pub category: String,
    /// None where cost is measured, which adds up over the units of a category.
    pub unit: Option<String>,
    pub measure: AnomalyMeasure,
    pub direction: Direction,
    /// First of the recent days.
    pub recent_from: Day,
    /// Last of the recent days: the end of the period, at most the as-of day.
    pub recent_to: Day,
    /// What four weeks were to come to.
    pub expected: MicrosSum,
    /// What they came to; where days are unknown, what the known ones come to in four weeks.
    pub observed: MicrosSum,
    /// The difference of square roots in standard errors; below 0 where it is down.
    pub score: f64,
    /// The median week of those that it is held against.
    pub typical_week: MicrosSum,
    /// The weeks that it is held against, at most 26.
    pub weeks_used: u32,
    /// First day of the first of them.
    pub first_week: Day,
}

/// Anomalies: (customer, category) whose last four weeks stand out from the preceding six
/// months, up or down, with the evidence (METRICS.md, Beyond the seed).
///
/// Weeks are the runs of 7 days that end on the last day of the period (at most the as-of day),
/// so each holds every weekday once: 4 of them are held against the 26 before. Measured is cost
/// by category where the portfolio has cost, else quantity by (category, unit). A week counts
/// with 7 times its mean per known day, and is left out where more than 3 of its days are
/// unknown; the 26 begin with the first whole week after the first row. Fewer than 16 of them,
/// or than 3 of the 4, are too few to tell.
///
/// It stands out where the mean of the recent weeks lies outside the middle half of the last 13
/// before them, the score of the line through the 26 (see `trend.rs`: Theil-Sen on square roots,
/// median absolute deviation) is at least 5, the change over four weeks at least 30 % of what was
/// expected, and at least 20 units of money or of the category. Where neither four typical weeks
/// nor four recent ones come to that much, it is a trifle, whatever its trend.
///
/// By cost, the largest change comes first; by quantity, whose units cannot be compared, the
/// largest score. Ties by customer id, category, unit.
#[must_use]
pub fn anomalies(portfolio: &Portfolio, period: Period, filter: &Filter) -> Vec<Anomaly> {
    let Some(as_of) = portfolio.as_of() else { return Vec::new() };
    let weeks = Weeks::new(portfolio, period.to().min(as_of));
    if weeks.recent.len() < RECENT_WEEKS_MIN || weeks.baseline.len() < BASELINE_WEEKS_MIN {
        return Vec::new();
    }
    let cut = filter.cut(portfolio);
    let topics = Topics::new(portfolio);
    let mut sums = Sums::new(&topics);
    let mut desk = Desk::default();
    let mut found: Vec<Anomaly> = Vec::new();
    let are_kept = weeks.end == as_of && filter.keeps_whole_customers();
    for customer in (0..).map(CustomerIx).take(portfolio.customers().len()) {
        let mut judge = |topic: usize, first_row: Day, sums: &[f64; WEEKS]| {
            found.extend(weeks.judge(first_row, sums, &mut desk).map(|judged| topics.tell(customer, topic, &weeks, judged)));
        };
        if let Some(lines) = portfolio.weekly(customer).filter(|_| are_kept) {
            if cut.subscriptions_of(customer).next().is_some() {
                topics.each(lines, judge);
            }
        } else {
            sums.gather(&cut, customer, &weeks, &topics);
            sums.drain().for_each(|(topic, of_weeks)| judge(topic, of_weeks.first_row, &of_weeks.sums.map(|sum| sum as f64)));
        }
    }
    found.sort_by(order);
    found
}

/// Stable, and rows come by customer and topic, which settles ties.
fn order(a: &Anomaly, b: &Anomaly) -> Ordering {
    let change = |row: &Anomaly| (row.observed.0 - row.expected.0).abs();
    match a.measure {
        AnomalyMeasure::Cost => change(b).cmp(&change(a)),
        AnomalyMeasure::Quantity => b.score.abs().total_cmp(&a.score.abs()),
    }
}

/// What is judged for itself: a category of a portfolio with cost, a (category, unit) of one
/// without.
#[derive(Debug)]
struct Topics<'a> {
    portfolio: &'a Portfolio,
    /// By series.
    topic_of: Vec<usize>,
    /// The first series of each topic.
    series: Vec<usize>,
}

impl<'a> Topics<'a> {
    fn new(portfolio: &'a Portfolio) -> Self {
        let all = portfolio.series();
        let (mut topic_of, mut series) = (Vec::with_capacity(all.len()), Vec::new());
        for (at, one) in all.iter().enumerate() {
            // Series ascend by category, so those of one category lie together.
            let same = portfolio.has_cost() && at > 0 && all[at - 1].category == one.category;
            if !same {
                series.push(at);
            }
            topic_of.push(series.len() - 1);
        }
        Self { portfolio, topic_of, series }
    }

    /// Tells the sums by week of each topic among the lines of one customer.
    fn each<'l>(&self, lines: impl Iterator<Item = WeeklyLine<'l>>, mut tell: impl FnMut(usize, Day, &[f64; WEEKS])) {
        let mut lines = lines.peekable();
        while let Some(line) = lines.next() {
            let topic = self.topic_of[usize::from(line.series.0)];
            let mut next = || lines.next_if(|next| self.topic_of[usize::from(next.series.0)] == topic);
            let Some(mut more) = next() else {
                tell(topic, line.first_row, &line.sums.map(|sum| sum as f64));
                continue;
            };
            let (mut first_row, mut sums) = (line.first_row, line.sums.map(i128::from));
            loop {
                first_row = first_row.min(more.first_row);
                sums.iter_mut().zip(more.sums).for_each(|(sum, more)| *sum += i128::from(*more));
                match next() {
                    Some(line) => more = line,
                    None => break,
                }
            }
            tell(topic, first_row, &sums.map(|sum| sum as f64));
        }
    }

    fn tell(&self, customer: CustomerIx, topic: usize, weeks: &Weeks, judged: Judged) -> Anomaly {
        let series = &self.portfolio.series()[self.series[topic]];
        let has_cost = self.portfolio.has_cost();
        Anomaly {
            customer,
            category: series.category.clone(),
            unit: (!has_cost).then(|| series.unit.clone()),
            measure: if has_cost { AnomalyMeasure::Cost } else { AnomalyMeasure::Quantity },
            direction: if judged.score > 0.0 { Direction::Up } else { Direction::Down },
            recent_from: weeks.end - (WEEK_DAYS * 4 - 1),
            recent_to: weeks.end,
            expected: judged.expected,
            observed: judged.observed,
            score: judged.score,
            typical_week: judged.typical,
            weeks_used: judged.weeks_used,
            first_week: judged.first_week,
        }
    }
}

/// The sums of one topic of one customer.
#[derive(Debug, Clone)]
struct WeekSums {
    /// The first row of it on any day.
    first_row: Day,
    /// In micro-units, the oldest week first.
    sums: [i128; WEEKS],
}

/// Where the rows of one customer are added up.
#[derive(Debug)]
struct Sums {
    /// By topic: its place in `topics`, where it has one.
    place: Vec<Option<usize>>,
    topics: Vec<(usize, WeekSums)>,
}

impl Sums {
    fn new(topics: &Topics<'_>) -> Self {
        Self { place: vec![None; topics.series.len()], topics: Vec::new() }
    }

    /// Adds the rows of a customer's subscriptions.
    fn gather(&mut self, cut: &Cut<'_>, customer: CustomerIx, weeks: &Weeks, topics: &Topics<'_>) {
        let has_cost = cut.portfolio().has_cost();
        for ix in cut.subscriptions_of(customer) {
            for line in cut.lines(ix) {
                let topic = topics.topic_of[usize::from(line.series().0)];
                let first_row = line.first_row();
                let place = *self.place[topic].get_or_insert(self.topics.len());
                match self.topics.get_mut(place) {
                    Some((_, sums)) => sums.first_row = sums.first_row.min(first_row),
                    None => self.topics.push((topic, WeekSums { first_row, sums: [0; WEEKS] })),
                }
            }
            for row in cut.rows(ix, weeks.start, weeks.end) {
                let Some(place) = self.place[topics.topic_of[usize::from(row.series.0)]] else { continue };
                let amount = if has_cost { row.cost } else { row.quantity };
                self.topics[place].1.sums[weeks.week_of(row.on)] += i128::from(amount.0);
            }
        }
    }

    /// The topics of the customer, ascending, which are forgotten.
    fn drain(&mut self) -> impl Iterator<Item = (usize, WeekSums)> {
        for (topic, _) in &self.topics {
            self.place[*topic] = None;
        }
        self.topics.sort_unstable_by_key(|(topic, _)| *topic);
        self.topics.drain(..)
    }
}

/// A week that is known well enough.
#[derive(Debug, Clone, Copy)]
struct Week {
    number: usize,
    from: Day,
    known_days: u32,
}

/// The weeks of the period's end.
#[derive(Debug)]
struct Weeks {
    start: Day,
    end: Day,
    baseline: Vec<Week>,
    recent: Vec<Week>,
    /// The numbers of the baseline's weeks and of the recent ones, one after the other.
    numbers: Vec<f64>,
    /// By number, known or not: known days, at least 1.
    known_days: [f64; WEEKS],
    /// By the number of weeks that the baseline begins late.
    reach: Vec<Reach>,
}

/// What is told of a topic that stands out.
#[derive(Debug, Clone, Copy)]
struct Judged {
    expected: MicrosSum,
    observed: MicrosSum,
    typical: MicrosSum,
    score: f64,
    weeks_used: u32,
    first_week: Day,
}

impl Weeks {
    fn new(portfolio: &Portfolio, end: Day) -> Self {
        let count = i32::try_from(WEEKS).unwrap_or(0);
        let start = end + 1 - WEEK_DAYS * count;
        let weeks = (0..count).zip(0..).map(|(week, number)| {
            let from = start + WEEK_DAYS * week;
            Week { number, from, known_days: known_days(portfolio, from, from + (WEEK_DAYS - 1)) }
        });
        let weeks: Vec<Week> = weeks.collect();
        let known_days = std::array::from_fn(|number| f64::from(weeks[number].known_days.max(1)));
        let known = weeks.into_iter().filter(|week| week.known_days >= KNOWN_DAYS_MIN);
        let (baseline, recent): (Vec<Week>, Vec<Week>) = known.partition(|week| week.number < BASELINE_WEEKS);
        let numbers: Vec<f64> = baseline.iter().chain(&recent).map(|week| week.number as f64).collect();
        let (before, after) = numbers.split_at(baseline.len());
        let reach = (0..before.len()).map(|skipped| Reach::new(&before[skipped..], after)).collect();
        Self { start, end, baseline, recent, numbers, known_days, reach }
    }

    /// The week of a day from `start` to `end`.
    fn week_of(&self, day: Day) -> usize {
        usize::try_from((day - self.start) / WEEK_DAYS).unwrap_or(0).min(WEEKS - 1)
    }

    /// Judges a topic by its sums, in micro-units.
    fn judge(&self, first_row: Day, sums: &[f64; WEEKS], desk: &mut Desk) -> Option<Judged> {
        let skipped = self.baseline.partition_point(|week| week.from < first_row);
        let first_week = self.baseline.get(skipped)?.from;
        let weeks_used = self.baseline.len() - skipped;
        if weeks_used < BASELINE_WEEKS_MIN {
            return None;
        }
        let mut amounts: [f64; WEEKS] =
            std::array::from_fn(|week| sums[week] / MICROS_PER_UNIT as f64 * f64::from(WEEK_DAYS) / self.known_days[week]);
        if self.numbers.len() < WEEKS {
            for (to, week) in self.baseline.iter().chain(&self.recent).enumerate() {
                amounts[to] = amounts[week.number];
            }
        }
        let part = |from: usize, to: usize| Amounts { weeks: &self.numbers[from..to], amounts: &amounts[from..to] };
        let (before, recent) = (part(skipped, self.baseline.len()), part(self.baseline.len(), self.numbers.len()));
        let observed = recent.mean();
        let reach = &self.reach[skipped];
        if !is_outside_late_half(before.amounts, observed)
            || is_trifle(before.amounts, observed)
            || is_certainly_near(before, recent, reach, &LEAST)
        {
            return None;
        }
        let weeks = RECENT_WEEKS as f64;
        let seen = standing(before, recent, reach, desk, |expected| {
            let change = (observed - expected).abs() * weeks;
            change >= CHANGE_UNITS_MIN && change >= CHANGE_SHARE_MIN * expected * weeks
        })?;
        let typical = typical(before.amounts, desk);
        (seen.score.abs() >= SCORE_MIN && typical.max(observed) * weeks >= CHANGE_UNITS_MIN).then(|| Judged {
            expected: micros(seen.expected * weeks),
            observed: micros(observed * weeks),
            typical: micros(typical),
            score: seen.score,
            weeks_used: u32::try_from(weeks_used).unwrap_or(u32::MAX),
            first_week,
        })
    }
}

/// Whether neither the recent weeks nor more than half of those before come to what counts. Where
/// it is half of them to the week, the median has to tell.
fn is_trifle(before: &[f64], observed: f64) -> bool {
    let counts = |amount: f64| amount * RECENT_WEEKS as f64 >= CHANGE_UNITS_MIN;
    !counts(observed) && before.iter().filter(|amount| !counts(**amount)).count() > before.len() / 2
}

/// The nearest whole number of micro-units.
fn micros(units: f64) -> MicrosSum {
    #[expect(clippy::cast_possible_truncation, reason = "sums of weeks are far inside an i128")]
    let micros = (units * MICROS_PER_UNIT as f64).round() as i128;
    MicrosSum(micros)
}
