//! `churn-risk simulate`.

use std::path::PathBuf;
use std::process::ExitCode;

use churn_risk::domain::Day;
use churn_risk::progress::{Progress, Unit, say};
use churn_risk::simulate::{self, Plan, Written};
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct SimulateArguments {
    /// Subscriptions of the partner
    #[arg(long, default_value_t = 2_000)]
    subscriptions: u32,
    /// Days of usage, the last of them `--until`
    #[arg(long, default_value_t = 400)]
    days: u32,
    /// The same seed, sizes and last day give the same bytes
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Last day of the data; yesterday (UTC) where it is not given
    #[arg(long, value_parser = Day::parse)]
    until: Option<Day>,
    /// Folder to write into; made where it is absent
    #[arg(long)]
    out: PathBuf,
}

pub(crate) fn run(arguments: &SimulateArguments) -> anyhow::Result<ExitCode> {
    let until = arguments.until.unwrap_or_else(|| super::today() - 1);
    let plan = Plan::new(arguments.subscriptions, arguments.days, arguments.seed, until)?;
    let stage = Progress::Shown.stage("writing days", u64::from(plan.days()), Unit::Items);
    let written = simulate::write_csv(plan, &arguments.out, |_| stage.advance(1))?;
    stage.finish();
    say(&summary(arguments, plan, &written))?;
    Ok(ExitCode::SUCCESS)
}

fn summary(arguments: &SimulateArguments, plan: Plan, written: &Written) -> String {
    format!(
        "{}: {} to {}, {} customers, {} subscriptions ({} left, {} of them into another one), {} events, {} usage rows, {} commitments",
        arguments.out.display(),
        plan.first_day(),
        plan.until(),
        written.customers,
        written.subscriptions,
        written.left,
        written.migrated,
        written.events,
        written.usage_rows,
        written.commitments
    )
}
