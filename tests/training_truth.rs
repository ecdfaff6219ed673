//! A made-up partner whose hazards are known: what a model says is held against the truth and not
//! against a sample of it alone.

use std::collections::BTreeMap;

use churn_risk::domain::{Day, HorizonDays, State};
use churn_risk::features::Family;
use churn_risk::model::{Explanation, Label, Labelled, Labeller, Question, Scorer};
use churn_risk::portfolio::{Portfolio, SubscriptionIx, load};
use churn_risk::progress::Progress;
use churn_risk::simulate::{Known, LeaveKind, Partner, Plan, Truth, write_csv};
use churn_risk::training::{TrainRequest, Trained, train};

use crate::support::lakes::Desk;

const SUBSCRIPTIONS: u32 = 6_000;
const DAYS: u32 = 400;
const HORIZON: i32 = 30;
const GRACE: f64 = 7.0;

/// Days of fading after which a warning can be seen.
const SEEN_AFTER: i32 = 21;

/// A subscription on a test day.
struct Case {
    truth: Truth,
    /// Whether its leaving is announced by a fading that has begun.
    fading: bool,
    label: Labelled,
    told: Explanation,
}

/// The probability that an active subscription is deprovisioned within the horizon and not
/// recovered within the grace days, whatever its usage says; term ends as they fall on average.
fn closed_form(known: &Known, annual: bool) -> f64 {
    // Recoveries come 2 to 30 days later, each as often.
    let recovered_in_grace = known.recovery_share * (GRACE - 1.0) / 29.0;
    let suspended = known.suspended_per_day * (1.0 - recovered_in_grace);
    let daily = (1.0 - known.cancelled_per_day) * (1.0 - suspended);
    let terms = if annual { f64::from(HORIZON) / 365.0 } else { 1.0 };
    1.0 - daily.powi(HORIZON) * (1.0 - terms * known.expiry_per_term_end)
}

/// Every fourth test day of the portfolio, scored and taken apart.
fn cases(portfolio: &Portfolio, partner: &Partner, trained: &Trained<'_>) -> Vec<Case> {
    let truths: BTreeMap<SubscriptionIx, Truth> = partner
        .truths()
        .filter_map(|truth| {
            Some((portfolio.find_subscription(partner.subscription_id(truth.subscription).expect("an id").as_str())?, truth))
        })
        .collect();
    let scorer = Scorer::new(portfolio, &trained.model);
    let kernel = churn_risk::features::Kernel::new(portfolio, trained.model.volume_scale());
    let question = trained.model.question().clone();
    let labeller = Labeller::new(portfolio, &kernel, &question);
    let mut days: Vec<Day> = trained.scored.iter().map(|scored| scored.row.as_of).collect();
    days.dedup();
    let mut cases = Vec::new();
    for as_of in days.into_iter().step_by(2) {
        let mut scoring = scorer.at(as_of);
        for (ix, truth) in &truths {
            if portfolio.state_at(*ix, as_of) != State::Active {
                continue;
            }
            let label = labeller.label(*ix, as_of);
            let Some(told) = scoring.explain(*ix).filter(|_| !matches!(label, Labelled::Censored(_))) else { continue };
            let fading = truth.fades_from.is_some_and(|from| from + SEEN_AFTER <= as_of);
            cases.push(Case { truth: *truth, fading, label, told });
        }
    }
    cases
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    sum / count
}

/// What a family of features adds, over those of whom something holds.
fn push(cases: &[Case], family: Family, of: impl Fn(&Case) -> bool) -> f64 {
    let sum =
        |case: &Case| case.told.factors.iter().filter(|factor| factor.feature.family == family).map(|factor| factor.contribution).sum();
    mean(cases.iter().filter(|case| of(case)).map(sum))
}

#[test]
fn scores_are_the_true_hazards_and_their_reasons_the_planted_causes() {
    let desk = Desk::new();
    let plan = Plan::new(SUBSCRIPTIONS, DAYS, 7, Day::parse("2026-06-30").expect("a day")).expect("in bounds");
    write_csv(plan, &desk.path("in"), |_| ()).expect("a folder");
    desk.accept(&[desk.path("in")]);
    let portfolio = load(&desk.lake(), 0).expect("it loads");
    let question = Question {
        label: Label::Status,
        churn_reasons: Vec::new(),
        horizon_days: HorizonDays::new(HORIZON.unsigned_abs()).expect("a month"),
        lead_days: 0,
        grace_days: 7,
        active_window_days: None,
        min_age_days: 0,
    };
    let further = [60, 90].map(|days| HorizonDays::new(days).expect("days")).to_vec();
    let request = TrainRequest { question, further, days: None, alpha: None, without: Vec::new() };
    let trained = train(&portfolio, &request, None, Progress::Silent).expect("enough rows");
    let measured = &trained.card.evaluation().expect("figures").model;
    let slope = measured.calibration_slope;
    assert!((0.9..=1.1).contains(&slope.value) || (slope.low < 1.0 && slope.high > 1.0), "{slope:?}");
    eprintln!("calibration slope {slope:?}, expected to actual {:?}", measured.expected_to_actual);

    let cases = cases(&portfolio, &Partner::new(plan), &trained);
    the_sum_of_scores_is_the_sum_of_hazards(&cases);
    announced_leavers_are_told_by_their_usage(&cases);
    migrations_are_not_flagged(&cases, trained.model.heads()[0].cutoffs.high);
    a_longer_horizon_is_never_less_likely(&portfolio, &trained);
}

/// Over all, and over those of a low and of a high hazard. Trials have an end of their own and
/// are left out.
fn the_sum_of_scores_is_the_sum_of_hazards(cases: &[Case]) {
    let annual = |case: &Case| case.truth.known.expiry_per_term_end > 0.02;
    let settled = |case: &&Case| !case.truth.left.is_some_and(|(_, kind)| matches!(kind, LeaveKind::TrialOver | LeaveKind::Migrated));
    let hazard = |case: &Case| closed_form(&case.truth.known, annual(case));
    let mut sorted: Vec<f64> = cases.iter().filter(settled).map(hazard).collect();
    sorted.sort_by(f64::total_cmp);
    let median = sorted[sorted.len() / 2];
    for (name, low, high) in [("all", 0.0, 1.0), ("below the median", 0.0, median), ("above the median", median, 1.0)] {
        let part = || cases.iter().filter(settled).filter(|case| (low..high).contains(&hazard(case)));
        let ratio = mean(part().map(|case| case.told.risk.get())) / mean(part().map(hazard));
        eprintln!("{name}: scores over hazards {ratio:.3} of {} rows", part().count());
        assert!((0.85..=1.15).contains(&ratio), "{name}: {ratio}");
    }
}

/// Those whose usage has been fading for three weeks: among the three strongest reasons is one
/// of how they use it, and it pushes towards leaving.
fn announced_leavers_are_told_by_their_usage(cases: &[Case]) {
    let leaves = |case: &&Case| case.fading && case.label == Labelled::Leaves;
    let told = |case: &&Case| {
        let usage = [Family::Level, Family::Recency, Family::Trend, Family::Variability];
        case.told.factors.iter().take(3).any(|factor| factor.contribution > 0.0 && usage.contains(&factor.feature.family))
    };
    let (all, known) = (cases.iter().filter(leaves).count(), cases.iter().filter(leaves).filter(told).count());
    eprintln!("announced leavers whose reasons say so: {known} of {all}");
    assert!(all >= 50 && known * 10 >= all * 9, "{known} of {all}");
    // A planted cause beside usage: narrow subscriptions cancel half as often again.
    let narrow = |case: &Case| case.truth.known.cancelled_per_day;
    let middle = mean(cases.iter().map(narrow));
    let usage = push(cases, Family::Life, |case| narrow(case) > middle) - push(cases, Family::Life, |case| narrow(case) <= middle);
    eprintln!("what the life of those with the higher hazard adds over the others': {usage:.3}");
}

/// Those whose usage is about to move into another subscription are called no more often than
/// those who stay: to the customer nothing ends.
fn migrations_are_not_flagged(cases: &[Case], high: f64) {
    let moves = |case: &Case| case.truth.left.is_some_and(|(_, kind)| kind == LeaveKind::Migrated);
    let share = |of: &dyn Fn(&Case) -> bool| {
        let of: Vec<&Case> = cases.iter().filter(|case| of(case)).collect();
        (of.iter().filter(|case| case.told.risk.get() >= high).count() as f64 / of.len() as f64, of.len())
    };
    let leaves = |case: &Case| matches!(case.label, Labelled::Leaves | Labelled::Migrates);
    let migrating = share(&|case| moves(case) && leaves(case));
    let (staying, leaving) = (share(&|case| case.label == Labelled::Stays), share(&|case| case.label == Labelled::Leaves));
    eprintln!("at `high`: migrating {migrating:?}, staying {staying:?}, leaving {leaving:?}");
    assert!(migrating.1 >= 15 && migrating.0 <= staying.0 + 0.05, "{migrating:?} {staying:?}");
    let labelled = cases.iter().filter(|case| case.label == Labelled::Migrates).count();
    let as_such = cases.iter().filter(|case| moves(case) && case.label == Labelled::Migrates).count();
    eprintln!("{as_such} of {labelled} that are labelled as migrations are such");
    // Hardly used ones have no usual volume that anybody could take over.
    assert!(as_such * 4 >= migrating.1 * 3, "{as_such} of {} are labelled as what they are", migrating.1);
}

fn a_longer_horizon_is_never_less_likely(portfolio: &Portfolio, trained: &Trained<'_>) {
    let scorer = Scorer::new(portfolio, &trained.model);
    let mut scoring = scorer.at(portfolio.as_of().expect("used"));
    assert_eq!(trained.model.heads().len(), 3);
    let mut rising = 0;
    for ix in portfolio.subscription_indices() {
        let risks = trained.model.risks(&scoring.features(ix));
        assert!(risks.is_sorted(), "{risks:?}");
        rising += usize::from(risks[2] > risks[0]);
    }
    assert!(rising * 10 > portfolio.subscriptions().len() * 9, "{rising}");
}
