//! JSON lines packed with gzip, as in the Graph export.
#![no_main]

libfuzzer_sys::fuzz_target!(|file: &[u8]| churn_risk_fuzz::whole("part-00000.c000.json.gz", file));
