//! `churn-risk serve`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use churn_risk::access::{AccessConfig, KeyFile};
use churn_risk::lake::LakeAt;
use churn_risk::model::{ModelSlot, Registry};
use churn_risk::progress::tell;
use churn_risk::service::{Guard, Service, ServiceConfig, State, TableSource, TlsFiles};
use clap::Args;
use secrecy::SecretString;

use super::access::{self, AuditArguments};

#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    /// Folder of the tables that `import` wrote, or its URL in an object store (az, abfss, s3)
    #[arg(long, env = "CHURN_RISK_LAKE")]
    lake: LakeAt,
    /// Registry of models that `churn-train` writes
    #[arg(long, env = "CHURN_RISK_MODELS", default_value = "models")]
    models: PathBuf,
    /// Address and port; one that others reach needs sign-in and TLS
    #[arg(long, env = "CHURN_RISK_BIND", default_value = "127.0.0.1:8080")]
    bind: SocketAddr,
    /// Days that the as-of day stands back from the last usage day, where the feed restates them
    #[arg(long, env = "CHURN_RISK_SETTLE_DAYS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=365))]
    settle_days: u32,
    /// Seconds from one look for newer tables and another current model to the next; 0 for only on request
    #[arg(long, env = "CHURN_RISK_LOOK_SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(0..=86_400))]
    look_seconds: u64,
    /// Serve this version of the tables whatever comes in, and append no scores
    #[arg(long)]
    as_of_version: Option<u64>,
    /// Do not append the scores of each version that comes into service to the lake
    #[arg(long, env = "CHURN_RISK_NO_SCORE_HISTORY", value_parser = clap::builder::BoolishValueParser::new())]
    no_score_history: bool,
    /// Access file (TOML): the OpenID provider, roles, scopes, proxies
    #[arg(long, env = "CHURN_RISK_ACCESS", value_name = "FILE")]
    access: Option<PathBuf>,
    /// File of API keys that `keys create` writes
    #[arg(long, env = "CHURN_RISK_KEYS", value_name = "FILE")]
    keys: Option<PathBuf>,
    #[command(flatten)]
    audit: AuditArguments,
    /// Certificate chain (PEM), read anew when it changes
    #[arg(long, env = "CHURN_RISK_TLS_CERTIFICATE", value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// Private key of the certificate (PEM)
    #[arg(long, env = "CHURN_RISK_TLS_KEY", value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
}

pub(crate) fn run(arguments: &ServeArguments) -> anyhow::Result<ExitCode> {
    super::log_to_stderr();
    let source = TableSource {
        lake: arguments.lake.clone(),
        settle_days: arguments.settle_days,
        as_of_version: arguments.as_of_version,
        today: super::today,
    };
    let guard = guard(arguments)?;
    let state = state(source, &arguments.models)?;
    // What it would say of a day long past is no forecast.
    let score_history = !arguments.no_score_history && arguments.as_of_version.is_none();
    if let Some(version) = arguments.as_of_version {
        tracing::info!(version, "this version of the tables stays in service: newer ones are not looked for, and no scores are appended");
    }
    let look_every = (arguments.look_seconds > 0).then(|| Duration::from_secs(arguments.look_seconds));
    let config = ServiceConfig { look_every, score_history, ..ServiceConfig::new(arguments.bind) };
    let tls = arguments.tls_certificate.as_ref().zip(arguments.tls_key.as_ref());
    let tls = tls.map(|(certificate, key)| TlsFiles::read(certificate, key)).transpose()?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let service = Service::guarded(config, guard, tls, state).with_context(|| format!("cannot serve on {}", arguments.bind))?;
    tell(&format!("serving on {scheme}://{}", service.address()));
    service.run()?;
    Ok(ExitCode::SUCCESS)
}

/// Who is let in.
fn guard(arguments: &ServeArguments) -> anyhow::Result<Guard> {
    if arguments.access.is_none() && arguments.keys.is_none() {
        tracing::info!("nobody has to sign in: whoever reaches this loopback address sees everything and may everything");
        return Ok(Guard::open(arguments.audit.log()));
    }
    // No flag holds it: those are seen by everybody on the machine.
    let secret = std::env::var("CHURN_RISK_OPENID_SECRET").ok().map(SecretString::from);
    let config = arguments.access.as_ref().map(|file| AccessConfig::read(file, secret)).transpose()?.unwrap_or_default();
    let audit = arguments.audit.log().context("a service at which people sign in records what they do: give --audit FOLDER")?;
    let keys = arguments.keys.as_ref().map(KeyFile::at);
    Ok(Guard::new(config, keys, audit, access::now)?)
}

/// The portfolio of a lake and the registry's model. Without either the service answers what
/// it can, and `/readyz` says what is missing; a refused model is told to the log.
pub(crate) fn state(source: TableSource, models: &Path) -> anyhow::Result<State> {
    let lake = source.lake.clone();
    let state =
        State::from_source(source, ModelSlot::new(Registry::open(models))).with_context(|| format!("the lake {lake} does not load"))?;
    match state.reload_model() {
        Ok(loaded) => tracing::info!(model = loaded.model.version(), "model in service"),
        Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "no model in service"),
    }
    if let Some(folder) = lake.absent_folder() {
        tracing::warn!("there is no folder {} yet; an import makes it", folder.display());
    }
    for missing in state.missing() {
        tracing::warn!("{missing}");
    }
    Ok(state)
}
