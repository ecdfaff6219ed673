//! `churn-risk serve`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use churn_risk::model::{ModelSlot, Registry};
use churn_risk::portfolio;
use churn_risk::service::{Service, ServiceConfig, State};
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    /// Folder of the tables that `import` wrote
    #[arg(long, env = "CHURN_RISK_LAKE")]
    lake: PathBuf,
    /// Registry of models that `churn-train` writes
    #[arg(long, env = "CHURN_RISK_MODELS", default_value = "models")]
    models: PathBuf,
    /// Loopback address and port
    #[arg(long, env = "CHURN_RISK_BIND", default_value = "127.0.0.1:8080")]
    bind: SocketAddr,
    /// Days that the as-of day stands back from the last usage day, where the feed restates them
    #[arg(long, env = "CHURN_RISK_SETTLE_DAYS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=365))]
    settle_days: u32,
}

pub(crate) fn run(arguments: &ServeArguments) -> anyhow::Result<ExitCode> {
    super::log_to_stderr();
    let state = state(&arguments.lake, &arguments.models, arguments.settle_days)?;
    let service =
        Service::open(ServiceConfig::new(arguments.bind), state).with_context(|| format!("cannot serve on {}", arguments.bind))?;
    eprintln!("serving on http://{}", service.address());
    service.run()?;
    Ok(ExitCode::SUCCESS)
}

/// The portfolio of a lake and the registry's model. Without either the service answers what
/// it can, and `/readyz` says what is missing; a refused model is told to the log.
pub(crate) fn state(lake: &Path, models: &Path, settle_days: u32) -> anyhow::Result<State> {
    let portfolio = portfolio::load(lake, settle_days).with_context(|| format!("the lake {} does not load", lake.display()))?;
    let state = State::new(portfolio, ModelSlot::new(Registry::open(models)));
    match state.reload_model() {
        Ok(loaded) => tracing::info!(model = loaded.model.version(), "model in service"),
        Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "no model in service"),
    }
    for missing in state.missing() {
        tracing::warn!("{missing}");
    }
    Ok(state)
}
