//! `churn-risk import`.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::ensure;
use churn_risk::domain::{Currency, Day, Rate, RateError};
use churn_risk::lake::{CostBasis, FileReport, ImportReport, ImportRequest, LakeAt, Outcome, ParquetReader, Reading, import, source_names};
use churn_risk::progress::{Progress, say};
use clap::builder::PossibleValuesParser;
use clap::{Args, ValueEnum};
use comfy_table::Table;

use super::access::AuditArguments;
use super::table::table;

#[derive(Debug, Args)]
pub(crate) struct ImportArguments {
    /// Files, folders or globs: CSV, TSV, JSON, JSON Lines (also .gz, .zst) or Parquet, of any source;
    /// also URLs of them in an object store
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    intake: IntakeArguments,
}

/// Where rows go and within which bounds, whoever brings the files.
#[derive(Debug, Args)]
pub(crate) struct IntakeArguments {
    /// Folder of the tables, made where it is absent; or its URL in an object store:
    /// `az://CONTAINER/PATH`, `abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PATH`, `s3://BUCKET/PATH`,
    /// with the credentials in the environment (`AZURE_STORAGE_ACCOUNT_NAME`,
    /// `AZURE_STORAGE_ACCOUNT_KEY`; `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`)
    #[arg(long, env = "CHURN_RISK_LAKE")]
    lake: LakeAt,
    /// Share of the rows that may be refused before the whole import is; ten always may
    #[arg(long, default_value_t = 0.001, value_parser = share)]
    max_rejects: f64,
    /// Memory that the import may take, beyond which rows go to disk: 512MiB, 2GiB
    #[arg(long, default_value = "256MiB", value_parser = bytes)]
    memory: usize,
    /// Currency in which the lake keeps costs: EUR. The lake's own where it has one; in a new
    /// lake the one that the files carry, where that is one
    #[arg(long, value_parser = Currency::parse)]
    currency: Option<Currency>,
    /// What one unit of another currency is worth in it; may be given again for another
    #[arg(long = "rate", value_name = "USD=0.92", value_parser = rate)]
    rates: Vec<(Currency, Rate)>,
    /// The source of the files, where their headers should not tell it
    #[arg(long, value_parser = PossibleValuesParser::new(source_names()))]
    format: Option<String>,
    /// The day of exports of subscriptions that do not say theirs [default: today]
    #[arg(long, value_name = "2026-06-30", value_parser = Day::parse)]
    exported_on: Option<Day>,
    /// Take a subscription that an export of all of them shows no more as ended
    #[arg(long)]
    missing_means_ended: bool,
    /// Take the files as parts of one export: read those too that an earlier import has read, unless
    /// it has read all of them
    #[arg(long)]
    together: bool,
    /// Which cost of FOCUS is the cost: purchases of commitments spread over their use, or as billed
    #[arg(long, value_enum, default_value_t = Cost::Effective)]
    cost: Cost,
    #[command(flatten)]
    audit: AuditArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Cost {
    Effective,
    Billed,
}

impl IntakeArguments {
    /// The folder for what this machine keeps beside the tables.
    pub(crate) fn home(&self) -> &Path {
        self.lake.home()
    }

    /// Imports what a request names, and records it.
    pub(crate) fn import(&self, request: &ImportRequest) -> anyhow::Result<ImportReport> {
        Ok(self.audit.around("import", &self.lake.to_string(), || import(request), told)??)
    }

    pub(crate) const fn audit(&self) -> &AuditArguments {
        &self.audit
    }

    /// The import of these files.
    pub(crate) fn request(&self, paths: Vec<PathBuf>, progress: Progress) -> anyhow::Result<ImportRequest> {
        Ok(ImportRequest {
            paths,
            lake: self.lake.clone(),
            today: super::today(),
            max_rejects: self.max_rejects,
            memory_bytes: self.memory,
            currency: self.currency.clone(),
            rates: rates(&self.rates)?,
            reading: self.reading()?,
            progress,
        })
    }

    fn reading(&self) -> io::Result<Reading> {
        Ok(Reading {
            format: self.format.clone(),
            exported_on: self.exported_on,
            missing_means_ended: self.missing_means_ended,
            together: self.together,
            cost_basis: match self.cost {
                Cost::Effective => CostBasis::Effective,
                Cost::Billed => CostBasis::Billed,
            },
            parquet_reader: Some(ParquetReader { program: std::env::current_exe()?, memory_bytes: self.memory as u64 }),
        })
    }

    /// What decides, besides the bytes of a file, whether it is refused.
    pub(crate) fn settings(&self) -> anyhow::Result<String> {
        let Self {
            lake: _,
            max_rejects,
            memory: _,
            currency,
            rates: told,
            format,
            exported_on,
            missing_means_ended: _,
            together: _,
            cost,
            audit: _,
        } = self;
        let currency = currency.as_ref().map_or_else(String::new, Currency::to_string);
        let rates = rates(told)?.iter().map(|(currency, rate)| format!("{currency}={rate:?}")).collect::<Vec<_>>().join(",");
        let format = format.as_deref().unwrap_or_default();
        let exported_on = exported_on.map_or_else(String::new, |day| day.to_string());
        Ok(format!("max-rejects {max_rejects} currency {currency} rates {rates} format {format} exported-on {exported_on} cost {cost:?}"))
    }
}

fn rate(text: &str) -> Result<(Currency, Rate), String> {
    let (currency, rate) = text.split_once('=').ok_or_else(|| "write USD=0.92".to_owned())?;
    let currency = Currency::parse(currency).map_err(|error| error.to_string())?;
    Ok((currency, rate.parse().map_err(|error: RateError| error.to_string())?))
}

/// The rates by currency, each told once.
fn rates(told: &[(Currency, Rate)]) -> anyhow::Result<BTreeMap<Currency, Rate>> {
    let mut rates = BTreeMap::new();
    for (currency, rate) in told {
        ensure!(rates.insert(currency.clone(), *rate).is_none_or(|known| known == *rate), "--rate tells two rates of {currency}");
    }
    Ok(rates)
}

fn share(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|share| (0.0..=1.0).contains(share)).ok_or_else(|| "a share lies between 0 and 1".to_owned())
}

fn bytes(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let shift = match &text[digits.len()..] {
        "" | "B" => 0,
        "KiB" | "K" => 10,
        "MiB" | "M" => 20,
        "GiB" | "G" => 30,
        _ => return Err("write 512MiB or 2GiB".to_owned()),
    };
    let number: usize = digits.parse().map_err(|_| "write 512MiB or 2GiB".to_owned())?;
    number.checked_mul(1 << shift).filter(|bytes| *bytes >= 128 << 20).ok_or_else(|| "an import needs 128MiB at least".to_owned())
}

pub(crate) fn run(arguments: &ImportArguments) -> anyhow::Result<ExitCode> {
    let report = arguments.intake.import(&arguments.intake.request(arguments.paths.clone(), Progress::Shown)?)?;
    print(&report)?;
    Ok(ExitCode::SUCCESS)
}

/// What the audit log says of an import.
pub(crate) fn told(report: &ImportReport) -> String {
    let files = report.files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>().join(", ");
    match &report.outcome {
        Outcome::Committed(record) => format!("done: version {} of {} rows from {files}", record.import_id, record.rows_kept),
        Outcome::Unchanged { version } => format!("done: nothing new in {files}; version {version} stays"),
    }
}

/// Prints the summary: a table of files, then what a person should know. The acknowledgement
/// comes last, when everything is on disk.
pub(crate) fn print(report: &ImportReport) -> io::Result<()> {
    say(&files_table(&report.files).to_string())?;
    for (reason, rows) in &report.refused {
        say(&format!("refused: {rows} rows, {reason}"))?;
    }
    for (reason, rows) in &report.set_aside {
        say(&format!("set aside: {rows} rows, {reason}"))?;
    }
    for reject in &report.first_rejects {
        say(&format!("  {reject}"))?;
    }
    if let Some(path) = &report.rejects_file {
        say(&format!("all refused rows: {}", path.display()))?;
    }
    if let (Some(first), Some(last)) = (report.gaps.first(), report.gaps.last()) {
        say(&format!("gaps: {} days without any usage row, from {first} to {last}", report.gaps.len()))?;
    }
    for warning in &report.warnings {
        say(&format!("note: {warning}"))?;
    }
    match &report.outcome {
        Outcome::Committed(record) => {
            say(&format!("{} rows are in the tables, on disk, as version {}", record.rows_kept, record.import_id))?;
            // Alone on its line, for programs: from here on the import cannot be lost.
            say(&format!("acked {}", record.import_id))
        }
        Outcome::Unchanged { version } => {
            say(&format!("nothing to do: every file was imported before; the tables stay at version {version}"))
        }
    }
}

fn files_table(files: &[FileReport]) -> Table {
    let mut table = table(["file", "source", "table", "rows read", "kept", "set aside", "refused", "first day", "last day"], 3..7);
    for file in files {
        let day = |day: Option<churn_risk::domain::Day>| day.map_or_else(String::new, |day| day.to_string());
        let (read, kept, aside, refused) = if let Some(since) = file.known_since {
            (format!("as import {since}"), String::new(), String::new(), String::new())
        } else {
            let kept = file.rows_read - file.rows_refused - file.rows_set_aside;
            (file.rows_read.to_string(), kept.to_string(), file.rows_set_aside.to_string(), file.rows_refused.to_string())
        };
        let (source, table_name) = (file.source.to_owned(), file.table.to_owned());
        table.add_row([file.name.clone(), source, table_name, read, kept, aside, refused, day(file.first_day), day(file.last_day)]);
    }
    table
}
