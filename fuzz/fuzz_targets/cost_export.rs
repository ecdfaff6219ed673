//! Rows of a cost export of a Partner Agreement.
#![no_main]

const EXAMPLE: &[u8] = include_bytes!("../../tests/fixtures/mca-actual/input/part_1_0001.csv");

libfuzzer_sys::fuzz_target!(|body: &[u8]| churn_risk_fuzz::rows("file.csv", EXAMPLE, body));
