//! Rows of Insights AzureUsage.
#![no_main]

const EXAMPLE: &[u8] = include_bytes!("../../tests/fixtures/insights-azure-usage/input/AzureUsage.csv");

libfuzzer_sys::fuzz_target!(|body: &[u8]| churn_risk_fuzz::rows("file.csv", EXAMPLE, body));
