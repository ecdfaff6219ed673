//! Rows of the daily-rated reconciliation file.
#![no_main]

const EXAMPLE: &[u8] = include_bytes!("../../tests/fixtures/daily-rated-csv/input/G000900001_DailyRatedUsage.csv");

libfuzzer_sys::fuzz_target!(|body: &[u8]| churn_risk_fuzz::rows("file.csv", EXAMPLE, body));
