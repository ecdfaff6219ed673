//! The name of a unit, folded.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| churn_risk::lake::fuzz::unit(text));
