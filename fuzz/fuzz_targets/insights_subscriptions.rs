//! Rows of Insights SeatsSubscriptionsAndRevenue, separated by tabs.
#![no_main]

const EXAMPLE: &[u8] = include_bytes!("../../tests/fixtures/insights-subscriptions-tsv/input/SeatsSubscriptionsAndRevenue.tsv");

libfuzzer_sys::fuzz_target!(|body: &[u8]| churn_risk_fuzz::rows("file.tsv", EXAMPLE, body));
