//! The commands of `churn-risk`. The only place with a clock.

mod access;
mod audit;
mod compact;
#[cfg(feature = "training")]
mod demo;
mod gaps;
mod import;
mod keys;
mod pull;
mod read_parquet;
mod serve;
mod simulate;
mod stop;
mod table;
mod tables;
mod vacuum;
mod verify;
mod watch;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use churn_risk::domain::Day;
use churn_risk::lake::PARQUET_COMMAND;
use churn_risk::progress::tell;

/// A week: nobody who waits longer for a folder or an export means to.
const SPAN_MAX_MILLIS: u64 = 7 * 24 * 3_600_000;

/// Which Azure subscriptions of a cloud partner are about to leave, and why.
#[derive(Debug, Parser)]
#[command(name = "churn-risk", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make up a partner, import its files, train a model and serve it: start here
    #[cfg(feature = "training")]
    Demo(demo::DemoArguments),
    /// Read a partner's files into the tables of a lake
    Import(import::ImportArguments),
    /// Import what lands in a folder, as it lands
    Watch(watch::WatchArguments),
    /// Fetch exports from Partner Center and Microsoft Graph, and import them
    ///
    /// The credentials are in the environment alone: `CHURN_RISK_TENANT`, `CHURN_RISK_CLIENT_ID`,
    /// `CHURN_RISK_CLIENT_SECRET`; and, for analytics, which by Microsoft's pages take a user and
    /// no application alone, `CHURN_RISK_REFRESH_TOKEN`.
    Pull(Box<pull::PullArguments>),
    /// Serve risks and metrics over HTTP
    Serve(serve::ServeArguments),
    /// List what the tables hold and which imports made them
    Tables(tables::TablesArguments),
    /// Read one Parquet file for an import, which calls this itself
    #[command(name = PARQUET_COMMAND, hide = true)]
    ReadParquet(read_parquet::ReadParquetArguments),
    /// Read everything in the tables again, and tell what is not as it must be
    Verify(verify::VerifyArguments),
    /// List the days of the feed on which nobody has a row
    Gaps(gaps::GapsArguments),
    /// Merge the many small files of a table into few
    Compact(compact::CompactArguments),
    /// Delete the files that only old versions of the tables, or dead imports, have named
    Vacuum(vacuum::VacuumArguments),
    /// API keys for jobs: make, list, revoke
    Keys(keys::KeysArguments),
    /// Whether the audit log is as it was written
    Audit(audit::AuditCommandArguments),
    /// Write a made-up partner with known hazards, as files that `import` reads
    Simulate(simulate::SimulateArguments),
}

/// Runs the command that the arguments name.
pub(crate) fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        #[cfg(feature = "training")]
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Import(arguments) => import::run(&arguments),
        Command::Watch(arguments) => watch::run(&arguments),
        Command::Pull(arguments) => pull::run(&arguments),
        Command::Tables(arguments) => tables::run(&arguments),
        Command::ReadParquet(arguments) => read_parquet::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Gaps(arguments) => gaps::run(&arguments),
        Command::Compact(arguments) => compact::run(&arguments),
        Command::Vacuum(arguments) => vacuum::run(&arguments),
        Command::Keys(arguments) => keys::run(&arguments),
        Command::Audit(arguments) => audit::run(&arguments),
        Command::Simulate(arguments) => simulate::run(&arguments),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            tell(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Sends the log to standard error; `RUST_LOG` chooses what is in it.
fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,churn_risk=info"));
    // A second call finds a log in place and leaves it.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .log_internal_errors(false)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init();
}

/// The day that the operator's clock shows, in UTC.
#[expect(clippy::disallowed_methods, reason = "the one clock of the program")]
fn today() -> Day {
    Day::from_date(chrono::Utc::now().date_naive())
}

/// A span of time as a person writes it: 500ms, 10s, 5m, 2h.
fn span(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let millis = match &text[digits.len()..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("write 10s, 500ms, 5m or 2h".to_owned()),
    };
    let number: u64 = digits.parse().map_err(|_| "write 10s, 500ms, 5m or 2h".to_owned())?;
    let millis = number.checked_mul(millis).filter(|millis| (1..=SPAN_MAX_MILLIS).contains(millis));
    millis.map(Duration::from_millis).ok_or_else(|| "a span is at least 1ms and at most a week".to_owned())
}
