//! `churn-risk keys`: API keys for jobs.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use churn_risk::access::{ApiKey, AuditError, AuditLog, Deed, KeyError, KeyFile, KeyRequest, Role, os_user};
use churn_risk::progress::tell;
use clap::{Args, Subcommand};
use secrecy::ExposeSecret;
use thiserror::Error;

use super::access::{KeyFileArguments, NeededAuditArguments, now};
use super::table::table;

#[derive(Debug, Args)]
pub(crate) struct KeysArguments {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Make a key, and show it once
    Create(CreateArguments),
    /// List every key, without what is secret
    List(KeyFileArguments),
    /// End a key at once
    Revoke(RevokeArguments),
}

#[derive(Debug, Args)]
struct CreateArguments {
    #[command(flatten)]
    file: KeyFileArguments,
    #[command(flatten)]
    audit: NeededAuditArguments,
    /// What the key is for, such as `crm` or `grafana`
    #[arg(long)]
    name: String,
    /// A role, such as `SalesAgent`, or `Monitor` for the counters alone; may be repeated
    #[arg(long = "role", required = true)]
    roles: Vec<Role>,
    /// Whose figures it sees, `reseller:ID` or `customer:ID`; may be repeated; everybody's without
    #[arg(long = "scope")]
    scope: Vec<String>,
    /// Days for which it holds
    #[arg(long, default_value_t = 90)]
    days: u32,
}

#[derive(Debug, Args)]
struct RevokeArguments {
    #[command(flatten)]
    file: KeyFileArguments,
    #[command(flatten)]
    audit: NeededAuditArguments,
    /// The key's id, or its name
    key: String,
}

#[derive(Debug, Error)]
enum Failed {
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("nothing was changed, since it cannot be recorded")]
    Audit(#[from] AuditError),
}

pub(crate) fn run(arguments: &KeysArguments) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        KeysCommand::Create(create_arguments) => create(create_arguments),
        KeysCommand::List(file) => list(file),
        KeysCommand::Revoke(revoke_arguments) => revoke(revoke_arguments),
    }
}

fn record(audit: &NeededAuditArguments, what: &str, key: &ApiKey) -> Result<(), Failed> {
    let roles = key.roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(", ");
    let scope = key.scope.as_ref().map_or_else(|| "everybody".to_owned(), |texts| texts.join(" "));
    let result = format!("begun: {}, {roles}, {scope}, until {}", key.name, key.expires_at);
    let about = format!("key:{}", key.id);
    let deed = Deed { who: &os_user(), from: None, what, about: &about, result: &result };
    Ok(AuditLog::at(&audit.audit, now).record(deed)?)
}

fn create(arguments: &CreateArguments) -> anyhow::Result<ExitCode> {
    let wanted = KeyRequest {
        name: arguments.name.clone(),
        roles: arguments.roles.clone(),
        scope: (!arguments.scope.is_empty()).then(|| arguments.scope.clone()),
        days: arguments.days,
    };
    let made = KeyFile::at(&arguments.file.keys).create(wanted, now(), |key| record(&arguments.audit, "key created", key))?;
    tell(&format!("key {} ({}) holds until {}; this is the only time that it is shown:", made.key.name, made.key.id, made.key.expires_at));
    // Alone on standard output, so that a script can take it.
    writeln!(std::io::stdout(), "{}", made.shown_once.expose_secret()).context("the key cannot be shown; revoke it")?;
    Ok(ExitCode::SUCCESS)
}

fn revoke(arguments: &RevokeArguments) -> anyhow::Result<ExitCode> {
    let key = KeyFile::at(&arguments.file.keys).revoke(&arguments.key, now(), |key| record(&arguments.audit, "key revoked", key))?;
    tell(&format!("key {} ({}) is revoked; a service that reads this file refuses it from now on", key.name, key.id));
    Ok(ExitCode::SUCCESS)
}

fn list(file: &KeyFileArguments) -> anyhow::Result<ExitCode> {
    let (keys, now) = (KeyFile::at(&file.keys).keys()?, now());
    let mut table = table(["id", "name", "roles", "scope", "created", "expires", "state"], []);
    for key in keys {
        let state = match key.revoked_at {
            Some(at) => format!("revoked {}", at.date_naive()),
            None if key.holds(now) => "holds".to_owned(),
            None => "expired".to_owned(),
        };
        let roles = key.roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(" ");
        let scope = key.scope.map_or_else(|| "everybody".to_owned(), |texts| texts.join(" "));
        let (created, expires) = (key.created_at.date_naive().to_string(), key.expires_at.date_naive().to_string());
        table.add_row([key.id, key.name, roles, scope, created, expires, state]);
    }
    writeln!(std::io::stdout(), "{table}")?;
    Ok(ExitCode::SUCCESS)
}
