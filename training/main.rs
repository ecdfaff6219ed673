//! `churn-train`: flags in, a model in the registry out. The flow itself is [`training::train`].

use std::process::ExitCode;

use anyhow::Context;
use churn_risk::lake::Lake;
use churn_risk::model::Registry;
use churn_risk::portfolio::{self, Portfolio};
use churn_risk::progress::{Progress, say, tell};
use churn_risk::training::args::{Args, Command, FeaturesArgs, LakeArgs, TrainArgs};
use churn_risk::training::{self, TrainError};

/// Exit code where there is too little to train on, so that a scheduler can tell it from a failure.
const TOO_LITTLE: u8 = 3;

fn main() -> ExitCode {
    match run(Args::read()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&format!("error: {error:#}"));
            let too_little = error.downcast_ref::<TrainError>().is_some_and(TrainError::is_too_little);
            if too_little { ExitCode::from(TOO_LITTLE) } else { ExitCode::FAILURE }
        }
    }
}

fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::Train(args) => train(&args),
        Command::Features(args) => features(&args),
    }
}

fn load(from: &LakeArgs) -> anyhow::Result<Portfolio> {
    Lake::open_existing(&from.lake)?;
    portfolio::load(&from.lake, from.settle_days).with_context(|| format!("the lake `{}` does not load", from.lake.display()))
}

fn features(args: &FeaturesArgs) -> anyhow::Result<()> {
    let question = args.question.question()?;
    training::check_name(&args.out)?;
    let portfolio = load(&args.from)?;
    let days = args.as_of.days();
    let rows = training::write_features(&args.out, &portfolio, &question, &days, args.scale_until, Progress::Shown)?;
    say(&format!("{rows} rows of {} days are in {}", days.len(), args.out.display()))?;
    Ok(())
}

fn train(args: &TrainArgs) -> anyhow::Result<()> {
    let request = args.request()?;
    for path in args.predictions.iter().chain(&args.matrix) {
        training::check_name(path)?;
    }
    let portfolio = load(&args.from)?;
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
