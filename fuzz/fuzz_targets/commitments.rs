//! Rows of FOCUS Contract Commitment.
#![no_main]

const EXAMPLE: &[u8] = include_bytes!("../../tests/fixtures/focus-commitments-1.4/input/contract-commitment.csv");

libfuzzer_sys::fuzz_target!(|body: &[u8]| churn_risk_fuzz::rows("file.csv", EXAMPLE, body));
