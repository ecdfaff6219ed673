//! The report of a model: a page that says what the card says, loads nothing, and trusts no name.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use churn_risk::domain::{HorizonDays, hex};
use churn_risk::model::{Against, Card, Interval, Method, REPORT, Registry};
use churn_risk::progress::Progress;
use churn_risk::training::{TrainRequest, commands, report, train};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::metrics_by_hand::five_customers;
use crate::support::lakes::Desk;
use crate::support::services::Served;
use crate::training_command::said;
use crate::training_flow::{leavers, request};

/// A card with everything in it: three horizons, of which the data hold enough for some.
fn trained() -> (Card, Vec<u8>, churn_risk::model::ChurnModel) {
    let further = [60, 90].map(|days| HorizonDays::new(days).expect("days")).to_vec();
    let portfolio = leavers().portfolio();
    let trained = train(&portfolio, &TrainRequest { further, ..request() }, None, Progress::Silent).expect("enough rows");
    (trained.card, trained.model_bin, trained.model)
}

fn page_of(card: &Card) -> String {
    report(card).expect("a page")
}

/// What stands between two marks, each time that they stand there.
fn between<'a>(page: &'a str, from: &str, to: &str) -> Vec<&'a str> {
    page.split(from).skip(1).map(|rest| rest.split(to).next().unwrap_or_default()).collect()
}

/// The chart of this name, as the page's script is given it.
#[track_caller]
fn chart(page: &str, id: &str) -> Value {
    let found = between(page, &format!("data-chart=\"{id}\">"), "</script>");
    assert_eq!(found.len(), 1, "charts called {id}");
    serde_json::from_str(found[0]).expect("JSON")
}

/// The page without its scripts: what a browser shows.
fn shown(page: &str) -> String {
    page.split("<script").map(|part| part.split_once("</script>").map_or(part, |(_, after)| after)).collect()
}

/// The card that the page carries, as it was before its `<` were written as escapes.
#[track_caller]
fn embedded(page: &str) -> String {
    let found = between(page, "<script id=\"card\" type=\"application/json\">", "</script>");
    assert_eq!(found.len(), 1);
    serde_json::from_str::<Card>(found[0]).expect("a card");
    found[0].replace("\\u003c", "<")
}

fn told(interval: Interval, digits: usize) -> [String; 2] {
    let Interval { value, low, high } = interval;
    [format!("{value:.digits$}"), format!(" ({low:.digits$} to {high:.digits$})")]
}

#[track_caller]
fn close(value: &Value, wanted: f64) {
    assert!((value.as_f64().expect("a number") - wanted).abs() < 1e-12, "{value} {wanted}");
}

/// A row of a table whose first cell is this.
#[track_caller]
fn row<'a>(page: &'a str, caption: &str, name: &str) -> &'a str {
    let table = page.split_once(&format!("<caption>{caption}</caption>")).map(|(_, after)| after).expect("a table");
    let table = table.split("</table>").next().expect("an end");
    let rows = between(table, &format!("<th scope=\"row\">{name}</th>"), "</tr>");
    rows.first().copied().unwrap_or_else(|| panic!("no row {name} in {caption}"))
}

#[test]
fn the_page_says_what_the_card_says() {
    let (card, ..) = trained();
    let (first, evaluation) = card.main().zip(card.evaluation()).expect("figures");
    let page = page_of(&card);
    assert_eq!(page, page_of(&card));
    assert!(embedded(&page) == serde_json::to_string(&card).expect("a card"), "the page carries another card");

    for id in ["verdict", "meaning", "chooser", "ranking", "calibration", "gain", "figures", "horizons", "backtest", "features", "segments"]
    {
        assert!(page.contains(&format!("<section id=\"{id}\"")), "{id}");
    }
    for id in ["against", "rows", "fit", "glossary"] {
        assert!(page.contains(&format!("<section id=\"{id}\"")), "{id}");
    }
    let grade = card.grade.expect("a grade");
    assert!(page.contains(&format!("Grade {grade}: this model {}.", grade.sentence())));

    let caption = "On the same test rows, with 95 % intervals";
    for (name, of) in [("ROC AUC", evaluation.model.roc_auc), ("PR AUC", evaluation.model.pr_auc)] {
        assert!(told(of, 3).iter().all(|text| row(&page, caption, name).contains(text)), "{name}");
    }
    for measured in [&evaluation.model, &evaluation.three_features, &evaluation.recency_rule, &evaluation.base_rate_rule] {
        assert!(told(measured.log_loss, 4).iter().all(|text| row(&page, caption, "log loss (less is better)").contains(text)));
    }
    for horizon in &card.horizons {
        let days = format!("{} days", horizon.horizon_days.get());
        let measured = &horizon.evaluation.as_ref().expect("measured").model;
        let row = row(&page, "Each horizon on its own test rows, with 95 % intervals", &days);
        assert!(told(measured.pr_auc, 3).iter().all(|text| row.contains(text)), "{row}");
    }
    for segment in &card.segments {
        let row = row(&page, "Segments of the test rows, with 95 % intervals", &format!("{}: {}", segment.by, segment.name));
        assert!(row.replace(',', "").starts_with(&format!("<td>{}</td><td>{}</td>", segment.rows, segment.churners)), "{row}");
    }
    for month in &card.backtest {
        let row = row(&page, "Backtest, with 95 % intervals", &month.month.to_string());
        assert!(told(month.pr_auc, 3).iter().all(|text| row.contains(text)), "{row}");
    }
    assert!(!card.segments.is_empty() && !card.backtest.is_empty() && card.horizons.len() > 1);
    let used = row(&page, "Rows used and censored", "30 days, test");
    let (rows, cells) = (&first.test, between(used, "<td>", "</td>"));
    let censored = [rows.censored_window, rows.censored_reason, rows.censored_gaps, rows.censored_lead].map(|count| count.to_string());
    assert_eq!(cells[6..], censored, "{used}");
}

#[test]
fn the_charts_draw_the_figures_of_the_card() {
    let (card, ..) = trained();
    let (first, evaluation) = card.main().zip(card.evaluation()).expect("figures");
    let page = page_of(&card);
    let (rows, churners) = (first.test.rows as f64, first.test.churners as f64);
    let cutoffs = &evaluation.curves.cutoffs;
    let (roc, pr, gain) = (chart(&page, "roc"), chart(&page, "pr"), chart(&page, "gain-curve"));
    assert_eq!(roc["data"][0]["x"].as_array().map(Vec::len), Some(cutoffs.len() + 1));
    for (at, cutoff) in cutoffs.iter().enumerate() {
        let (caught, called) = (cutoff.caught as f64, cutoff.called as f64);
        close(&roc["data"][0]["x"][at + 1], (called - caught) / (rows - churners));
        close(&roc["data"][0]["y"][at + 1], caught / churners);
        close(&pr["data"][0]["y"][at], caught / called);
        close(&gain["data"][0]["x"][at + 1], called / rows);
    }
    let histogram = chart(&page, "distribution");
    for (at, bar) in evaluation.curves.histogram.iter().enumerate() {
        assert_eq!((histogram["data"][0]["y"][at].as_u64(), histogram["data"][1]["y"][at].as_u64()), (Some(bar.stayed), Some(bar.left)));
    }
    let mut strongest: Vec<_> = card.features.iter().collect();
    strongest.sort_by(|a, b| b.coefficients[0].abs().total_cmp(&a.coefficients[0].abs()));
    for (at, feature) in strongest.iter().take(12).enumerate() {
        let drawn = chart(&page, &format!("feature-{at}"));
        let rates = drawn["data"][0]["y"].as_array().expect("bars");
        assert_eq!(rates.len(), feature.deciles.len());
        for (rate, group) in rates.iter().zip(&feature.deciles) {
            close(rate, group.churners as f64 / group.rows as f64);
        }
        let article = between(&page, "<article class=\"feature\">", "</article>")[at];
        assert!(article.contains(&feature.name) && article.contains(&format!("{:.2}", feature.coefficients[0].exp())), "{article}");
    }
}

#[test]
fn the_page_loads_nothing_and_runs_its_own_scripts_alone() {
    let (card, ..) = trained();
    let page = page_of(&card);
    let shown = shown(&page).to_lowercase();
    for mark in ["http:", "https:", "//", "src=", "@import", "url(", "<link", "<iframe", "<img", "<object", "<form", " onclick", " onload"]
    {
        assert!(!shown.contains(mark), "the page holds `{mark}`");
    }
    assert!(between(&shown, "href=\"", "\"").iter().all(|target| target.starts_with('#')));
    let policy = between(&page, "http-equiv=\"Content-Security-Policy\" content=\"", "\"")[0];
    assert!(policy.starts_with("default-src 'none'; "), "{policy}");
    let scripts = between(&page, "<script>", "</script>");
    assert_eq!(scripts.len(), 3);
    for script in &scripts {
        assert!(policy.contains(&format!("'sha256-{}'", STANDARD.encode(Sha256::digest(script)))), "{policy}");
    }
    // The library is the one that src/plotly/README.md names.
    let library = hex(&Sha256::digest(scripts[0]));
    assert_eq!(library, "99784e3abfb07b142a15e521a439e6d9addceadb3f79553fd24c72774f0649ba");
    // All scripts together are those three and data.
    assert_eq!(page.matches("<script").count(), 3 + page.matches("type=\"application/json\"").count());
}

#[test]
fn a_name_from_the_data_is_text_and_never_markup() {
    let (mut card, ..) = trained();
    let name = "</script><script>alert(\"x\")</script>&'<b>";
    card.segments[0].name = name.to_owned();
    card.features[0].name = name.to_owned();
    card.features[0].coefficients[0] = 9.0;
    card.question.churn_reasons = vec![name.to_owned()];
    card.version = name.to_owned();
    let page = page_of(&card);
    assert!(!page.contains("<script>alert") && !page.contains("<b>"), "markup came through");
    assert_eq!(page.matches("<script").count(), 3 + page.matches("type=\"application/json\"").count());
    assert!(page.contains("&lt;/script&gt;&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&amp;'&lt;b&gt;"));
    assert!(embedded(&page) == serde_json::to_string(&card).expect("a card"), "the page carries another card");
}

#[test]
fn the_model_that_was_in_service_stands_beside_the_new_one() {
    let (mut card, ..) = trained();
    let found = card.evaluation().expect("figures").clone();
    let (model, other, mut gain) = (found.model, found.recency_rule, found.gain_over_recency);
    let mut against = Against { version: "2024-01-01-before".to_owned(), rows: 12_345, churners: 67, model, other, gain };
    card.against = Some(against.clone());
    let page = page_of(&card);
    assert!(
        page.contains("12,345 test rows that neither had seen, 67 of which left") && page.contains("<strong>not worse, beyond chance,")
    );
    let caption = "Both on the same rows, with 95 % intervals";
    assert!(told(against.other.pr_auc, 3).iter().all(|text| row(&page, caption, "2024-01-01-before").contains(text)));
    for figure in [gain.pr_auc, gain.log_loss] {
        assert!(row(&page, caption, "difference").contains(&format!("{:+.4}", figure.value)));
    }
    gain.pr_auc = Interval { value: -0.2, low: -0.3, high: -0.1 };
    against.gain = gain;
    card.against = Some(against);
    assert!(page_of(&card).contains("<strong>worse, beyond chance,</strong>"));
}

#[test]
fn what_a_card_does_not_have_is_told_in_a_sentence() {
    let (mut card, ..) = trained();
    card.segments.clear();
    card.backtest.clear();
    card.features.clear();
    card.horizons.truncate(1);
    let page = page_of(&card);
    for sentence in ["There are no segments", "There is no backtest", "The card tells of no features", "over one horizon alone"] {
        assert!(page.contains(sentence), "{sentence}");
    }
    assert!(page.contains("No model that answers the same question was in service"));

    card.method = Method::Baseline;
    card.grade = None;
    card.horizons[0].evaluation = None;
    let page = page_of(&card);
    let counts = &card.horizons[0].train;
    assert!(page.contains("No model: the rule of recency stands in"));
    assert!(page.contains("There is no evaluation") && page.contains(&format!("with {} churners among them", counts.churners)));
    assert!(!page.contains("id=\"chooser\"") && !page.contains("data-chart=\""));

    card.horizons.clear();
    assert!(page_of(&card).contains("The card counts no rows"));
}

#[test]
fn the_registry_keeps_a_report_beside_its_model_and_does_without() {
    let desk = Desk::new();
    let registry = Registry::open(desk.path("models"));
    let (card, bytes, model) = trained();
    let version = model.version();
    let folder = registry.publish(&model, &bytes, &card).expect("written");
    assert_eq!(registry.report(version).expect("a folder"), None);
    registry.load(version).expect("a model needs no report");

    let told = said(&desk, &["report", version], 0);
    assert!(told.contains("report.html"), "{told}");
    let written = std::fs::read(folder.join(REPORT)).expect("written");
    let page = page_of(&registry.load(version).expect("sound").card);
    assert!(written == page.as_bytes() && registry.report(version).expect("there") == Some(written));
    said(&desk, &["report", version, "--out", "elsewhere.html"], 0);
    assert!(std::fs::read(desk.path("elsewhere.html")).expect("written") == page.as_bytes());

    registry.load(version).expect("a report is no part of what is checked");
    registry.publish(&model, &bytes, &card).expect("there already");
    assert!(registry.report("../models").is_err() && registry.put_report("no-such", "x").is_err());
    assert!(commands::report(&registry, Some("no-such"), None).is_err());
}

#[test]
fn the_service_gives_the_report_of_the_model_in_service() {
    Served::without_model(&five_customers()).get("/v1/model/report").problem(503);
    let served = Served::with_model(&five_customers());
    let problem = served.get("/v1/model/report").problem(404);
    assert!(problem["detail"].as_str().expect("a sentence").contains("`churn-train report"), "{problem}");
    let registry = Registry::open(served.models());
    let version = registry.current_version().expect("in service");
    commands::report(&registry, Some(&version), None).expect("written");
    let reply = served.get("/v1/model/report");
    assert_eq!((reply.status, reply.header("content-type")), (200, "text/html; charset=utf-8"));
    let policy = reply.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(reply.body == registry.report(&version).expect("there").expect("written"));
    served.get("/v1/model/report?version=..%2F..").problem(400);
}
