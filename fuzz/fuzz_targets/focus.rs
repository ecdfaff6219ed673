//! Rows of FOCUS Cost and Usage with the vendor's columns.
#![no_main]

const EXAMPLE: &[u8] = include_bytes!("../../tests/fixtures/focus-1.2-preview/input/part_0_0001.csv");

libfuzzer_sys::fuzz_target!(|body: &[u8]| churn_risk_fuzz::rows("file.csv", EXAMPLE, body));
