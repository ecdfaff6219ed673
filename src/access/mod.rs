//! Who may do what, and what is written down of it: roles, scopes, the tokens of an OpenID
//! provider, keys for jobs, and the audit log.
//!
//! Absent on purpose: HTTP as a server speaks it, and which operations there are (both are the
//! service's); a clock, which is an argument.

mod audit;
mod caller;
mod claims;
mod code_flow;
mod config;
mod fetch;
mod key_file;
mod provider;
mod role;
mod scope;
mod token;

pub use audit::{AuditError, AuditFault, AuditLog, AuditVerdict, Deed, os_user, verify};
pub use caller::{Caller, Credential, View};
pub use claims::Refused;
pub use code_flow::{CodeFlow, FlowError, Started};
pub use config::{AccessConfig, ConfigError, LimitsConfig, OpenIdConfig};
pub use key_file::{ApiKey, KeyError, KeyFile, KeyRequest, NewKey};
pub use provider::{Provider, ProviderError};
pub use role::{Role, RoleSet, UnknownRole};
pub use scope::{Scope, ScopeError};
pub use token::TokenError;

use chrono::{DateTime, Utc};

/// The clock of whoever runs this.
pub type Clock = fn() -> DateTime<Utc>;
