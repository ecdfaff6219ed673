//! Fetches a partner's exports from Microsoft: the asynchronous billing export of Microsoft Graph,
//! and the paged analytics of Partner Center.
//!
//! What is fetched lies in a folder of its own for each question that was asked, beside a state
//! file that is replaced whole after each step, so that a pull that was killed goes on where it
//! stopped. A file has its name once its length and its gzip trailer were checked, and no earlier.
//!
//! The protocol is that of Microsoft's own pages: "unbilledUsage: export", "billedUsage: export",
//! "Get operation" and "manifest resource type" (Microsoft Graph, namespace partners.billing),
//! "Billed and unbilled daily rated usage reconciliation API v2", "Get all Azure usage analytics
//! information" and "Get all subscription analytics information" (Partner Center), and the client
//! credentials flow of the Microsoft identity platform. Where pages and Microsoft's sample program
//! (Partner-Center-Billing-Recon-Samples) differ, both forms are read.
//!
//! Absent on purpose: the meaning of a row (`lake::import` has it), a clock and chance, which are
//! arguments, and a second connection at a time: the services count requests, not bytes.

mod address;
mod analytics;
mod backoff;
mod billing;
mod blob;
mod client;
mod clock;
mod folder;
mod manifest;
mod page;
mod said;
mod secret;
mod token;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

pub use address::Address;
pub use analytics::{AnalyticsRequest, AnalyticsTopic, pull_analytics};
pub use backoff::Backoff;
pub use billing::{AttributeSet, BillingPeriod, BillingQuestion, BillingRequest, pull_billing};
pub use clock::Clock;
pub use secret::Secret;
pub use token::Credentials;

use crate::progress::Progress;

/// Whom to ask, as whom, and within which bounds.
#[derive(Debug, Clone)]
pub struct PullSetup {
    /// The service: Microsoft Graph, or Partner Center.
    pub api: Address,
    /// Who gives tokens.
    pub authority: Address,
    pub credentials: Credentials,
    /// What the token is for; the origin of `api` with `/.default` where it is not given.
    pub scope: Option<String>,
    /// Where downloads and the state file lie.
    pub into: PathBuf,
    /// The whole pull ends by then, waiting included.
    pub deadline: Duration,
    pub backoff: Backoff,
    pub clock: Arc<dyn Clock>,
    pub progress: Progress,
}

/// What a pull has brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulled {
    /// In the order in which they are to be read. None where the export is empty.
    pub files: Vec<PulledFile>,
    /// What Microsoft calls this version of the data; none for analytics, which have no versions.
    pub version: Option<String>,
    /// Files that this pull has downloaded; the others were here from a pull before.
    pub downloaded: usize,
}

/// A file that was downloaded whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PulledFile {
    pub path: PathBuf,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

/// Why a pull has ended without all its files. What it has is kept, and the next pull goes on.
#[derive(Debug, Error)]
pub enum PullError {
    #[error("{path} cannot be read or written")]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{path} is no state of a pull: {reason}; remove it to begin anew")]
    State { path: PathBuf, reason: String },
    #[error("another pull works in {path}")]
    Busy { path: PathBuf },
    #[error("the HTTP client cannot be set up: {reason}")]
    Client { reason: String },
    #[error("{what} `{told}`: {reason}")]
    Address { what: &'static str, told: String, reason: &'static str },
    #[error("{what} leads to {told}, which is not {wanted}; it is not followed")]
    OtherOrigin { what: &'static str, told: String, wanted: String },
    #[error("{what}: no answer after {attempts} attempts, the last with: {reason}")]
    Unanswered { what: String, attempts: u32, reason: String },
    #[error("{what}: refused with status {status}{said}")]
    Refused { what: String, status: u16, said: String },
    #[error("no token from {authority}: status {status}{said}")]
    NoToken { authority: String, status: u16, said: String },
    #[error("{what}: the deadline of {seconds} s is over, or would be before the next attempt; the next pull goes on from here")]
    Deadline { what: String, seconds: u64 },
    #[error("{what}: the answer is longer than {max} bytes")]
    TooLong { what: String, max: u64 },
    #[error("{what}: the answer is not as documented: {reason}")]
    Answer { what: String, reason: String },
    #[error("the export has failed at Microsoft{said}; the next pull asks for it anew")]
    Failed { said: String },
    #[error("the manifest counts {told} blobs and lists {listed}; nothing of it was downloaded")]
    BlobCount { told: u64, listed: u64 },
    #[error("the manifest names a blob `{name}`: {reason}; nothing of it was downloaded")]
    BlobName { name: String, reason: &'static str },
    #[error("the manifest is of format `{told}`, and this release reads compressedJSON")]
    DataFormat { told: String },
    #[error("page {page} {repeats} page {earlier}: the service repeats itself, and nothing of this run is imported")]
    Repeated { page: usize, earlier: usize, repeats: &'static str },
    #[error("more than {max} pages: the service does not come to an end")]
    TooManyPages { max: usize },
}

fn io_error(path: &Path, source: std::io::Error) -> PullError {
    PullError::Io { path: path.to_path_buf(), source }
}
