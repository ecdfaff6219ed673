//! The vendor's own level stands beside the model's risk on the same subscriptions and days, and
//! says nothing where there is none.

use std::fs;
use std::path::Path;

use churn_risk::domain::{Day, Level, Micros, State};
use churn_risk::lake::{Lake, VacuumRequest, VendorLevel, import};
use churn_risk::model::{AgainstVendor, AtLevel, Card, ChurnModel, Registry, Scorer, Standing};
use churn_risk::portfolio::Portfolio;
use churn_risk::progress::Progress;
use churn_risk::training::{hold_beside_vendor, report, summary, train};

use crate::support::lakes::{Desk, sentence};
use crate::support::worlds::{day, subscription_id};
use crate::training_command::said;
use crate::training_flow::{leavers, request};

/// Days of exports: new to a model of [`leavers`], and with a label that is known by the end.
const EXPORTED: [&str; 3] = ["2024-09-05", "2024-09-12", "2024-09-19"];

fn vendor(id: &str, on: Day, level: &str) -> VendorLevel {
    VendorLevel { subscription_id: subscription_id(id), on, level: level.to_owned() }
}

/// The active subscriptions of each export, and whether they leave in the 30 days after it.
fn told(portfolio: &Portfolio) -> Vec<(String, Day, bool)> {
    let leaves = |ix, on: Day| (1..=30).any(|after| portfolio.state_at(ix, on + after) != State::Active);
    let days = EXPORTED.map(day).into_iter();
    days.flat_map(|on| {
        let active = portfolio.subscription_indices().filter(move |ix| portfolio.state_at(*ix, on) == State::Active);
        active.map(move |ix| (portfolio.subscription(ix).id.to_string(), on, leaves(ix, on)))
    })
    .collect()
}

fn levels(told: &[(String, Day, bool)], level: impl Fn(usize, bool) -> &'static str) -> Vec<VendorLevel> {
    told.iter().enumerate().map(|(at, (id, on, left))| vendor(id, *on, level(at, *left))).collect()
}

/// The share of pairs in the right order, ties as a half.
fn roc_auc(scored: &[(f64, bool)]) -> f64 {
    let of = |left: bool| scored.iter().filter(move |row| row.1 == left).map(|row| row.0);
    let half = |one: f64, other: f64| if one > other { 1.0 } else { f64::from(u8::from(one >= other)) / 2.0 };
    of(true).flat_map(|one| of(false).map(move |other| half(one, other))).sum::<f64>() / (of(true).count() * of(false).count()) as f64
}

/// The model's risks and levels of these subscriptions on these days.
fn scored(portfolio: &Portfolio, model: &ChurnModel, told: &[(String, Day, bool)]) -> Vec<(f64, Level, bool)> {
    let scorer = Scorer::new(portfolio, model);
    let one = |(id, on, left): &(String, Day, bool)| {
        let ix = portfolio.find_subscription(id).expect("in the tables");
        match scorer.at(*on).standing(ix) {
            Standing::Known { risk, level } => (risk.get(), level, *left),
            Standing::Unknown { reason } => panic!("{id} on {on}: {reason:?}"),
        }
    };
    told.iter().map(one).collect()
}

fn model(portfolio: &Portfolio) -> (ChurnModel, Card) {
    let trained = train(portfolio, &request(), None, Progress::Silent).expect("enough rows");
    (trained.model, trained.card)
}

fn at(level: Level, rows: usize, churners: usize) -> AtLevel {
    AtLevel { level, rows: rows as u64, churners: churners as u64 }
}

/// Summary, page and file of a card tell what it holds of a vendor with `high` at its high.
#[track_caller]
fn tells(card: &Card, high: &AtLevel) {
    let said = summary(card);
    let told = format!("{} of {} at high", high.churners, high.rows);
    assert!(said.contains("beside the vendor's own level") && said.contains(&told) && said.contains("`Severe` 2 times"), "{said}");
    let page = report(card).expect("a page");
    assert!(page.contains("id=\"vendor\"") && page.contains("href=\"#vendor\"") && page.contains("Severe"), "the section is there");
    let text = serde_json::to_string_pretty(card).expect("a card");
    let read = serde_json::from_str::<Card>(&text).expect("a card").against_vendor.expect("in the file");
    let written = card.against_vendor.clone().expect("just put there");
    assert_eq!(
        (read.counts, read.figures.map(|read| read.vendor_levels)),
        (written.counts, written.figures.map(|told| told.vendor_levels))
    );
}

#[test]
fn both_are_measured_on_exactly_the_same_subscriptions_and_days() {
    let portfolio = leavers().portfolio();
    let (model, mut card) = model(&portfolio);
    let told = told(&portfolio);
    let left = told.iter().filter(|row| row.2).count();
    assert!(told.len() > 400 && left > 15 && EXPORTED.map(day).iter().all(|on| *on > model.learnt_through()), "{left} of {}", told.len());
    // High for half of those who leave, medium for a tenth of all others and for the rest of those.
    let word = |at: usize, left: bool| match (left, at.is_multiple_of(2), at.is_multiple_of(10)) {
        (true, true, _) => "HIGH",
        (true, false, _) | (false, _, true) => "Medium",
        _ => " low",
    };
    let levels = levels(&told, word);
    let mut beside = levels.clone();
    beside.extend([
        vendor("s001", day(EXPORTED[0]), "Severe"),
        vendor("s002", day(EXPORTED[1]), "Severe"),
        vendor("s001", day("2024-03-01"), "Low"),
        vendor("s000", day(EXPORTED[0]), "Low"),
        vendor("nobody", day(EXPORTED[0]), "Low"),
        vendor("s001", day("2024-10-20"), "Low"),
    ]);
    let against = hold_beside_vendor(&portfolio, &model, &beside).expect("levels");
    let counts = &against.counts;
    assert_eq!((counts.told, counts.rows, counts.churners), (levels.len() as u64 + 6, levels.len() as u64, left as u64));
    assert_eq!((counts.learnt_from, counts.not_asked, counts.without_outcome), (1, 2, 1));
    assert_eq!(counts.unknown_words.iter().map(|(word, rows)| (word.as_str(), *rows)).collect::<Vec<_>>(), [("Severe", 2)]);
    assert_eq!((counts.first_on, counts.last_on), (Some(day(EXPORTED[0])), Some(day(EXPORTED[2]))));

    let figures = against.figures.clone().expect("enough rows");
    let by_word = |wanted: &str, level| {
        let mine = levels.iter().zip(&told).filter(|(one, _)| one.level == wanted);
        at(level, mine.clone().count(), mine.filter(|(_, row)| row.2).count())
    };
    let wanted = [by_word("HIGH", Level::High), by_word("Medium", Level::Medium), by_word(" low", Level::Low)];
    assert_eq!(figures.vendor_levels, wanted);
    assert_eq!((wanted[0].churners, wanted[2].churners), (wanted[0].rows, 0));
    let score = |level: &str| match level {
        "HIGH" => 2.0,
        "Medium" => 1.0,
        _ => 0.0,
    };
    let vendor_scored: Vec<_> = levels.iter().zip(&told).map(|(one, row)| (score(&one.level), row.2)).collect();
    let own = scored(&portfolio, &model, &told);
    let own_scored: Vec<_> = own.iter().map(|row| (row.0, row.2)).collect();
    assert!((figures.vendor_roc_auc.value - roc_auc(&vendor_scored)).abs() < 1e-12, "{figures:?}");
    assert!((figures.model_roc_auc.value - roc_auc(&own_scored)).abs() < 1e-12, "{figures:?}");
    let gain = figures.gain_roc_auc;
    assert!((gain.value - figures.model_roc_auc.value + figures.vendor_roc_auc.value).abs() < 1e-12 && gain.low <= gain.high);
    let own_at =
        |level| at(level, own.iter().filter(|row| row.1 == level).count(), own.iter().filter(|row| row.1 == level && row.2).count());
    assert_eq!(figures.model_levels, [Level::High, Level::Medium, Level::Low].map(own_at));
    let mut falling = own;
    falling.sort_by(|one, other| other.0.total_cmp(&one.0));
    let high = usize::try_from(wanted[0].rows).expect("few");
    assert_eq!(figures.riskiest_as_many, at(Level::High, high, falling[..high].iter().filter(|row| row.2).count()));

    card.against_vendor = Some(against);
    tells(&card, &wanted[0]);
}

#[test]
fn below_the_minimum_it_is_told_how_many_there_are_and_nothing_more() {
    let portfolio = leavers().portfolio();
    let (model, mut card) = model(&portfolio);
    let told = told(&portfolio);
    // Enough rows, and all but nine of those who leave left out.
    let (leaving, staying): (Vec<_>, Vec<_>) = told.into_iter().partition(|row| row.2);
    let few: Vec<_> = staying.into_iter().chain(leaving.into_iter().take(9)).collect();
    let against = hold_beside_vendor(&portfolio, &model, &levels(&few, |_, left| if left { "High" } else { "Low" })).expect("levels");
    assert_eq!((against.counts.rows, against.counts.churners), (few.len() as u64, 9));
    assert!(against.counts.rows > AgainstVendor::ROWS_MIN && against.figures.is_none());
    card.against_vendor = Some(against);
    let said = summary(&card);
    assert!(said.contains("too few to compare (at least 100, with 10 who left and 10 who stayed)"), "{said}");
    let page = report(&card).expect("a page");
    assert!(page.contains("That is too little to compare") && !page.contains("Who left, by level"));
    assert_eq!(hold_beside_vendor(&portfolio, &model, &[]), None);
}

#[test]
fn a_card_without_levels_is_written_as_it_was_before_there_were_any() {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    let loaded = Registry::open(&models).load_current().expect("the committed model");
    assert_eq!(loaded.card.against_vendor, None);
    // Field by field: a number that is read need not be written with the same last digit.
    let fields = |text: &str| text.lines().filter_map(|line| Some(line.split_once("\": ")?.0.to_owned())).collect::<Vec<_>>();
    let written = fs::read_to_string(models.join(loaded.model.version()).join("card.json")).expect("a card");
    assert_eq!(fields(&serde_json::to_string_pretty(&loaded.card).expect("a card")), fields(&written));
    assert!(!report(&loaded.card).expect("a page").contains("id=\"vendor\""));
}

/// Imports an example of the source as an export of `on`.
fn export(desk: &Desk, folder: &str, on: &str, change: impl Fn(String) -> String) {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(folder).join("input/subscriptions.json");
    let path = desk.file("export/subscriptions.json", change(fs::read_to_string(fixture).expect("an example")));
    let mut request = desk.request(&[path]);
    request.today = day("2026-08-05");
    request.reading.exported_on = Some(day(on));
    request.max_rejects = 1.0;
    import(&request).unwrap_or_else(|error| panic!("{}", sentence(&error)));
}

#[test]
fn levels_of_earlier_versions_are_found_as_long_as_those_are_kept() {
    let desk = Desk::new();
    let levels = |version| {
        Lake::open(&desk.lake()).and_then(|lake| lake.vendor_levels(version)).unwrap_or_else(|error| panic!("{}", sentence(&error)))
    };
    assert_eq!(levels(None), []);
    export(&desk, "subscription-analytics", "2026-06-30", |text| text);
    let first = levels(None);
    assert!(first.iter().all(|one| one.on == day("2026-06-30")) && first.iter().any(|one| one.level == "High"), "{first:?}");
    // Usage comes in between, and leaves the table as it is.
    desk.accept(&[desk.usage("june.csv", "5ab50051-1b20-4d00-9b00-000000005051,2026-06-29,Storage,GB,1,1\n")]);
    export(&desk, "subscription-analytics-later", "2026-07-31", |text| text);
    let both = levels(None);
    let later: Vec<_> = both.iter().filter(|one| one.on == day("2026-07-31")).cloned().collect();
    assert!(!later.is_empty() && later.iter().all(|one| one.level == "Low"));
    assert_eq!(both.len(), first.len() + later.len());
    assert!(both.is_sorted() && first.iter().all(|one| both.contains(one)));
    assert_eq!((levels(Some(1)), levels(Some(2)), levels(Some(3))), (first.clone(), first.clone(), both));

    // The same export again with other words: the later import is right.
    export(&desk, "subscription-analytics-later", "2026-07-31", |text| text.replace("\"Low\"", "\"Medium\""));
    let corrected = levels(None);
    assert_eq!(corrected.len(), first.len() + later.len());
    assert!(corrected.iter().filter(|one| one.on == day("2026-07-31")).all(|one| one.level == "Medium"), "{corrected:?}");

    let request = VacuumRequest { keep_days: 0, today: day("2026-08-05"), dry_run: false };
    Lake::open(&desk.lake())
        .and_then(|lake| lake.vacuum(&request, Progress::Silent))
        .unwrap_or_else(|error| panic!("{}", sentence(&error)));
    let kept = levels(None);
    assert!(kept.len() < corrected.len() && kept.iter().all(|one| corrected.contains(one)), "{kept:?}");
}

/// Puts the tables of [`leavers`] into the lake of a desk.
fn import_leavers(desk: &Desk) {
    let world = leavers();
    let usage = world.usage.iter().map(|((id, on, category, unit), (quantity, cost))| {
        format!("{id},{on},{category},{unit},{},{}\n", Micros(*quantity), Micros(cost.unwrap_or(0)))
    });
    let subscriptions = world.subscriptions.iter().map(|row| format!("{},{},2024-01-01\n", row.subscription_id, row.customer_id));
    let events = world.lifecycle.iter().map(|(id, event)| format!("{id},{},{}\n", event.on, event.kind));
    let file = |name: &str, header: &str, rows: Vec<String>| desk.file(name, format!("{header}\n{}", rows.concat()));
    desk.accept(&[
        desk.usage("usage.csv", &usage.collect::<Vec<_>>().concat()),
        file("subscriptions.csv", "subscription_id,customer_id,created_on", subscriptions.collect()),
        file("lifecycle.csv", "subscription_id,on,event", events.collect()),
    ]);
}

#[test]
fn churn_train_tells_the_vendors_levels_of_a_lake_that_has_them() {
    let desk = Desk::new();
    import_leavers(&desk);
    for on in EXPORTED.map(day) {
        let row = |(id, of, left): &(String, Day, bool)| {
            let level = if *left { "High" } else { "Low" };
            (*of == on).then(|| {
                format!(
                    r#"{{"customerTenantId": "c{:02}", "id": "{id}", "status": "ACTIVE", "creationDate": "2024-01-01", "subscriptionType": "Azure", "churnRisk": "{level}"}}"#,
                    id[1..].parse::<u32>().expect("a number") % 40
                )
            })
        };
        let rows: Vec<String> = told(&leavers().portfolio()).iter().filter_map(row).collect();
        let mut request = desk.request(&[desk.file("export/list.json", format!("[{}]", rows.join(",")))]);
        request.reading.exported_on = Some(on);
        import(&request).unwrap_or_else(|error| panic!("{}", sentence(&error)));
    }
    let train = |models: &str, version: &str| {
        let words = ["--lake", "lake", "--label", "status", "--horizon", "30", "--models", models, "--as-of-version", version];
        let said = said(&desk, &words, 0);
        let registry = Registry::open(desk.path(models));
        let model = registry.load_current().expect("a model");
        let card = fs::read_to_string(desk.path(models).join(model.model.version()).join("card.json")).expect("a card");
        (said, card)
    };
    let (said, card) = train("with", "4");
    assert!(said.contains("beside the vendor's own level, on ") && card.contains("\"against_vendor\""), "{said}");
    let (said, card) = train("without", "1");
    assert!(!said.contains("vendor") && !card.contains("vendor"), "{said}");
}
