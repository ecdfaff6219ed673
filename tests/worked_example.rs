//! Anyone can check a score by hand: the worked example of `models/README.md`, run.
//!
//! Every number of the page is read from it, and followed from step to step with the operations of
//! a pocket calculator; at the end stands what the committed model says.

use std::path::Path;

use churn_risk::domain::Day;
use churn_risk::features::{FEATURES, FeatureVector, FeedDays, History, Kernel, Scale, Usual};
use churn_risk::model::{LoadedModel, Registry};
use churn_risk::portfolio::Portfolio;

use crate::support::worlds::{World, day};

/// The series of the example: five units of money a day, then silence.
const CREATED: &str = "2026-07-01";
const LAST_USED: &str = "2026-09-20";
const AS_OF: &str = "2026-10-01";

/// What is printed has six digits; products and sums of such are good to this.
const PRINTED: f64 = 2e-5;

fn committed() -> LoadedModel {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    Registry::open(&models).load_current().expect("a model that this program wrote")
}

fn series() -> Portfolio {
    let mut world = World { version: 1, ..World::default() };
    world.subscription("example", "customer", Some(CREATED));
    let days = day(LAST_USED) - day(CREATED);
    for offset in 0..=days {
        world.used("example", &(day(CREATED) + offset).to_string(), 5);
    }
    world.portfolio()
}

/// The features of the series where nothing is known of other subscriptions and the feed spoke on every day.
fn features(portfolio: &Portfolio, loaded: &LoadedModel) -> FeatureVector {
    let as_of: Day = day(AS_OF);
    let kernel = Kernel::over(FeedDays::unbroken(day(CREATED) - 100, as_of), portfolio.series(), loaded.model.volume_scale());
    let ix = portfolio.find_subscription("example").expect("it is there");
    let life = &portfolio.subscription(ix).life;
    kernel.at(as_of, Usual::UNKNOWN).features(&History::new(portfolio.usage(ix), life))
}

fn bent(scale: Scale, value: f64) -> f64 {
    match scale {
        Scale::Straight => value,
        Scale::SignedLog { times } => value.signum() * (1.0 + f64::from(times) * value.abs()).ln(),
    }
}

fn scale_in_words(scale: Scale) -> String {
    match scale {
        Scale::Straight => "as it is".to_owned(),
        Scale::SignedLog { times: 1 } => "ln(1 + x)".to_owned(),
        Scale::SignedLog { times } => format!("ln(1 + {times} x)"),
    }
}

/// The page's table, as it must be.
fn table(loaded: &LoadedModel, row: &FeatureVector) -> Vec<String> {
    let head = &loaded.model.heads()[0];
    let columns = loaded.model.columns().iter().zip(&head.coefficients).zip(row.values().iter().zip(FEATURES));
    let line = |((column, weight), (value, feature)): ((&churn_risk::model::Column, &f64), (&f64, &churn_risk::features::Feature))| {
        let clipped = bent(column.scale, *value).clamp(column.low, column.high);
        let standard = (clipped - column.mean) / column.deviation;
        format!(
            "| `{}` | {:.6} | {} | {:.6} | {:.6} | {:.6} | {:.6} | {:.6} | {:.6} |",
            feature.name,
            value,
            scale_in_words(column.scale),
            clipped,
            column.mean,
            column.deviation,
            standard,
            weight,
            standard * weight
        )
    };
    columns.map(line).collect()
}

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("models").join("README.md");
    std::fs::read_to_string(path).expect("the page")
}

#[test]
fn the_page_goes_from_the_series_to_the_risk() {
    let loaded = committed();
    let portfolio = series();
    let row = features(&portfolio, &loaded);
    let lines = table(&loaded, &row);
    let risk = loaded.model.score(&row).get();
    let page = page();
    let printed: Vec<&str> = page.lines().filter(|line| line.starts_with("| `") && line.matches('|').count() == 10).collect();
    assert_eq!(printed, lines, "models/README.md should hold this table:\n{}\n", lines.join("\n"));

    // From here on the page alone is read, with a calculator's operations.
    let number = |cell: &str| cell.trim().parse::<f64>().expect("a number of the page");
    let mut sum = 0.0;
    for line in printed {
        let cells: Vec<&str> = line.split('|').collect();
        let [clipped, mean, deviation, standard, weight, product] = [4, 5, 6, 7, 8, 9].map(|at| number(cells[at]));
        assert!(((clipped - mean) / deviation - standard).abs() < PRINTED * (1.0 + 1.0 / deviation), "{line}");
        assert!((standard * weight - product).abs() < PRINTED, "{line}");
        sum += product;
    }
    let after = |words: &str| {
        let (_, rest) = page.split_once(words).unwrap_or_else(|| panic!("the page does not say `{words}`; risk {risk:.6}, sum {sum:.6}"));
        number(rest.trim_start().split([' ', ';', ',', '\n']).next().expect("a number").trim_end_matches('.'))
    };
    let intercept = after("intercept is");
    assert!((intercept - loaded.model.heads()[0].intercept).abs() < PRINTED, "{}", loaded.model.heads()[0].intercept);
    assert!((after("products come to") - sum).abs() < PRINTED, "{sum:.6}");
    let log_odds = after("log-odds are");
    assert!((intercept + sum - log_odds).abs() < PRINTED, "{:.6}", intercept + sum);
    let by_hand = 1.0 / (1.0 + (-log_odds).exp());
    assert!((after("the risk is") - by_hand).abs() < PRINTED && (by_hand - risk).abs() < 1e-4, "{by_hand:.6} {risk:.6}");
}

/// The values that the page works out from the series in words.
#[test]
fn values_are_those_that_the_page_works_out_from_the_series() {
    let loaded = committed();
    let portfolio = series();
    let row = features(&portfolio, &loaded);
    let value = |name: &str| row.values()[FEATURES.iter().position(|feature| feature.name == name).expect("a feature")];
    let (silence, used_of_28, tenure) = (day(AS_OF) - day(LAST_USED), 28 - 11, day(AS_OF) - day(CREATED));
    assert_eq!((silence, tenure), (11, 92));
    let expected = [
        ("days_since_usage", 11.0),
        ("active_share_7", 0.0),
        ("active_share_14", 3.0 / 14.0),
        ("active_share_28", f64::from(used_of_28) / 28.0),
        ("volume_28", 5.0 * f64::from(used_of_28) / 28.0),
        ("activity_change_28", f64::from(used_of_28) / 28.0 - 1.0),
        ("last_7_of_best_7", 0.0),
        ("silence_against_usual", (12.0_f64 / 2.0).ln()),
        ("categories_28", 1.0),
        ("young", 0.0),
        ("tenure_relative", 0.0),
    ];
    for (name, by_hand) in expected {
        assert!((value(name) - by_hand).abs() < 1e-9, "{name}: {} and by hand {by_hand}", value(name));
    }
}
