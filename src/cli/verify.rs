//! `churn-risk verify`.

use std::process::ExitCode;

use churn_risk::lake::{LakeAt, Verification, VerifyScope};
use churn_risk::progress::{Progress, say};
use clap::Args;
use comfy_table::Table;

use super::table::table;

#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    /// Folder of the tables that `import` wrote, or its URL in an object store (az, abfss, s3)
    #[arg(long, env = "CHURN_RISK_LAKE")]
    lake: LakeAt,
    /// The version to read; the newest where it is not given
    #[arg(long, conflicts_with = "all")]
    as_of_version: Option<u64>,
    /// Read every version that is kept
    #[arg(long)]
    all: bool,
}

pub(crate) fn run(arguments: &VerifyArguments) -> anyhow::Result<ExitCode> {
    let scope = match arguments.as_of_version {
        Some(version) => VerifyScope::Version(version),
        None if arguments.all => VerifyScope::All,
        None => VerifyScope::Newest,
    };
    let read = arguments.lake.open_existing()?.verify(scope, Progress::Shown)?;
    for fault in &read.faults {
        say(&format!("fault: {fault}"))?;
    }
    say(&format!("{}\n{}", tables(&read), sentence(&read)))?;
    Ok(if read.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn tables(read: &Verification) -> Table {
    let mut table = table(["table", "files", "rows", "KiB", "faults"], 1..5);
    for read in &read.tables {
        let counts = [read.files, read.rows, read.bytes.div_ceil(1024), read.faults];
        table.add_row(std::iter::once(read.table.to_owned()).chain(counts.map(|count| count.to_string())));
    }
    table
}

fn sentence(read: &Verification) -> String {
    let versions = match read.versions.as_slice() {
        [] => "no version of the tables was read".to_owned(),
        [version] => format!("version {version} was read"),
        [first, .., last] => format!("versions {first} to {last} were read"),
    };
    let faults = match read.faults.len() {
        0 => "everything is as it must be".to_owned(),
        1 => "1 fault".to_owned(),
        faults => format!("{faults} faults"),
    };
    let unchecked: u64 = read.tables.iter().map(|table| table.files_without_checksum).sum();
    let without = match unchecked {
        0 => String::new(),
        1 => "; 1 file carries no checksum, since an earlier release wrote it".to_owned(),
        files => format!("; {files} files carry no checksum, since an earlier release wrote them"),
    };
    format!("{versions}: {faults}{without}")
}
