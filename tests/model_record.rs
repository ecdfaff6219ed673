//! The live record measures scores as they were issued, counts every row once, and waits for the
//! labels. Figures are worked out by hand.

use std::convert::Infallible;

use churn_risk::domain::{ChurnRisk, Day, Event, EventKind, Feedback, FeedbackId, HorizonDays, SeenOutcome, Verdict};
use churn_risk::model::{
    Censored, Counts, Disagreement, HeldAgainst, Hindsight, HorizonCard, HorizonRecord, IssuedRisk, Labelled, LevelCard, LoadedModel,
    ModelRecord, Registry, Said, hold,
};
use churn_risk::portfolio::Portfolio;
use tempfile::TempDir;

use crate::support::models::{parts, publish};
use crate::support::worlds::{World, day, subscription_id};

/// The first of 200 days of data.
const FIRST: &str = "2024-01-01";

fn on(offset: i32) -> Day {
    day(FIRST) + offset
}

fn horizon(days: u32) -> HorizonDays {
    HorizonDays::new(days).expect("a horizon")
}

/// 200 days of seven subscriptions, each of its own customer. `s0` and `s1` leave after 110 and
/// 125 days, `s6` after 115 for a reason that is no churn, `s5` has left after 95.
fn world() -> World {
    let mut world = World { version: 1, ..World::default() };
    for (at, (end, daily)) in [(110, 2), (125, 2), (200, 3), (200, 3), (200, 1), (95, 1), (115, 1)].into_iter().enumerate() {
        let id = format!("s{at}");
        world.customer(&format!("c{at}"), None, None);
        world.subscription(&id, &format!("c{at}"), Some(FIRST));
        for offset in 0..end {
            world.used(&id, &on(offset).to_string(), daily);
        }
        if end < 200 {
            let reason = Some(if at == 6 { "nonpayment" } else { "cancelled" }.to_owned());
            world.lifecycle.push((subscription_id(&id), Event { on: on(end), kind: EventKind::Ended, reason }));
        }
    }
    world
}

/// A model to whom leaving is `cancelled` within 30 days, known 7 days later. Its training rows
/// had one churner in five.
fn loaded(portfolio: &Portfolio) -> LoadedModel {
    let models = TempDir::new().expect("a folder");
    let mut parts = parts(portfolio, 1.5);
    parts.question.churn_reasons = vec!["cancelled".to_owned()];
    let version = publish(models.path(), portfolio, parts);
    let mut loaded = Registry::open(models.path()).load(&version).expect("a sound model");
    let levels = LevelCard {
        medium_from: 0.2,
        high_from: 0.6,
        stated_precision: 0.5,
        train_precision: 0.5,
        train_recall: 0.5,
        test_precision: 0.5,
        test_recall: 0.5,
    };
    let train = Counts { rows: 50, churners: 10, ..Counts::default() };
    loaded.card.horizons =
        vec![HorizonCard { horizon_days: horizon(30), train, test: Counts::default(), base_rate: 0.3, levels, evaluation: None }];
    loaded
}

/// Scores of (subscription, horizon, risk).
fn taken(record: &mut ModelRecord<'_>, portfolio: &Portfolio, as_of: Day, scores: &[(&str, u32, Option<f64>)]) {
    let row = |(id, days, risk): &(&str, u32, Option<f64>)| {
        let risk = risk.map(|risk| ChurnRisk::new(risk).expect("a risk"));
        Ok::<_, Infallible>(IssuedRisk { subscription: portfolio.find_subscription(id), horizon_days: horizon(*days), risk })
    };
    let Ok(()) = record.take(as_of, scores.iter().map(row));
}

#[track_caller]
fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
}

#[test]
fn issued_risks_are_measured_as_by_hand_and_every_row_is_counted_once() {
    let portfolio = world().portfolio();
    let loaded = loaded(&portfolio);
    let mut record = ModelRecord::new(&portfolio, &loaded);
    let all = [
        ("s0", 30, Some(0.9)),
        ("s0", 90, Some(0.95)),
        ("s1", 30, Some(0.6)),
        ("s2", 30, Some(0.3)),
        ("s3", 30, Some(0.2)),
        ("s4", 30, None),
        ("s5", 30, Some(0.5)),
        ("s6", 30, Some(0.5)),
        ("gone", 30, Some(0.5)),
    ];
    // The model learnt from what happened up to 2024-02-26, the 56th day.
    taken(&mut record, &portfolio, on(55), &[("s0", 30, Some(0.1))]);
    taken(&mut record, &portfolio, on(100), &all);
    // Known with data up to the 207th day, and these end with the 199th.
    taken(&mut record, &portfolio, on(170), &[("s2", 30, Some(0.25)), ("s3", 30, None)]);
    let horizons = record.finish();
    let [month, quarter] = &horizons[..] else { panic!("{horizons:?}") };

    let HorizonRecord { scorings, rows, unknown, not_in_tables, pending, not_asked, censored_reason, matured, churners, .. } = month;
    assert_eq!((scorings, rows, matured, churners), (&3, &11, &4, &2));
    assert_eq!((unknown, not_in_tables, pending, not_asked, censored_reason), (&2, &1, &1, &1, &1));
    assert_eq!((month.seen_in_training, month.censored_gaps, month.censored_lead, month.migrations), (1, 0, 0, 0));
    assert_eq!((month.first_as_of, month.last_as_of, month.next_matures_on), (Some(on(55)), Some(on(170)), Some(on(207))));

    let evaluation = month.evaluation.as_ref().expect("both sorts");
    let model = &evaluation.model;
    assert_eq!(model.rows, 4);
    near(model.roc_auc.value, 1.0);
    near(model.brier.value, f64::midpoint(0.01 + 0.16, 0.09 + 0.04) / 2.0);
    near(model.log_loss.value, -(0.9_f64.ln() + 0.6_f64.ln() + 0.7_f64.ln() + 0.8_f64.ln()) / 4.0);
    near(model.expected_churners, 2.0);
    near(model.actual_churners, 2.0);
    // 30 days at 2 a day, and at 3 a day.
    near(model.expected_cost, 60.0 * (0.9 + 0.6) + 90.0 * (0.3 + 0.2));
    near(model.actual_cost, 120.0);
    let rule = evaluation.base_rate_rule.as_ref().expect("the card tells the share");
    near(rule.brier.value, (2.0 * 0.64 + 2.0 * 0.04) / 4.0);
    let gain = evaluation.gain_over_base_rate.expect("beside the rule");
    near(gain.log_loss.value, model.log_loss.value - rule.log_loss.value);
    let groups: Vec<(u64, f64, u64)> = evaluation.calibration.iter().map(|group| (group.rows, group.mean_risk, group.churners)).collect();
    assert_eq!(groups, [(1, 0.9, 1), (1, 0.6, 1), (1, 0.3, 0), (1, 0.2, 0)]);

    assert_eq!((quarter.horizon_days, quarter.pending, quarter.matured), (horizon(90), 0, 1));
    // One who left and nobody who stayed: figures would have no value.
    assert!(quarter.evaluation.is_none() && quarter.months[0].figures.is_none());
}

#[test]
fn months_are_those_of_the_as_of_days_and_have_the_rows_of_their_own() {
    let portfolio = world().portfolio();
    let loaded = loaded(&portfolio);
    let mut record = ModelRecord::new(&portfolio, &loaded);
    for (offset, risks) in [(100, [0.9, 0.6, 0.3, 0.2]), (107, [0.8, 0.5, 0.4, 0.1]), (121, [0.5, 0.5, 0.75, 0.25]), (170, [0.5; 4])] {
        let scores: Vec<_> = ["s0", "s1", "s2", "s3"].into_iter().zip(risks).map(|(id, risk)| (id, 30, Some(risk))).collect();
        taken(&mut record, &portfolio, on(offset), &scores);
    }
    let horizons = record.finish();
    let [record] = &horizons[..] else { panic!("{horizons:?}") };
    let told: Vec<_> = record.months.iter().map(|month| (month.month, month.scorings, month.rows, month.churners)).collect();
    // By the 121st day s0 has left: it has no row in May.
    assert_eq!(told, [(day("2024-04-01"), 2, 8, 4), (day("2024-05-01"), 1, 3, 1)]);
    near(record.months[0].expected_churners, 3.8);
    near(record.months[1].expected_churners, 1.5);
    let april = record.months[0].figures.as_ref().expect("both sorts");
    near(april.brier.value, (0.01 + 0.16 + 0.09 + 0.04 + 0.04 + 0.25 + 0.16 + 0.01) / 8.0);
    near(april.expected_to_actual.value, 3.8 / 4.0);
    // s1 left at 0.5, between the two who stayed.
    near(record.months[1].figures.as_ref().expect("both sorts").roc_auc.value, 0.5);
    assert_eq!((record.not_asked, record.pending, record.matured), (1, 4, 11));
}

#[test]
fn nothing_is_measured_before_its_label_is_known() {
    let mut world = world();
    // The label of the 100th day needs data up to the 137th.
    world.usage.retain(|(_, on_day, ..), _| *on_day <= on(136));
    let known = |world: &World| {
        let portfolio = world.portfolio();
        let loaded = loaded(&portfolio);
        let mut record = ModelRecord::new(&portfolio, &loaded);
        taken(&mut record, &portfolio, on(100), &[("s0", 30, Some(0.9)), ("s2", 30, Some(0.1))]);
        let record = record.finish().remove(0);
        (record.pending, record.matured, record.next_matures_on, record.evaluation.is_some())
    };
    assert_eq!(known(&world), (2, 0, Some(on(137)), false));
    world.used("s2", &on(137).to_string(), 1);
    assert_eq!(known(&world), (0, 2, None, true));
}

#[test]
fn of_too_many_rows_those_of_every_second_subscription_are_measured_and_all_are_counted() {
    let portfolio = world().portfolio();
    let loaded = loaded(&portfolio);
    let risks = [0.9, 0.6, 0.3, 0.2];
    let measured = |rows_max: usize| {
        let mut record = ModelRecord::bounded(&portfolio, &loaded, rows_max);
        for offset in [93, 100] {
            let scores: Vec<_> = ["s0", "s1", "s2", "s3"].into_iter().zip(risks).map(|(id, risk)| (id, 30, Some(risk))).collect();
            taken(&mut record, &portfolio, on(offset), &scores);
        }
        record.finish().remove(0)
    };
    let (all, half, quarter) = (measured(8), measured(5), measured(3));
    assert_eq!((all.one_in, half.one_in, quarter.one_in), (1, 2, 4));
    for record in [&all, &half, &quarter] {
        // s1 leaves after 125 days, which is beyond the 30 days after the 93rd.
        assert_eq!((record.matured, record.churners), (8, 3));
        near(record.expected_churners, 4.0);
        near(record.expected_cost, 2.0 * (60.0 * 1.5 + 90.0 * 0.5));
        near(record.actual_cost, 180.0);
        assert_eq!(record.months.iter().map(|month| (month.rows, month.churners)).collect::<Vec<_>>(), [(8, 3)]);
    }
    let model = half.evaluation.expect("both sorts").model;
    assert_eq!((model.rows, model.actual_churners), (4, 2.0));
    // Those of s0, who left, and of s2, who stayed.
    near(model.brier.value, f64::midpoint(0.01, 0.09));
    assert_eq!(half.months[0].figures.as_ref().map(|figures| figures.brier), Some(model.brier));
    // Those of s0 alone.
    assert!(quarter.evaluation.is_none() && quarter.months[0].figures.is_none());
}

fn said(verdict: Option<Verdict>, outcome: Option<SeenOutcome>) -> Feedback {
    Feedback {
        feedback_id: FeedbackId::parse("f").expect("an id"),
        subscription_id: subscription_id("s"),
        given_on: on(100),
        as_of: on(100),
        model_version: Some("m".to_owned()),
        risk: None,
        verdict,
        outcome,
        note: None,
        given_by: None,
    }
}

#[test]
fn feedback_is_held_against_the_label_once_it_is_known() {
    let label = |seen, called| HeldAgainst::Label { seen, called };
    let (leaves, stays) = (Hindsight::Known(Labelled::Leaves), Hindsight::Known(Labelled::Stays));
    let (right, wrong) = (Some(Verdict::Right), Some(Verdict::Wrong));
    let (left, stayed) = (Some(SeenOutcome::Left), Some(SeenOutcome::Stayed));
    let rows = [
        (said(right, left), label(leaves, Some(true))),
        (said(right, left), label(stays, Some(true))),
        (said(right, None), label(stays, Some(true))),
        (said(wrong, stayed), label(stays, Some(true))),
        (said(wrong, None), label(stays, Some(false))),
        (said(right, stayed), label(Hindsight::Known(Labelled::Migrates), Some(false))),
        (said(wrong, stayed), label(leaves, None)),
        (said(right, left), label(Hindsight::Pending(on(137)), Some(true))),
        (said(right, None), label(Hindsight::NotAsked, Some(true))),
        (said(None, left), label(Hindsight::Known(Labelled::Censored(Censored::Reason)), Some(true))),
        (said(None, None), HeldAgainst::Nothing),
    ];
    let record = hold(rows.iter().map(|(given, held)| (given, *held)));
    assert_eq!((record.rows, record.right, record.wrong, record.left, record.stayed), (11, 6, 3, 4, 3));
    assert_eq!((record.matured, record.pending, record.unlabelled), (7, 1, 3));
    assert_eq!((record.outcome_agreed, record.outcome_disagreed), (3, 2));
    assert_eq!((record.verdict_agreed, record.verdict_disagreed), (3, 3));
    let against = |said, called, became, rows| Disagreement { said, called, became, rows };
    let expected = [
        against(Said::Right, Some(true), SeenOutcome::Stayed, 2),
        against(Said::Wrong, Some(false), SeenOutcome::Stayed, 1),
        against(Said::Left, Some(true), SeenOutcome::Stayed, 1),
        against(Said::Stayed, None, SeenOutcome::Left, 1),
    ];
    assert_eq!(record.disagreements, expected);
}
