//! What time it is, and waiting: arguments, so that a test needs neither.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;

/// Tells the time and waits.
#[async_trait]
pub trait Clock: Debug + Send + Sync {
    /// Seconds from 1970-01-01 UTC.
    fn epoch_seconds(&self) -> u64;

    /// Returns once `span` has gone by.
    async fn wait(&self, span: Duration);
}
