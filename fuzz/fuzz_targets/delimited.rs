//! A delimited file, header and all: recognition, quotes, line ends.
#![no_main]

libfuzzer_sys::fuzz_target!(|file: &[u8]| churn_risk_fuzz::whole("file.csv", file));
