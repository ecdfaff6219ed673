//! The folder of models: what is named is checked before it is named, and a bad one changes nothing.

use std::fs;

use churn_risk::model::{CURRENT, Grade, LoadError, LoadedModel, ModelSlot, Promotion, PublishError, Registry};
use churn_risk::progress::Progress;
use churn_risk::training::train;
use tempfile::TempDir;

use crate::support::models::forced;
use crate::support::worlds::day;
use crate::training_flow::{leavers, request};

/// A registry that serves one trained model; another of the same tables is published beside it.
fn two_models() -> (TempDir, Registry, LoadedModel, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let registry = Registry::open(folder.path());
    let portfolio = leavers().portfolio();
    let versions = [Some(1.0), Some(2.0)].map(|alpha| {
        let trained =
            train(&portfolio, &churn_risk::training::TrainRequest { alpha, ..request() }, None, Progress::Silent).expect("enough rows");
        registry.publish(&trained.model, &trained.model_bin, &trained.card).expect("written");
        // The same again changes nothing.
        registry.publish(&trained.model, &trained.model_bin, &trained.card).expect("written before");
        trained.model.version().to_owned()
    });
    assert!(matches!(registry.load_current(), Err(LoadError::NoCurrent(_))));
    let served = registry.promote(&versions[0], &forced(), day("2024-02-01")).expect("sound");
    let [_, other] = versions;
    (folder, registry, served, other)
}

#[test]
fn a_refused_model_is_not_promoted_and_the_old_one_stays_in_service() {
    let (folder, registry, served, other) = two_models();
    let slot = ModelSlot::new(registry.clone());
    slot.reload().expect("sound");
    let path = folder.path().join(&other).join("model.bin");
    let sound = fs::read(&path).expect("published");
    fs::write(&path, &sound[..sound.len() - 1]).expect("written");
    assert!(matches!(registry.promote(&other, &forced(), day("2024-02-01")), Err(PublishError::Load(LoadError::Refused { .. }))));
    assert_eq!(registry.load_current().expect("the old one"), served);

    // Even where somebody names it by hand.
    fs::write(folder.path().join(CURRENT), &other).expect("written");
    assert!(matches!(slot.reload(), Err(LoadError::Refused { .. })));
    assert_eq!(*slot.current().expect("in use"), served);
    fs::write(&path, &sound).expect("written");
    assert_eq!(slot.reload().expect("sound again").model.version(), other);
}

#[test]
fn a_card_beside_another_model_is_refused() {
    let (folder, registry, served, other) = two_models();
    let card = |version: &str| folder.path().join(version).join("card.json");
    fs::copy(card(&other), card(served.model.version())).expect("copied");
    assert!(matches!(registry.load_current(), Err(LoadError::OtherCard { .. })));
    fs::write(card(served.model.version()), "{").expect("written");
    assert!(matches!(registry.load_current(), Err(LoadError::Card { .. })));
}

#[test]
fn a_model_under_another_name_and_a_name_that_leaves_the_folder_are_refused() {
    let (folder, registry, served, other) = two_models();
    let model = |version: &str| folder.path().join(version).join("model.bin");
    fs::copy(model(&other), model(served.model.version())).expect("copied");
    assert!(matches!(registry.load_current(), Err(LoadError::OtherVersion { .. })));
    for name in ["../elsewhere", "", ".hidden", "a/b", "a name"] {
        fs::write(folder.path().join(CURRENT), name).expect("written");
        assert!(matches!(registry.load_current(), Err(LoadError::BadName { .. })), "`{name}`");
    }
}

#[test]
fn a_damaged_version_is_set_aside_and_written_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let registry = Registry::open(folder.path());
    let portfolio = leavers().portfolio();
    let trained = train(&portfolio, &request(), None, Progress::Silent).expect("enough rows");
    let version = trained.model.version();
    let publish = || registry.publish(&trained.model, &trained.model_bin, &trained.card);
    let published = publish().expect("written");
    for (name, content) in [("model.bin", &b"torn"[..]), ("card.json", b"{")] {
        fs::write(published.join(name), content).expect("written");
        assert!(registry.load(version).is_err());
        publish().expect("written anew");
        registry.load(version).expect("sound");
    }
    let kept: Vec<bool> = ["model.bin", "card.json"]
        .iter()
        .zip(1..)
        .map(|(name, at)| folder.path().join(format!(".damaged-{version}-{at}/{name}")).exists())
        .collect();
    assert_eq!(kept, [true, true]);
}

#[test]
fn trainings_of_one_model_at_once_all_succeed_and_leave_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let portfolio = leavers().portfolio();
    let trained = train(&portfolio, &request(), None, Progress::Silent).expect("enough rows");
    let version = trained.model.version();
    // What a training that was killed has left.
    fs::create_dir_all(folder.path().join(format!(".{version}"))).expect("a folder");
    fs::write(folder.path().join(format!(".{version}/model.bin")), "torn").expect("written");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let registry = Registry::open(folder.path());
                registry.publish(&trained.model, &trained.model_bin, &trained.card).expect("written, now or before");
                registry.promote(version, &forced(), day("2024-02-01")).expect("sound");
            });
        }
    });
    let mut names: Vec<String> = fs::read_dir(folder.path())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert_eq!(names, [".lock", version, CURRENT, "promotions.jsonl"]);
}

/// The same model with a card that says grade D: a card is bound to the model's bytes alone.
fn downgrade(registry: &Registry, version: &str) {
    let path = registry.folder().join(version).join("card.json");
    let mut card: serde_json::Value = serde_json::from_slice(&fs::read(&path).expect("published")).expect("JSON");
    card["grade"] = "D".into();
    fs::write(path, card.to_string()).expect("written");
}

#[test]
fn a_model_of_grade_d_comes_into_service_by_force_alone_and_the_record_says_so() {
    let (_folder, registry, served, other) = two_models();
    downgrade(&registry, &other);
    let refused = registry.promote(&other, &Promotion::Earned, day("2024-02-02")).expect_err("it earned nothing");
    assert!(matches!(&refused, PublishError::Grade { version } if *version == other));
    assert!(refused.to_string().contains("does not beat the rule of recency"), "{refused}");
    assert_eq!(registry.load_current().expect("the old one"), served);

    registry.promote(&other, &forced(), day("2024-02-03")).expect("by force");
    // What is in service already adds no line.
    registry.promote(&other, &forced(), day("2024-02-04")).expect("it is there");
    let record = registry.promotions().expect("it reads");
    let line = record.last().expect("a line");
    assert_eq!((record.len(), line.version.as_str(), line.previous.as_deref()), (2, other.as_str(), Some(served.model.version())));
    assert_eq!((line.grade, line.on, line.back), (Some(Grade::D), day("2024-02-03"), false));
    assert_eq!((line.forced_by.as_deref(), line.why.as_deref()), (Some("a test"), Some("it was never measured")));
}

#[test]
fn the_way_back_goes_back_once_for_each_promotion() {
    let (folder, registry, served, other) = two_models();
    let first = served.model.version();
    assert!(matches!(registry.roll_back(day("2024-02-02")), Err(PublishError::NothingBefore { .. })));
    registry.promote(&other, &forced(), day("2024-02-02")).expect("sound");
    assert_eq!(registry.roll_back(day("2024-02-03")).expect("one before").model.version(), first);
    assert_eq!(registry.current_version().expect("named"), first);
    assert!(matches!(registry.roll_back(day("2024-02-04")), Err(PublishError::NothingBefore { .. })));
    // A line that a crash tore is of a promotion that did not happen.
    let record = folder.path().join("promotions.jsonl");
    let whole = fs::read_to_string(&record).expect("it reads");
    fs::write(&record, format!("{whole}{{\"version\":\"2024")).expect("written");
    assert_eq!(registry.promotions().expect("it reads").len(), 3);
    // And it takes the next one not with it.
    registry.promote(&other, &forced(), day("2024-02-05")).expect("sound");
    let record = registry.promotions().expect("it reads");
    assert_eq!((record.len(), record[3].version.as_str(), record[3].previous.as_deref()), (4, other.as_str(), Some(first)));
    assert_eq!(registry.versions().expect("it reads").len(), 2);
}
