//! `churn-risk vacuum`.

use std::process::ExitCode;

use churn_risk::lake::{LakeAt, VacuumReport, VacuumRequest};
use churn_risk::progress::{Progress, say};
use clap::Args;

use super::table::table;

#[derive(Debug, Args)]
pub(crate) struct VacuumArguments {
    /// Folder of the tables that `import` wrote, or its URL in an object store (az, abfss, s3)
    #[arg(long, env = "CHURN_RISK_LAKE")]
    lake: LakeAt,
    /// Days for which a version can be opened after another took its place; with 0, the newest
    /// alone stays. Whoever reads an older one at that moment may find its files gone
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(0..=36_500))]
    keep_days: u32,
    /// Tell what would be deleted, and delete nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(arguments: &VacuumArguments) -> anyhow::Result<ExitCode> {
    let lake = arguments.lake.open_existing()?;
    let request = VacuumRequest { keep_days: arguments.keep_days, today: super::today(), dry_run: arguments.dry_run };
    let report = lake.vacuum(&request, Progress::Shown)?;
    let (went, goes) = if arguments.dry_run { ("would go", "would be gone") } else { ("gone", "are gone") };
    let mut table = table(["table", "files kept", "KiB kept", &format!("files {went}"), &format!("KiB {went}")], 1..5);
    for folder in &report.folders {
        table.add_row([
            folder.folder.clone(),
            folder.kept_files.to_string(),
            folder.kept_bytes.div_ceil(1024).to_string(),
            folder.deleted_files.to_string(),
            folder.deleted_bytes.div_ceil(1024).to_string(),
        ]);
    }
    say(&format!("{table}\n{}", sentence(&report, goes)))?;
    Ok(ExitCode::SUCCESS)
}

fn sentence(report: &VacuumReport, goes: &str) -> String {
    let (Some(oldest), Some(newest)) = (report.oldest_kept, report.newest) else {
        return "nothing was imported yet, so there is no version to keep or to give up".to_owned();
    };
    let kept = if oldest == newest {
        format!("version {newest} can be opened, the newest")
    } else {
        format!("versions {oldest} to {newest} can be opened")
    };
    match report.gone {
        0 => format!("{kept}; no version was given up"),
        1 => format!("{kept}; the files that version {} alone named {goes}", oldest - 1),
        gone => format!("{kept}; the files that versions {} to {} alone named {goes}", oldest - gone, oldest - 1),
    }
}
