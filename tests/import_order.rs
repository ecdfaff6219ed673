//! What the tables hold does not depend on the order of rows, on how they are split into files, on
//! files that come twice, or on the order in which newer files of different days come in.

use std::fmt::Write as _;
use std::path::PathBuf;

use churn_risk::domain::{Bucket, Period};
use churn_risk::features::{History, Kernel, Usual, VolumeScale};
use churn_risk::lake::{Outcome, import};
use churn_risk::metrics::{Filter, customer_count, summary};
use churn_risk::portfolio;
use proptest::prelude::*;
use proptest::sample::subsequence;

use crate::support::lakes::{Desk, Rows, sentence};
use crate::support::worlds::day;

const FOCUS_HEADER: &str = "SubAccountId,SubAccountName,x_CustomerId,x_CustomerName,ChargePeriodStart,ChargeCategory,ServiceName,ConsumedQuantity,ConsumedUnit,EffectiveCost,BillingCurrency";

/// A row of FOCUS: subscription, name, day of May, category, quantity, cost in 1e-8.
type Charge = (u8, u8, u8, u8, u32, i32);

fn charge() -> impl Strategy<Value = Charge> {
    (0..4_u8, 0..3_u8, 1..6_u8, 0..3_u8, 1..5_000_000_u32, -20_000_000..900_000_000_i32)
}

fn line((subscription, name, on, category, quantity, cost): Charge) -> String {
    let unit = ["10K", "1 Hour", "\"10,000s\""][usize::from(category)];
    let purchase = if category == 2 && name == 2 { "Purchase" } else { "Usage" };
    let sign = if cost < 0 { "-" } else { "" };
    let cost = cost.unsigned_abs();
    format!(
        "/subscriptions/0000000{subscription}-0000-4000-8000-000000000000,Name {name},c{},Customer {name},2026-05-0{on}T0{category}:00:00Z,\
         {purchase},Service {category},{}.{:06},{unit},{sign}{}.{:08},USD",
        subscription / 2,
        quantity / 1_000_000,
        quantity % 1_000_000,
        cost / 100_000_000,
        cost % 100_000_000,
    )
}

fn file(desk: &Desk, name: &str, rows: &[String]) -> PathBuf {
    let mut text = format!("{FOCUS_HEADER}\n");
    for row in rows {
        writeln!(text, "{row}").expect("memory");
    }
    desk.file(name, text)
}

/// An export of the states of all subscriptions on a day of June. Its bytes are its own: the same ones
/// again would be no other export.
fn export(desk: &Desk, name: &str, states: &[u8]) -> PathBuf {
    let word = |state: &u8| ["ACTIVE", "SUSPENDED", "DEPROVISIONED"][usize::from(*state)];
    let row = |(number, state): (usize, &u8)| {
        format!(
            r#"{{"customerTenantId":"c{}","id":"0000000{number}-0000-4000-8000-000000000000","status":"{}","creationDate":"2026-04-0{}T00:00:00","export":"{name}"}}"#,
            number / 2,
            word(state),
            number + 1
        )
    };
    desk.file(name, format!("[{}]", states.iter().enumerate().map(row).collect::<Vec<_>>().join(",\n")))
}

#[track_caller]
fn accept(desk: &Desk, paths: &[PathBuf], exported_on: Option<&str>) -> Outcome {
    let mut request = desk.request(paths);
    request.reading.exported_on = exported_on.map(day);
    match import(&request) {
        Ok(report) => report.outcome,
        Err(error) => panic!("{}", sentence(&error)),
    }
}

/// Every metric of a customer and a period, and every feature of every subscription, as text.
fn answers(desk: &Desk) -> String {
    let portfolio = portfolio::load(&desk.lake(), 0).expect("a portfolio");
    let Some(as_of) = portfolio.as_of() else { return String::new() };
    let period = Period::new(day("2026-05-01"), as_of).expect("a period");
    let mut text = format!(
        "{:?}\n{:?}\n",
        summary(&portfolio, period, &Filter::default()),
        customer_count(&portfolio, period, Bucket::Day, &Filter::default())
    );
    let kernel = Kernel::new(&portfolio, &VolumeScale::Cost);
    let mut at = kernel.at(as_of, Usual::UNKNOWN);
    for subscription in portfolio.subscription_indices() {
        writeln!(text, "{:?}", at.features(&History::of(&portfolio, subscription)).values()).expect("memory");
    }
    text
}

/// Cuts rows into files at the given places.
fn split(rows: &[String], mut cuts: Vec<usize>) -> Vec<Vec<String>> {
    cuts.sort_unstable();
    cuts.insert(0, 0);
    cuts.push(rows.len());
    cuts.windows(2).map(|pair| rows[pair[0].min(rows.len())..pair[1].min(rows.len())].to_vec()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 20, ..ProptestConfig::default() })]

    #[test]
    fn any_order_split_and_repetition_of_rows_gives_the_same_bytes(
        (rows, shuffled) in prop::collection::vec(charge(), 1..60).prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
        cuts in prop::collection::vec(0..60_usize, 0..3),
        repeated in any::<bool>(),
    ) {
        let text = |rows: &[Charge]| rows.iter().map(|row| line(*row)).collect::<Vec<_>>();
        let (whole, parts) = (Desk::new(), Desk::new());
        let mut sorted = text(&rows);
        sorted.sort();
        accept(&whole, &[file(&whole, "whole.csv", &sorted)], None);
        let pieces = split(&text(&shuffled), cuts);
        let mut paths: Vec<PathBuf> = pieces.iter().enumerate().map(|(at, rows)| file(&parts, &format!("part-{at}.csv"), rows)).collect();
        if repeated {
            paths.push(file(&parts, "again/part-0.csv", &pieces[0]));
        }
        accept(&parts, &paths, None);
        prop_assert_eq!(parts.rows(), whole.rows());
        prop_assert!(parts.usage_files() == whole.usage_files());
        prop_assert_eq!(answers(&parts), answers(&whole));
        let unchanged = matches!(accept(&parts, &paths, None), Outcome::Unchanged { version: 1 });
        prop_assert!(unchanged);
    }

    #[test]
    fn imports_of_different_days_and_their_newer_files_may_come_in_any_order(
        first in prop::collection::vec(charge(), 1..40),
        newer in prop::collection::vec(charge(), 1..40),
        states in prop::collection::vec(prop::collection::vec(0..3_u8, 4), 3),
        days in Just((1..6_u8).collect::<Vec<_>>()).prop_shuffle(),
        again in subsequence((1..6_u8).collect::<Vec<_>>(), 0..3),
        exports in Just(vec![0_usize, 1, 2]).prop_shuffle(),
    ) {
        let of_day = |rows: &[Charge], on: u8| rows.iter().filter(|row| row.2 == on).map(|row| line(*row)).collect::<Vec<_>>();
        // States in order of time; an end is for good.
        let mut states = states;
        for at in 1..states.len() {
            let before = states[at - 1].clone();
            for (state, before) in states[at].iter_mut().zip(before) {
                *state = if before == 2 { 2 } else { *state };
            }
        }
        let run = |order: &[u8], again: &[u8], exports: &[usize]| -> (Rows, String) {
            let desk = Desk::new();
            let mut round = 0;
            let mut take = |rows: &[String]| {
                round += 1;
                if !rows.is_empty() {
                    accept(&desk, &[file(&desk, &format!("{round}.csv"), rows)], None);
                }
            };
            for on in order {
                take(&of_day(&first, *on));
                take(&of_day(&newer, *on));
            }
            for on in again {
                // The newest bytes of a day once more.
                take(&of_day(&newer, *on));
            }
            for export_number in exports {
                let on = ["2026-06-10", "2026-06-20", "2026-06-30"][*export_number];
                accept(&desk, &[export(&desk, &format!("export-{export_number}.json"), &states[*export_number])], Some(on));
            }
            (desk.rows(), answers(&desk))
        };
        prop_assert_eq!(run(&days, &again, &[0, 1, 2]), run(&[1, 2, 3, 4, 5], &[], &[0, 1, 2]));
        // The first export to come in has nothing to be compared with, whichever it is.
        let (one, two) = (run(&days, &[], &exports), run(&days, &[], &[0, 1, 2]));
        let creations = |rows: &Rows| rows.subscriptions.clone();
        prop_assert_eq!(creations(&one.0), creations(&two.0));
        prop_assert_eq!(one.0.usage, two.0.usage);
    }
}
