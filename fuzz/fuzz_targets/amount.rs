//! An amount, as the sources write them.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| churn_risk::lake::fuzz::amount(text));
