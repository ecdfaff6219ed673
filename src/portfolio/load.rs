//! The portfolio of a lake: from the cache when it is of the wanted version, from the tables
//! otherwise.

use std::path::Path;

use thiserror::Error;

use super::cache::{self, CacheError, Origin};
use super::{BuildError, Portfolio, PortfolioBuilder, SmallTables};
use crate::domain::{Day, Micros};
use crate::lake::{Lake, LakeError, Snapshot, UsageChunk, UsageColumns, UsageRun};

/// Why a lake gives no portfolio.
#[derive(Debug, Error)]
pub enum LoadError {
    #[error(transparent)]
    Lake(#[from] LakeError),
    #[error(transparent)]
    Build(#[from] BuildError),
}

/// Loads the newest version of the tables in `lake`; an empty portfolio of version 0 where
/// nothing was imported yet. A cache that cannot be read or written only costs time, and is
/// told to the log.
///
/// # Errors
/// Where the tables cannot be read, or do not fit a portfolio.
pub fn load(lake: &Path, settle_days: u32) -> Result<Portfolio, LoadError> {
    load_at(lake, settle_days, None)
}

/// As [`load`], of a version of the tables; of the newest without one. The cache is that of the
/// newest: an older version is read from the tables each time, and leaves the cache alone.
///
/// # Errors
/// As [`load`], and where there is no such version, or it was vacuumed.
pub fn load_at(lake: &Path, settle_days: u32, version: Option<u64>) -> Result<Portfolio, LoadError> {
    load_from(&Lake::open(lake)?, settle_days, version)
}

/// As [`load_at`], of a lake that is open.
///
/// # Errors
/// As [`load_at`].
pub fn load_from(tables: &Lake, settle_days: u32, version: Option<u64>) -> Result<Portfolio, LoadError> {
    let Some(snapshot) = tables.snapshot(version)? else {
        return Ok(PortfolioBuilder::new(0, settle_days, SmallTables::default()).seal()?.finish());
    };
    if version.is_some() && tables.newest_version()? != version {
        return from_tables(&snapshot, settle_days);
    }
    let cache = cache::path(tables.dir());
    let origin = Origin { version: snapshot.version(), settle_days, fingerprint: snapshot.fingerprint() };
    match cache::read(&cache, &origin) {
        Ok(portfolio) => return Ok(portfolio),
        Err(CacheError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => tracing::info!(%error, "the portfolio cache is built anew"),
    }
    let portfolio = from_tables(&snapshot, settle_days)?;
    match cache::write(&cache, &portfolio, &origin.fingerprint) {
        Ok(()) => {}
        Err(error @ CacheError::Busy { .. }) => tracing::info!(%error, "the portfolio cache is left to the other"),
        Err(error) => tracing::warn!(%error, "the portfolio cache is not kept"),
    }
    Ok(portfolio)
}

/// Builds the portfolio in two passes over the usage.
fn from_tables(snapshot: &Snapshot, settle_days: u32) -> Result<Portfolio, LoadError> {
    let small = SmallTables {
        customers: snapshot.customers()?,
        subscriptions: snapshot.subscriptions()?,
        lifecycle: snapshot.lifecycle()?,
        commitments: snapshot.commitments()?,
    };
    let mut builder = PortfolioBuilder::new(snapshot.version(), settle_days, small).costs_in(snapshot.currency());
    for (category, unit) in snapshot.series()? {
        builder.series(&category, &unit);
    }
    snapshot.scan_usage(UsageColumns::Days, |chunk| {
        for run in &chunk.runs {
            let quantities = chunk.quantity[run.from..run.to].iter().map(|quantity| Micros(*quantity));
            builder.count(run.subscription, chunk.days(*run).zip(quantities));
        }
        Ok::<(), LoadError>(())
    })?;
    let mut numbers: Vec<u32> = Vec::new();
    snapshot.scan_monthly_usage(|chunk| {
        for (category, unit) in &chunk.series_names[numbers.len()..] {
            numbers.push(builder.monthly_series(category, unit));
        }
        for run in &chunk.runs {
            builder.months(run.subscription, all_columns(chunk, run, &numbers));
        }
        Ok::<(), LoadError>(())
    })?;
    let mut filler = builder.seal()?;
    let mut numbers: Vec<u16> = Vec::new();
    snapshot.scan_usage(UsageColumns::All, |chunk| {
        for (category, unit) in &chunk.series_names[numbers.len()..] {
            numbers.push(filler.series_number(category, unit).unwrap_or(0));
        }
        for run in &chunk.runs {
            filler.fill(run.subscription, all_columns(chunk, run, &numbers))?;
        }
        Ok::<(), LoadError>(())
    })?;
    Ok(filler.finish())
}

/// Some rows, with numbers for the places of their series.
fn all_columns<N: Copy>(
    chunk: &UsageChunk<'_>,
    run: &UsageRun<'_>,
    numbers: &[N],
) -> impl Iterator<Item = (Day, N, Micros, Option<Micros>)> {
    (run.from..run.to).map(|row| {
        let number = numbers[chunk.series[row] as usize];
        (Day::from_epoch_days(chunk.day[row]), number, Micros(chunk.quantity[row]), chunk.cost[row].map(Micros))
    })
}
