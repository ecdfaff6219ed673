//! A JSON document: a bare list, or one under `items`, `value`, `Value`.
#![no_main]

libfuzzer_sys::fuzz_target!(|file: &[u8]| churn_risk_fuzz::whole("file.json", file));
