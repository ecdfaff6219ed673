//! Where the commands find keys and the audit log, and what they write into it.

use std::fmt::Display;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use churn_risk::access::{AuditError, AuditLog, Deed, os_user};
use clap::Args;

/// The audit log of a command.
#[derive(Debug, Clone, Args)]
pub(crate) struct AuditArguments {
    /// Folder of the audit log: who did what, and when
    #[arg(long, env = "CHURN_RISK_AUDIT", value_name = "FOLDER")]
    pub(crate) audit: Option<PathBuf>,
}

/// The audit log of a command that does nothing without a record.
#[derive(Debug, Clone, Args)]
pub(crate) struct NeededAuditArguments {
    /// Folder of the audit log: who did what, and when
    #[arg(long, env = "CHURN_RISK_AUDIT", value_name = "FOLDER")]
    pub(crate) audit: PathBuf,
}

/// The key file of a command.
#[derive(Debug, Clone, Args)]
pub(crate) struct KeyFileArguments {
    /// File of the API keys, as hashes
    #[arg(long, env = "CHURN_RISK_KEYS", value_name = "FILE")]
    pub(crate) keys: PathBuf,
}

impl AuditArguments {
    pub(crate) fn log(&self) -> Option<AuditLog> {
        self.audit.as_ref().map(|folder| AuditLog::at(folder, now))
    }

    /// Does something that has to be recorded, where there is a log: as [`AuditLog::around`].
    pub(crate) fn around<T, E: Display>(
        &self,
        what: &str,
        about: &str,
        work: impl FnOnce() -> Result<T, E>,
        told: impl FnOnce(&T) -> String,
    ) -> Result<Result<T, E>, AuditError> {
        let Some(log) = self.log() else { return Ok(work()) };
        log.around(Deed { who: &os_user(), from: None, what, about, result: "" }, work, told)
    }
}

/// The moment that the operator's clock shows.
#[expect(clippy::disallowed_methods, reason = "the one clock of the program")]
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now()
}
