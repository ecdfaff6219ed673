//! `churn-risk tables`.

use std::process::ExitCode;

use churn_risk::lake::LakeAt;
use churn_risk::progress::say;
use clap::Args;

use super::table::table;

#[derive(Debug, Args)]
pub(crate) struct TablesArguments {
    /// Folder of the tables that `import` wrote, or its URL in an object store (az, abfss, s3)
    #[arg(long, env = "CHURN_RISK_LAKE")]
    lake: LakeAt,
    /// The version to list; the newest where it is not given
    #[arg(long)]
    as_of_version: Option<u64>,
    /// Compare every file with its checksum and read every page of it; fail where one is damaged
    #[arg(long)]
    read: bool,
}

pub(crate) fn run(arguments: &TablesArguments) -> anyhow::Result<ExitCode> {
    let lake = arguments.lake.open_existing()?;
    let Some(snapshot) = lake.snapshot(arguments.as_of_version)? else {
        say("version 0: nothing was imported yet")?;
        return Ok(ExitCode::SUCCESS);
    };
    let mut tables = table(["table", "delta version", "files", "rows", "KiB", "first day", "last day"], 1..5);
    let mut without_checksum = 0;
    let of_version = snapshot.census(arguments.read)?;
    for census in of_version.into_iter().chain(lake.census_beside(arguments.read)?) {
        without_checksum += census.files_without_checksum;
        let delta_version = census.delta_version.map_or_else(|| "-".to_owned(), |version| version.to_string());
        let kibibytes = census.bytes.div_ceil(1024).to_string();
        let days = census.days.map_or_else(<[String; 2]>::default, |(first, last)| [first.to_string(), last.to_string()]);
        let counts = [census.table.to_owned(), delta_version, census.files.to_string(), census.rows.to_string(), kibibytes];
        tables.add_row(counts.into_iter().chain(days));
    }
    let mut imports = table(["version", "imported on", "rows kept", "refused", "first day", "last day", "files"], 2..4);
    let oldest = lake.oldest_version()?.unwrap_or(0);
    for record in lake.imports()? {
        let day = |day: Option<churn_risk::domain::Day>| day.map_or_else(String::new, |day| day.to_string());
        let files: Vec<&str> = record.files.iter().map(|file| file.name.as_str()).collect();
        imports.add_row([
            if record.import_id < oldest { format!("{} (vacuumed)", record.import_id) } else { record.import_id.to_string() },
            record.imported_on.to_string(),
            record.rows_kept.to_string(),
            record.rows_refused.to_string(),
            day(record.first_day),
            day(record.last_day),
            files.join(", "),
        ]);
    }
    say(&format!("version {}\n{tables}\n{imports}", snapshot.version()))?;
    if arguments.read && without_checksum > 0 {
        say(&without(without_checksum))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What a person should know of files that earlier releases wrote.
fn without(files: u64) -> String {
    let carry = if files == 1 { "file carries" } else { "files carry" };
    format!("{files} {carry} no checksum (an earlier release wrote them): a changed number in them would not be noticed")
}
