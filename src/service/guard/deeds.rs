//! What is written down of what people do. Lines are synced to disk away from the threads that answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::web;

use super::super::problem::Problem;
use crate::access::{AuditError, AuditLog, Deed};
use crate::domain::chain;

/// A deed that owns its texts.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) who: String,
    pub(super) from: String,
    pub(super) what: &'static str,
    pub(super) about: String,
    pub(super) result: String,
}

/// The audit log of a service, where it has one.
#[derive(Debug)]
pub(super) struct Deeds {
    log: Option<Arc<AuditLog>>,
    /// Refusals that were not written down since the last that was: who makes thousands of them is
    /// not to fill the disk.
    unwritten: AtomicU64,
}

impl Deeds {
    pub(super) fn new(log: Option<AuditLog>) -> Self {
        Self { log: log.map(Arc::new), unwritten: AtomicU64::new(0) }
    }

    /// Records what is about to be done.
    ///
    /// # Errors
    /// Where it cannot be recorded, so may not be done.
    pub(super) async fn before(&self, told: Told) -> Result<(), Problem> {
        self.write(told).await.map_err(Problem::NotRecorded)
    }

    /// Records what has happened already; where that fails the log of the service tells it.
    pub(super) async fn after(&self, told: Told) {
        let (what, who) = (told.what, told.who.clone());
        if let Err(error) = self.write(told).await {
            tracing::error!(what, who, error = chain(&error), "a deed is not in the audit log");
        }
    }

    /// Records a refusal.
    pub(super) async fn refused(&self, mut told: Told) {
        let more = self.unwritten.swap(0, Ordering::Relaxed);
        if more > 0 {
            told.result = format!("{}; {more} more were refused since without a line", told.result);
        }
        self.after(told).await;
    }

    /// Counts a refusal that gets no line of its own.
    pub(super) fn refused_unwritten(&self) {
        self.unwritten.fetch_add(1, Ordering::Relaxed);
    }

    async fn write(&self, told: Told) -> Result<(), AuditError> {
        let Some(log) = self.log.clone() else { return Ok(()) };
        let folder = log.folder().to_path_buf();
        let written = web::block(move || {
            let Told { who, from, what, about, result } = &told;
            log.record(Deed { who, from: Some(from), what, about, result })
        });
        let broken = |_| AuditError::Damaged { folder, what: "its writer panicked".to_owned() };
        written.await.map_err(broken)?
    }
}
