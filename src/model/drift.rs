//! Drift: whether today's subscriptions still look like those that the model learnt from.
//!
//! The population stability index of a feature over the tenths of its training rows is
//! `sum of (a - e) ln(a / e)`, `e` and `a` the shares of a group then and now. Where nothing has changed it
//! is about `(1/N + 1/M)` times a chi-square of groups less 1 (Yurdakul 2018, "Statistical
//! Properties of Population Stability Index"), `N` and `M` the rows now and then: so an alarm asks for more
//! than the customary 0.10 and for more than chance gives among some fifty figures.

use serde::Serialize;
use utoipa::ToSchema;

use super::{Card, ChurnModel, Scorer, ValueGroup, scaled};
use crate::domain::{Day, State};
use crate::portfolio::{Portfolio, SubscriptionIx};

/// PSI from which on a change is customarily called moderate.
const CUSTOMARY: f64 = 0.10;

/// The normal quantile of 1 - 1/10,000: with fifty figures a day, one false alarm in half a year.
const QUANTILE: f64 = 3.719_016_485;

/// Most subscriptions that are looked at, evenly spaced ones of more.
const LOOKED_AT_MAX: usize = 16_384;

/// Fewest: of fewer, nothing is said.
const LOOKED_AT_MIN: usize = 50;

/// Least width of a group, in deviations, and the least deviation that counts for it.
const LEAST_WIDTH: f64 = 0.1;
const LEAST_DEVIATION: f64 = 0.2;

/// Of how many days of the last 28 gaps are told, and how old a model's last label may be.
pub const GAP_WINDOW_DAYS: i32 = 28;
const MODEL_AGE_MAX_DAYS: i32 = 180;

/// How old the newest usage may be. Partner Center's own figures come a day or two late.
const FEED_AGE_MAX_DAYS: i32 = 3;

/// How far one figure has moved.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Moved {
    /// The feature's name; `risk` of the score itself.
    #[schema(examples("days_since_usage"))]
    pub name: String,
    /// Population stability index over the tenths of the training rows.
    pub psi: f64,
    /// From where on it is an alarm: the larger of 0.10 and what chance gives so many rows.
    pub bound: f64,
    pub alarm: bool,
}

/// Something that somebody should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Alarm {
    #[schema(examples("drift"))]
    pub code: &'static str,
    pub detail: String,
}

/// Today's subscriptions beside the training rows.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Drift {
    pub as_of: Day,
    /// Subscriptions looked at, all of them with a risk.
    pub rows: u64,
    /// Subscriptions of the training rows.
    pub training_rows: u64,
    /// The score first, then features, the largest move first.
    pub moved: Vec<Moved>,
}

impl Drift {
    /// What has moved on a portfolio's as-of day; none where there is too little to tell, or the
    /// card knows no tenths.
    #[must_use]
    pub fn of(scorer: &Scorer<'_>, card: &Card) -> Option<Self> {
        let (portfolio, model) = (scorer.portfolio, scorer.model);
        let as_of = portfolio.as_of()?;
        let active: Vec<SubscriptionIx> =
            portfolio.subscription_indices().filter(|each| portfolio.state_at(*each, as_of) == State::Active).collect();
        let step = active.len().div_ceil(LOOKED_AT_MAX).max(1);
        let mut scoring = scorer.at(as_of);
        let mut columns: Vec<Vec<f64>> = vec![Vec::new(); card.features.len()];
        let mut risks = Vec::new();
        for subscription in active.into_iter().step_by(step) {
            let Some(features) = scoring.known_features(subscription) else { continue };
            for (column, value) in columns.iter_mut().zip(features.values()) {
                column.push(*value);
            }
            risks.push(model.score(&features).get());
        }
        if risks.len() < LOOKED_AT_MIN || card.risk_deciles.is_empty() {
            return None;
        }
        // Rows of one subscription are no independent ones.
        let training_rows = card.main().map_or(0, |main| main.train.subscriptions);
        let moved = |name: &str, groups: &[ValueGroup], values: &[f64]| Moved::of(name, groups, training_rows, values);
        let score = moved("risk", &card.risk_deciles, &risks);
        let by_feature = card.features.iter().zip(model.columns()).zip(&columns);
        let mut features: Vec<Moved> = by_feature
            .map(|((feature, column), values)| {
                // As the model sees them: what is clipped has not moved.
                let seen = |value: f64| scaled(column.scale, value).clamp(column.low, column.high);
                let groups: Vec<ValueGroup> = feature.deciles.iter().map(|group| ValueGroup { to: seen(group.to), ..*group }).collect();
                let values: Vec<f64> = values.iter().map(|value| seen(*value)).collect();
                moved(&feature.name, &apart(&groups, LEAST_WIDTH * column.deviation.max(LEAST_DEVIATION)), &values)
            })
            .collect();
        features.sort_by(|a, b| b.psi.total_cmp(&a.psi));
        let moved = std::iter::once(score).chain(features).collect();
        Some(Self { as_of, rows: risks.len() as u64, training_rows, moved })
    }

    /// The figures beyond their bounds.
    pub fn alarms(&self) -> impl Iterator<Item = &Moved> {
        self.moved.iter().filter(|moved| moved.alarm)
    }
}

/// Groups of at least a width: narrower ones are taken together, and each reaches half a width
/// further. Many values that are one and the same, and drift by a hair with the day as what is
/// told against the usual does, are then no move.
fn apart(groups: &[ValueGroup], width: f64) -> Vec<ValueGroup> {
    let mut kept: Vec<(f64, ValueGroup)> = Vec::with_capacity(groups.len());
    for group in groups {
        match kept.last_mut() {
            Some((first, last)) if group.to - *first < width => {
                *last = ValueGroup { to: group.to, rows: last.rows + group.rows, churners: last.churners + group.churners };
            }
            _ => kept.push((group.to, *group)),
        }
    }
    kept.into_iter().map(|(_, group)| ValueGroup { to: group.to + width / 2.0, ..group }).collect()
}

impl Moved {
    /// How far values have moved from the groups of the training rows, which are those of
    /// so many subscriptions.
    #[must_use]
    pub fn of(name: &str, groups: &[ValueGroup], training_rows: u64, values: &[f64]) -> Self {
        // One group more for what is beyond the largest value of training.
        let then: Vec<u64> = groups.iter().map(|group| group.rows).chain([0]).collect();
        let mut now = vec![0_u64; then.len()];
        for value in values {
            now[groups.partition_point(|group| group.to < *value)] += 1;
        }
        let (psi, bound) = (psi(&then, &now), bound(then.len(), values.len() as u64, training_rows));
        Self { name: name.to_owned(), psi, bound, alarm: psi > bound }
    }
}

/// The index of two counts of the same groups, half a row added to each so that none is empty.
fn psi(then: &[u64], now: &[u64]) -> f64 {
    let share = |counts: &[u64], at: usize| {
        let all: u64 = counts.iter().sum();
        (counts[at] as f64 + 0.5) / (all as f64 + 0.5 * counts.len() as f64)
    };
    (0..then.len()).map(|at| (share(now, at) - share(then, at)) * (share(now, at) / share(then, at)).ln()).sum()
}

/// The larger of the customary bound and the quantile of chance.
fn bound(groups: usize, rows: u64, training_rows: u64) -> f64 {
    let inverse = |rows: u64| 1.0 / rows.max(1) as f64;
    CUSTOMARY.max(chi_square(groups.saturating_sub(1)) * (inverse(rows) + inverse(training_rows)))
}

/// The quantile of a chi-square (Wilson and Hilferty 1931): 1 to 8 % above the exact one.
fn chi_square(degrees: usize) -> f64 {
    if degrees == 0 {
        return 0.0;
    }
    let part = 2.0 / (9.0 * degrees as f64);
    degrees as f64 * (1.0 - part + QUANTILE * part.sqrt()).powi(3)
}

/// Everything that should be looked at on a day: figures that moved, a feed with gaps or one that
/// has stopped, a model whose last label is old. Without a day, nobody knows whether the feed has stopped.
#[must_use]
pub fn alarms(model: &ChurnModel, portfolio: &Portfolio, drift: Option<&Drift>, today: Option<Day>) -> Vec<Alarm> {
    let mut alarms = Vec::new();
    for moved in drift.into_iter().flat_map(Drift::alarms) {
        let detail = format!("`{}` has a population stability index of {:.2}, above {:.2}", moved.name, moved.psi, moved.bound);
        alarms.push(Alarm { code: "drift", detail });
    }
    let Some(as_of) = portfolio.as_of() else { return alarms };
    if let Some(days) = today.map(|today| today - as_of).filter(|days| *days > FEED_AGE_MAX_DAYS) {
        let detail = format!("the newest usage is of {as_of}, {days} days ago: the risks stand at that day");
        alarms.push(Alarm { code: "stale_feed", detail });
    }
    let gaps = portfolio.gaps().iter().filter(|day| as_of - **day < GAP_WINDOW_DAYS).count();
    if gaps > 0 {
        let detail = format!("the feed has no row on {gaps} of the last {GAP_WINDOW_DAYS} days");
        alarms.push(Alarm { code: "gaps", detail });
    }
    let learnt = model.learnt_through();
    if as_of - learnt > MODEL_AGE_MAX_DAYS {
        let detail = format!("the model learnt from what happened up to {learnt}, {} days before the as-of day {as_of}", as_of - learnt);
        alarms.push(Alarm { code: "old_model", detail });
    }
    alarms
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;
    use rand_distr::{Distribution, StandardNormal};

    use super::*;

    const TRAINING: usize = 20_000;

    fn draw(random: &mut ChaCha8Rng, rows: usize, shift: f64) -> Vec<f64> {
        (0..rows).map(|_| <StandardNormal as Distribution<f64>>::sample(&StandardNormal, random) + shift).collect()
    }

    fn tenths(mut values: Vec<f64>) -> Vec<ValueGroup> {
        values.sort_by(f64::total_cmp);
        let rows = values.len() / 10;
        (1..=10).map(|group| ValueGroup { to: values[group * rows - 1], rows: rows as u64, churners: 0 }).collect()
    }

    /// Alarms of 100 resamples of so many rows.
    fn alarms_of(rows: usize, training: usize, shift: f64) -> usize {
        let mut random = ChaCha8Rng::seed_from_u64(rows as u64 + training as u64);
        let alarm = |_: &usize| {
            let groups = tenths(draw(&mut random, training, 0.0));
            Moved::of("x", &groups, training as u64, &draw(&mut random, rows, shift)).alarm
        };
        (0..100).filter(alarm).count()
    }

    #[test]
    fn the_same_population_gives_no_alarm_and_half_a_deviation_always_does() {
        for rows in [1_000, 10_000, 100_000] {
            assert!(alarms_of(rows, TRAINING, 0.0) <= 1, "{rows} rows of the same population");
            assert!(alarms_of(rows, TRAINING, 0.5) >= 99, "{rows} rows half a deviation away");
        }
        // Small ones, where chance alone passes 0.10.
        assert!(alarms_of(100, 300, 0.0) <= 1);
    }

    #[test]
    fn the_quantile_is_that_of_the_tables() {
        // R: qchisq(1 - 1e-4, c(1, 5, 9))
        for (degrees, exact) in [(1, 15.137), (5, 25.745), (9, 33.720)] {
            assert!((1.0..1.08).contains(&(chi_square(degrees) / exact)), "{degrees}: {}", chi_square(degrees));
        }
    }

    #[test]
    fn one_value_that_drifts_by_a_hair_has_not_moved() {
        let group = |to: f64| ValueGroup { to, rows: 50, churners: 0 };
        let groups: Vec<ValueGroup> = (0..9_i32).map(|at| group(-0.0076 + 0.0005 * f64::from(at))).chain([group(1.5)]).collect();
        let today = [vec![-0.0021; 180], vec![0.7; 20]].concat();
        assert!(Moved::of("x", &groups, 500, &today).psi > 1.0);
        let moved = Moved::of("x", &apart(&groups, 0.02), 500, &today);
        assert!(!moved.alarm, "{moved:?}");
        // What is far apart stays apart.
        let spread: Vec<ValueGroup> = (0..10_i32).map(|at| group(f64::from(at))).collect();
        assert_eq!(apart(&spread, 0.1).len(), 10);
    }

    #[test]
    fn a_constant_moves_where_it_is_one_no_more() {
        let groups = [ValueGroup { to: 0.0, rows: 500, churners: 0 }];
        let of = |values: &[f64]| Moved::of("x", &groups, 500, values);
        assert!(!of(&[0.0; 200]).alarm);
        assert!(of(&[[0.0; 100], [1.0; 100]].concat()).alarm);
    }
}
