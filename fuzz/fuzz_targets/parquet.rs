//! A Parquet file.
#![no_main]

libfuzzer_sys::fuzz_target!(|file: &[u8]| churn_risk_fuzz::whole("file.parquet", file));
