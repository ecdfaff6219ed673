//! The commands of `churn-risk`. The only place with a clock.

mod compact;
#[cfg(feature = "training")]
mod demo;
mod gaps;
mod import;
mod serve;
mod simulate;
mod tables;
mod vacuum;
mod verify;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use churn_risk::domain::Day;
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
    /// Read everything in the tables again, and tell what is not as it must be
    Verify(verify::VerifyArguments),
    /// List the days of the feed on which nobody has a row
    Gaps(gaps::GapsArguments),
    /// Merge the many small files of a table into few
    Compact(compact::CompactArguments),
    /// Delete the files that only old versions of the tables, or dead imports, have named
    Vacuum(vacuum::VacuumArguments),
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
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Gaps(arguments) => gaps::run(&arguments),
        Command::Compact(arguments) => compact::run(&arguments),
        Command::Vacuum(arguments) => vacuum::run(&arguments),
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
