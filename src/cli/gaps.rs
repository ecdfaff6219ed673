//! `churn-risk gaps`.

use std::collections::BTreeMap;
use std::process::ExitCode;

use churn_risk::domain::{Day, Period};
use churn_risk::lake::LakeAt;
use churn_risk::metrics::{self, Gap, source_gaps};
use churn_risk::portfolio::{self, Portfolio};
use churn_risk::progress::say;
use clap::{Args, ValueEnum};
use serde_json::json;

use super::table::table;

#[derive(Debug, Args)]
pub(crate) struct GapsArguments {
    /// Folder of the tables that `import` wrote, or its URL in an object store (az, abfss, s3)
    #[arg(long, env = "CHURN_RISK_LAKE")]
    lake: LakeAt,
    /// The version to look at; the newest where it is not given
    #[arg(long)]
    as_of_version: Option<u64>,
    /// For a person, or for a program
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

pub(crate) fn run(arguments: &GapsArguments) -> anyhow::Result<ExitCode> {
    let lake = arguments.lake.open_existing()?;
    let portfolio = portfolio::load_from(&lake, 0, arguments.as_of_version)?;
    let today = super::today();
    let records: Vec<_> = lake.imports()?.into_iter().filter(|record| record.import_id <= portfolio.version()).collect();
    let of_sources =
        portfolio.as_of().map(|as_of| source_gaps(records.iter().map(|record| &record.source_days), as_of)).unwrap_or_default();
    match arguments.format {
        Format::Text => say(&[text(&portfolio, today)?, sources_text(&of_sources)].join(""))?,
        Format::Json => say(&serde_json::to_string(&json(&portfolio, today, &of_sources)?)?)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// First and last day of data, and the gaps between them; none without usage.
fn days(portfolio: &Portfolio) -> anyhow::Result<Option<(Period, Vec<Gap>)>> {
    let Some((first, last)) = portfolio.first_day().zip(portfolio.as_of()) else { return Ok(None) };
    let period = Period::new(first, last)?;
    Ok(Some((period, metrics::gaps(portfolio, period))))
}

fn text(portfolio: &Portfolio, today: Day) -> anyhow::Result<String> {
    let version = portfolio.version();
    let Some((period, gaps)) = days(portfolio)? else { return Ok(format!("version {version} has no usage, and so no gaps")) };
    let behind = match today - period.to() {
        0 => "today".to_owned(),
        1 => "yesterday".to_owned(),
        days if days > 1 => format!("{days} days ago"),
        days => format!("{} days ahead of this machine's clock", -days),
    };
    let spans = format!("version {version} has usage from {} to {} ({behind})", period.from(), period.to());
    let (days, of) = (gaps.iter().map(|gap| gap.days).sum::<u32>(), period.days());
    if gaps.is_empty() {
        return Ok(format!("{spans}\nno gaps: each of the {of} days has a row"));
    }
    let mut table = table(["from", "to", "days"], [2]);
    for gap in &gaps {
        table.add_row([gap.from.to_string(), gap.to.to_string(), gap.days.to_string()]);
    }
    Ok(format!("{spans}\n{table}\n{days} of {of} days are gaps: no subscription has a row"))
}

/// What is told of sources that have stopped or paused, below the table.
fn sources_text(of_sources: &BTreeMap<String, Vec<Gap>>) -> String {
    let told = |(source, gap): (&String, &Gap)| {
        format!("\n{source}: none from {} to {} ({} days), and some on each of the 28 days before", gap.from, gap.to, gap.days)
    };
    of_sources.iter().flat_map(|(source, gaps)| gaps.iter().map(move |gap| (source, gap))).map(told).collect()
}

fn json(portfolio: &Portfolio, today: Day, of_sources: &BTreeMap<String, Vec<Gap>>) -> anyhow::Result<serde_json::Value> {
    let days = days(portfolio)?;
    let (period, gaps) = days.map_or((None, Vec::new()), |(period, gaps)| (Some(period), gaps));
    Ok(json!({
        "table_version": portfolio.version(),
        "today": today,
        "first_day": period.map(Period::from),
        "last_day": period.map(Period::to),
        "days_since_last_day": period.map(|period| today - period.to()),
        "gap_days": gaps.iter().map(|gap| gap.days).sum::<u32>(),
        "gaps": gaps,
        "sources": of_sources,
    }))
}
