//! The cache file.

use thiserror::Error;

/// x
#[derive(Debug, Error)]
pub enum CacheError {}
