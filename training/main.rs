//! `churn-train`: flags in, a model in the registry out. The flow itself is [`training::train`].

use std::process::ExitCode;

use anyhow::Context;
use churn_risk::lake::Lake;
use churn_risk::model::Registry;
use churn_risk::portfolio;
use churn_risk::progress::{Progress, say, tell};
use churn_risk::training::{self, TrainError, args::Args};
use clap::Parser;

/// Exit code where there is too little to train on, so that a scheduler can tell it from a failure.
const TOO_LITTLE: u8 = 3;

fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&format!("error: {error:#}"));
            let too_little = error.downcast_ref::<TrainError>().is_some_and(TrainError::is_too_little);
            if too_little { ExitCode::from(TOO_LITTLE) } else { ExitCode::FAILURE }
        }
    }
}

fn run(args: &Args) -> anyhow::Result<()> {
    let request = args.request()?;
    for path in args.predictions.iter().chain(&args.matrix) {
        training::check_name(path)?;
    }
    Lake::open_existing(&args.lake)?;
    let portfolio =
        portfolio::load(&args.lake, args.settle_days).with_context(|| format!("the lake `{}` does not load", args.lake.display()))?;
    let trained = training::train(&portfolio, &request, Progress::Shown)?;
    if let Some(path) = &args.predictions {
        training::write_predictions(path, &portfolio, &trained)?;
    }
    if let Some(path) = &args.matrix {
        training::write_matrix(path, &portfolio, &trained)?;
    }
    let registry = Registry::open(&args.models);
    let folder = registry.publish(&trained.model, &trained.model_bin, &trained.card)?;
    registry.promote(trained.model.version())?;
    say(training::summary(&trained.card).trim_end())?;
    say(&format!("model {} is in {} and in service", trained.model.version(), folder.display()))?;
    Ok(())
}
