//! `churn-risk audit`: whether the audit log is as it was written.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use churn_risk::access::{AuditFault, verify};
use churn_risk::progress::tell;
use clap::{Args, Subcommand};

use super::access::NeededAuditArguments;

#[derive(Debug, Args)]
pub(crate) struct AuditCommandArguments {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// Look for lines that were changed or removed
    Verify(VerifyArguments),
}

#[derive(Debug, Args)]
struct VerifyArguments {
    #[command(flatten)]
    audit: NeededAuditArguments,
    /// A hash that was printed before: the log must still hold the line that it is of
    #[arg(long, value_name = "SHA256")]
    holds: Option<String>,
}

pub(crate) fn run(arguments: &AuditCommandArguments) -> anyhow::Result<ExitCode> {
    let AuditCommand::Verify(arguments) = &arguments.command;
    let folder = &arguments.audit.audit;
    let verdict =
        verify(folder, arguments.holds.as_deref()).with_context(|| format!("no audit log can be read in {}", folder.display()))?;
    if let Some(AuditFault { line, what }) = verdict.fault {
        let place = line.map_or_else(|| "the end".to_owned(), |line| format!("line {line}"));
        tell(&format!("error: {}, {place}: {what}", folder.join("audit.jsonl").display()));
        return Ok(ExitCode::FAILURE);
    }
    writeln!(std::io::stdout(), "{} lines, each as it was written; the last is {}", verdict.lines, verdict.last)?;
    Ok(ExitCode::SUCCESS)
}
