//! The commands of `churn-risk`. The only place with a clock.

mod import;
mod simulate;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use churn_risk::domain::Day;

/// Which Azure subscriptions of a cloud partner are about to leave, and why.
#[derive(Debug, Parser)]
#[command(name = "churn-risk", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read a partner's files into the tables of a lake
    Import(import::ImportArguments),
    /// Write a made-up partner with known hazards, as files that `import` reads
    Simulate(simulate::SimulateArguments),
}

/// Runs the command that the arguments name.
pub(crate) fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        Command::Import(arguments) => import::run(&arguments),
        Command::Simulate(arguments) => simulate::run(&arguments),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The day that the operator's clock shows, in UTC.
#[expect(clippy::disallowed_methods, reason = "the one clock of the program")]
fn today() -> Day {
    Day::from_date(chrono::Utc::now().date_naive())
}
