//! The roll-up is exact: sums in decimals, rounded once, whatever the number and order of rows
//! and however little memory there is.

use std::collections::BTreeMap;
use std::fmt::Write;

use churn_risk::domain::Day;
use churn_risk::lake::import;
use proptest::prelude::*;

use crate::support::lakes::{Desk, USAGE_HEADER, committed};

/// Units of 1e-18 in a micro-unit.
const ATTOS_PER_MICRO: i128 = 1_000_000_000_000;

/// Half-even, by hand: on integers, with the tie told apart from what lies above it.
fn half_even(attos: i128) -> i64 {
    let (floor, rest) = (attos.div_euclid(ATTOS_PER_MICRO), attos.rem_euclid(ATTOS_PER_MICRO));
    let up = match (rest * 2).cmp(&ATTOS_PER_MICRO) {
        std::cmp::Ordering::Less => 0,
        std::cmp::Ordering::Greater => 1,
        std::cmp::Ordering::Equal => floor.rem_euclid(2),
    };
    i64::try_from(floor + up).expect("the strategies stay far below")
}

/// `12.000000000000000345`.
fn decimal(attos: i128) -> String {
    const UNIT: u128 = 1_000_000_000_000_000_000;
    let sign = if attos < 0 { "-" } else { "" };
    format!("{sign}{}.{:018}", attos.unsigned_abs() / UNIT, attos.unsigned_abs() % UNIT)
}

/// Amounts around the ties of rounding, tiny ones, and large ones.
fn amount() -> impl Strategy<Value = i128> {
    let half = ATTOS_PER_MICRO / 2;
    prop_oneof![
        Just(0),
        1..1000_i128,
        (0..50_i128).prop_map(move |halves| halves * half),
        (0..20_i128, -2..3_i128).prop_map(move |(halves, off)| (halves * half + off).max(0)),
        0..1_000_000_i128 * 1_000_000_000_000_000_000,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn many_meter_rows_of_a_key_are_summed_exactly_and_rounded_half_even_once(
        rows in prop::collection::vec((0..4_u8, 0..3_u8, 0..2_u8, amount(), prop::option::of((amount(), any::<bool>()))), 1..400),
    ) {
        let mut text = USAGE_HEADER.to_owned();
        let mut sums: BTreeMap<(u8, u8, u8), (i128, Option<i128>)> = BTreeMap::new();
        for (id, on, category, quantity, cost) in &rows {
            let cost = cost.map(|(cost, credit)| if credit { -cost } else { cost });
            let sum = sums.entry((*id, *on, *category)).or_default();
            sum.0 += quantity;
            sum.1 = match (sum.1, cost) {
                (None, None) => None,
                (known, cost) => Some(known.unwrap_or(0) + cost.unwrap_or(0)),
            };
            let cost = cost.map(decimal).unwrap_or_default();
            writeln!(text, "s{id},2026-06-0{},C{category},h,{},{cost}", on + 1, decimal(*quantity)).expect("a string");
        }
        let desk = Desk::new();
        desk.accept(&[desk.file("usage_daily.csv", text)]);
        let wanted = sums.into_iter().map(|((id, on, category), (quantity, cost))| {
            let key = (format!("s{id}"), format!("2026-06-0{}", on + 1), format!("C{category}"), "h".to_owned());
            let rounded = half_even(quantity);
            (key, (if quantity > 0 { rounded.max(1) } else { rounded }, cost.map(half_even)))
        });
        prop_assert_eq!(desk.rows().usage, wanted.collect());
    }
}

/// Quantity of the one row of the tables, in micro-units.
#[track_caller]
fn quantity(rows: &str) -> i64 {
    let desk = Desk::new();
    desk.accept(&[desk.usage("usage_daily.csv", rows)]);
    let usage = desk.rows().usage;
    assert_eq!(usage.len(), 1);
    usage.into_values().next().expect("one row").0
}

#[test]
fn a_trace_of_use_never_becomes_none_and_no_use_stays_none() {
    assert_eq!(quantity("s1,2026-06-01,C,h,0.0000001,\n"), 1);
    assert_eq!(quantity("s1,2026-06-01,C,h,0.0000005,\n"), 1);
    assert_eq!(quantity("s1,2026-06-01,C,h,1e-18,\n"), 1);
    assert_eq!(quantity("s1,2026-06-01,C,h,0,\ns1,2026-06-01,C,h,-0,\ns1,2026-06-01,C,h,0.000,\n"), 0);
}

#[test]
fn rows_are_rounded_after_they_are_added_and_not_before() {
    assert_eq!(quantity(&"s1,2026-06-01,C,h,0.0000004,\n".repeat(10)), 4);
    assert_eq!(quantity(&"s1,2026-06-01,C,h,0.0000005,\n".repeat(5)), 2);
    assert_eq!(quantity(&"s1,2026-06-01,C,h,0.1,\n".repeat(10)), 1_000_000);
}

#[test]
fn a_cost_that_is_given_once_is_the_sum_and_none_stays_none() {
    let desk = Desk::new();
    let rows = "s1,2026-06-01,C,h,1,\ns1,2026-06-01,C,h,1,0.25\ns1,2026-06-02,C,h,1,\ns1,2026-06-02,C,h,1,NULL\n";
    desk.accept(&[desk.usage("usage_daily.csv", rows)]);
    let seen: Vec<_> = desk.rows().usage.into_values().collect();
    assert_eq!(seen, [(2_000_000, Some(250_000)), (2_000_000, None)]);
}

#[test]
fn a_sum_beyond_the_largest_amount_is_a_sentence_and_nothing_is_committed() {
    let largest = "s1,2026-06-01,C,h,9000000000000,\n";
    assert_eq!(quantity(largest), 9_000_000_000_000_000_000);
    let desk = Desk::new();
    let message = desk.refuse(&[desk.usage("usage_daily.csv", &largest.repeat(2))]);
    assert!(
        message.contains("the quantities of subscription s1 on 2026-06-01, category `C`, unit `h` add up to more than 9.2e12"),
        "{message}"
    );
    assert_eq!(desk.version(), 0);
    let cost = "s1,2026-06-01,C,h,1,-9000000000000\n";
    let message = desk.refuse(&[desk.usage("usage_daily.csv", &cost.repeat(2))]);
    assert!(message.contains("the costs of subscription s1 on"), "{message}");
    assert!(!desk.lake().join("_staging").exists());
    desk.accept(&[desk.usage("usage_daily.csv", cost)]);
}

#[test]
fn more_pairs_of_category_and_unit_than_can_be_numbered_are_refused() {
    let desk = Desk::new();
    let mut text = USAGE_HEADER.to_owned();
    for number in 0..=65_536_u32 {
        writeln!(text, "s1,2026-06-01,C{number},h,1,").expect("a string");
    }
    let message = desk.refuse(&[desk.file("usage_daily.csv", text)]);
    assert!(message.contains("65537 different (category, unit) pairs are more than 65,536"), "{message}");
    assert_eq!(desk.version(), 0);
}

/// 120,000 rows of one month for 30,000 keys, in an order that is none.
fn many_rows() -> String {
    let (first, mut text) = (Day::parse("2026-05-01").expect("a day"), USAGE_HEADER.to_owned());
    for number in 0..120_000_u32 {
        let key = number.wrapping_mul(2_654_435_761) % 30_000;
        let on = first + i32::try_from(key % 30).expect("a day of a month");
        writeln!(text, "subscription-{:05},{on},C,h,0.{:07},{}.5", key / 30, number % 9_999_999, number % 7).expect("a string");
    }
    text
}

#[test]
fn an_import_with_little_memory_ends_with_the_same_bytes() {
    let (ample, scarce) = (Desk::new(), Desk::new());
    let text = many_rows();
    let more = "subscription-00001,2026-05-02,C,h,7,\n";
    for (desk, memory_bytes) in [(&ample, 512 << 20), (&scarce, 32 << 20)] {
        let mut request = desk.request(&[desk.file("usage_daily.csv", &text)]);
        request.memory_bytes = memory_bytes;
        assert_eq!(committed(&import(&request).expect("an import")).rows_kept, 120_000);
        request.paths = vec![desk.usage("more.csv", more)];
        committed(&import(&request).expect("a restatement"));
    }
    assert_eq!(scarce.rows().usage.len(), 30_000);
    assert!(scarce.usage_files() == ample.usage_files());
}
