//! `churn-risk compact`.

use std::process::ExitCode;

use churn_risk::lake::{Compacted, LakeAt};
use churn_risk::progress::say;
use clap::Args;

use super::table::table;

#[derive(Debug, Args)]
pub(crate) struct CompactArguments {
    /// Folder of the tables that `import` wrote, or its URL in an object store (az, abfss, s3)
    #[arg(long, env = "CHURN_RISK_LAKE")]
    lake: LakeAt,
}

pub(crate) fn run(arguments: &CompactArguments) -> anyhow::Result<ExitCode> {
    let tables = arguments.lake.open_existing()?.compact()?;
    let mut table = table(["table", "files before", "after", "KiB before", "after", ""], 1..5);
    for compacted in &tables {
        table.add_row([
            compacted.table.to_owned(),
            compacted.files_before.to_string(),
            compacted.files_after.to_string(),
            compacted.bytes_before.div_ceil(1024).to_string(),
            compacted.bytes_after.div_ceil(1024).to_string(),
            told(compacted),
        ]);
    }
    say(&table.to_string())?;
    if tables.iter().any(|compacted| compacted.files_after < compacted.files_before) {
        say("the files that were merged stay until `churn-risk vacuum` deletes them")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn told(compacted: &Compacted) -> String {
    let Compacted { table, files_before, files_after, left, .. } = compacted;
    match (*table, left) {
        (_, 1..) => format!("{left} files share their partition with another and were left"),
        _ if files_after < files_before => "merged".to_owned(),
        ("scores", _) if *files_before > 1 => "nothing to merge: a file is one scoring".to_owned(),
        ("usage_daily" | "usage_monthly", _) if *files_before > 1 => "nothing to merge: a month is one file".to_owned(),
        _ => "nothing to merge".to_owned(),
    }
}
