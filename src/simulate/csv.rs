//! The made-up portfolio as files of the `generic` form (FORMATS.md), and beside them two that
//! are no input: `_truth.csv`, what is true and stands in no table, and `simulate.json`, the
//! plan and what came of it.
//!
//! Absent on purpose: quoting. Every text is one of ours, and none holds a comma, a quote or a
//! line break (a test reads all of them back).

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use thiserror::Error;

use super::people::guid;
use super::random::Topic;
use super::{HAZARDS, Hazards, LeaveKind, Partner, Plan, SERIES};
use crate::domain::{CommitmentRow, CustomerRow, Day, IdError, Micros, SubscriptionRow};

/// Bytes gathered before they are written: a few thousand rows.
const BUFFER_BYTES: usize = 1 << 18;

/// Why a portfolio could not be written.
#[derive(Debug, Error)]
pub enum WriteError {
    #[error("cannot write {}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("a made-up id is none")]
    Id(#[from] IdError),
    #[error("cannot put the plan into words")]
    Json(#[from] serde_json::Error),
}

/// How far the writing is, told after each day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayDone {
    /// The last day written.
    pub day: Day,
    pub days_done: u32,
    pub days: u32,
    pub usage_rows: u64,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Written {
    pub customers: u64,
    pub subscriptions: u64,
    pub events: u64,
    pub usage_rows: u64,
    pub commitments: u64,
    /// Subscriptions that left for good by the last day, migrations included, and migrations alone.
    pub left: u64,
    pub migrated: u64,
}

/// `simulate.json`.
#[derive(Debug, Serialize)]
struct Record<'a> {
    plan: Plan,
    first_day: Day,
    hazards: &'a Hazards,
    written: Written,
}

/// One file that is being written.
struct Table {
    path: PathBuf,
    file: File,
    buffer: Vec<u8>,
    rows: u64,
}

impl Table {
    fn create(dir: &Path, name: &str, header: &str) -> Result<Self, WriteError> {
        let path = dir.join(name);
        let file = File::create(&path).map_err(|source| WriteError::Io { path: path.clone(), source })?;
        let mut buffer = Vec::with_capacity(BUFFER_BYTES + 4096);
        buffer.extend_from_slice(header.as_bytes());
        buffer.push(b'\n');
        Ok(Self { path, file, buffer, rows: 0 })
    }

    /// Ends a row of which the fields are in the buffer.
    fn end_row(&mut self) -> Result<(), WriteError> {
        self.buffer.push(b'\n');
        self.rows += 1;
        if self.buffer.len() >= BUFFER_BYTES { self.flush() } else { Ok(()) }
    }

    /// Writes a whole row.
    fn row(&mut self, fields: &[&str]) -> Result<(), WriteError> {
        for (at, field) in fields.iter().enumerate() {
            if at > 0 {
                self.buffer.push(b',');
            }
            self.buffer.extend_from_slice(field.as_bytes());
        }
        self.end_row()
    }

    fn flush(&mut self) -> Result<(), WriteError> {
        let written = self.file.write_all(&self.buffer);
        self.buffer.clear();
        written.map_err(|source| WriteError::Io { path: self.path.clone(), source })
    }

    /// Writes what is left; returns the number of rows.
    fn finish(mut self) -> Result<u64, WriteError> {
        self.flush()?;
        Ok(self.rows)
    }
}

/// Writes the portfolio of `plan` into `dir`, which is created where it is missing. Files of an
/// earlier portfolio are overwritten. `progress` is told after each day.
///
/// # Errors
/// Where a file cannot be written.
pub fn write_csv(plan: Plan, dir: &Path, mut progress: impl FnMut(DayDone)) -> Result<Written, WriteError> {
    fs::create_dir_all(dir).map_err(|source| WriteError::Io { path: dir.to_owned(), source })?;
    let partner = Partner::new(plan);
    let ids: Vec<String> = (0..plan.subscriptions()).map(|number| guid(plan, Topic::SubscriptionId, number)).collect();
    let customers = write_customers(&partner, dir)?;
    let subscriptions = write_subscriptions(&partner, dir)?;
    let events = write_events(&partner, &ids, dir)?;
    let usage_rows = write_usage(&partner, &ids, dir, &mut progress)?;
    let commitments = write_commitments(&partner, dir)?;
    write_truth(&partner, &ids, dir)?;
    let left = |counts: fn(LeaveKind) -> bool| {
        partner.truths().filter(|truth| truth.left.is_some_and(|(on, kind)| on <= plan.until() && counts(kind))).count() as u64
    };
    let migrated = left(|kind| kind == LeaveKind::Migrated);
    let written = Written { customers, subscriptions, events, usage_rows, commitments, left: left(|_| true), migrated };
    let record = Record { plan, first_day: plan.first_day(), hazards: &HAZARDS, written };
    let mut text = serde_json::to_string_pretty(&record)?;
    text.push('\n');
    let path = dir.join("simulate.json");
    fs::write(&path, text).map_err(|source| WriteError::Io { path, source })?;
    Ok(written)
}

fn write_customers(partner: &Partner, dir: &Path) -> Result<u64, WriteError> {
    let mut table = Table::create(dir, "customers.csv", "customer_id,name,country,segment,reseller_id,reseller_name")?;
    for row in partner.customers() {
        let CustomerRow { customer_id, name, country, segment, reseller_id, reseller_name, .. } = row?;
        let text = |field: Option<String>| field.unwrap_or_default();
        let fields = [text(name), text(country), text(segment), text(reseller_id), text(reseller_name)];
        let [name, country, segment, reseller_id, reseller_name] = fields.each_ref().map(String::as_str);
        table.row(&[customer_id.as_str(), name, country, segment, reseller_id, reseller_name])?;
    }
    table.finish()
}

fn write_subscriptions(partner: &Partner, dir: &Path) -> Result<u64, WriteError> {
    let header = "subscription_id,customer_id,name,product,created_on,auto_renew,term_end_on,is_trial";
    let mut table = Table::create(dir, "subscriptions.csv", header)?;
    for row in partner.subscriptions() {
        let SubscriptionRow { subscription_id, customer_id, name, product, created_on, auto_renew, term_end_on, is_trial, .. } = row?;
        let fields = [
            name.unwrap_or_default(),
            product.unwrap_or_default(),
            text_of(created_on),
            text_of(auto_renew),
            text_of(term_end_on),
            text_of(is_trial),
        ];
        let [name, product, created_on, auto_renew, term_end_on, is_trial] = fields.each_ref().map(String::as_str);
        table.row(&[subscription_id.as_str(), customer_id.as_str(), name, product, created_on, auto_renew, term_end_on, is_trial])?;
    }
    table.finish()
}

fn write_events(partner: &Partner, ids: &[String], dir: &Path) -> Result<u64, WriteError> {
    let mut table = Table::create(dir, "lifecycle.csv", "subscription_id,on,event,reason")?;
    for ((_, events), id) in partner.events().zip(ids) {
        for event in events {
            table.row(&[id, &event.on.to_string(), event.kind.as_str(), event.reason.as_deref().unwrap_or("")])?;
        }
    }
    table.finish()
}

/// The one file that matters for speed: a row is put together from ready-made pieces, without
/// an allocation.
fn write_usage(partner: &Partner, ids: &[String], dir: &Path, progress: &mut impl FnMut(DayDone)) -> Result<u64, WriteError> {
    let mut table = Table::create(dir, "usage_daily.csv", "subscription_id,on,category,unit,quantity,cost")?;
    let plan = partner.plan();
    for (days_done, day) in (1..).zip(plan.each_day()) {
        let middles = SERIES.map(|series| format!(",{day},{},{},", series.category, series.unit));
        for row in partner.usage_on(day) {
            let Some(id) = usize::try_from(row.subscription).ok().and_then(|at| ids.get(at)) else { continue };
            table.buffer.extend_from_slice(id.as_bytes());
            table.buffer.extend_from_slice(middles[row.series].as_bytes());
            push_decimal(&mut table.buffer, row.quantity);
            table.buffer.push(b',');
            push_decimal(&mut table.buffer, row.cost);
            table.end_row()?;
        }
        progress(DayDone { day, days_done, days: plan.days(), usage_rows: table.rows });
    }
    table.finish()
}

fn write_commitments(partner: &Partner, dir: &Path) -> Result<u64, WriteError> {
    let mut table = Table::create(dir, "commitments.csv", "commitment_id,subscription_id,customer_id,product,kind,quantity,ends_on")?;
    for row in partner.commitments() {
        let CommitmentRow { commitment_id, subscription_id, customer_id, product, kind, quantity, ends_on } = row?;
        let fields = [text_of(subscription_id), text_of(customer_id), product.unwrap_or_default(), text_of(quantity), text_of(ends_on)];
        let [subscription_id, customer_id, product, quantity, ends_on] = fields.each_ref().map(String::as_str);
        table.row(&[commitment_id.as_str(), subscription_id, customer_id, product, kind.as_str(), quantity, ends_on])?;
    }
    table.finish()
}

fn write_truth(partner: &Partner, ids: &[String], dir: &Path) -> Result<u64, WriteError> {
    let header =
        "subscription_id,left_on,kind,fades_from,successor_id,cancelled_per_day,suspended_per_day,recovery_share,expiry_per_term_end";
    let mut table = Table::create(dir, "_truth.csv", header)?;
    for (truth, id) in partner.truths().zip(ids) {
        let known = truth.known;
        let successor = truth.successor.and_then(|number| ids.get(usize::try_from(number).ok()?)).map_or("", String::as_str);
        table.row(&[
            id,
            &text_of(truth.left.map(|(on, _)| on)),
            truth.left.map_or("", |(_, kind)| kind.as_str()),
            &text_of(truth.fades_from),
            successor,
            &known.cancelled_per_day.to_string(),
            &known.suspended_per_day.to_string(),
            &known.recovery_share.to_string(),
            &known.expiry_per_term_end.to_string(),
        ])?;
    }
    table.finish()
}

/// The text of a field; empty where there is none.
fn text_of(field: Option<impl ToString>) -> String {
    field.map_or_else(String::new, |value| value.to_string())
}

/// Appends a non-negative amount in plain decimals, exactly, without trailing zeros.
fn push_decimal(out: &mut Vec<u8>, amount: Micros) {
    let micros = amount.0.unsigned_abs();
    let (mut whole, mut fraction) = (micros / 1_000_000, micros % 1_000_000);
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = digit(whole % 10);
        whole /= 10;
        if whole == 0 || at == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
    if fraction == 0 {
        return;
    }
    out.push(b'.');
    while fraction > 0 {
        out.push(digit(fraction / 100_000));
        fraction = fraction % 100_000 * 10;
    }
}

/// The character of a number below 10.
fn digit(number: u64) -> u8 {
    b'0' + u8::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_written_as_the_domain_writes_them() {
        for micros in [0, 1, 10, 999_999, 1_000_000, 1_000_100, 12_345_678, 100_000, i64::MAX] {
            let mut out = Vec::new();
            push_decimal(&mut out, Micros(micros));
            assert_eq!(String::from_utf8(out).as_deref(), Ok(Micros(micros).to_string().as_str()));
        }
    }
}
