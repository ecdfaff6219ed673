//! The commands of `churn-risk`. The only place with a clock.

#[cfg(feature = "training")]
mod demo;
mod import;
mod read_parquet;
mod serve;
mod simulate;
mod tables;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use churn_risk::domain::Day;
use churn_risk::lake::PARQUET_COMMAND;
use churn_risk::progress::tell;

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
    /// Serve risks and metrics over HTTP
    Serve(serve::ServeArguments),
    /// List what the tables hold and which imports made them
    Tables(tables::TablesArguments),
    /// Read one Parquet file for an import, which calls this itself
    #[command(name = PARQUET_COMMAND, hide = true)]
    ReadParquet(read_parquet::ReadParquetArguments),
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
        Command::Tables(arguments) => tables::run(&arguments),
        Command::ReadParquet(arguments) => read_parquet::run(&arguments),
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
