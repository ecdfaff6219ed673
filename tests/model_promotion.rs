//! Nobody puts a model into service by mistake: what is worse, never compared or too little to be
//! a model stays out, and says why.

use churn_risk::domain::HorizonDays;
use churn_risk::model::{Against, Card, LoadedModel, Method, Promotion, PublishError, Registry};
use churn_risk::progress::Progress;
use churn_risk::training::{TrainRequest, Trained, baseline, hold_beside, train};
use tempfile::TempDir;

use crate::support::worlds::{World, day};
use crate::training_flow::{leavers, request};

fn publish(registry: &Registry, trained: &Trained<'_>) -> String {
    registry.publish(&trained.model, &trained.model_bin, &trained.card).expect("written");
    trained.model.version().to_owned()
}

/// A registry with a model in service, and another of the same tables, with a penalty so heavy
/// that it knows little, beside it.
fn in_service() -> (TempDir, Registry, LoadedModel) {
    let folder = tempfile::tempdir().expect("a folder");
    let registry = Registry::open(folder.path());
    let portfolio = leavers().portfolio();
    let trained = train(&portfolio, &TrainRequest { alpha: Some(1.0), ..request() }, None, Progress::Silent).expect("enough rows");
    let version = publish(&registry, &trained);
    let served = registry.promote(&version, &Promotion::Earned, day("2024-02-01")).expect("nothing is in service yet");
    (folder, registry, served)
}

#[test]
fn a_version_that_was_never_held_beside_the_one_in_service_stays_out_until_it_was() {
    let (_folder, registry, served) = in_service();
    let portfolio = leavers().portfolio();
    let asked = TrainRequest { alpha: Some(3.0), ..request() };
    let alone = train(&portfolio, &asked, None, Progress::Silent).expect("enough rows");
    let version = publish(&registry, &alone);
    let refused = registry.promote(&version, &Promotion::Earned, day("2024-02-02")).expect_err("never compared");
    assert!(matches!(&refused, PublishError::NeverBeside { current, .. } if current == served.model.version()));
    assert!(refused.to_string().contains(&format!("`churn-train promote {version} --lake DIR`")), "{refused}");

    let loaded = registry.load(&version).expect("sound");
    let against = hold_beside(&portfolio, &loaded, &served, Progress::Silent).expect("days").expect("the same question");
    assert_eq!(against.version, served.model.version());
    // Both are from the same tables, so the test days of both are new to both.
    assert_eq!((against.rows, against.churners > 0), (alone.card.horizons[0].test.rows, true));
    assert!(!against.is_worse(), "{:?}", against.gain);
    registry.promote(&version, &Promotion::Beside(Box::new(against)), day("2024-02-03")).expect("not worse");
}

#[test]
fn a_version_that_is_worse_on_the_same_rows_stays_out() {
    let (_folder, registry, served) = in_service();
    let portfolio = leavers().portfolio();
    // A penalty under which only recency speaks.
    let asked = TrainRequest { alpha: Some(1e7), without: vec![churn_risk::features::Family::Recency], ..request() };
    let trained = train(&portfolio, &asked, Some(&served), Progress::Silent).expect("enough rows");
    let against: &Against = trained.card.against.as_ref().expect("compared while it was trained");
    assert!(against.is_worse(), "{:?}", against.gain);
    assert!((against.gain.log_loss.value - (against.model.log_loss.value - against.other.log_loss.value)).abs() < 1e-12);
    let version = publish(&registry, &trained);
    let card = Card { grade: Some(churn_risk::model::Grade::B), ..trained.card.clone() };
    std::fs::write(registry.folder().join(&version).join("card.json"), serde_json::to_vec(&card).expect("a card")).expect("written");
    let refused = registry.promote(&version, &Promotion::Earned, day("2024-02-02")).expect_err("worse");
    assert!(matches!(&refused, PublishError::Worse { .. }), "{refused}");
    assert_eq!(registry.load_current().expect("the old one"), served);
}

/// 60 subscriptions, of whom a few leave: too few rows for a model.
fn few() -> World {
    let mut world = leavers();
    world.subscriptions.retain(|row| row.subscription_id.as_str() < "s030");
    world.usage.retain(|(id, ..), _| id.as_str() < "s030");
    world.lifecycle.retain(|(id, _)| id.as_str() < "s030");
    world
}

#[test]
fn too_little_gives_the_rule_of_recency_with_the_counts_and_never_in_the_place_of_a_model() {
    let portfolio = few().portfolio();
    let asked = TrainRequest { further: vec![HorizonDays::new(60).expect("days")], ..request() };
    assert!(train(&portfolio, &asked, None, Progress::Silent).expect_err("too little").is_too_little());
    let rule = baseline(&portfolio, &asked, Progress::Silent).expect("some left");
    assert_eq!((rule.card.method, rule.card.grade), (Method::Baseline, None));
    let counts = &rule.card.horizons[0].train;
    assert!(counts.rows > 0 && counts.churners > 0, "{counts:?}");
    // The longer silent, the likelier, and nothing else counts.
    let weights: Vec<(&str, f64)> = rule
        .card
        .features
        .iter()
        .filter(|feature| feature.coefficients[0] != 0.0)
        .map(|one| (one.name.as_str(), one.coefficients[0]))
        .collect();
    assert!(matches!(weights[..], [("days_since_usage", weight)] if weight > 0.0), "{weights:?}");

    let folder = tempfile::tempdir().expect("a folder");
    let registry = Registry::open(folder.path());
    let version = publish(&registry, &rule);
    registry.promote(&version, &Promotion::Earned, day("2024-02-01")).expect("better than nothing");

    let (_other, registry, served) = in_service();
    let version = publish(&registry, &rule);
    let refused = registry.promote(&version, &Promotion::Earned, day("2024-02-02")).expect_err("a model is in service");
    assert!(matches!(&refused, PublishError::Baseline { current, .. } if current == served.model.version()));

    let nobody = World { lifecycle: Vec::new(), ..few() };
    assert!(baseline(&nobody.portfolio(), &asked, Progress::Silent).expect_err("nobody left").is_too_little());
}
