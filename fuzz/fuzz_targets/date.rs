//! A date, as the sources write them.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| churn_risk::lake::fuzz::date(text));
