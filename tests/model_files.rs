//! A model file that is not exactly what was written is refused, with a sentence that says why.

use churn_risk::domain::HorizonDays;
use churn_risk::features::{FEATURE_COUNT, FEATURES, FeatureVector, History, Kernel, Scale, Usual, VolumeScale, catalogue};
use churn_risk::model::{Column, Cutoffs, Head, Label, ModelParts, PROBES_MAX, Question, RefusedModel, decode, encode};
use churn_risk::portfolio::Portfolio;
use sha2::{Digest, Sha256};

use crate::support::worlds::{World, day};

const HEAD: usize = 8 + 4 + 8 + 32;

fn world() -> World {
    let mut world = World { version: 1, ..World::default() };
    for at in 0..3_i64 {
        world.subscription(&format!("s{at}"), "c", Some("2024-01-01"));
        world.used(&format!("s{at}"), &format!("2024-02-{:02}", 3 + at * 7), 1 + at);
    }
    world
}

/// A model that finds silence alarming and use reassuring. Its numbers stand once each.
fn parts(portfolio: &Portfolio, silence: f64) -> ModelParts {
    let columns = FEATURES.iter().map(|feature| {
        let (mean, deviation, typical) = match feature.name {
            "days_since_usage" => (3.0, 4.0, 1.0),
            "active_share_28" => (0.125, 0.25, 0.75),
            _ => (0.0, 1.0, 0.0),
        };
        Column { scale: Scale::Straight, low: -1_000.0, high: 1_000.0, mean, deviation, typical }
    });
    let coefficients = FEATURES.iter().map(|feature| match feature.name {
        "days_since_usage" => silence,
        "active_share_28" => -0.5,
        _ => 0.0,
    });
    let horizon_days = HorizonDays::new(30).expect("a month");
    let question = Question {
        label: Label::Status,
        churn_reasons: vec!["cancelled".to_owned()],
        horizon_days,
        lead_days: 0,
        grace_days: 7,
        active_window_days: Some(28),
        min_age_days: 0,
    };
    let last = day("2024-02-10");
    ModelParts {
        question,
        trained_through: last,
        volume: VolumeScale::Quantity(quantities(portfolio)),
        columns: columns.collect(),
        heads: vec![Head {
            horizon_days,
            intercept: -2.0,
            coefficients: coefficients.collect(),
            cutoffs: Cutoffs { medium: 0.2, high: 0.6 },
        }],
    }
}

fn quantities(portfolio: &Portfolio) -> Vec<churn_risk::features::SeriesScale> {
    let series = portfolio.series().iter();
    series
        .map(|series| churn_risk::features::SeriesScale { category: series.category.clone(), unit: series.unit.clone(), median: 2.5 })
        .collect()
}

/// The row of every subscription on the portfolio's as-of day.
fn some_rows(portfolio: &Portfolio) -> Vec<FeatureVector> {
    let kernel = Kernel::new(portfolio, &VolumeScale::Quantity(quantities(portfolio)));
    let as_of = portfolio.as_of().expect("used");
    let mut at = kernel.at(as_of, Usual::of(&kernel, portfolio, as_of));
    portfolio.subscription_indices().map(|ix| at.features(&History::of(portfolio, ix))).collect()
}

/// A small model file with one probe.
fn small_file() -> Vec<u8> {
    let portfolio = world().portfolio();
    encode(parts(&portfolio, 1.5), &some_rows(&portfolio)[..1]).expect("sound parts").1
}

/// Puts a head with the right length and SHA-256 before an altered payload.
fn seal_again(bytes: &mut Vec<u8>) {
    let payload = bytes.split_off(HEAD);
    bytes[12..20].copy_from_slice(&(payload.len() as u64).to_le_bytes());
    bytes[20..52].copy_from_slice(&Sha256::digest(&payload));
    bytes.extend(payload);
}

/// Replaces the only 8 bytes that hold `old`.
fn replace_number(bytes: &mut [u8], old: f64, new: f64) {
    let found: Vec<usize> = (0..bytes.len() - 7).filter(|at| bytes[*at..at + 8] == old.to_le_bytes()).collect();
    assert_eq!(found.len(), 1, "{old} stands {} times", found.len());
    bytes[found[0]..found[0] + 8].copy_from_slice(&new.to_le_bytes());
}

#[test]
fn every_flipped_bit_and_every_cut_of_a_model_file_is_refused() {
    let bytes = small_file();
    decode(&bytes).expect("the file as it was written");
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(decode(&flipped).is_err(), "bit {bit}");
    }
    for length in 0..bytes.len() {
        assert!(decode(&bytes[..length]).is_err(), "{length} bytes");
    }
    let mut longer = bytes;
    longer.push(0);
    assert!(matches!(decode(&longer), Err(RefusedModel::Torn { .. })));
}

/// Alters a file's bytes and reads it; the refusal's sentence must hold `told`.
#[track_caller]
fn check(told: &str, alter: impl Fn(&mut Vec<u8>)) {
    let mut bytes = small_file();
    alter(&mut bytes);
    let refusal = decode(&bytes).expect_err("an altered file").to_string();
    assert!(refusal.contains(told), "`{refusal}` does not say `{told}`");
}

#[test]
fn each_refusal_says_what_is_wrong() {
    check("does not begin like a model file", |bytes| bytes[0] = b'X');
    check("format 3, and this program reads format 2", |bytes| bytes[8] = 3);
    check("the file is torn", |bytes| bytes.truncate(HEAD + 9));
    check("more than 16777216", |bytes| bytes.resize((16 << 20) + 1, 0));
    check("the file is damaged", |bytes| bytes[HEAD + 40] ^= 1);
    check("bytes follow the payload's last field", |bytes| {
        bytes.push(0);
        seal_again(bytes);
    });
    check("made for another feature catalogue", |bytes| {
        bytes[HEAD] ^= 1;
        seal_again(bytes);
    });
    check("does not decode", |bytes| {
        bytes.truncate(HEAD + 100);
        seal_again(bytes);
    });
    check("is not a finite number", |bytes| {
        replace_number(bytes, 1.5, f64::NAN);
        seal_again(bytes);
    });
    check("the deviation of feature `active_share_28` is -0.25, not above 0", |bytes| {
        replace_number(bytes, 0.25, -0.25);
        seal_again(bytes);
    });
    check("probe 0 scores", |bytes| {
        replace_number(bytes, 1.5, 1.500_001);
        seal_again(bytes);
    });
    check("probe 0 scores", |bytes| {
        let at = bytes.len() - 8;
        bytes[at..].copy_from_slice(&0.123_f64.to_le_bytes());
        seal_again(bytes);
    });
}

#[test]
fn a_file_holds_at_most_32_probes_and_the_same_model_gives_the_same_bytes() {
    let portfolio = world().portfolio();
    let rows = some_rows(&portfolio);
    let many: Vec<_> = rows.iter().cycle().take(100).cloned().collect();
    let (model, bytes) = encode(parts(&portfolio, 1.5), &many).expect("sound parts");
    let probe_bytes = 8 + 8 * FEATURE_COUNT + 8 + 8;
    assert_eq!(bytes.len() - small_file().len(), (PROBES_MAX - 1) * probe_bytes);
    assert_eq!(encode(parts(&portfolio, 1.5), &many).expect("sound parts").1, bytes);
    assert_eq!(decode(&bytes).expect("sound"), model);
    assert!(bytes[HEAD..].starts_with(&catalogue::hash()));
    assert!(matches!(encode(parts(&portfolio, 1.5), &[]), Err(RefusedModel::Probes(0))));
}

#[test]
fn a_reason_adds_up_to_the_risk_to_the_last_bit() {
    let portfolio = world().portfolio();
    let rows = some_rows(&portfolio);
    let (model, _) = encode(parts(&portfolio, 1.5), &rows).expect("sound parts");
    for row in &rows {
        let told = model.explain(row, 0);
        assert_eq!(told.risk, model.score(row));
        let mut factors = told.factors.clone();
        assert!(factors.is_sorted_by(|a, b| a.contribution.abs() >= b.contribution.abs()));
        factors.sort_by_key(|factor| catalogue::index(factor.feature.name));
        let sum = factors.iter().fold(told.base_log_odds, |sum, factor| sum + factor.contribution);
        assert_eq!(sum.to_bits(), told.log_odds.to_bits());
    }
}
