//! `churn-train`: flags in, a model in the registry out. The flow itself is [`training::train`].

use std::fmt::Display;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use chrono::{DateTime, Utc};
use churn_risk::access::{AuditError, AuditLog, Deed, os_user};
use churn_risk::domain::{Day, HorizonDays};
use churn_risk::model::{Card, Method, Promotion, PublishError, Registry};
use churn_risk::portfolio::{self, Portfolio};
use churn_risk::progress::{Progress, say, tell};
use churn_risk::training::args::{Args, AuditArgs, Command, FeaturesArgs, LakeArgs, ModelsArgs, TrainArgs};
use churn_risk::training::{self, TrainError, commands};

/// Exit code where there is too little to train on, so that a scheduler can tell it from a failure: the
/// rule of recency is then in service, where there is enough for that.
const TOO_LITTLE: u8 = 3;

/// Exit code of a model that is written and stays out of service, or of models that are not sound.
const NOT_FIT: u8 = 4;

fn main() -> ExitCode {
    match run(Args::read()) {
        Ok(code) => code,
        Err(error) => {
            tell(&format!("error: {error:#}"));
            let too_little = error.downcast_ref::<TrainError>().is_some_and(TrainError::is_too_little);
            if too_little { ExitCode::from(TOO_LITTLE) } else { ExitCode::FAILURE }
        }
    }
}

fn run(args: Args) -> anyhow::Result<ExitCode> {
    let open = |models: &ModelsArgs| Registry::open(&models.models);
    let text = match args.command {
        Command::Train(args) => return train(&args),
        Command::Features(args) => return features(&args),
        Command::List(models) => commands::list(&open(&models))?,
        Command::Show { version, models } => commands::show(&open(&models), version.as_deref())?,
        Command::Report { version, out, models } => {
            let path = commands::report(&open(&models), version.as_deref(), out.as_deref())?;
            format!("the report is {}", path.display())
        }
        Command::Compare { one, other, models, lake, as_of_version } => {
            let portfolio = lake.map(|lake| load(&LakeArgs { lake, settle_days: 0, as_of_version })).transpose()?;
            commands::compare(&open(&models), &one, &other, portfolio.as_ref())?
        }
        Command::Promote { version, models, lake, as_of_version, force, by, why, audit } => {
            let portfolio = lake.map(|lake| load(&LakeArgs { lake, settle_days: 0, as_of_version })).transpose()?;
            let how = match (force, by, why) {
                (true, Some(by), Some(why)) => Promotion::Forced { by, why },
                _ => commands::earned(&open(&models), &version, portfolio.as_ref())?,
            };
            recorded(&audit, "promotion", &version, || commands::promote(&open(&models), &version, &how, today()))??
        }
        Command::Rollback { models, audit } => {
            recorded(&audit, "rollback", "the model before", || commands::roll_back(&open(&models), today()))??
        }
        Command::Verify(models) => {
            let (text, sound) = commands::verify(&open(&models))?;
            say(&text)?;
            return Ok(if sound { ExitCode::SUCCESS } else { ExitCode::from(NOT_FIT) });
        }
    };
    say(text.trim_end())?;
    Ok(ExitCode::SUCCESS)
}

/// Does what has to be recorded, where there is an audit log.
fn recorded<T, E: Display>(
    audit: &AuditArgs,
    what: &str,
    about: &str,
    work: impl FnOnce() -> Result<T, E>,
) -> Result<Result<T, E>, AuditError> {
    let Some(folder) = &audit.audit else { return Ok(work()) };
    let deed = Deed { who: &os_user(), from: None, what, about, result: "" };
    AuditLog::at(folder, now).around(deed, work, |_| "done".to_owned())
}

/// The moment that the operator's clock shows.
#[expect(clippy::disallowed_methods, reason = "the records tell the moment")]
fn now() -> DateTime<Utc> {
    Utc::now()
}

/// Its day, in UTC.
fn today() -> Day {
    Day::from_date(now().date_naive())
}

fn load(from: &LakeArgs) -> anyhow::Result<Portfolio> {
    let lake = from.lake.open_existing()?;
    portfolio::load_from(&lake, from.settle_days, from.as_of_version).with_context(|| format!("the lake `{}` does not load", from.lake))
}

fn features(args: &FeaturesArgs) -> anyhow::Result<ExitCode> {
    let question = args.question.question(HorizonDays::new(args.horizon)?)?;
    training::check_name(&args.out)?;
    let portfolio = load(&args.from)?;
    let days = args.as_of.days();
    let rows = training::write_features(&args.out, &portfolio, &question, &days, args.scale_until, Progress::Shown)?;
    say(&format!("{rows} rows of {} days are in {}", days.len(), args.out.display()))?;
    if rows == 0 {
        tell("no subscription had a label on any of these days: they lie outside the data, or the label is not known yet");
    }
    Ok(ExitCode::SUCCESS)
}

fn train(args: &TrainArgs) -> anyhow::Result<ExitCode> {
    let request = args.request()?;
    for path in args.predictions.iter().chain(&args.matrix) {
        training::check_name(path)?;
    }
    let portfolio = load(&args.from)?;
    let registry = Registry::open(&args.models);
    let in_service = registry.load_current().ok();
    let mut trained = match training::train(&portfolio, &request, in_service.as_ref(), Progress::Shown) {
        Err(error) if error.is_too_little() => {
            // Where not even the rule can be made, what there is too little of for a model is the failure.
            let Ok(rule) = training::baseline(&portfolio, &request, Progress::Shown) else { return Err(error.into()) };
            tell(&error.to_string());
            rule
        }
        trained => trained?,
    };
    let levels = args.from.lake.open_existing()?.vendor_levels(Some(portfolio.version()))?;
    trained.card.against_vendor = training::hold_beside_vendor(&portfolio, &trained.model, &levels);
    if let Some(path) = &args.predictions {
        training::write_predictions(path, &portfolio, &trained)?;
    }
    if let Some(path) = &args.matrix {
        training::write_matrix(path, &portfolio, &trained)?;
    }
    let folder = registry.publish(&trained.model, &trained.model_bin, &trained.card)?;
    say(training::summary(&trained.card).trim_end())?;
    let version = trained.model.version();
    let report = commands::report(&registry, Some(version), None)?;
    let code = promote(&registry, &trained.card, &folder, &args.audit)?;
    say(&format!("its report, a page for the browser, is {}", report.display()))?;
    Ok(code)
}

/// Puts a model in service that earned it.
fn promote(registry: &Registry, card: &Card, folder: &Path, audit: &AuditArgs) -> anyhow::Result<ExitCode> {
    let version = card.version.as_str();
    if registry.promotions()?.last().is_some_and(|last| last.back && last.previous.as_deref() == Some(version)) {
        tell(&format!("model {version} was taken back, so it stays out of service: `churn-train promote {version}` puts it in again"));
        return Ok(ExitCode::from(NOT_FIT));
    }
    let how = card.against.clone().map_or(Promotion::Earned, |against| Promotion::Beside(Box::new(against)));
    match recorded(audit, "promotion", version, || registry.promote(version, &how, today()))? {
        Ok(loaded) => {
            say(&format!("model {version} is in {} and in service", folder.display()))?;
            let too_little = loaded.card.method == Method::Baseline;
            Ok(if too_little { ExitCode::from(TOO_LITTLE) } else { ExitCode::SUCCESS })
        }
        Err(error) if error.is_of_standing() => {
            tell(&format!("model {version} is in {} and not in service: {error}", folder.display()));
            let too_little = matches!(error, PublishError::Baseline { .. });
            Ok(ExitCode::from(if too_little { TOO_LITTLE } else { NOT_FIT }))
        }
        Err(error) => Err(error.into()),
    }
}
