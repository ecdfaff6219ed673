//! The readers as a fuzzer enters them: bytes in, nothing out, no tables touched.
//!
//! Absent on purpose: verdicts. Whatever the bytes are, the readers take them or refuse them; a
//! panic is what is looked for.

use std::collections::BTreeMap;
use std::path::Path;

use super::discover::{self, Found};
use super::intake::{Days, Intake, Stagings};
use super::money::Money;
use super::rejects::Rejects;
use super::{CostBasis, ImportError, Reading, dates, units};
use crate::domain::{Currency, Day, Exact};
use crate::progress::{Progress, Unit};

/// Reads a file of this name and content as an import does, into nothing.
pub fn read_bytes(name: &str, bytes: &[u8]) {
    let dir = std::env::temp_dir().join(format!("churn-risk-fuzz-{}", std::process::id()));
    let path = dir.join(name);
    // Bytes that are refused are as good as bytes that are taken, and a full disk is no finding.
    let _ = std::fs::create_dir_all(&dir).and_then(|()| std::fs::write(&path, bytes));
    let _ = read(&path, &dir);
}

fn read(path: &Path, dir: &Path) -> Result<(), ImportError> {
    let stage = Progress::Silent.stage("", 0, Unit::Bytes);
    let Found::Table(file) = discover::recognise(path, &Reading::default(), &stage)? else { return Ok(()) };
    let today = Day::from_epoch_days(20_600);
    let money = Money::new(None, Currency::parse("USD").ok(), BTreeMap::new())?;
    let days = Days { today, exported_on: today };
    let mut intake = Intake::new(days, CostBasis::Effective, Stagings::create(&dir.join("staging"))?, money, Rejects::within(1 << 24));
    intake.read(0, &file, &stage)?;
    intake.rejects.each(&[*file], |_| Ok(()))
}

/// Reads a date in every form that a source has.
pub fn date(text: &str) {
    let _ = (dates::parse(text), dates::parse_american(text), dates::parse_month(text), dates::is_never(text));
}

/// Reads an amount.
pub fn amount(text: &str) {
    let _ = (Exact::parse_plain(text.as_bytes()), Exact::parse(text).map(Exact::round));
}

/// Folds a unit.
pub fn unit(text: &str) {
    let _ = units::fold(text);
}
